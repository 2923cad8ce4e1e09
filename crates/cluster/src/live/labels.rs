//! Labels: making and changing them, and putting them on chats and messages.

use serde::{Deserialize, Serialize};
use wagate_model::{Jid, TargetMessage};

/// About labels.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do", content = "with")]
pub enum LabelRequest {
    /// Make one.
    Create {
        /// Its name.
        name: String,
        /// The number of its colour; none for the first that no label has.
        color: Option<i64>,
    },
    /// Change one; what is absent stays.
    Update {
        /// The label.
        label: String,
        /// Its name.
        name: Option<String>,
        /// The number of its colour.
        color: Option<i64>,
    },
    /// Delete one.
    Delete {
        /// The label.
        label: String,
    },
    /// Put one on a chat, or take it off.
    Chat {
        /// The label.
        label: String,
        /// The chat, by the address under which it is stored.
        chat: Jid,
        /// Whether the chat has it.
        is_labelled: bool,
    },
    /// Put one on a message, or take it off.
    Message {
        /// The label.
        label: String,
        /// The message.
        target: TargetMessage,
        /// Whether the message has it.
        is_labelled: bool,
    },
}

impl LabelRequest {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create_label",
            Self::Update { .. } => "update_label",
            Self::Delete { .. } => "delete_label",
            Self::Chat { .. } => "label_chat",
            Self::Message { .. } => "label_message",
        }
    }

    pub(super) const fn is_repeatable(&self) -> bool {
        match self {
            // The second time makes another one, or finds none.
            Self::Create { .. } | Self::Delete { .. } => false,
            Self::Update { .. } | Self::Chat { .. } | Self::Message { .. } => true,
        }
    }
}
