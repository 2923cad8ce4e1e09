//! Messages from one user's device to another user's devices.

use std::collections::BTreeSet;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt, Node};

use crate::journal::JournalError;

use super::api::Server;
use super::deliver::Parcel;
use super::jids::Addressing;
use super::phash::phash;
use super::session::Session;
use super::stanza::{jid_attr, text_attr};
use super::state::AccountCell;

/// Attributes of a message that its recipients get as they are.
const PASSED_ATTRS: [&str; 7] = [
    "type",
    "edit",
    "category",
    "push_priority",
    "privacy_sensitive",
    "addressing_mode",
    "verified_level",
];

/// Children of a message that are for the server, or given to each device by itself.
const KEPT_CHILDREN: [&str; 5] = [
    "enc",
    "participants",
    "device-identity",
    "tctoken",
    "cstoken",
];

/// One device that a message is for, with what was encrypted for it.
struct Copy<'a> {
    jid: Jid,
    encs: Vec<&'a Node>,
}

impl Server {
    pub(super) fn handle_message(
        &self,
        session: &Session,
        node: &Node,
    ) -> Result<(), JournalError> {
        let (Some(to), Some(id)) = (jid_attr(node, "to"), text_attr(node, "id")) else {
            self.refuse_message(session, node, 479);
            return Ok(());
        };
        let Some(recipient) = self.inner.directory.by_jid(&to) else {
            self.refuse_message(session, node, 404);
            return Ok(());
        };
        let copies = copies(node, &to);
        if copies.is_empty() {
            self.refuse_message(session, node, 479);
            return Ok(());
        }
        if Self::is_blocked(&recipient, session) {
            // Whoever is blocked is not told.
            self.acknowledge_message(session, node, None);
            return Ok(());
        }
        let message = Message {
            session,
            node,
            id: &id,
            to: &to,
            recipient: &recipient,
            t: self.inner.now_s(),
            notify: session.account.lock().record.push_name.clone(),
        };
        let is_to_self = recipient.number == session.account.number;
        self.deliver_copies(&message, &recipient, &copies, !is_to_self)?;
        if !is_to_self {
            self.deliver_copies(&message, &session.account, &copies, false)?;
        }
        let drift = (!message.is_for_one_device())
            .then(|| self.device_drift(&message, &copies))
            .flatten();
        self.acknowledge_message(session, node, drift);
        Ok(())
    }

    /// Queues the copies for one account; messages between two accounts are counted.
    fn deliver_copies(
        &self,
        message: &Message<'_>,
        account: &AccountCell,
        copies: &[Copy<'_>],
        is_counted: bool,
    ) -> Result<(), JournalError> {
        let existing: BTreeSet<u16> = account.lock().devices.keys().copied().collect();
        let mut device_ids = Vec::new();
        let mut parcels = Vec::new();
        for copy in copies {
            let is_theirs = self
                .inner
                .directory
                .by_jid(&copy.jid)
                .is_some_and(|owner| owner.number == account.number);
            let is_sender = account.number == message.session.account.number
                && copy.jid.device == message.session.device_id;
            if !is_theirs || is_sender || !existing.contains(&copy.jid.device) {
                continue;
            }
            device_ids.push(copy.jid.device);
            parcels.push(Parcel {
                device_id: copy.jid.device,
                node: message.copy_for(account, copy),
            });
        }
        let from = &message.session.account.number;
        let is_counted = is_counted && !message.is_retry() && !device_ids.is_empty();
        self.deliver(account, parcels, |batch| {
            if is_counted {
                let accounting = &self.inner.accounting;
                accounting.accept(batch, from, &account.number, message.id, &device_ids);
            }
        })
    }

    /// The hash of the devices that the message should have been for, when it was for others.
    fn device_drift(&self, message: &Message<'_>, copies: &[Copy<'_>]) -> Option<String> {
        let addressing = Addressing::of(message.to)?;
        let mut expected: Vec<Jid> = Vec::new();
        let own = &message.session.account;
        for account in [message.recipient, own] {
            for device_id in account.lock().devices.keys() {
                let is_sender =
                    account.number == own.number && *device_id == message.session.device_id;
                let jid = account.device_jid(addressing, *device_id);
                if !is_sender && !expected.contains(&jid) {
                    expected.push(jid);
                }
            }
        }
        let addressed = |copy: &Copy<'_>| {
            let owner = self.inner.directory.by_jid(&copy.jid)?;
            Some(owner.device_jid(addressing, copy.jid.device))
        };
        let mut met: Vec<Jid> = copies.iter().filter_map(addressed).collect();
        met.sort_unstable_by_key(ToString::to_string);
        expected.sort_unstable_by_key(ToString::to_string);
        (met != expected).then(|| phash(&expected))
    }

    fn is_blocked(recipient: &AccountCell, session: &Session) -> bool {
        let state = recipient.lock();
        [Addressing::Pn, Addressing::Lid]
            .into_iter()
            .any(|addressing| {
                let sender = session.account.jid(addressing).to_string();
                state.record.blocklist.contains(&sender)
            })
    }

    fn acknowledge_message(&self, session: &Session, node: &Node, drift: Option<String>) {
        let mut ack = message_ack(node).attr("t", self.inner.now_s());
        if let Some(phash) = drift {
            ack = ack.attr("phash", phash);
        }
        self.push_node(&session.account, &session.link, &ack.build());
    }

    /// Refuses a message with a nack, for example 463, 475 or 479.
    pub(super) fn refuse_message(&self, session: &Session, node: &Node, code: u16) {
        let ack = message_ack(node)
            .attr("t", self.inner.now_s())
            .attr("error", code);
        self.push_node(&session.account, &session.link, &ack.build());
    }
}

fn message_ack(node: &Node) -> NodeBuilder {
    let mut ack = NodeBuilder::new("ack").attr("class", "message");
    for (from, to) in [("id", "id"), ("to", "from"), ("participant", "participant")] {
        if let Some(value) = node.attrs.get(from) {
            ack = ack.attr(to, value.clone());
        }
    }
    ack
}

/// What a message holds for each device: a list of participants, or one `<enc>` for the device in `to`.
fn copies<'a>(node: &'a Node, to: &Jid) -> Vec<Copy<'a>> {
    let Some(participants) = node.get_optional_child("participants") else {
        let encs: Vec<&Node> = node.get_children_by_tag("enc").collect();
        // A resend for one device of a group names it in `participant`.
        let jid = jid_attr(node, "participant").unwrap_or_else(|| to.clone());
        return if encs.is_empty() {
            Vec::new()
        } else {
            vec![Copy { jid, encs }]
        };
    };
    participants
        .get_children_by_tag("to")
        .filter_map(|to| {
            Some(Copy {
                jid: jid_attr(to, "jid")?,
                encs: to.get_children_by_tag("enc").collect(),
            })
        })
        .collect()
}

struct Message<'a> {
    session: &'a Session,
    node: &'a Node,
    id: &'a str,
    to: &'a Jid,
    recipient: &'a AccountCell,
    t: i64,
    notify: String,
}

impl Message<'_> {
    /// A resend for one device, or a peer message between an account's own devices.
    fn is_for_one_device(&self) -> bool {
        self.is_retry()
            || text_attr(self.node, "category").as_deref() == Some("peer")
            || self.to.device() != 0
    }

    fn is_retry(&self) -> bool {
        self.node
            .get_children_by_tag("enc")
            .any(|enc| enc.attrs.contains_key("count"))
    }

    /// The message as one device gets it (wacore `parse_message_info` reads these attributes).
    fn copy_for(&self, account: &AccountCell, copy: &Copy<'_>) -> Node {
        let own = &self.session.account;
        let addressing = Addressing::of(&copy.jid).unwrap_or(Addressing::Pn);
        let mut builder = NodeBuilder::new("message")
            .attr("from", self.session.jid(addressing))
            .attr("id", self.id)
            .attr("t", self.t);
        for key in PASSED_ATTRS {
            if let Some(value) = self.node.attrs.get(key) {
                builder = builder.attr(key, value.clone());
            }
        }
        if !self.notify.is_empty() {
            builder = builder.attr("notify", &self.notify);
        }
        let is_peer = text_attr(self.node, "category").as_deref() == Some("peer");
        if account.number == own.number {
            if !is_peer {
                builder = self.with_recipient(builder, addressing);
            }
        } else {
            builder = match addressing {
                Addressing::Pn => builder.attr("sender_lid", own.jid(Addressing::Lid)),
                Addressing::Lid => builder.attr("sender_pn", own.jid(Addressing::Pn)),
            };
        }
        let mut children: Vec<Node> = copy.encs.iter().map(|enc| (*enc).clone()).collect();
        let is_prekey = |enc: &&Node| text_attr(enc, "type").as_deref() == Some("pkmsg");
        if copy.encs.iter().any(is_prekey)
            && let Some(identity) = self.node.get_optional_child("device-identity")
        {
            children.push(identity.clone());
        }
        for child in self.node.children().unwrap_or_default() {
            if !KEPT_CHILDREN.contains(&&*child.tag) {
                children.push(child.clone());
            }
        }
        builder.children(children).build()
    }

    /// The sender's other devices learn whom the message was for.
    fn with_recipient(&self, builder: NodeBuilder, addressing: Addressing) -> NodeBuilder {
        let chat = match jid_attr(self.node, "recipient") {
            Some(recipient) => recipient.to_non_ad(),
            None => self
                .recipient
                .jid(Addressing::of(self.to).unwrap_or(addressing)),
        };
        let other = match Addressing::of(&chat) {
            Some(Addressing::Lid) => ("peer_recipient_pn", Addressing::Pn),
            _ => ("peer_recipient_lid", Addressing::Lid),
        };
        builder
            .attr("recipient", chat)
            .attr(other.0, self.recipient.jid(other.1))
    }
}
