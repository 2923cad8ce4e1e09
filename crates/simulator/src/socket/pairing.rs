//! A connection of an unlinked companion: references for its QR code, until it is linked or leaves.

use std::sync::Arc;
use std::time::Duration;

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::connection::Stanzas;
use super::wire::Over;
use crate::server::link::LinkReceiver;
use crate::server::stanza::server_jid;
use crate::server::{Registration, Server};

/// The first reference is shown for a minute, the others for twenty seconds each
/// (whatsapp-rust `pair`).
const REF_VALID_MS: [i64; 6] = [60_000, 20_000, 20_000, 20_000, 20_000, 20_000];

/// A reference is taken a little longer than it is shown.
const GRACE_MS: i64 = 5_000;

/// A linking code may outlive the QR code.
const CODE_VALID: Duration = Duration::from_secs(200);

pub(super) async fn run(
    server: &Server,
    stanzas: &mut Stanzas,
    registration: Registration,
) -> Result<(), Over> {
    let (link, receiver) = server.socket_link();
    let link = Arc::new(link);
    server.open_waiting(&link, registration);
    let cut = link.cut_token();
    let outcome = tokio::select! {
        () = cut.cancelled() => Err(Over),
        outcome = serve(server, stanzas, link.id, receiver) => outcome,
    };
    server.close_waiting(link.id);
    outcome
}

async fn serve(
    server: &Server,
    stanzas: &mut Stanzas,
    link_id: u64,
    mut receiver: LinkReceiver,
) -> Result<(), Over> {
    let mut until_ms = server.clock().now_ms() + GRACE_MS;
    let expiries_ms = REF_VALID_MS.map(|valid_ms| {
        until_ms += valid_ms;
        until_ms
    });
    let refs = server.issue_refs(link_id, &expiries_ms);
    stanzas.send_node(&pair_device(server, refs)).await?;
    let shown_ms: i64 = REF_VALID_MS.iter().sum::<i64>() + GRACE_MS;
    let shown_until = tokio::time::Instant::now() + Duration::from_millis(shown_ms.unsigned_abs());
    let mut closes_at = shown_until;
    loop {
        tokio::select! {
            node = stanzas.next() => {
                server.handle_unpaired(link_id, &node?);
                if closes_at == shown_until && server.waits_for_code(link_id) {
                    closes_at = tokio::time::Instant::now() + CODE_VALID;
                }
            }
            outgoing = receiver.recv() => {
                stanzas.send_outgoing(outgoing.ok_or(Over)?).await?;
            }
            () = tokio::time::sleep_until(closes_at) => return Err(Over),
        }
    }
}

fn pair_device(server: &Server, refs: Vec<String>) -> Node {
    let refs = refs.into_iter().map(|pairing_ref| {
        NodeBuilder::new("ref")
            .bytes(pairing_ref.into_bytes())
            .build()
    });
    NodeBuilder::new("iq")
        .attr("from", server_jid())
        .attr("type", "set")
        .attr("id", server.stanza_id())
        .attr("xmlns", "md")
        .children([NodeBuilder::new("pair-device").children(refs).build()])
        .build()
}
