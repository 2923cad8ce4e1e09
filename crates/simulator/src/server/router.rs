//! What a logged-in device sends.

use std::time::Duration;

use wacore_binary::Node;

use crate::faults::InboundFate;
use crate::journal::JournalError;

use super::api::Server;
use super::link::Outgoing;
use super::session::Session;
use super::stanza::{marshal, stream_conflict, stream_error};

impl Server {
    /// Handles one stanza of a device; what it causes has been written down when this returns.
    pub(crate) fn handle(&self, session: &Session, node: Node) {
        match self
            .inner
            .faults
            .inbound(&session.account.number, &node.tag)
        {
            InboundFate::Pass => self.route(session, &node),
            InboundFate::Drop => {}
            InboundFate::Duplicate => {
                self.route(session, &node);
                self.route(session, &node);
            }
            InboundFate::Delay(delay_ms) => {
                let (server, session) = (self.clone(), session.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                    server.route(&session, &node);
                });
            }
            InboundFate::Nack(code) => self.refuse_message(session, &node, code),
            InboundFate::Close => session.link.cut(),
            InboundFate::StreamError(code) => {
                session
                    .link
                    .push(Outgoing::Last(marshal(&stream_error(code))));
            }
            InboundFate::Replaced => {
                let conflict = stream_conflict("replaced");
                session.link.push(Outgoing::Last(marshal(&conflict)));
            }
        }
    }

    fn route(&self, session: &Session, node: &Node) {
        if let Err(error) = self.dispatch(session, node) {
            tracing::error!(%error, stanza.tag = %node.tag, "a stanza could not be written down");
            // Unacknowledged, it comes again on the next connection.
            session.link.cut();
        }
    }

    fn dispatch(&self, session: &Session, node: &Node) -> Result<(), JournalError> {
        match &*node.tag {
            "iq" => self.handle_iq(session, node),
            "message" => self.handle_message(session, node),
            "receipt" => self.handle_receipt(session, node),
            "ack" => self.handle_ack(session, node),
            "presence" => self.handle_presence(session, node),
            "chatstate" => {
                self.handle_chatstate(session, node);
                Ok(())
            }
            "call" => self.handle_call(session, node),
            // Batches are not asked for here: the queue follows as fast as it is read.
            "ib" => Ok(()),
            _ => {
                tracing::debug!(stanza.tag = %node.tag, "ignored a stanza of unknown tag");
                Ok(())
            }
        }
    }
}
