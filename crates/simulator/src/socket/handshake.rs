//! The Noise handshake on a wire.

use std::time::Duration;

use super::wire::{Over, Wire};
use crate::noise::{Established, Responder, ServerHello, ServerIdentity};

/// A client that has not introduced itself in this time is cut.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);

/// Runs the handshake; a client that fails it learns nothing.
pub(super) async fn run(wire: &mut Wire, identity: &ServerIdentity) -> Result<Established, Over> {
    tokio::time::timeout(HANDSHAKE_TIMEOUT, steps(wire, identity))
        .await
        .map_err(|_| Over)?
}

async fn steps(wire: &mut Wire, identity: &ServerIdentity) -> Result<Established, Over> {
    let client_hello = wire.frame().await?;
    let answer = Responder::answer(identity, &client_hello).map_err(|error| {
        tracing::debug!(%error, "refused a handshake");
        Over
    })?;
    match answer {
        ServerHello::Done {
            message,
            established,
        } => {
            write(wire, &message).await?;
            Ok(*established)
        }
        ServerHello::Continue { message, responder } => {
            write(wire, &message).await?;
            let client_finish = wire.frame().await?;
            responder.finish(&client_finish).map_err(|error| {
                tracing::debug!(%error, "refused the end of a handshake");
                Over
            })
        }
    }
}

async fn write(wire: &mut Wire, message: &[u8]) -> Result<(), Over> {
    let framed = wacore_noise::framing::encode_frame(message, None).map_err(|_| Over)?;
    wire.write(framed.into()).await
}
