//! Requests about presence.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What this account does in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChatPresenceState {
    /// Types a text.
    Composing,
    /// Stopped.
    Paused,
    /// Records a voice note.
    Recording,
}

/// The body of `setChatPresence`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ChatPresenceInputBody)]
pub struct ChatPresenceInput {
    /// What to show in the chat.
    pub state: Option<ChatPresenceState>,
}

/// Whether an account is shown online.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnlineState {
    /// Shown online.
    Online,
    /// Shown offline.
    Offline,
}

/// The body of `setPresence`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SetPresenceInputBody)]
pub struct SetPresenceInput {
    /// Online or offline.
    pub state: Option<OnlineState>,
}
