//! Messages to a group: one ciphertext for all its devices, and the key to it for each that has
//! not got it yet.

use std::collections::HashMap;
use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeContent};

use crate::accounting::Entry;
use crate::journal::JournalError;
use crate::server::api::Server;
use crate::server::deliver::{Parcel, parcels};
use crate::server::jids::Addressing;
use crate::server::messages::{KEPT_CHILDREN, PASSED_ATTRS};
use crate::server::phash::phash;
use crate::server::session::Session;
use crate::server::stanza::{ack_of, jid_attr, text_attr};
use crate::server::state::AccountCell;

use super::record::GroupRecord;

/// Whoever is not in the group is refused with this.
const NOT_A_MEMBER: u16 = 403;

/// Whoever may read in the group and not write is refused with this.
const ONLY_ADMINS: u16 = 420;

impl Server {
    pub(in crate::server) fn handle_group_message(
        &self,
        session: &Session,
        node: &Node,
        to: &Jid,
        id: &str,
    ) -> Result<(), JournalError> {
        let Some(group) = self.inner.groups.get(&to.user) else {
            self.refuse(session, node, 404);
            return Ok(());
        };
        if let Some(code) = refusal(&group, session, node) {
            self.refuse(session, node, code);
            return Ok(());
        }
        let message = GroupMessage::new(self, session, node, id, &group);
        if message.shared.is_empty() && message.own.is_empty() {
            self.refuse(session, node, 479);
            return Ok(());
        }
        let mut transaction = self.begin();
        // Who is in it now: nobody is put out between this and the queues.
        let devices = match self.inner.groups.get(&group.id) {
            Some(group) => self.group_devices(&group),
            None => Vec::new(),
        };
        for (account, device_ids) in &devices {
            let own = account.number == session.account.number;
            let others = device_ids
                .iter()
                .filter(|device_id| !(own && **device_id == session.device_id));
            let parcels: Vec<Parcel> = others
                .filter_map(|device_id| message.parcel(account, *device_id))
                .collect();
            let queued = transaction.deliver(account, parcels);
            if own {
                continue;
            }
            let entry = Entry {
                from: &session.account.number,
                to: &account.number,
                group: Some(&group.id),
                id,
            };
            let (books, batch) = (&self.inner.accounting, &mut transaction.batch);
            if message.target.is_none() {
                books.accept(batch, entry, &queued);
            } else {
                for device_id in queued {
                    books.reopen(batch, entry, device_id);
                }
            }
        }
        transaction.commit()?;
        let mut ack = ack_of(node).attr("t", self.inner.now_s());
        if message.target.is_none()
            && let Some(drift) = device_drift(node, message.addressing, &devices)
        {
            ack = ack.attr("phash", drift);
        }
        self.push_node(&session.account, &session.link, &ack.build());
        Ok(())
    }

    /// Every member with the ids of its devices.
    fn group_devices(&self, group: &GroupRecord) -> Vec<(Arc<AccountCell>, Vec<u16>)> {
        let accounts = group.members.keys();
        accounts
            .filter_map(|number| self.inner.directory.by_number(number))
            .map(|account| {
                let device_ids = account.device_ids();
                (account, device_ids)
            })
            .collect()
    }

    /// Shows or hides to the members of a group that somebody is writing.
    pub(in crate::server) fn relay_group_chatstate(
        &self,
        session: &Session,
        to: &Jid,
        node: &Node,
    ) {
        let own = &session.account;
        let Some(group) = self.inner.groups.get(&to.user) else {
            return;
        };
        if !group.members.contains_key(&*own.number) {
            return;
        }
        let chatstate = NodeBuilder::new("chatstate")
            .attr("from", group.jid())
            .attr("participant", own.jid(Addressing::Lid))
            .apply_content(node.content.clone())
            .build();
        for number in group
            .members
            .keys()
            .filter(|number| **number != *own.number)
        {
            if let Some(account) = self.inner.directory.by_number(number) {
                self.push_to_all(&account, &chatstate);
            }
        }
    }
}

fn refusal(group: &GroupRecord, session: &Session, node: &Node) -> Option<u16> {
    let Some(role) = group.role_of(&session.account.number) else {
        return Some(NOT_A_MEMBER);
    };
    if group.community.is_some() {
        // Nobody writes in a community itself, only in its groups.
        return Some(ONLY_ADMINS);
    }
    let is_reaction = text_attr(node, "type").as_deref() == Some("reaction");
    (group.is_announcement && !role.is_admin() && !is_reaction).then_some(ONLY_ADMINS)
}

/// The hash of the devices that a message should have been for, when its sender knows of others.
fn device_drift(
    node: &Node,
    addressing: Addressing,
    devices: &[(Arc<AccountCell>, Vec<u16>)],
) -> Option<String> {
    let claimed = text_attr(node, "phash")?;
    let jids: Vec<Jid> = devices
        .iter()
        .flat_map(|(account, device_ids)| {
            let jid = |device_id: &u16| account.device_jid(addressing, *device_id);
            device_ids.iter().map(jid)
        })
        .collect();
    Some(phash(&jids)).filter(|actual| *actual != claimed)
}

/// A message on its way to the devices of a group's members.
struct GroupMessage<'a> {
    node: &'a Node,
    /// What every device gets: who it is from, and all children but `<enc>`.
    envelope: Node,
    passed: Vec<&'a Node>,
    addressing: Addressing,
    /// The device that asked for the message again, when it is for that one alone.
    target: Option<Jid>,
    /// What is encrypted for the whole group.
    shared: Vec<&'a Node>,
    /// What is encrypted for one device, by user and device.
    own: HashMap<(String, u16), Vec<&'a Node>>,
    /// The stanza for those devices that get nothing but what is shared.
    plain: Option<Parcel>,
}

impl<'a> GroupMessage<'a> {
    fn new(
        server: &Server,
        session: &Session,
        node: &'a Node,
        id: &str,
        group: &GroupRecord,
    ) -> Self {
        let (addressing, mode, other) = match text_attr(node, "addressing_mode").as_deref() {
            Some("pn") => (Addressing::Pn, "pn", ("participant_lid", Addressing::Lid)),
            _ => (Addressing::Lid, "lid", ("participant_pn", Addressing::Pn)),
        };
        let mut envelope = NodeBuilder::new("message")
            .attr("from", group.jid())
            .attr("participant", session.jid(addressing))
            .attr(other.0, session.account.jid(other.1))
            .attr("addressing_mode", mode)
            .attr("id", id)
            .attr("t", server.inner.now_s());
        for key in PASSED_ATTRS
            .into_iter()
            .filter(|key| *key != "addressing_mode")
        {
            if let Some(value) = node.attrs.get(key) {
                envelope = envelope.attr(key, value.clone());
            }
        }
        let push_name = session.account.lock().record.push_name.clone();
        if !push_name.is_empty() {
            envelope = envelope.attr("notify", push_name);
        }
        let target = jid_attr(node, "participant");
        let encs: Vec<&Node> = node.get_children_by_tag("enc").collect();
        let mut own: HashMap<_, Vec<&Node>> = HashMap::new();
        let shared = match &target {
            Some(target) => {
                own.insert((target.user.to_string(), target.device), encs);
                Vec::new()
            }
            None => encs,
        };
        let copies = node.get_optional_child("participants").into_iter();
        for copy in copies.flat_map(|list| list.get_children_by_tag("to")) {
            if let Some(jid) = jid_attr(copy, "jid") {
                let encs = copy.get_children_by_tag("enc").collect();
                own.insert((jid.user.to_string(), jid.device), encs);
            }
        }
        own.retain(|_, encs| !encs.is_empty());
        let children = node.children().unwrap_or_default();
        let mut message = Self {
            node,
            envelope: envelope.build(),
            passed: children
                .iter()
                .filter(|child| !KEPT_CHILDREN.contains(&&*child.tag))
                .collect(),
            addressing,
            target,
            shared,
            own,
            plain: None,
        };
        if !message.shared.is_empty() {
            message.plain = parcels(&message.stanza(&[]), [0]).into_iter().next();
        }
        message
    }

    /// What one device gets; nothing when there is nothing that it could read.
    fn parcel(&self, account: &AccountCell, device_id: u16) -> Option<Parcel> {
        // Senders name devices by LID or by number.
        let names = [account.lid.to_string(), account.number.to_string()];
        let own = names
            .into_iter()
            .find_map(|user| self.own.get(&(user, device_id)));
        match own {
            Some(own) => parcels(&self.stanza(own), [device_id]).into_iter().next(),
            None => Some(self.plain.as_ref()?.for_device(device_id)),
        }
    }

    fn stanza(&self, own: &[&Node]) -> Node {
        let mut children: Vec<Node> = Vec::new();
        children.extend(own.iter().map(|enc| (*enc).clone()));
        children.extend(self.shared.iter().map(|enc| (*enc).clone()));
        let begins_session = |enc: &&Node| text_attr(enc, "type").as_deref() == Some("pkmsg");
        if own.iter().any(begins_session)
            && let Some(identity) = self.node.get_optional_child("device-identity")
        {
            children.push(identity.clone());
        }
        children.extend(self.passed.iter().map(|child| (*child).clone()));
        Node {
            content: Some(NodeContent::Nodes(children)),
            ..self.envelope.clone()
        }
    }
}
