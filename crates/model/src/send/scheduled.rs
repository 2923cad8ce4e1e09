//! Messages that are to be sent later.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{OutboxId, SendType, SessionId};

/// How far a scheduled message is; once its time has come, it is a message like others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScheduledStatus {
    /// It waits for its time.
    Waiting,
    /// It was given up; `error` says why.
    Failed,
}

/// A message that is to be sent later.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduledMessage {
    /// The chat's JID.
    pub chat_jid: String,
    /// When it was asked for, in milliseconds since 1970.
    pub created_at: i64,
    /// Why it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The id; `outboxId` of the answer that accepted it.
    pub id: OutboxId,
    /// When it is to be sent, in milliseconds since 1970.
    pub send_at: i64,
    /// The session that sends it.
    pub session_id: SessionId,
    /// How far it is.
    pub status: ScheduledStatus,
    /// The text, the caption, or the question of a poll.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What kind of message it is; absent where the key is gone under which it was sealed.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<SendType>,
    /// WhatsApp's id that the message will have.
    pub wa_message_id: String,
}

// Texts and numbers must not reach logs by `{:?}`.
impl std::fmt::Debug for ScheduledMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScheduledMessage")
            .field("id", &self.id)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// A page of scheduled messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListScheduledMessage {
    /// The messages, the next to be sent first.
    pub data: Vec<ScheduledMessage>,
    /// Where the list goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
