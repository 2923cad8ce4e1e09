//! Messages from one user's device to another user's devices.

use std::collections::BTreeSet;
use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt, Node};

use crate::accounting::Entry;
use crate::faults::Faults;
use crate::journal::JournalError;

use super::api::Server;
use super::deliver::{Parcel, parcels};
use super::jids::Addressing;
use super::phash::phash;
use super::session::Session;
use super::stanza::{ack_of, jid_attr, text_attr};
use super::state::AccountCell;

/// Attributes of a message that its recipients get as they are.
pub(super) const PASSED_ATTRS: [&str; 7] = [
    "type",
    "edit",
    "category",
    "push_priority",
    "privacy_sensitive",
    "addressing_mode",
    "verified_level",
];

/// Children of a message that are for the server, or given to each device by itself.
pub(super) const KEPT_CHILDREN: [&str; 5] = [
    "enc",
    "participants",
    "device-identity",
    "tctoken",
    "cstoken",
];

/// One device that a message is for, with what was encrypted for it.
struct Copy<'a> {
    jid: Jid,
    /// Whose device it is, when it is anybody's.
    owner: Option<Arc<AccountCell>>,
    encs: Vec<&'a Node>,
}

impl Server {
    pub(super) fn handle_message(
        &self,
        session: &Session,
        node: &Node,
    ) -> Result<(), JournalError> {
        let (Some(to), Some(id)) = (jid_attr(node, "to"), text_attr(node, "id")) else {
            self.refuse(session, node, 479);
            return Ok(());
        };
        if to.is_newsletter() {
            return self.handle_newsletter_message(session, node, (&to, &id));
        }
        if to.is_group() {
            return self.handle_group_message(session, node, &to, &id);
        }
        if to.is_status_broadcast() {
            return self.handle_status_post(session, node, &id);
        }
        let Some(recipient) = self.inner.directory.by_jid(&to) else {
            self.refuse(session, node, 404);
            return Ok(());
        };
        let copies = self.copies(node, &to);
        if copies.is_empty() {
            self.refuse(session, node, 479);
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
        if !message.is_for_one_device() && self.is_held_back(session, &recipient) {
            self.refuse(session, node, 463);
            return Ok(());
        }
        self.deliver_message(&message, &copies)?;
        let drift = (!message.is_for_one_device())
            .then(|| Self::device_drift(&message, &copies))
            .flatten();
        self.acknowledge_message(session, node, drift);
        Ok(())
    }

    /// Queues the copies; messages between two accounts are counted, whatever there is to queue.
    fn deliver_message(
        &self,
        message: &Message<'_>,
        copies: &[Copy<'_>],
    ) -> Result<(), JournalError> {
        let own = &message.session.account;
        let recipient = message.recipient;
        let is_to_self = recipient.number == own.number;
        // Whoever is blocked is not told: neither the message nor its absence.
        let theirs = if recipient.lock().has_blocked(own) {
            Vec::new()
        } else {
            message.parcels_for(recipient, copies, &self.inner.faults)
        };
        let ours = if is_to_self {
            Vec::new()
        } else {
            message.parcels_for(own, copies, &self.inner.faults)
        };
        let mut transaction = self.begin();
        let device_ids = transaction.deliver(recipient, theirs);
        if !is_to_self {
            let (books, batch) = (&self.inner.accounting, &mut transaction.batch);
            let key = Entry {
                from: &own.number,
                to: &recipient.number,
                group: None,
                id: message.id,
            };
            if message.is_sent_again() {
                for device_id in device_ids {
                    books.reopen(batch, key, device_id);
                }
            } else {
                books.accept(batch, key, &device_ids);
            }
        }
        transaction.deliver(own, ours);
        transaction.commit()
    }

    /// The hash of the devices that the message should have been for, when it was for others.
    fn device_drift(message: &Message<'_>, copies: &[Copy<'_>]) -> Option<String> {
        let own = &message.session.account;
        let mut expected: BTreeSet<(&str, u16)> = BTreeSet::new();
        for account in [message.recipient, own] {
            let device_ids = account.device_ids().into_iter();
            expected.extend(device_ids.map(|device_id| (&*account.number, device_id)));
        }
        expected.remove(&(&*own.number, message.session.device_id));
        let met = copies
            .iter()
            .filter_map(|copy| Some((&*copy.owner.as_ref()?.number, copy.jid.device)));
        if met.collect::<BTreeSet<_>>() == expected {
            return None;
        }
        let addressing = Addressing::of(message.to)?;
        let jids: Vec<Jid> = expected
            .into_iter()
            .map(|(number, device_id)| {
                let account = if *number == *own.number {
                    own
                } else {
                    message.recipient
                };
                account.device_jid(addressing, device_id)
            })
            .collect();
        Some(phash(&jids))
    }

    /// What a message holds for each device: a list of participants, or one `<enc>` for the device
    /// in `to`.
    fn copies<'a>(&self, node: &'a Node, to: &Jid) -> Vec<Copy<'a>> {
        let copy = |jid: Jid, encs| Copy {
            owner: self.inner.directory.by_jid(&jid),
            jid,
            encs,
        };
        let Some(participants) = node.get_optional_child("participants") else {
            let encs: Vec<&Node> = node.get_children_by_tag("enc").collect();
            // A resend for one device of a group names it in `participant`.
            let jid = jid_attr(node, "participant").unwrap_or_else(|| to.clone());
            return if encs.is_empty() {
                Vec::new()
            } else {
                vec![copy(jid, encs)]
            };
        };
        participants
            .get_children_by_tag("to")
            .filter_map(|to| {
                let encs = to.get_children_by_tag("enc").collect();
                Some(copy(jid_attr(to, "jid")?, encs))
            })
            .collect()
    }

    fn acknowledge_message(&self, session: &Session, node: &Node, drift: Option<String>) {
        let mut ack = ack_of(node).attr("t", self.inner.now_s());
        if let Some(phash) = drift {
            ack = ack.attr("phash", phash);
        }
        self.push_node(&session.account, &session.link, &ack.build());
    }

    /// Refuses a stanza with a nack, for example 463, 475 or 479 for a message.
    pub(super) fn refuse(&self, session: &Session, node: &Node, code: u16) {
        let ack = ack_of(node)
            .attr("t", self.inner.now_s())
            .attr("error", code);
        self.push_node(&session.account, &session.link, &ack.build());
    }
}

struct Message<'a> {
    session: &'a Session,
    node: &'a Node,
    id: &'a str,
    to: &'a Jid,
    recipient: &'a Arc<AccountCell>,
    t: i64,
    notify: String,
}

impl Message<'_> {
    /// A resend for one device, or a peer message between an account's own devices.
    fn is_for_one_device(&self) -> bool {
        self.is_sent_again()
            || text_attr(self.node, "category").as_deref() == Some("peer")
            || self.to.device() != 0
    }

    /// Whether the message was accepted before: a device asked for it again, or the sender learned
    /// of devices that it had missed.
    fn is_sent_again(&self) -> bool {
        text_attr(self.node, "device_fanout").as_deref() == Some("false")
            || self
                .node
                .get_children_by_tag("enc")
                .any(|enc| enc.attrs.contains_key("count"))
    }

    /// The copies for one account's devices, other than the sending one.
    fn parcels_for(
        &self,
        account: &AccountCell,
        copies: &[Copy<'_>],
        faults: &Faults,
    ) -> Vec<Parcel> {
        let own = &self.session.account;
        copies
            .iter()
            .filter(|copy| {
                let owner = copy.owner.as_ref();
                let is_sender =
                    account.number == own.number && copy.jid.device == self.session.device_id;
                owner.is_some_and(|owner| owner.number == account.number) && !is_sender
            })
            .flat_map(|copy| {
                let is_theirs = account.number != own.number && copy.jid.device != 0;
                let is_withheld = is_theirs && faults.withholds(&account.number);
                let node = self.copy_for(account, copy, is_withheld);
                parcels(&node, [copy.jid.device])
            })
            .collect()
    }

    /// The message as one device gets it (wacore `parse_message_info` reads these attributes).
    fn copy_for(&self, account: &AccountCell, copy: &Copy<'_>, is_withheld: bool) -> Node {
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
        if is_withheld {
            let nothing = NodeBuilder::new("unavailable").build();
            return builder.children([nothing]).build();
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
