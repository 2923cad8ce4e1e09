//! Receipts: sending them, and what those of others say about own messages.

use wacore::types::message::{MessageCategory, MessageInfo};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};

use super::run::Actor;
use crate::phone::error::PhoneError;
use crate::phone::log::MessageStatus;
use crate::phone::nodes::{ack_for, jid_attr, receipt_ids, text_attr};

impl Actor {
    /// Confirms that a message is stored: the receipt for its sender, the acknowledgement for
    /// the server's queue.
    ///
    /// Shape: whatsapp-rust `receipt::delivery_receipt_builder`.
    pub(super) fn confirm(&self, info: &MessageInfo, stanza: &Node) -> Result<(), PhoneError> {
        if info.source.is_group {
            let mut receipt = NodeBuilder::new("receipt")
                .attr("to", &info.source.chat)
                .attr("id", info.id.as_str())
                .attr("participant", &info.source.sender);
            if info.source.is_from_me {
                receipt = receipt.attr("type", "sender");
            }
            self.transmit(receipt.build())?;
            return self.acknowledge(stanza);
        }
        let mut receipt = NodeBuilder::new("receipt")
            .attr("to", &info.source.sender)
            .attr("id", info.id.as_str());
        if info.category == MessageCategory::Peer {
            receipt = receipt.attr("type", "peer_msg");
        } else if info.source.is_self_fanout() {
            receipt = receipt.attr("type", "sender");
            if let Some(recipient) = &info.source.recipient {
                receipt = receipt.attr("recipient", recipient.to_non_ad());
            }
        }
        self.transmit(receipt.build())?;
        self.acknowledge(stanza)
    }

    /// Takes a stanza out of the server's queue.
    pub(super) fn acknowledge(&self, stanza: &Node) -> Result<(), PhoneError> {
        match ack_for(stanza) {
            Some(ack) => self.transmit(ack),
            None => Ok(()),
        }
    }

    /// Sends the read receipt of a received message.
    pub(super) async fn send_read(&mut self, id: &str) -> Result<(), PhoneError> {
        let (chat, sender) = {
            let log = self.shared.log();
            let entry = log.get(id).ok_or_else(|| unknown_message(id))?;
            if entry.message.from_me {
                return Err(PhoneError::Conflict(
                    "an own message has no read receipt".to_owned(),
                ));
            }
            let message = &entry.message;
            (message.chat_jid.clone(), message.sender_jid.clone())
        };
        let damaged = |_| PhoneError::internal("a stored chat is not a JID");
        let chat: Jid = chat.parse().map_err(damaged)?;
        let to = self.chat_of(&chat).await?;
        let mut receipt = NodeBuilder::new("receipt")
            .attr("to", to)
            .attr("id", id)
            .attr("type", "read")
            .attr("t", self.server.clock().now_s());
        if chat.is_group() {
            let sender: Jid = sender.parse().map_err(damaged)?;
            receipt = receipt.attr("participant", self.chat_of(&sender).await?);
        }
        self.transmit(receipt.build())?;
        self.shared.log().advance(id, MessageStatus::Read);
        self.commit()
    }

    /// A receipt came in.
    pub(super) async fn on_receipt(&mut self, node: &Node) -> Result<(), PhoneError> {
        let kind = text_attr(node, "type");
        // In a group, the reader is the participant.
        let from = jid_attr(node, "participant").or_else(|| jid_attr(node, "from"));
        let is_own = kind.as_deref().is_some_and(|kind| kind.ends_with("-self"))
            || from.as_ref().is_some_and(|from| {
                from.user == self.shared.lid.user || from.user == self.shared.jid.user
            });
        let status = match kind.as_deref() {
            Some("retry") => {
                if let Err(error) = self.on_retry(node).await {
                    if error.is_passing() {
                        // Unacknowledged, the request comes again on the next connection.
                        return Err(error);
                    }
                    tracing::warn!(%error, "a request for a retry cannot be answered");
                }
                return self.acknowledge(node);
            }
            None | Some("inactive") if !is_own => Some(MessageStatus::Delivered),
            Some("read") if !is_own => Some(MessageStatus::Read),
            Some("read" | "read-self") => Some(MessageStatus::Read),
            Some("played") if !is_own => Some(MessageStatus::Played),
            _ => None,
        };
        if let Some(status) = status {
            {
                let mut log = self.shared.log();
                for id in receipt_ids(node) {
                    // What the account's own devices have read are others' messages, and the
                    // other way round.
                    if log
                        .get(&id)
                        .is_some_and(|entry| entry.message.from_me != is_own)
                    {
                        log.advance(&id, status);
                    }
                }
            }
            self.commit()?;
        }
        self.acknowledge(node)
    }
}

/// No message in the log has this id.
pub(super) fn unknown_message(id: &str) -> PhoneError {
    PhoneError::NotFound(format!("no message has the id {id}"))
}
