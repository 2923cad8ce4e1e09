//! Linking by code: the stages go from the companion to the primary and back.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeContent};

use super::api::Server;
use super::error::LinkError;
use super::jids::Addressing;
use super::link::Outgoing;
use super::pairings::LinkCodeHello;
use super::stanza::{child_bytes, iq_error, iq_result, jid_attr, marshal, server_jid, text_attr};

impl Server {
    /// The newest linking code that a companion asked for in this number's name.
    pub fn pending_link_code(&self, number: &str) -> Option<LinkCodeHello> {
        self.inner.pairings.lock().pending_hello(number).cloned()
    }

    /// Sends the primary's answer to a linking code to the companion that waits behind `pairing_ref`.
    ///
    /// On the wire this is the `link_code_companion_reg` notification of stage `primary_hello`
    /// (wacore `pair_code`); a device may as well send that stage as an iq of namespace `md`.
    pub fn send_primary_hello(
        &self,
        number: &str,
        pairing_ref: &str,
        wrapped_primary_ephemeral: Vec<u8>,
        primary_identity: Vec<u8>,
    ) -> Result<(), LinkError> {
        let account = self.cell(number).map_err(|_| LinkError::UnknownAccount)?;
        let mut waitings = self.inner.pairings.lock();
        let (_, waiting) = waitings
            .by_ref(pairing_ref, self.inner.config.clock.now_ms())
            .ok_or(LinkError::UnknownReference)?;
        let stage = NodeBuilder::new("link_code_companion_reg")
            .attr("stage", "primary_hello")
            .children([
                NodeBuilder::new("link_code_pairing_wrapped_primary_ephemeral_pub")
                    .bytes(wrapped_primary_ephemeral)
                    .build(),
                NodeBuilder::new("primary_identity_pub")
                    .bytes(primary_identity)
                    .build(),
                NodeBuilder::new("link_code_pairing_ref")
                    .bytes(pairing_ref.as_bytes().to_vec())
                    .build(),
            ])
            .build();
        let notification = self.link_code_notification(account.jid(Addressing::Pn), stage);
        waiting.link.push(Outgoing::Stanza(marshal(&notification)));
        Ok(())
    }

    fn link_code_notification(&self, from: Jid, stage: Node) -> Node {
        NodeBuilder::new("notification")
            .attr("from", from)
            .attr("type", "link_code_companion_reg")
            .attr("id", self.inner.stanza_id())
            .attr("t", self.inner.now_s())
            .children([stage])
            .build()
    }

    pub(super) fn link_code_stage(&self, link_id: u64, iq: &Node, stage: &Node) -> Node {
        match text_attr(stage, "stage").as_deref() {
            Some("companion_hello") => self.companion_hello(link_id, iq, stage),
            Some("companion_finish") => self.companion_finish(link_id, iq, stage),
            _ => iq_error(iq, 400, "bad-request"),
        }
    }

    /// How long a linking code may be entered (wacore `pair_code`: 180 seconds).
    const CODE_VALID_MS: i64 = 180_000;

    fn companion_hello(&self, link_id: u64, iq: &Node, stage: &Node) -> Node {
        let Some(number) = jid_attr(stage, "jid").map(|jid| jid.user.to_string()) else {
            return iq_error(iq, 400, "bad-request");
        };
        let (Some(wrapped), Some(noise_key)) = (
            child_bytes(stage, "link_code_pairing_wrapped_companion_ephemeral_pub"),
            child_bytes(stage, "companion_server_auth_key_pub"),
        ) else {
            return iq_error(iq, 400, "bad-request");
        };
        let Ok(account) = self.cell(&number) else {
            return iq_error(iq, 404, "item-not-found");
        };
        let text = |tag| {
            child_bytes(stage, tag)
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .unwrap_or_default()
        };
        let hello = LinkCodeHello {
            pairing_ref: self.new_ref(),
            wrapped_companion_ephemeral: wrapped,
            companion_noise_key: noise_key,
            platform_id: text("companion_platform_id"),
            platform_display: text("companion_platform_display"),
        };
        let pairing_ref = NodeBuilder::new("link_code_pairing_ref")
            .bytes(hello.pairing_ref.as_bytes().to_vec())
            .build();
        {
            let mut waitings = self.inner.pairings.lock();
            let expires_at_ms = self.inner.config.clock.now_ms() + Self::CODE_VALID_MS;
            waitings.issue(hello.pairing_ref.clone(), link_id, expires_at_ms);
            waitings.hello(number, link_id, hello);
        }
        let mut shown = stage.clone();
        if let Some(NodeContent::Nodes(children)) = &mut shown.content {
            children.push(pairing_ref.clone());
        }
        let notification = self.link_code_notification(server_jid(), shown);
        self.push_to_device(&account, 0, &notification);
        let registered = NodeBuilder::new("link_code_companion_reg")
            .attr("stage", "companion_hello")
            .children([pairing_ref])
            .build();
        iq_result(iq, [registered])
    }

    /// The companion's key bundle, on to the primary.
    fn companion_finish(&self, link_id: u64, iq: &Node, stage: &Node) -> Node {
        let number = self
            .inner
            .pairings
            .lock()
            .by_link
            .get(&link_id)
            .and_then(|waiting| waiting.code_number.clone());
        let Some(account) = number.and_then(|number| self.cell(&number).ok()) else {
            return iq_error(iq, 404, "item-not-found");
        };
        let notification = self.link_code_notification(server_jid(), stage.clone());
        self.push_to_device(&account, 0, &notification);
        iq_result(iq, [])
    }
}
