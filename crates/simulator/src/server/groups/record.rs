//! The persisted form of a group.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wacore_binary::Jid;

use crate::server::jids::Addressing;
use crate::server::state::AccountCell;

/// What a member may do.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Nothing beyond what everybody may.
    #[default]
    Member,
    /// Manages members and settings.
    Admin,
    /// Made the group; cannot be removed or demoted by others.
    SuperAdmin,
}

impl Role {
    /// Whether the member manages the group.
    pub fn is_admin(self) -> bool {
        self != Self::Member
    }
}

/// A user by both addresses; stays what it is when the account is gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) number: String,
    pub(crate) lid: String,
}

impl Person {
    pub(crate) fn of(account: &AccountCell) -> Self {
        Self {
            number: account.number.to_string(),
            lid: account.lid.to_string(),
        }
    }

    pub(crate) fn jid(&self, addressing: Addressing) -> Jid {
        match addressing {
            Addressing::Pn => Jid::pn(&*self.number),
            Addressing::Lid => Jid::lid(&*self.lid),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) lid: String,
    pub(crate) role: Role,
    pub(crate) joined_at_s: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) id: String,
    /// Without a text it was taken away; the id goes on to name that state.
    pub(crate) text: Option<String>,
    pub(crate) by: Person,
    pub(crate) at_s: i64,
}

/// Somebody who waits to be let in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct JoinRequest {
    pub(crate) lid: String,
    pub(crate) at_s: i64,
}

/// An invitation for one person who may not be added without being asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AddRequest {
    pub(crate) code: String,
    pub(crate) expires_at_s: i64,
    /// The number of the admin who invites.
    pub(crate) admin: String,
}

/// What a group that is a community's parent has.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Community {
    /// Whether joining its groups needs an approval unless they say otherwise.
    pub(crate) is_closed: bool,
    /// Whether members who are no admins may make groups in it.
    pub(crate) is_open_to_subgroups: bool,
}

/// How a group belongs to a community.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Link {
    /// The id of the community's parent group.
    pub(crate) parent: String,
    /// Whether it is the one that everybody in the community is in.
    pub(crate) is_default: bool,
    pub(crate) is_general_chat: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct GroupRecord {
    /// The user part of its JID.
    pub(crate) id: String,
    pub(crate) creator: Person,
    pub(crate) created_at_s: i64,
    pub(crate) subject: String,
    pub(crate) subject_by: Person,
    pub(crate) subject_at_s: i64,
    pub(crate) description: Option<Description>,
    /// Only admins change subject, description, picture and the like.
    pub(crate) is_locked: bool,
    /// Only admins send messages.
    pub(crate) is_announcement: bool,
    /// Admins let in those who come by the link.
    pub(crate) needs_approval: bool,
    /// Every member adds others, not admins alone.
    pub(crate) is_adding_open: bool,
    /// Every member sees the invitation link, not admins alone.
    pub(crate) is_link_open: bool,
    /// Every member sends earlier messages to those who come, not admins alone.
    pub(crate) is_history_open: bool,
    /// After how many seconds messages disappear; 0 for never.
    pub(crate) ephemeral_s: u32,
    pub(crate) ephemeral_trigger: Option<u32>,
    /// Settings that are an empty element in the group's description, by its tag.
    pub(crate) marks: BTreeSet<String>,
    /// By number.
    pub(crate) members: BTreeMap<String, Member>,
    /// Numbers that an admin has put out; the link lets them in no more.
    pub(crate) removed: BTreeSet<String>,
    /// How often, and when at last, somebody has gone by themselves; by number.
    pub(crate) left: BTreeMap<String, (u32, i64)>,
    /// By number.
    pub(crate) requests: BTreeMap<String, JoinRequest>,
    /// By the invited number.
    pub(crate) add_requests: BTreeMap<String, AddRequest>,
    pub(crate) invite_code: String,
    /// Codes of links that have been reset.
    pub(crate) reset_codes: BTreeSet<String>,
    pub(crate) picture_id: Option<u64>,
    pub(crate) community: Option<Community>,
    pub(crate) link: Option<Link>,
}

impl GroupRecord {
    pub(crate) fn jid(&self) -> Jid {
        Jid::group(&*self.id)
    }

    pub(crate) fn role_of(&self, number: &str) -> Option<Role> {
        Some(self.members.get(number)?.role)
    }

    pub(crate) fn numbers(&self) -> Vec<String> {
        self.members.keys().cloned().collect()
    }

    pub(crate) fn admins(&self) -> Vec<String> {
        let admins = self.members.iter().filter(|(_, who)| who.role.is_admin());
        admins.map(|(number, _)| number.clone()).collect()
    }

    /// Takes a member out; the longest in it becomes admin when there is no other.
    ///
    /// Tells who was made admin.
    pub(crate) fn take_out(&mut self, number: &str) -> Option<String> {
        self.members.remove(number)?;
        if self.members.values().any(|member| member.role.is_admin()) {
            return None;
        }
        let (heir, member) = self
            .members
            .iter_mut()
            .min_by_key(|(_, member)| member.joined_at_s)?;
        member.role = Role::Admin;
        Some(heir.clone())
    }
}
