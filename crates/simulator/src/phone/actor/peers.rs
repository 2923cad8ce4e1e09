//! Messages to the account's own companions, which only they see.

use wacore_binary::Jid;
use wacore_binary::builder::NodeBuilder;
use waproto::buffa::MessageField;
use waproto::whatsapp as wa;

use super::run::Actor;
use crate::phone::content::{encode_padded, new_message_id};
use crate::phone::error::PhoneError;

impl Actor {
    /// Sends a protocol message to one companion.
    ///
    /// Shape: wacore `send::prepare_peer_stanza_with_options`.
    pub(super) async fn tell_companion(
        &mut self,
        companion: &Jid,
        protocol: wa::message::ProtocolMessage,
    ) -> Result<(), PhoneError> {
        let message = wa::Message {
            protocol_message: MessageField::some(protocol),
            ..Default::default()
        };
        self.ensure_sessions(std::slice::from_ref(companion))
            .await?;
        if !self.signal.has_session(companion) {
            return Err(PhoneError::Conflict(
                "the companion has no keys yet".to_owned(),
            ));
        }
        let ciphertext = self
            .signal
            .encrypt(companion, &encode_padded(&message))
            .await?;
        let id = new_message_id();
        let enc = NodeBuilder::new("enc")
            .attr("v", "2")
            .attr("type", ciphertext.kind.as_str())
            .bytes(ciphertext.bytes)
            .build();
        let meta = NodeBuilder::new("meta").attr("appdata", "default").build();
        let node = NodeBuilder::new("message")
            .attr("to", companion)
            .attr("id", id)
            .attr("type", "text")
            .attr("category", "peer")
            .attr("push_priority", "high")
            .children([meta, enc])
            .build();
        self.commit()?;
        self.transmit(node)
    }
}
