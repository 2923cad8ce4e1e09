//! Messages: what the account keeps of them, and that it played them.

use serde::{Deserialize, Serialize};
use wagate_model::TargetMessage;

/// About a stored message.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do", content = "with")]
pub enum MessageRequest {
    /// Star it, or take the star back.
    Star {
        /// The message.
        target: TargetMessage,
        /// Whether it has the star.
        is_starred: bool,
    },
    /// Delete it for the account alone.
    DeleteForMe {
        /// The message.
        target: TargetMessage,
        /// Whether its file goes too.
        with_media: bool,
    },
    /// Tell its sender that it was played.
    MarkPlayed {
        /// The message.
        target: TargetMessage,
    },
}

impl MessageRequest {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Star {
                is_starred: true, ..
            } => "star_message",
            Self::Star {
                is_starred: false, ..
            } => "unstar_message",
            Self::DeleteForMe { .. } => "delete_message_for_me",
            Self::MarkPlayed { .. } => "mark_message_played",
        }
    }

    pub(super) const fn is_repeatable(&self) -> bool {
        match self {
            Self::Star { .. } | Self::MarkPlayed { .. } => true,
            // The second time there is no such message.
            Self::DeleteForMe { .. } => false,
        }
    }
}
