//! What the server tells about a group.

use wacore_binary::Jid;

use crate::server::api::Server;

use super::record::{GroupRecord, Role};

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    /// The phone number, digits only.
    pub number: String,
    /// The user by LID.
    pub lid: Jid,
    /// What the member may do.
    pub role: Role,
}

/// A group as it is now.
#[derive(Debug, Clone)]
pub struct Group {
    /// The group's address.
    pub jid: Jid,
    /// Its name.
    pub subject: String,
    /// Its members, by number.
    pub members: Vec<GroupMember>,
    /// Its description, when it has one.
    pub description: Option<String>,
    /// Whether only admins send messages.
    pub is_announcement: bool,
    /// Whether only admins change subject, description and the like.
    pub is_locked: bool,
    /// Whether admins let in those who come by the link.
    pub needs_approval: bool,
    /// Whether every member may add others.
    pub is_adding_open: bool,
    /// After how many seconds messages disappear; 0 for never.
    pub ephemeral_s: u32,
    /// The code of its invitation link.
    pub invite_code: String,
    /// Numbers that wait to be let in.
    pub requests: Vec<String>,
    /// Whether it is the parent of a community.
    pub is_community: bool,
    /// The community that it belongs to.
    pub parent: Option<Jid>,
}

impl Server {
    /// The group with this address.
    pub fn group(&self, jid: &Jid) -> Option<Group> {
        let record = self.inner.groups.get(&jid.user)?;
        (record.jid() == *jid).then(|| view(&record))
    }

    /// All groups, by id.
    pub fn groups(&self) -> Vec<Group> {
        let all = self.inner.groups.all();
        all.iter().map(|record| view(record)).collect()
    }
}

fn view(record: &GroupRecord) -> Group {
    let members = record.members.iter();
    Group {
        jid: record.jid(),
        subject: record.subject.clone(),
        members: members
            .map(|(number, member)| GroupMember {
                number: number.clone(),
                lid: Jid::lid(&*member.lid),
                role: member.role,
            })
            .collect(),
        description: record
            .description
            .as_ref()
            .and_then(|description| description.text.clone()),
        is_announcement: record.is_announcement,
        is_locked: record.is_locked,
        needs_approval: record.needs_approval,
        is_adding_open: record.is_adding_open,
        ephemeral_s: record.ephemeral_s,
        invite_code: record.invite_code.clone(),
        requests: record.requests.keys().cloned().collect(),
        is_community: record.community.is_some(),
        parent: record.link.as_ref().map(|link| Jid::group(&*link.parent)),
    }
}
