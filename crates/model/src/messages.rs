//! Stored messages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{Choice, EventData, EventResponder, LocationData, MediaId, SessionId, hide_contents};

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To this number.
    In,
    /// From this number.
    Out,
}

impl Direction {
    /// The name used on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// How far an outgoing message has come; it never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MessageStatus {
    /// Accepted here, not yet by WhatsApp.
    Pending,
    /// WhatsApp has it.
    Sent,
    /// The recipient's device has it.
    Delivered,
    /// The recipient has read it.
    Read,
    /// The recipient has played it (voice and video).
    Played,
    /// It will not be sent.
    Failed,
}

impl MessageStatus {
    /// Every status, in the order of progress; `failed` stands apart.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Sent,
        Self::Delivered,
        Self::Read,
        Self::Played,
        Self::Failed,
    ];

    /// The name used on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
            Self::Failed => "failed",
        }
    }

    /// 0 (pending) to 4 (played); 0 for failed.
    #[must_use]
    pub const fn ack_level(self) -> i64 {
        match self {
            Self::Pending | Self::Failed => 0,
            Self::Sent => 1,
            Self::Delivered => 2,
            Self::Read => 3,
            Self::Played => 4,
        }
    }

    /// Whether a message in this status may move to another.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Pending, Self::Failed) => true,
            (_, Self::Failed) => false,
            // A receipt is proof that it was sent after all.
            (Self::Failed, _) => next.ack_level() > 0,
            _ => next.ack_level() > self.ack_level(),
        }
    }
}

impl std::str::FromStr for MessageStatus {
    type Err = UnknownMessageStatus;

    fn from_str(text: &str) -> Result<Self, UnknownMessageStatus> {
        Self::ALL
            .into_iter()
            .find(|s| s.as_str() == text)
            .ok_or(UnknownMessageStatus)
    }
}

/// The text names no message status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown message status")]
pub struct UnknownMessageStatus;

/// What is known of a message's file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MediaMeta {
    /// The file's name, for documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// The id under which the file can be read (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<MediaId>,
    /// The MIME type that the sender gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mimetype: Option<String>,
    /// The size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
}

/// A stored message, as clients see it.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// 0 (pending) to 4 (played), for outgoing messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack_level: Option<i64>,
    /// The text or caption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The chat's JID.
    pub chat_jid: String,
    /// The buttons or rows that can be chosen (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<Choice>>,
    /// When it was stored, in milliseconds since 1970.
    pub created_at: i64,
    /// Whether it was deleted for everyone.
    pub deleted: bool,
    /// Which way it went.
    pub direction: Direction,
    /// Whether its text was changed after sending.
    pub edited: bool,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The event, as it is now (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventData>,
    /// The last answer of everybody who answered to the event (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_responses: Option<Vec<EventResponder>>,
    /// When it disappears, in milliseconds since 1970; it is deleted here then (beyond the
    /// contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// Whether this number sent it, from any of its devices.
    pub from_me: bool,
    /// Whether it has a file.
    pub has_media: bool,
    /// The same as `waMessageId`.
    pub id: String,
    /// The ids of its labels (beyond the contract); absent without any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The place; of a live location, where it was last (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<LocationData>,
    /// What is known of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<MediaMeta>,
    /// Names of the people mentioned, by JID, as known now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mention_names: Option<BTreeMap<String, String>>,
    /// The JIDs mentioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mentions: Option<Value>,
    /// Until when it is pinned in its chat, in milliseconds since 1970 (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned_until: Option<i64>,
    /// The message that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted_message_id: Option<String>,
    /// The id of the button or row that was chosen (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected_id: Option<String>,
    /// The sender's phone-number JID, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_jid: Option<String>,
    /// The sender's LID, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_lid: Option<String>,
    /// The sender's name, as known now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_name: Option<String>,
    /// The session.
    pub session_id: SessionId,
    /// Whether the account has starred it (beyond the contract).
    #[serde(default)]
    pub starred: bool,
    /// How far it has come, for outgoing messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<MessageStatus>,
    /// When it was sent, in milliseconds since 1970.
    pub timestamp: i64,
    /// What kind of message it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// WhatsApp's id of the message.
    pub wa_message_id: String,
}

// Message texts must not reach logs by way of `{:?}`.
hide_contents!(Message {
    id,
    direction,
    status
});

/// One page of messages, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListMessage {
    /// The messages.
    pub data: Vec<Message>,
    /// Where older ones begin; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::MessageStatus::{Delivered, Failed, Pending, Played, Read, Sent};

    #[test]
    fn a_status_never_goes_back() {
        assert!(Pending.may_become(Sent) && Sent.may_become(Read) && Read.may_become(Played));
        assert!(!Read.may_become(Delivered) && !Sent.may_become(Sent));
        assert!(!Sent.may_become(Failed) && Pending.may_become(Failed));
        assert!(Failed.may_become(Delivered) && !Failed.may_become(Pending));
    }
}
