//! Stories: one ciphertext for everybody whom its author names, and the key to it for each device
//! that has not got it yet.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeContent};

use crate::journal::JournalError;

use super::api::Server;
use super::deliver::{Parcel, parcels};
use super::error::ServerError;
use super::jids::Addressing;
use super::messages::{KEPT_CHILDREN, PASSED_ATTRS};
use super::queue::{Acknowledged, Class};
use super::receipts::{FOR_ONE_DEVICE, message_ids};
use super::record::StatusPrivacy;
use super::session::Session;
use super::stanza::{ack_of, jid_attr, text_attr};
use super::state::AccountCell;

/// So many people see a story at most.
const MAX_VIEWERS: usize = 10_000;

impl Server {
    /// Sets who sees an account's stories: `contacts`, or those listed (`whitelist`), or all but
    /// those listed (`blacklist`); users by address.
    pub fn set_status_privacy(
        &self,
        number: &str,
        list: &str,
        users: Vec<String>,
    ) -> Result<(), ServerError> {
        let cell = self.cell(number)?;
        let mut state = cell.lock();
        state.record.status_privacy = StatusPrivacy {
            list: list.to_owned(),
            users,
        };
        self.save_account(&state)?;
        Ok(())
    }

    pub(super) fn handle_status_post(
        &self,
        session: &Session,
        node: &Node,
        id: &str,
    ) -> Result<(), JournalError> {
        let shared: Vec<&Node> = node.get_children_by_tag("enc").collect();
        let keys = keys_by_device(node);
        let viewers = self.viewers(session, node);
        if shared.is_empty() && keys.is_empty() {
            self.refuse(session, node, 479);
            return Ok(());
        }
        let envelope = self.status_envelope(session, node, id);
        let mut transaction = self.begin();
        for viewer in &viewers {
            let is_own = viewer.number == session.account.number;
            // Whoever is blocked is not told, as with messages.
            if !is_own && viewer.lock().has_blocked(&session.account) {
                continue;
            }
            let device_ids = viewer.device_ids().into_iter();
            let others = device_ids.filter(|id| !(is_own && *id == session.device_id));
            let copies: Vec<Parcel> = others
                .filter_map(|device_id| {
                    let names = [viewer.lid.to_string(), viewer.number.to_string()];
                    let mut names = names.into_iter();
                    let own = names.find_map(|user| keys.get(&(user, device_id)));
                    let own = own.map(Vec::as_slice).unwrap_or_default();
                    copy(&envelope, node, own, &shared, device_id)
                })
                .collect();
            transaction.deliver(viewer, copies);
        }
        transaction.commit()?;
        let ack = ack_of(node).attr("t", self.inner.now_s());
        self.push_node(&session.account, &session.link, &ack.build());
        Ok(())
    }

    /// Those who are named, each once, with the author's own account.
    fn viewers(&self, session: &Session, node: &Node) -> Vec<Arc<AccountCell>> {
        let target = jid_attr(node, "participant");
        if let Some(target) = target {
            // A device asked for the story again.
            return self.inner.directory.by_jid(&target).into_iter().collect();
        }
        let listed = node.get_optional_child("participants").into_iter();
        let listed = listed.flat_map(|list| list.get_children_by_tag("to"));
        let mut seen = BTreeSet::from([session.account.number.clone()]);
        let mut viewers = vec![session.account.clone()];
        for viewer in listed
            .filter_map(|to| jid_attr(to, "jid"))
            .filter_map(|jid| self.inner.directory.by_jid(&jid))
        {
            if viewers.len() < MAX_VIEWERS && seen.insert(viewer.number.clone()) {
                viewers.push(viewer);
            }
        }
        viewers
    }

    /// What every device gets but `<enc>` (wacore `messages` reads these attributes).
    fn status_envelope(&self, session: &Session, node: &Node, id: &str) -> Node {
        let (addressing, other) = match text_attr(node, "addressing_mode").as_deref() {
            Some("pn") => (Addressing::Pn, ("participant_lid", Addressing::Lid)),
            _ => (Addressing::Lid, ("participant_pn", Addressing::Pn)),
        };
        let mut envelope = NodeBuilder::new("message")
            .attr("from", Jid::status_broadcast())
            .attr("participant", session.jid(addressing))
            .attr(other.0, session.account.jid(other.1))
            .attr("id", id)
            .attr("t", self.inner.now_s());
        for key in PASSED_ATTRS {
            if let Some(value) = node.attrs.get(key) {
                envelope = envelope.attr(key, value.clone());
            }
        }
        let push_name = session.account.lock().record.push_name.clone();
        if !push_name.is_empty() {
            envelope = envelope.attr("notify", push_name);
        }
        envelope.build()
    }

    /// Receipts for a story name its author, and go to that author alone.
    pub(super) fn handle_status_receipt(
        &self,
        session: &Session,
        node: &Node,
        kind: &str,
    ) -> Result<(), JournalError> {
        let status = Jid::status_broadcast();
        let mut transaction = self.begin();
        for id in message_ids(node) {
            let found = Acknowledged {
                class: Class::Message,
                id: &id,
                from_user: Some(status.user.as_str()),
                kind: None,
            };
            transaction.take(&session.account, session.device_id, &found);
        }
        let author = jid_attr(node, "participant");
        let account = author
            .as_ref()
            .and_then(|author| self.inner.directory.by_jid(author));
        let is_told = kind != "read-self" && kind != "played-self";
        if let Some((author, account)) = author.zip(account).filter(|_| is_told) {
            let is_own = account.number == session.account.number;
            let mut receipt = NodeBuilder::new("receipt")
                .attr("from", status)
                .attr("participant", session.jid(Addressing::Lid))
                .attr("t", self.inner.now_s());
            if !kind.is_empty() {
                receipt = receipt.attr("type", kind);
            }
            for key in ["id", "context", "category"] {
                if let Some(value) = node.attrs.get(key) {
                    receipt = receipt.attr(key, value.clone());
                }
            }
            let receipt = receipt.apply_content(node.content.clone()).build();
            let only = FOR_ONE_DEVICE.contains(&kind).then_some(author.device);
            let device_ids = account.device_ids().into_iter().filter(|device_id| {
                only.is_none_or(|only| only == *device_id)
                    && !(is_own && *device_id == session.device_id)
            });
            transaction.deliver(&account, parcels(&receipt, device_ids));
        }
        transaction.commit()?;
        self.acknowledge_stanza(session, node, "receipt");
        Ok(())
    }
}

/// What is encrypted for one device, by user and device.
fn keys_by_device(node: &Node) -> HashMap<(String, u16), Vec<&Node>> {
    let mut keys: HashMap<_, Vec<&Node>> = HashMap::new();
    if let Some(target) = jid_attr(node, "participant") {
        let encs = node.get_children_by_tag("enc").collect();
        keys.insert((target.user.to_string(), target.device), encs);
        return keys;
    }
    let listed = node.get_optional_child("participants").into_iter();
    for to in listed.flat_map(|list| list.get_children_by_tag("to")) {
        let encs: Vec<&Node> = to.get_children_by_tag("enc").collect();
        if let Some(jid) = jid_attr(to, "jid").filter(|_| !encs.is_empty()) {
            keys.insert((jid.user.to_string(), jid.device), encs);
        }
    }
    keys
}

fn copy(
    envelope: &Node,
    node: &Node,
    own: &[&Node],
    shared: &[&Node],
    device_id: u16,
) -> Option<Parcel> {
    // What is sent again is for the one device that asked, in the place of the shared one.
    let is_again = node.attrs.contains_key("participant");
    let shared = shared.iter().filter(|_| !is_again);
    let mut children: Vec<Node> = own.iter().chain(shared).map(|enc| (*enc).clone()).collect();
    if children.is_empty() {
        return None;
    }
    let begins_session = |enc: &&Node| text_attr(enc, "type").as_deref() == Some("pkmsg");
    if own.iter().any(begins_session)
        && let Some(identity) = node.get_optional_child("device-identity")
    {
        children.push(identity.clone());
    }
    let passed = node.children().unwrap_or_default().iter();
    children.extend(
        passed
            .filter(|child| !KEPT_CHILDREN.contains(&&*child.tag))
            .cloned(),
    );
    let stanza = Node {
        content: Some(NodeContent::Nodes(children)),
        ..envelope.clone()
    };
    parcels(&stanza, [device_id]).into_iter().next()
}
