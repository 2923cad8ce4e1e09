//! Groups and their members, as far as a session has seen them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::SessionId;

/// A stored group.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// When it was made on WhatsApp, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at_wa: Option<i64>,
    /// The description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was first seen, in milliseconds since 1970.
    pub first_seen_at: i64,
    /// The group's JID.
    pub group_jid: String,
    /// A number that stays with the group.
    pub id: i64,
    /// Whether only admins may write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_announce: Option<bool>,
    /// Whether only admins may change its settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_locked: Option<bool>,
    /// Who owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_jid: Option<String>,
    /// How many members it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant_count: Option<i64>,
    /// The subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When what is known last changed, in milliseconds since 1970.
    pub updated_at: i64,
}

/// Groups, in one page.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListGroup {
    /// The groups, in the order in which they were first seen.
    pub data: Vec<Group>,
    /// Absent: there is one page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What a member may do in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum GroupRole {
    /// Writes, where everybody may.
    Member,
    /// Manages members and settings.
    Admin,
    /// Made the group; can be removed by nobody.
    SuperAdmin,
}

impl GroupRole {
    /// The name that is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::SuperAdmin => "superadmin",
        }
    }

    /// Whether it manages members and settings.
    #[must_use]
    pub const fn is_admin(self) -> bool {
        !matches!(self, Self::Member)
    }

    /// The role by the name that is stored; what is not known counts as a member.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            "superadmin" => Self::SuperAdmin,
            "admin" => Self::Admin,
            _ => Self::Member,
        }
    }
}

/// A stored member of a group.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupMember {
    /// When the member was first seen there, in milliseconds since 1970.
    pub first_seen_at: i64,
    /// The group's JID.
    pub group_jid: String,
    /// A number that stays with the membership.
    pub id: i64,
    /// When the member was last seen there, in milliseconds since 1970.
    pub last_seen_at: i64,
    /// The member's LID; empty where only the phone number is known so far.
    pub lid: String,
    /// What the member may do.
    pub role: GroupRole,
    /// The session that has seen it.
    pub session_id: SessionId,
    /// The tag that the member has in the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// Members, in one page.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListGroupMember {
    /// The members, in the order in which they were first seen.
    pub data: Vec<GroupMember>,
    /// Absent: there is one page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
