//! Receipts: they take messages from the sender's queue and go on to whom they are for.

use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt, Node};

use crate::accounting::{DeviceProgress, Entry};
use crate::journal::JournalError;

use super::api::Server;
use super::deliver::{Parcel, parcels};
use super::jids::Addressing;
use super::queue::{Acknowledged, Class};
use super::session::Session;
use super::stanza::{jid_attr, text_attr};
use super::state::AccountCell;
use super::transaction::Transaction;

/// Receipts that concern one device and not the whole account.
pub(super) const FOR_ONE_DEVICE: [&str; 6] = [
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
        if let Some(to) = to.as_ref().filter(|to| to.is_group()) {
            return self.handle_group_receipt(session, node, to);
        }
        if let Some(newsletter) = to
            .as_ref()
            .filter(|to| to.is_newsletter() && kind == "view")
        {
            self.count_views(session, newsletter, node)?;
        }
        if to.as_ref().is_some_and(JidExt::is_status_broadcast) {
            return self.handle_status_receipt(session, node, &kind);
        }
        let target = to
            .as_ref()
            .and_then(|to| Some((to, self.inner.directory.by_jid(to)?)));
        let relays = match &target {
            Some((to, target)) => self.relays(session, node, &kind, to, target),
            None => Vec::new(),
        };
        let mut transaction = self.begin();
        for id in message_ids(node) {
            let found = Acknowledged {
                class: Class::Message,
                id: &id,
                from_user: to.as_ref().map(|to| to.user.as_str()),
                kind: None,
            };
            transaction.take(&session.account, session.device_id, &found);
            if let Some((_, target)) = &target {
                let entry = Entry {
                    from: &target.number,
                    to: &session.account.number,
                    group: None,
                    id: &id,
                };
                self.note_receipt(&mut transaction, session, entry, &kind);
            }
        }
        for (account, parcels) in relays {
            transaction.deliver(&account, parcels);
        }
        transaction.commit()?;
        self.acknowledge_stanza(session, node, "receipt");
        Ok(())
    }

    /// Notes in the books how far a receipt brings a message.
    pub(super) fn note_receipt(
        &self,
        transaction: &mut Transaction<'_>,
        session: &Session,
        entry: Entry<'_>,
        kind: &str,
    ) {
        let (books, batch) = (&self.inner.accounting, &mut transaction.batch);
        match progress_of(kind) {
            Some(progress) => books.advance(batch, entry, session.device_id, progress),
            None => books.reopen(batch, entry, session.device_id),
        }
    }

    /// The receipt as those get it whom it is for.
    fn relays(
        &self,
        session: &Session,
        node: &Node,
        kind: &str,
        to: &Jid,
        target: &Arc<AccountCell>,
    ) -> Vec<(Arc<AccountCell>, Vec<Parcel>)> {
        let mut relays = Vec::new();
        let addressing = Addressing::of(to).unwrap_or(Addressing::Pn);
        let is_own = target.number == session.account.number;
        // Reading without telling stays among one's own devices.
        if kind != "read-self" && kind != "played-self" {
            let receipt = self.receipt_from(session, node, addressing, kind);
            let only = match kind {
                // Companions name themselves; it is the primary that can upload files again.
                "server-error" if is_own => Some(0),
                kind => FOR_ONE_DEVICE.contains(&kind).then_some(to.device),
            };
            let device_ids = target.device_ids().into_iter().filter(|device_id| {
                only.is_none_or(|only| only == *device_id)
                    && !(is_own && *device_id == session.device_id)
            });
            relays.push((target.clone(), parcels(&receipt, device_ids)));
        }
        let own_kind = match kind {
            "read" | "read-self" => "read-self",
            "played" | "played-self" => "played-self",
            _ => return relays,
        };
        if !is_own {
            let mut own = self.receipt_from(session, node, addressing, own_kind);
            own.attrs.insert("recipient", to.to_non_ad());
            relays.push((session.account.clone(), parcels(&own, session.siblings())));
        }
        relays
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
pub(super) fn message_ids(node: &Node) -> Vec<String> {
    let mut ids: Vec<String> = text_attr(node, "id").into_iter().collect();
    if let Some(list) = node.get_optional_child("list") {
        ids.extend(
            list.get_children_by_tag("item")
                .filter_map(|item| text_attr(item, "id")),
        );
    }
    ids
}

/// How far a receipt brings a message; `None` when it asks for the message to be encrypted again.
fn progress_of(kind: &str) -> Option<DeviceProgress> {
    match kind {
        "retry" | "enc_rekey_retry" => None,
        "server-error" => Some(DeviceProgress::Delivered),
        _ => Some(DeviceProgress::Acknowledged),
    }
}
