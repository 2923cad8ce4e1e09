//! What comes in: messages as the engine hands them over.

use async_trait::async_trait;
use bytes::Bytes;
use wagate_model::{
    Choice, ContactData, EventData, EventResponse, Jid, LocationData, MediaKind, MediaMeta,
    MessageType, PollData, hide_contents,
};

use crate::{HistoryPart, MediaSource};

/// Takes decrypted messages for good, before WhatsApp is told that they arrived.
#[async_trait]
pub trait InboundSink: Send + Sync + 'static {
    /// Commits a whole batch, in order, all or nothing.
    ///
    /// `Ok` lets the engine acknowledge every message of the batch. `Err` leaves
    /// them unacknowledged: WhatsApp delivers them again on the next connect,
    /// and the sink sees them again from the engine's own buffer. The same
    /// message may come twice (a crash between the commit and the
    /// acknowledgement), so the commit is idempotent over chat, sender and id.
    ///
    /// The engine waits for it inside its receive pipeline: do not send or ask
    /// WhatsApp anything from here; commit and return.
    async fn commit(&self, batch: InboundBatch) -> Result<(), SinkError>;
}

/// Messages that are committed together.
#[derive(Debug)]
pub struct InboundBatch {
    /// The messages, in their order.
    pub messages: Vec<InboundMessage>,
    /// The copies that the engine's storage has of them until they are committed.
    ///
    /// A sink that deletes them in its own transaction saves the engine another one.
    pub buffered: Vec<BufferedMessage>,
    /// Parts of the history that they announce, to be kept until their last pages are stored.
    pub history: Vec<HistoryPart>,
}

/// Names the copy of a message in the engine's storage.
#[derive(Clone, PartialEq, Eq)]
pub struct BufferedMessage {
    /// The chat as the stanza shows it.
    pub chat: String,
    /// The sender's device as the stanza shows it.
    pub sender: String,
    /// WhatsApp's id of the message.
    pub id: String,
}

/// Why a batch was not committed; the text is only logged.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SinkError(pub String);

/// One message, from anybody in the chat, this number's other devices included.
#[derive(Clone, PartialEq)]
pub struct InboundMessage {
    /// WhatsApp's id; unique within the chat and sender only.
    pub id: String,
    /// The chat as WhatsApp addressed it: the canonical address.
    pub chat: Jid,
    /// The same chat's other address (phone number or LID), where known.
    pub chat_alias: Option<Jid>,
    /// The sender's phone-number address, where known.
    pub sender_jid: Option<Jid>,
    /// The sender's LID, where known.
    pub sender_lid: Option<Jid>,
    /// Whether this number sent it, from any of its devices.
    pub from_me: bool,
    /// The name that the sender chose.
    pub push_name: Option<String>,
    /// The verified name, for businesses.
    pub business_name: Option<String>,
    /// When it was sent, in milliseconds since 1970 (WhatsApp gives seconds).
    pub timestamp_ms: i64,
    /// What it says.
    pub content: Content,
    /// The people it mentions.
    pub mentions: Vec<Jid>,
    /// The message it answers.
    pub quoted: Option<QuotedMessage>,
    /// Whether it was forwarded.
    pub is_forwarded: bool,
    /// Whether it may be seen only once.
    pub is_view_once: bool,
    /// After how many seconds it disappears; none if it stays.
    pub expires_after_s: Option<u32>,
    /// Whether it waited at WhatsApp while the session was away.
    pub is_offline: bool,
    /// The message as the protocol has it (unwrapped): what a later quote,
    /// forward or download of its file is made from.
    pub raw: Bytes,
}

impl std::fmt::Debug for InboundMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InboundMessage")
            .field("id", &self.id)
            .field("kind", &self.content.kind())
            .field("from_me", &self.from_me)
            .field("is_offline", &self.is_offline)
            .finish_non_exhaustive()
    }
}

/// What a message says.
#[derive(Clone, PartialEq)]
pub enum Content {
    /// A text.
    Text {
        /// The text itself.
        body: String,
    },
    /// A file: picture, video, sound, document or sticker.
    Media(Media),
    /// A place.
    Location {
        /// Where.
        place: LocationData,
        /// Whether it is a live location's first or next report.
        is_live: bool,
    },
    /// One or more contact cards.
    Contacts(Vec<ContactData>),
    /// A poll.
    Poll(PollData),
    /// A reaction to a message; empty when it was taken back.
    Reaction {
        /// The message reacted to.
        target: MessageRef,
        /// The emoji.
        emoji: String,
    },
    /// A message is deleted for everyone.
    Revoke {
        /// The message deleted.
        target: MessageRef,
    },
    /// A message's content is replaced.
    Edit {
        /// The message changed.
        target: MessageRef,
        /// What it says now; never itself an edit.
        content: Box<Content>,
    },
    /// A vote in a poll; each vote replaces the voter's earlier one.
    PollVote {
        /// The poll.
        target: MessageRef,
        /// The options chosen.
        choice: VoteChoice,
    },
    /// An event that the members of the chat are invited to.
    Event(EventData),
    /// An answer to an event; each replaces the person's earlier one.
    EventResponse {
        /// The event.
        target: MessageRef,
        /// The answer; none where the event's secret is not known here, so that it cannot be
        /// read.
        response: Option<EventResponse>,
    },
    /// A text that offers buttons or the rows of a list.
    Offer {
        /// The text.
        body: String,
        /// What can be chosen.
        choices: Vec<Choice>,
    },
    /// A message is pinned in its chat, or unpinned.
    Pin {
        /// The message.
        target: MessageRef,
        /// For how many seconds; none where it is unpinned.
        seconds: Option<u32>,
    },
    /// A message that would disappear is kept, or no longer.
    Keep {
        /// The message.
        target: MessageRef,
        /// Whether it is kept.
        is_kept: bool,
    },
    /// New messages of the chat disappear after another time.
    Timer {
        /// After how many seconds; 0: never.
        seconds: u32,
    },
    /// A button or list row that the sender chose.
    InteractiveReply(InteractiveReply),
    /// Content that is not understood here, named by its protocol field.
    System {
        /// The protocol's name for it, such as `invoice_message`.
        kind: &'static str,
    },
}

impl Content {
    /// The content's type in the public contract.
    #[must_use]
    pub fn kind(&self) -> MessageType {
        match self {
            Self::Text { .. } | Self::InteractiveReply(_) | Self::Offer { .. } => MessageType::Text,
            Self::Media(media) => media.kind.message_type(),
            Self::Location { .. } => MessageType::Location,
            Self::Contacts(_) => MessageType::Contact,
            Self::Poll(_) => MessageType::Poll,
            Self::Reaction { .. } => MessageType::Reaction,
            Self::Revoke { .. } => MessageType::Revoke,
            Self::Edit { content, .. } => content.kind(),
            Self::PollVote { .. } => MessageType::PollVote,
            Self::Event(_) => MessageType::Event,
            Self::EventResponse { .. } => MessageType::EventResponse,
            Self::System { .. } | Self::Pin { .. } | Self::Keep { .. } | Self::Timer { .. } => {
                MessageType::System
            }
        }
    }

    /// The text, caption, poll question or contact name.
    #[must_use]
    pub fn body(&self) -> Option<&str> {
        match self {
            Self::Text { body } | Self::Offer { body, .. } => Some(body),
            Self::Event(event) => Some(&event.name),
            Self::Media(media) => media.caption.as_deref(),
            Self::Location { place, .. } => place.name.as_deref().or(place.address.as_deref()),
            Self::Contacts(cards) => cards.first().and_then(|card| card.display_name.as_deref()),
            Self::Poll(poll) => Some(&poll.name),
            Self::Edit { content, .. } => content.body(),
            // An answer whose text is not told is read by its id.
            Self::InteractiveReply(reply) => reply
                .title
                .as_deref()
                .or(Some(&*reply.id))
                .filter(|text| !text.is_empty()),
            Self::Reaction { .. }
            | Self::Revoke { .. }
            | Self::PollVote { .. }
            | Self::EventResponse { .. }
            | Self::Pin { .. }
            | Self::Keep { .. }
            | Self::Timer { .. }
            | Self::System { .. } => None,
        }
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({:?})", self.kind())
    }
}

/// A file, as far as the message describes it.
#[derive(Clone, PartialEq, Eq)]
pub struct Media {
    /// What kind of file.
    pub kind: MediaKind,
    /// Name, type and size.
    pub meta: MediaMeta,
    /// The text below it.
    pub caption: Option<String>,
    /// What else the sender says of it.
    pub details: MediaDetails,
    /// Where it is; absent where the message does not say enough to fetch it.
    pub source: Option<MediaSource>,
}

/// What a sender says of a file; nobody has looked whether it is so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MediaDetails {
    /// The width of a picture or video.
    pub width: Option<u32>,
    /// The height of a picture or video.
    pub height: Option<u32>,
    /// The length of sound or video.
    pub seconds: Option<u32>,
}

/// Names another message.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageRef {
    /// Its id.
    pub id: String,
    /// Who sent it, where the reference says so.
    pub sender: Option<Jid>,
    /// Whether this number sent it, where that can be told.
    pub from_me: Option<bool>,
}

/// The options that a voter chose.
#[derive(Clone, PartialEq, Eq)]
pub enum VoteChoice {
    /// The options by hash ([`crate::poll_option_hash`]); empty when the vote was taken back.
    Hashes(Vec<[u8; 32]>),
    /// The poll's secret is not known here, so the vote cannot be read.
    Unreadable,
}

/// What a sender chose among buttons or list rows.
#[derive(Clone, PartialEq, Eq)]
pub struct InteractiveReply {
    /// `button`, `list`, `template` or `flow`.
    pub kind: &'static str,
    /// The id that the message's author gave to the choice.
    pub id: String,
    /// The text shown to the sender.
    pub title: Option<String>,
    /// The message that offered the choice.
    pub target_id: Option<String>,
}

/// The message that another one answers.
#[derive(Clone, PartialEq, Eq)]
pub struct QuotedMessage {
    /// Its id.
    pub id: String,
    /// Who sent it (phone number or LID).
    pub sender: Option<Jid>,
    /// Whether this number sent it, where that can be told.
    pub from_me: Option<bool>,
    /// Its text, cut to 4,096 bytes at a character boundary.
    pub body: Option<String>,
}

// What people write, and whom they write to, must not reach logs by `{:?}`.
hide_contents!(
    BufferedMessage,
    Media,
    MessageRef,
    VoteChoice,
    InteractiveReply,
    QuotedMessage
);
