//! Groups as WhatsApp describes them, and what it answers about their members.

use wagate_model::{GroupRole, Jid, hide_contents};

/// A group as it is now.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupSnapshot {
    /// Its address.
    pub group: Jid,
    /// The subject.
    pub subject: String,
    /// The description; empty where there is none.
    pub description: String,
    /// Who made it.
    pub owner: Option<Jid>,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: Option<i64>,
    /// Whether only admins may write.
    pub is_announce: bool,
    /// Whether only admins may change its settings.
    pub is_locked: bool,
    /// After how many seconds new messages disappear; 0: never.
    pub disappearing_seconds: u32,
    /// How many members it has, where told.
    pub size: Option<u32>,
    /// The members, as far as they were told.
    pub members: Vec<GroupPerson>,
    /// Whether all members were told.
    pub is_complete: bool,
    /// Whether an admin has to approve who joins by link.
    pub is_approval_required: bool,
    /// Whether it is a community, which other groups belong to.
    pub is_community: bool,
    /// The community that it belongs to.
    pub community: Option<Jid>,
    /// Whether it is the community's own group for announcements.
    pub is_community_announcements: bool,
}

/// A member of a group.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupPerson {
    /// The address under which the group knows the person.
    pub person: Jid,
    /// The same person's other address, where known.
    pub alias: Option<Jid>,
    /// What the person may do there.
    pub role: GroupRole,
    /// The tag that the person has there.
    pub tag: Option<String>,
}

/// What WhatsApp did with one of the people that a request named.
#[derive(Clone, PartialEq, Eq)]
pub struct MemberOutcome {
    /// The person, as WhatsApp names them.
    pub person: Jid,
    /// The same person's other address, where told.
    pub alias: Option<Jid>,
    /// Why it was not done: 403 (not permitted, or the person's privacy), 404 (not there),
    /// 408 (left lately), 409 (is so already) and others; nothing where it was done.
    pub refused: Option<u16>,
    /// Whether the person can only be invited, because of their privacy settings.
    pub needs_invite: bool,
}

/// What is done to members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberAction {
    /// They are added.
    Add,
    /// They are removed.
    Remove,
    /// They become admins.
    Promote,
    /// They are no longer admins.
    Demote,
    /// Their requests to join are granted.
    Approve,
    /// Their requests to join are denied.
    Reject,
}

/// One change of a group's settings.
#[derive(Clone, PartialEq, Eq)]
pub enum GroupSetting {
    /// The subject.
    Subject(String),
    /// The description; empty to remove it.
    Description(String),
    /// Whether only admins may write.
    Announce(bool),
    /// Whether only admins may change the settings.
    Locked(bool),
    /// Whether an admin has to approve who joins by link.
    ApprovalRequired(bool),
    /// Whether only admins add members.
    AdminsAddMembers(bool),
    /// After how many seconds messages disappear; 0: never.
    DisappearingSeconds(u32),
}

/// Somebody who asks to join.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinRequest {
    /// Who.
    pub person: Jid,
    /// The same person's other address, where known.
    pub alias: Option<Jid>,
    /// Since when, in milliseconds since 1970, where told.
    pub requested_at_ms: Option<i64>,
}

/// A group that an invite led to.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinedGroup {
    /// The group.
    pub group: Jid,
    /// Whether an admin has to approve first.
    pub is_pending: bool,
}

/// A group that belongs to a community.
#[derive(Clone, PartialEq, Eq)]
pub struct CommunitySubgroup {
    /// The group.
    pub group: Jid,
    /// The subject.
    pub subject: String,
    /// How many members it has, where told.
    pub size: Option<u32>,
    /// Whether it is the community's own group for announcements.
    pub is_announcements: bool,
}

/// What became of groups that were to be linked to a community, or unlinked.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkOutcome {
    /// Those with which it was done.
    pub done: Vec<Jid>,
    /// Those that WhatsApp refused, with its codes.
    pub refused: Vec<(Jid, u32)>,
}

// Names and addresses must not reach logs by `{:?}`.
hide_contents!(
    GroupSnapshot,
    GroupPerson,
    MemberOutcome,
    GroupSetting,
    JoinRequest,
    JoinedGroup,
    CommunitySubgroup,
    LinkOutcome
);
