//! A device inside the process: the same stanzas as on a socket, without the socket.

use tokio_util::sync::CancellationToken;
use wacore_binary::Node;

use super::api::Server;
use super::link::Outgoing;
use super::outbox::Outbox;
use super::session::Session;
use super::stanza::unmarshal;

/// The connection of an in-process device; dropping it takes the device offline.
pub struct DevicePort {
    server: Server,
    session: Session,
    outbox: Outbox,
    cut: CancellationToken,
    is_over: bool,
}

impl std::fmt::Debug for DevicePort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DevicePort")
            .field("device_id", &self.session.device_id)
            .finish_non_exhaustive()
    }
}

/// Sends stanzas as the device; outlives neither the device's connection nor its port.
#[derive(Debug, Clone)]
pub struct DeviceSender {
    server: Server,
    session: Session,
}

impl DeviceSender {
    /// Sends a stanza as the device; the server has handled it when this returns.
    pub fn send(&self, node: Node) {
        self.server.handle(&self.session, node);
    }
}

impl DevicePort {
    pub(super) fn new(server: Server, session: Session, outbox: Outbox) -> Self {
        Self {
            server,
            cut: session.link.cut_token(),
            session,
            outbox,
            is_over: false,
        }
    }

    /// Sends a stanza as the device; the server has handled it when this returns.
    pub fn send(&self, node: Node) {
        self.server.handle(&self.session, node);
    }

    /// A handle that sends while another task receives.
    pub fn sender(&self) -> DeviceSender {
        DeviceSender {
            server: self.server.clone(),
            session: self.session.clone(),
        }
    }

    /// The next stanza for the device; `None` when the server has ended the connection.
    pub async fn recv(&mut self) -> Option<Node> {
        while !self.is_over {
            let outgoing = tokio::select! {
                biased;
                () = self.cut.cancelled() => None,
                outgoing = self.outbox.next() => outgoing,
            };
            let stanza = match outgoing? {
                Outgoing::Stanza(stanza) => stanza,
                Outgoing::Last(stanza) => {
                    self.is_over = true;
                    stanza
                }
                Outgoing::Slow(stanza, delay_ms) => {
                    tokio::time::sleep(std::time::Duration::from_millis(delay_ms)).await;
                    stanza
                }
                Outgoing::Wake => continue,
            };
            if let Some(node) = unmarshal(&stanza) {
                return Some(node);
            }
        }
        None
    }
}

impl Drop for DevicePort {
    fn drop(&mut self) {
        self.server.close_session(&self.session);
    }
}
