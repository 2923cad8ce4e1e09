//! Chats: how the account keeps them, on all its devices.

use serde::{Deserialize, Serialize};
use wagate_model::Jid;

/// About a stored chat, by the address under which it is stored.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do", content = "with")]
pub enum ChatRequest {
    /// Archive, pin or mute it, or undo that; what is absent stays.
    Update {
        /// The chat.
        chat: Jid,
        /// Whether it is archived.
        is_archived: Option<bool>,
        /// Whether it is pinned.
        is_pinned: Option<bool>,
        /// Until when it is muted, in milliseconds since 1970; -1 for ever, 0 to unmute.
        muted_until: Option<i64>,
    },
    /// Tell the senders of its unread messages that they were read.
    SendReceipts {
        /// The chat.
        chat: Jid,
    },
    /// Mark it unread.
    MarkUnread {
        /// The chat.
        chat: Jid,
    },
    /// Remove its messages on WhatsApp.
    Clear {
        /// The chat.
        chat: Jid,
    },
    /// Delete it on WhatsApp.
    Delete {
        /// The chat.
        chat: Jid,
    },
}

impl ChatRequest {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Update { .. } => "update_chat",
            Self::SendReceipts { .. } => "send_receipts",
            Self::MarkUnread { .. } => "mark_chat_unread",
            Self::Clear { .. } => "clear_chat",
            Self::Delete { .. } => "delete_chat",
        }
    }

    pub(super) const fn is_repeatable(&self) -> bool {
        match self {
            Self::Update { .. } | Self::SendReceipts { .. } | Self::MarkUnread { .. } => true,
            // The second time might be about messages that came in between.
            Self::Clear { .. } | Self::Delete { .. } => false,
        }
    }
}
