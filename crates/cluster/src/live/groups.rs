//! Groups: made, joined and left, their settings and members.

use serde::{Deserialize, Serialize};
use wagate_model::{GroupInfo, GroupJoinRequest, GroupPreview, Jid, UpdateGroupInput};

/// About groups.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do", content = "with")]
pub enum GroupRequest {
    /// Make one.
    Create {
        /// The subject.
        name: String,
        /// Who is invited.
        people: Vec<Jid>,
    },
    /// Change settings, one after the other.
    Update {
        /// The group.
        group: Jid,
        /// What is to be so.
        settings: UpdateGroupInput,
    },
    /// Give the invite link.
    Invite {
        /// The group.
        group: Jid,
        /// Whether the old link is to be void, and a new one made.
        is_renewed: bool,
    },
    /// Add, remove, promote or demote members.
    Members {
        /// The group.
        group: Jid,
        /// What is done to them.
        change: MemberChange,
        /// The members.
        people: Vec<Jid>,
    },
    /// Grant or deny requests to join.
    Answer {
        /// The group.
        group: Jid,
        /// Whether they are granted.
        is_granted: bool,
        /// Whose; nobody stands for all.
        people: Vec<Jid>,
    },
    /// Leave it.
    Leave {
        /// The group.
        group: Jid,
    },
    /// Join one by the code of its invite.
    Join {
        /// The code.
        code: String,
    },
    /// Give the group that an invite leads to.
    Preview {
        /// The code.
        code: String,
    },
    /// Give those who ask to join.
    Requests {
        /// The group.
        group: Jid,
    },
    /// Take the account's own request to join back.
    CancelRequest {
        /// The group.
        group: Jid,
    },
    /// Set or remove the picture.
    Picture {
        /// The group.
        group: Jid,
        /// The picture as JPEG in base64; nothing to remove it.
        jpeg: Option<String>,
    },
}

/// What is done to members of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberChange {
    /// They are added.
    Add,
    /// They are removed.
    Remove,
    /// They become admins.
    Promote,
    /// They are no longer admins.
    Demote,
}

impl GroupRequest {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create_group",
            Self::Update { .. } => "update_group",
            Self::Invite {
                is_renewed: false, ..
            } => "get_group_invite",
            Self::Invite {
                is_renewed: true, ..
            } => "revoke_group_invite",
            Self::Members { .. } => "change_group_members",
            Self::Answer { .. } => "answer_join_requests",
            Self::Leave { .. } => "leave_group",
            Self::Join { .. } => "join_group",
            Self::Preview { .. } => "preview_group_invite",
            Self::Requests { .. } => "list_join_requests",
            Self::CancelRequest { .. } => "cancel_join_request",
            Self::Picture { .. } => "set_group_picture",
        }
    }

    pub(super) const fn is_repeatable(&self) -> bool {
        match self {
            Self::Update { .. }
            | Self::Members { .. }
            | Self::Leave { .. }
            | Self::Join { .. }
            | Self::Preview { .. }
            | Self::Requests { .. }
            | Self::Picture { .. }
            | Self::Invite {
                is_renewed: false, ..
            } => true,
            // The second time would make another group or link, answer those who have asked since,
            // or find nothing to take back.
            Self::Create { .. }
            | Self::CancelRequest { .. }
            | Self::Answer { .. }
            | Self::Invite {
                is_renewed: true, ..
            } => false,
        }
    }
}

/// What came of a [`GroupRequest`].
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "with")]
pub enum GroupReply {
    /// The group that was made.
    Created(GroupInfo),
    /// The invite link.
    Invite(String),
    /// The group that was joined, or that an admin has to let the account into.
    Joined(Jid),
    /// The group that an invite leads to.
    Preview(GroupPreview),
    /// Those who ask to join.
    Requests(Vec<GroupJoinRequest>),
}
