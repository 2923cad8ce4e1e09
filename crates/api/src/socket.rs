//! A realtime socket, from its first frame to its close.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior};
use wagate_core::{EventStream, StreamItem};

use crate::state::ApiState;

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why a socket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client left.
    Left,
    /// The client does not read fast enough.
    Slow,
    /// The credential was revoked.
    Revoked,
    /// The service stops.
    Stopping,
    /// The store or the bus is away.
    Away,
}

impl End {
    /// The word in the error frame and the close code (RFC 6455, section 7.4.1); nothing
    /// for a client that left.
    const fn farewell(self) -> Option<(&'static str, u16)> {
        match self {
            Self::Left => None,
            Self::Slow => Some(("slow_client", close_code::POLICY)),
            Self::Revoked => Some(("unauthorized", close_code::POLICY)),
            Self::Stopping => Some(("going_away", close_code::AWAY)),
            Self::Away => Some(("gateway_unavailable", close_code::AGAIN)),
        }
    }
}

/// Serves a socket until either side ends it.
pub(crate) async fn serve(socket: WebSocket, mut stream: EventStream, state: &ApiState) {
    let (sink, mut incoming) = socket.split();
    let mut outgoing = Outgoing {
        sink,
        patience: state.config().slow_client_timeout,
    };
    metrics::gauge!("wagate_realtime_sockets").increment(1);
    let end = converse(&mut outgoing, &mut incoming, &mut stream, state).await;
    metrics::gauge!("wagate_realtime_sockets").decrement(1);
    if let Some((word, code)) = end.farewell() {
        tracing::debug!(reason = word, "closing a realtime socket");
        let farewell = outgoing.say_farewell(word, code, &mut incoming);
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }
}

struct Outgoing {
    sink: SplitSink<WebSocket, Message>,
    patience: Duration,
}

impl Outgoing {
    /// Sends one frame, and waits until the client has taken what was sent before.
    async fn send(&mut self, text: impl Into<Utf8Bytes>) -> Result<(), End> {
        let sending = self.sink.send(Message::Text(text.into()));
        match tokio::time::timeout(self.patience, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Left),
            Err(_) => Err(End::Slow),
        }
    }

    async fn say_farewell(
        &mut self,
        word: &'static str,
        code: u16,
        incoming: &mut SplitStream<WebSocket>,
    ) {
        let error = json!({ "event": "error", "error": word }).to_string();
        let close = Message::Close(Some(CloseFrame {
            code,
            reason: Utf8Bytes::from_static(word),
        }));
        let is_sent = self.sink.feed(Message::Text(error.into())).await.is_ok()
            && self.sink.send(close).await.is_ok();
        // Until the client closes too: closing first could cut off what it has not read.
        while is_sent && matches!(incoming.next().await, Some(Ok(_))) {}
    }
}

async fn converse(
    outgoing: &mut Outgoing,
    incoming: &mut SplitStream<WebSocket>,
    stream: &mut EventStream,
    state: &ApiState,
) -> End {
    let (heartbeat, clock) = (state.config().heartbeat, &state.core().clock);
    let connected = json!({
        "event": "connected",
        "heartbeatSeconds": heartbeat.as_secs(),
        "timestamp": clock.now_ms(),
    });
    if let Err(end) = outgoing.send(connected.to_string()).await {
        return end;
    }
    let mut beats = tokio::time::interval_at(Instant::now() + heartbeat, heartbeat);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let sent = tokio::select! {
            () = state.stop().cancelled() => Err(End::Stopping),
            item = stream.next() => match item {
                Ok(StreamItem::Event(envelope)) => {
                    send_while_permitted(outgoing, stream, state, envelope).await
                }
                Ok(StreamItem::Revoked) => Err(End::Revoked),
                Err(error) => {
                    tracing::debug!(%error, "a realtime stream ended");
                    Err(End::Away)
                }
            },
            // Nothing is expected of the client; its pings are answered by the library.
            message = incoming.next() => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Left),
                Some(Ok(_)) => Ok(()),
            },
            _ = beats.tick() => {
                let ping = json!({ "event": "ping", "timestamp": clock.now_ms() });
                match stream.is_permitted().await {
                    Ok(false) => Err(End::Revoked),
                    // Not to know is no reason to end: revocations are signalled too.
                    Ok(true) | Err(_) => {
                        send_while_permitted(outgoing, stream, state, ping.to_string()).await
                    }
                }
            }
        };
        if let Err(end) = sent {
            return end;
        }
    }
}

/// Sends one frame; gives up as soon as the client may no longer have it.
async fn send_while_permitted(
    outgoing: &mut Outgoing,
    stream: &mut EventStream,
    state: &ApiState,
    text: String,
) -> Result<(), End> {
    tokio::select! {
        biased;
        () = state.stop().cancelled() => Err(End::Stopping),
        revoked = stream.revoked() => Err(revoked.map_or(End::Away, |()| End::Revoked)),
        sent = outgoing.send(text) => sent,
    }
}
