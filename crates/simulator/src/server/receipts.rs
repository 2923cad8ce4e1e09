//! Receipts: they take messages from the sender's queue and go on to whom they are for.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::accounting::DeviceProgress;
use crate::journal::JournalError;

use super::api::Server;
use super::deliver::{Acknowledged, Parcel};
use super::jids::Addressing;
use super::queue::Class;
use super::session::Session;
use super::stanza::{jid_attr, text_attr};
use super::state::AccountCell;

/// Receipts that concern one device and not the whole account.
const FOR_ONE_DEVICE: [&str; 6] = [
    "retry",
    "enc_rekey_retry",
    "sender",
    "peer_msg",
    "hist_sync",
    "server-error",
];

impl Server {
    pub(super) fn handle_receipt(
        &self,
        session: &Session,
        node: &Node,
    ) -> Result<(), JournalError> {
        let kind = text_attr(node, "type").unwrap_or_default();
        let to = jid_attr(node, "to");
        let target = to
            .as_ref()
            .and_then(|to| Some((to, self.inner.directory.by_jid(to)?)));
        for id in message_ids(node) {
            let found = Acknowledged {
                class: Class::Message,
                id: &id,
                from_user: to.as_ref().map(|to| to.user.as_str()),
                kind: None,
            };
            self.acknowledge(&session.account, session.device_id, &found)?;
            if let Some((_, target)) = &target {
                let progress = progress_of(&kind);
                let message = (&*target.number, &*session.account.number, &*id);
                self.inner.accounting.advance(
                    &self.inner.journal,
                    message,
                    session.device_id,
                    progress,
                )?;
            }
        }
        if let Some((to, target)) = &target {
            self.relay_receipt(session, node, &kind, to, target)?;
        }
        self.acknowledge_stanza(session, node, "receipt");
        Ok(())
    }

    fn relay_receipt(
        &self,
        session: &Session,
        node: &Node,
        kind: &str,
        to: &Jid,
        target: &AccountCell,
    ) -> Result<(), JournalError> {
        let addressing = Addressing::of(to).unwrap_or(Addressing::Pn);
        let receipt = self.receipt_from(session, node, addressing, kind);
        let is_own = target.number == session.account.number;
        // Reading without telling stays among one's own devices.
        if kind != "read-self" && kind != "played-self" {
            let only = FOR_ONE_DEVICE.contains(&kind).then_some(to.device);
            self.deliver_receipt(target, &receipt, |device_id| {
                only.is_none_or(|only| only == device_id)
                    && !(is_own && device_id == session.device_id)
            })?;
        }
        let own_kind = match kind {
            "read" | "read-self" => "read-self",
            "played" | "played-self" => "played-self",
            _ => return Ok(()),
        };
        if is_own {
            return Ok(());
        }
        let mut own = self.receipt_from(session, node, addressing, own_kind);
        own.attrs.insert("recipient", to.to_non_ad());
        self.deliver_receipt(&session.account, &own, |device_id| {
            device_id != session.device_id
        })
    }

    fn deliver_receipt(
        &self,
        account: &AccountCell,
        receipt: &Node,
        is_for: impl Fn(u16) -> bool,
    ) -> Result<(), JournalError> {
        let device_ids: Vec<u16> = account.lock().devices.keys().copied().collect();
        let parcels = device_ids
            .into_iter()
            .filter(|device_id| is_for(*device_id))
            .map(|device_id| Parcel {
                device_id,
                node: receipt.clone(),
            })
            .collect();
        self.deliver(account, parcels, |_| {})
    }

    fn receipt_from(
        &self,
        session: &Session,
        node: &Node,
        addressing: Addressing,
        kind: &str,
    ) -> Node {
        let mut builder = NodeBuilder::new("receipt")
            .attr("from", session.jid(addressing))
            .attr("t", self.inner.now_s());
        if !kind.is_empty() {
            builder = builder.attr("type", kind);
        }
        for key in ["id", "recipient", "participant", "context", "category"] {
            if let Some(value) = node.attrs.get(key) {
                builder = builder.attr(key, value.clone());
            }
        }
        builder.apply_content(node.content.clone()).build()
    }

    /// Tells a device that one of its stanzas has been taken.
    pub(super) fn acknowledge_stanza(&self, session: &Session, node: &Node, class: &'static str) {
        let mut ack = NodeBuilder::new("ack").attr("class", class);
        for (from, to) in [
            ("id", "id"),
            ("to", "from"),
            ("type", "type"),
            ("participant", "participant"),
        ] {
            if let Some(value) = node.attrs.get(from) {
                ack = ack.attr(to, value.clone());
            }
        }
        self.push_node(&session.account, &session.link, &ack.build());
    }
}

/// A receipt names messages in `id` and, when there are several, in a list of items.
fn message_ids(node: &Node) -> Vec<String> {
    let mut ids: Vec<String> = text_attr(node, "id").into_iter().collect();
    if let Some(list) = node.get_optional_child("list") {
        ids.extend(
            list.get_children_by_tag("item")
                .filter_map(|item| text_attr(item, "id")),
        );
    }
    ids
}

/// A request for a retry takes a message over without having read it.
fn progress_of(kind: &str) -> DeviceProgress {
    match kind {
        "retry" | "enc_rekey_retry" | "server-error" => DeviceProgress::Delivered,
        _ => DeviceProgress::Acknowledged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_names_all_its_messages() {
        let item = |id: &'static str| NodeBuilder::new("item").attr("id", id).build();
        let node = NodeBuilder::new("receipt")
            .attr("id", "A")
            .children([NodeBuilder::new("list")
                .children([item("B"), item("C")])
                .build()])
            .build();
        assert_eq!(message_ids(&node), ["A", "B", "C"]);
        assert_eq!(progress_of("retry"), DeviceProgress::Delivered);
        assert_eq!(progress_of("inactive"), DeviceProgress::Acknowledged);
    }
}
