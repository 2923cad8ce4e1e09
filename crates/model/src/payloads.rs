//! The payloads of events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Choice, EventData, EventResponse, MediaMeta, MessageStatus, SessionStatus, StatusDetail,
    StatusReason, hide_contents,
};

/// The kinds of message content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageType {
    /// A text.
    Text,
    /// A picture.
    Image,
    /// A video.
    Video,
    /// Sound, also a voice note.
    Audio,
    /// A file.
    Document,
    /// A sticker.
    Sticker,
    /// A place.
    Location,
    /// One or more contact cards.
    Contact,
    /// A poll.
    Poll,
    /// A reaction to another message.
    Reaction,
    /// Another message is deleted for everyone.
    Revoke,
    /// A vote in a poll.
    PollVote,
    /// An event with answers (beyond the contract).
    Event,
    /// An answer to an event (beyond the contract).
    EventResponse,
    /// Content that is not known here.
    System,
}

impl MessageType {
    /// The name used on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Document => "document",
            Self::Sticker => "sticker",
            Self::Location => "location",
            Self::Contact => "contact",
            Self::Poll => "poll",
            Self::Reaction => "reaction",
            Self::Revoke => "revoke",
            Self::PollVote => "poll_vote",
            Self::Event => "event",
            Self::EventResponse => "event_response",
            Self::System => "system",
        }
    }
}

/// Payload of `session.status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionStatusPayload {
    /// The new status.
    pub status: SessionStatus,
    /// Why, where there is more to say (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<StatusReason>,
    /// What WhatsApp said about it (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<StatusDetail>,
}

/// Payload of `auth.qr`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuthQRPayload)]
pub struct AuthQrPayload {
    /// The text of the QR code.
    pub code: String,
}

/// Payload of `auth.code`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthCodePayload {
    /// The business's name, for business accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_name: Option<String>,
    /// The account's phone-number JID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jid: Option<String>,
    /// The account's LID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lid: Option<String>,
    /// The phone's platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
}

/// What is known of a mentioned person.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MentionData {
    /// The name that the person chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_name: Option<String>,
    /// The person's tag in the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// A contact card.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactData {
    /// The name on the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The card itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcard: Option<String>,
}

/// A place.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LocationData {
    /// The address, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// The place's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A poll.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PollData {
    /// When it closes, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<i64>,
    /// Whether voters stay hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hide_votes: Option<bool>,
    /// The question.
    pub name: String,
    /// The options.
    pub options: Vec<String>,
    /// How many options one voter may choose; 0: any number.
    pub selectable_count: i64,
}

/// Payload of every event that carries a message.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessagePayload {
    /// The text or caption; a poll's question, a contact's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The chat's JID.
    pub chat_jid: String,
    /// The buttons or rows that can be chosen (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<Choice>>,
    /// The contact card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactData>,
    /// The event (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventData>,
    /// The answer to an event; absent where it cannot be read (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_response: Option<EventResponse>,
    /// When it disappears, in milliseconds since 1970 (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// Whether this number sent it, from any of its devices.
    pub from_me: bool,
    /// Whether it has a file.
    pub has_media: bool,
    /// The place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<LocationData>,
    /// What is known of the file; null without one.
    pub media: Option<MediaMeta>,
    /// The people mentioned, by JID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mentions: Option<BTreeMap<String, MentionData>>,
    /// The poll.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<PollData>,
    /// The name that the sender chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_name: Option<String>,
    /// The text of the quoted message, cut to 4,096 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted_body: Option<String>,
    /// Whether this number sent the quoted message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted_from_me: Option<bool>,
    /// The quoted message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted_message_id: Option<String>,
    /// Who sent the quoted message, by phone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted_sender_jid: Option<String>,
    /// Who sent the quoted message, by LID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted_sender_lid: Option<String>,
    /// The reaction; empty when it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaction: Option<String>,
    /// The options chosen in a poll.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected_options: Option<Vec<String>>,
    /// The sender's phone-number JID, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_jid: Option<String>,
    /// The sender's LID, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_lid: Option<String>,
    /// The message that a reaction, edit, deletion or vote is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_id: Option<String>,
    /// When it was sent, in milliseconds since 1970.
    pub timestamp: i64,
    /// What kind of message it is.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// WhatsApp's id of the message.
    pub wa_message_id: String,
}

hide_contents!(MessagePayload {
    wa_message_id,
    kind
});

/// Payload of `message.status`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageStatusPayload {
    /// The chat's JID.
    pub chat_jid: String,
    /// The messages concerned.
    pub message_ids: Vec<String>,
    /// Whose receipt it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_jid: Option<String>,
    /// The status reached.
    pub status: MessageStatus,
    /// When, in milliseconds since 1970.
    pub timestamp: i64,
    /// Why it failed (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What somebody does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PresenceState {
    /// Not known.
    Unknown,
    /// Online.
    Available,
    /// Offline.
    Unavailable,
    /// Types, or records.
    Composing,
    /// Stopped typing.
    Paused,
}

/// Payload of `presence.update`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresenceStatus {
    /// The chat in which somebody types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_jid: Option<String>,
    /// The person.
    pub from: String,
    /// When the person was last online, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<i64>,
    /// What is being composed: `text` or `audio`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
    /// What the person does now.
    pub state: PresenceState,
    /// Whether the person went offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<bool>,
}

/// Payload of `group.update` and `group.participant`: changed fields only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupPayload {
    /// Who is no longer an admin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demote: Option<Vec<String>>,
    /// The new description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// After how many seconds new messages disappear now; 0: never (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disappearing_seconds: Option<i64>,
    /// The group.
    pub group_jid: String,
    /// Whether only admins may write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_announce: Option<bool>,
    /// Whether only admins may change the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_locked: Option<bool>,
    /// Who joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<Vec<String>>,
    /// Who left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leave: Option<Vec<String>>,
    /// The new invite link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_invite_link: Option<String>,
    /// Who became an admin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promote: Option<Vec<String>>,
    /// Why members changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// The new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<i64>,
}

/// Payload of `chat.update`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatUpdatePayload {
    /// What changed: `picture`; beyond the contract, `settings` (archived, pinned or muted: those
    /// that changed are told), `unread`, `labels`, `pin` (a message was pinned or unpinned),
    /// `disappearing` (the timer of new messages), or what was removed on WhatsApp while the stored
    /// copy stays: `cleared`, `deleted`, `message_deleted`.
    pub change: String,
    /// The chat.
    pub chat_jid: String,
    /// Whether it is archived now (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
    /// After how many seconds new messages disappear now; 0: never (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disappearing_seconds: Option<i64>,
    /// The ids of all labels that it has now, where those changed (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// The message that was pinned, unpinned or deleted (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Until when it is muted now, in milliseconds since 1970; 0: no more; -1: for good (beyond the
    /// contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<i64>,
    /// The new picture's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture_id: Option<String>,
    /// Whether the chat is pinned now (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
    /// Until when the message is pinned, in milliseconds since 1970 (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned_until: Option<i64>,
    /// Whether the picture was removed, or the message unpinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<bool>,
    /// How many messages are unread now (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread_count: Option<i64>,
}

/// Payload of `contact.update`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactUpdatePayload {
    /// The first name in the phone's address book.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// The full name in the phone's address book.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
    /// The person.
    pub jid: String,
    /// The name that the person chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_name: Option<String>,
}

/// Payload of `call.incoming`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallPayload {
    /// The call.
    pub call_id: String,
    /// Who calls.
    pub from: String,
    /// The group, for group calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_jid: Option<String>,
    /// Whether it is a group call.
    pub is_group: bool,
    /// When, in milliseconds since 1970.
    pub timestamp: i64,
}

/// How often an option of a poll was chosen.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PollRecapOption {
    /// How often.
    pub count: i64,
    /// The option.
    pub option: String,
}

/// What somebody voted for in a poll.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PollRecapVoter {
    /// The voter's name; empty where it is not known.
    pub display_name: String,
    /// The options chosen.
    pub selected_options: Vec<String>,
    /// The voter's JID, by LID where known.
    pub voter_id: String,
}

/// Payload of `poll.recap`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PollRecapPayload {
    /// The chat.
    pub chat_jid: String,
    /// When the poll closed, in milliseconds since 1970.
    pub end_time: i64,
    /// Whether voters stay hidden.
    pub hide_votes: bool,
    /// The question.
    pub name: String,
    /// The options, in the poll's order.
    pub options: Vec<PollRecapOption>,
    /// The poll's id on WhatsApp.
    pub poll_message_id: String,
    /// How many options one voter may choose; 0: any number.
    pub selectable_count: i64,
    /// How many people voted.
    pub total_votes: i64,
    /// Who voted for what, unless votes are hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voters: Option<Vec<PollRecapVoter>>,
}

/// Payload of `newsletter.update`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewsletterPayload {
    /// What happened: `join`, `leave`, `mute`, or beyond the contract `update` (name, description
    /// or picture) and `delete`.
    pub action: String,
    /// The channel.
    pub jid: String,
    /// For `mute`: whether it is muted now (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<bool>,
}
