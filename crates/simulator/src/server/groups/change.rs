//! What one request changes in groups: written down and told at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::RngExt;
use rand::distr::Alphanumeric;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::journal::JournalError;
use crate::server::api::{Server, to_json};
use crate::server::deliver::parcels;
use crate::server::jids::Addressing;
use crate::server::record::namespace;
use crate::server::state::AccountCell;
use crate::server::transaction::Transaction;

use super::describe::{group_jid, group_node, participant_node};
use super::record::{GroupRecord, Member, Role};

/// A change of groups with the notifications about it; nothing has happened before its commit.
///
/// It holds the turn of its [`Transaction`], so that groups change one after the other. No
/// account may be locked while one is made or committed.
pub(in crate::server) struct Change<'a> {
    pub(in crate::server) server: &'a Server,
    pub(in crate::server) transaction: Transaction<'a>,
    /// What groups are to be; `None` for those that are to be no more.
    drafts: BTreeMap<String, Option<Arc<GroupRecord>>>,
}

impl Server {
    pub(in crate::server) fn change_groups(&self) -> Change<'_> {
        Change {
            server: self,
            transaction: self.begin(),
            drafts: BTreeMap::new(),
        }
    }

    /// A code for an invitation link, 22 letters and digits.
    pub(in crate::server) fn new_invite_code(&self) -> String {
        self.inner.with_rng(|rng| {
            let letters = std::iter::repeat_with(|| char::from(rng.sample(Alphanumeric)));
            letters.take(22).collect()
        })
    }

    /// An id for a new group, in the form of today's: 18 digits.
    pub(in crate::server) fn new_group_id(&self) -> String {
        let digits = |server: &Self| {
            let number = server
                .inner
                .with_rng(|rng| rng.random_range(0..10_000_000_000_000_000_u64));
            format!("12{number:016}")
        };
        loop {
            let id = digits(self);
            if self.inner.groups.get(&id).is_none() {
                return id;
            }
        }
    }

    /// Takes an account that is being deleted out of its groups.
    pub(in crate::server) fn leave_all_groups(
        &self,
        account: &AccountCell,
    ) -> Result<(), JournalError> {
        let mut change = self.change_groups();
        for group in self.inner.groups.of_member(&account.number) {
            let mut group = GroupRecord::clone(&group);
            change.part(&mut group, account, &[account.number.to_string()]);
            change.put(group);
        }
        change.commit()
    }
}

impl Change<'_> {
    /// A group as it is, or as this change makes it.
    pub(in crate::server) fn group(&self, id: &str) -> Option<GroupRecord> {
        match self.drafts.get(id) {
            Some(draft) => draft.as_deref().cloned(),
            None => Some(GroupRecord::clone(&*self.server.inner.groups.get(id)?)),
        }
    }

    /// Makes a group what `record` says; one without members ends.
    pub(in crate::server) fn put(&mut self, record: GroupRecord) {
        if record.members.is_empty() {
            self.end(&record.id);
        } else {
            self.drafts
                .insert(record.id.clone(), Some(Arc::new(record)));
        }
    }

    /// Ends a group.
    pub(in crate::server) fn end(&mut self, id: &str) {
        self.drafts.insert(id.to_owned(), None);
    }

    /// Tells devices of those with the given numbers what `author` has done.
    pub(in crate::server) fn tell<N: AsRef<str>>(
        &mut self,
        group_id: &str,
        author: &AccountCell,
        action: Node,
        numbers: impl IntoIterator<Item = N>,
    ) {
        self.tell_as("w:gp2", group_id, author, action, numbers);
    }

    /// Like [`Change::tell`], in a notification of another type.
    pub(in crate::server) fn tell_as<N: AsRef<str>>(
        &mut self,
        kind: &'static str,
        group_id: &str,
        author: &AccountCell,
        action: Node,
        numbers: impl IntoIterator<Item = N>,
    ) {
        let inner = &self.server.inner;
        let push_name = author.lock().record.push_name.clone();
        let mut notification = NodeBuilder::new("notification")
            .attr("from", group_jid(group_id))
            .attr("type", kind)
            .attr("id", inner.stanza_id())
            .attr("t", inner.now_s())
            .attr("participant", author.jid(Addressing::Lid))
            .attr("participant_pn", author.jid(Addressing::Pn))
            .attr("addressing_mode", "lid");
        if !push_name.is_empty() {
            notification = notification.attr("notify", push_name);
        }
        let shared = parcels(&notification.children([action]).build(), [0]);
        let Some(shared) = shared.into_iter().next() else {
            return;
        };
        for number in numbers {
            if let Some(account) = inner.directory.by_number(number.as_ref()) {
                let parcels = account
                    .device_ids()
                    .into_iter()
                    .map(|device_id| shared.for_device(device_id));
                self.transaction.deliver(&account, parcels);
            }
        }
    }

    /// Lets people into a group: its members are told of them, and they of the group.
    pub(in crate::server) fn admit(
        &mut self,
        group: &mut GroupRecord,
        author: &AccountCell,
        newcomers: &[Arc<AccountCell>],
        reason: Option<&'static str>,
    ) {
        let before = group.numbers();
        let mut added = Vec::new();
        for account in newcomers {
            let number = account.number.to_string();
            if group.members.contains_key(&number) {
                continue;
            }
            group.removed.remove(&number);
            group.requests.remove(&number);
            group.add_requests.remove(&number);
            let member = Member {
                lid: account.lid.to_string(),
                role: Role::Member,
                joined_at_s: self.server.inner.now_s(),
            };
            group.members.insert(number.clone(), member);
            added.push(number);
        }
        if added.is_empty() {
            return;
        }
        let mut add = NodeBuilder::new("add");
        let mut create = NodeBuilder::new("create");
        if let Some(reason) = reason {
            add = add.attr("reason", reason);
            create = create.attr("reason", reason);
        }
        let participants = added
            .iter()
            .filter_map(|number| Some(participant_node(number, group.members.get(number)?)));
        let add = add.children(participants).build();
        self.tell(&group.id, author, add, before);
        let create = create.children([group_node(group, true)]).build();
        self.tell(&group.id, author, create, added);
        self.admit_to_community(group, author, newcomers);
    }

    /// Whoever comes into a group of a community comes into the community.
    pub(in crate::server) fn admit_to_community(
        &mut self,
        group: &GroupRecord,
        author: &AccountCell,
        newcomers: &[Arc<AccountCell>],
    ) {
        let Some(link) = group.link.as_ref().filter(|link| !link.is_default) else {
            return;
        };
        let siblings = self.server.inner.groups.of_community(&link.parent);
        let default = siblings
            .iter()
            .find(|group| group.link.as_ref().is_some_and(|link| link.is_default))
            .map(|group| group.id.clone());
        for id in [Some(link.parent.clone()), default].into_iter().flatten() {
            if let Some(mut group) = self.group(&id) {
                self.admit(&mut group, author, newcomers, Some("linked_group_join"));
                self.put(group);
            }
        }
    }

    /// Takes people out of a group and tells them and those who stay.
    pub(in crate::server) fn part(
        &mut self,
        group: &mut GroupRecord,
        author: &AccountCell,
        leavers: &[String],
    ) {
        let before = group.numbers();
        let participants: Vec<Node> = leavers
            .iter()
            .filter_map(|number| Some(participant_node(number, group.members.get(number)?)))
            .collect();
        let mut heirs = Vec::new();
        for number in leavers {
            heirs.extend(group.take_out(number));
        }
        if participants.is_empty() {
            return;
        }
        let remove = NodeBuilder::new("remove").children(participants).build();
        self.tell(&group.id, author, remove, before);
        let promoted: Vec<Node> = heirs
            .iter()
            .filter_map(|number| Some(participant_node(number, group.members.get(number)?)))
            .collect();
        if !promoted.is_empty() {
            let promote = NodeBuilder::new("promote").children(promoted).build();
            self.tell(&group.id, author, promote, group.numbers());
        }
    }

    /// Writes everything down, and then makes it known.
    pub(in crate::server) fn commit(mut self) -> Result<(), JournalError> {
        let batch = &mut self.transaction.batch;
        for (id, draft) in &self.drafts {
            if let Some(record) = draft {
                batch.put(namespace::GROUP, id, to_json(&**record));
            } else {
                batch.delete(namespace::GROUP, id);
                batch.delete(namespace::PICTURE, format!("group:{id}"));
            }
        }
        let groups = &self.server.inner.groups;
        let drafts = self.drafts;
        self.transaction.commit_then(|| {
            for (id, draft) in drafts {
                match draft {
                    Some(record) => groups.put(record),
                    None => groups.remove(&id),
                }
            }
        })
    }
}
