//! Presence: who is there, and who types.

use serde::{Deserialize, Serialize};
use wagate_model::{ChatPresenceState, Jid, PresenceStatus};

/// About presence.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do", content = "with")]
pub enum PresenceRequest {
    /// Show this account online or offline.
    SetOnline {
        /// Online or offline.
        is_online: bool,
    },
    /// Show in a chat that this account types, records, or stopped.
    SetInChat {
        /// The chat.
        chat: Jid,
        /// What to show.
        state: ChatPresenceState,
    },
    /// Ask for a person's presence from now on, and give what is known of it.
    Subscribe {
        /// The person.
        person: Jid,
    },
}

impl PresenceRequest {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::SetOnline { .. } => "set_presence",
            Self::SetInChat { .. } => "set_chat_presence",
            Self::Subscribe { .. } => "subscribe_presence",
        }
    }

    pub(super) const fn is_repeatable(&self) -> bool {
        match self {
            Self::SetOnline { .. } | Self::SetInChat { .. } | Self::Subscribe { .. } => true,
        }
    }
}

/// What came of a [`PresenceRequest`].
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "with")]
pub enum PresenceReply {
    /// What is known of a person's presence now.
    Status(PresenceStatus),
}
