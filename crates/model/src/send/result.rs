//! What became of a request to send.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{MessageStatus, OutboxId};

/// Whether the caller waited for WhatsApp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SendMode {
    /// The answer waited for WhatsApp's acknowledgement.
    Sync,
    /// The message was queued.
    Async,
}

/// What became of a request to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SendResult {
    /// WhatsApp's ids of an album's files, in their order: each is a message of its own (beyond
    /// the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_message_ids: Option<Vec<String>>,
    /// Whether the caller waited for WhatsApp.
    pub mode: SendMode,
    /// The message's place in the outbox, for queued ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbox_id: Option<OutboxId>,
    /// True where the `Idempotency-Key` was seen before and nothing was sent now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed: Option<bool>,
    /// How far the message has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<MessageStatus>,
    /// WhatsApp's time of the message, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<i64>,
    /// WhatsApp's id of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wa_message_id: Option<String>,
}
