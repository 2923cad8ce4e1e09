//! What goes out, and what became of it.

use bytes::Bytes;
use wagate_model::{
    Attachment, ContactData, EventData, EventResponse, Jid, LinkPreview, LocationData, Offer,
    PollData, StatusPost, hide_contents,
};

use crate::Uploaded;

/// A message to send, under an id that was reserved before.
#[derive(Clone, PartialEq)]
pub struct Outgoing {
    /// The reserved id ([`crate::new_message_id`]); the same on every attempt.
    pub id: String,
    /// The chat: a person by phone number or LID, a group, a channel, or `status@broadcast`.
    pub chat: Jid,
    /// What to send.
    pub content: OutgoingContent,
    /// The people it mentions; its text names them as `@<number>`.
    pub mentions: Vec<Jid>,
    /// The message it answers.
    pub quoted: Option<Quoted>,
    /// What its text shows of the page that it links to.
    pub preview: Option<LinkPreview>,
    /// After how many seconds it disappears, in a chat that is set so.
    pub expires_after_s: Option<u32>,
}

/// What to send.
#[derive(Clone, PartialEq)]
pub enum OutgoingContent {
    /// A text.
    Text(String),
    /// A poll.
    Poll {
        /// Question and options.
        poll: PollData,
        /// What votes are encrypted with: the same on every attempt, since whoever got the
        /// first copy keeps its secret.
        secret: [u8; 32],
    },
    /// A text story.
    Status(StatusPost),
    /// A place.
    Location(LocationData),
    /// A contact card.
    Contact(ContactData),
    /// A new text for a message of one's own.
    Edit {
        /// The message.
        target: Target,
        /// The new text.
        text: String,
    },
    /// Changes an event of one's own, or calls it off.
    EditEvent {
        /// The message.
        target: Target,
        /// The event as it is from now on.
        event: EventData,
    },
    /// Deletes a message for everyone.
    Revoke {
        /// The message; another member's where the account is an admin of the group.
        target: Target,
    },
    /// Reacts to a message; an empty emoji takes the reaction back.
    Reaction {
        /// The message.
        target: Target,
        /// The emoji.
        emoji: String,
    },
    /// Votes in a poll; replaces the earlier vote.
    Vote {
        /// The poll.
        target: Target,
        /// The texts of the options.
        options: Vec<String>,
    },
    /// An event.
    Event {
        /// What it is.
        event: EventData,
        /// What answers are encrypted with: the same on every attempt.
        secret: [u8; 32],
    },
    /// Answers to an event; replaces the earlier answer.
    Respond {
        /// The event.
        target: Target,
        /// The answer.
        response: EventResponse,
    },
    /// A text with buttons or a list.
    Offer(Offer),
    /// Chooses what another message offers.
    Select {
        /// The message that offers it.
        offered: Quoted,
        /// The id of the choice.
        id: String,
    },
    /// Pins a message in its chat for everybody, or unpins it.
    Pin {
        /// The message.
        target: Target,
        /// For how many seconds; none to unpin it.
        seconds: Option<u32>,
    },
    /// Sets after how many seconds new messages of a chat of two disappear; 0: never.
    Timer {
        /// After how many seconds.
        seconds: u32,
    },
    /// A file.
    File(Box<OutgoingFile>),
    /// What an album begins with: how many pictures and videos follow it.
    Album {
        /// How many pictures.
        images: u32,
        /// How many videos.
        videos: u32,
    },
    /// Another message's content, marked as forwarded.
    Forward {
        /// Its [`crate::InboundMessage::raw`].
        raw: Bytes,
    },
}

/// A file to send, which is at WhatsApp's media hosts already, and what its message says of it.
#[derive(Clone, PartialEq, Eq)]
pub struct OutgoingFile {
    /// What is said of it.
    pub attachment: Attachment,
    /// The id of the album's message that it belongs to.
    pub album: Option<String>,
    /// Where it is; none where it is not uploaded yet, and then it cannot be sent.
    pub uploaded: Option<Uploaded>,
}

/// A message that an outgoing one is about.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Its id.
    pub id: String,
    /// Who sent it; none for this number itself.
    pub sender: Option<Jid>,
}

/// The message that an outgoing one answers.
#[derive(Clone, PartialEq, Eq)]
pub struct Quoted {
    /// Its id.
    pub id: String,
    /// Who sent it; none for this number itself.
    pub sender: Option<Jid>,
    /// Its [`crate::InboundMessage::raw`], where it was stored.
    pub raw: Option<Bytes>,
    /// Its text, for when `raw` is missing.
    pub body: Option<String>,
}

/// WhatsApp has the message.
#[derive(Clone, PartialEq, Eq)]
pub struct Sent {
    /// The chat as it was addressed.
    pub chat: Jid,
    /// The chat's other address (phone number or LID), where known.
    pub chat_alias: Option<Jid>,
    /// WhatsApp's time of the message, in milliseconds since 1970; none if the
    /// acknowledgement bore no time.
    pub timestamp_ms: Option<i64>,
}

/// Why a message is not known to be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendFailure {
    /// The session is not connected; nothing was sent.
    #[error("the session is not connected")]
    NotConnected,
    /// It did not work this time; sending again under the same id may.
    #[error("sending failed for now: {reason}")]
    Transient {
        /// WhatsApp's code, where it answered.
        code: Option<u16>,
        /// What went wrong.
        reason: RejectReason,
    },
    /// It will not work, however often it is tried.
    #[error("WhatsApp refuses the message: {reason}")]
    Permanent {
        /// WhatsApp's code, where it answered.
        code: Option<u16>,
        /// What went wrong.
        reason: RejectReason,
    },
    /// It went out but nothing came back in time: it may or may not have
    /// arrived. Sending again under the same id is safe, because WhatsApp and
    /// the recipients drop a second copy of it.
    #[error("WhatsApp did not confirm the message in time")]
    Unconfirmed,
}

/// What went wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectReason {
    /// The stanza was malformed (400, 479).
    Malformed,
    /// The recipient does not exist (404).
    UnknownRecipient,
    /// This number may not write there (401, 403).
    Forbidden,
    /// This number may not start new chats for now (463).
    ReachoutRestricted,
    /// The group's membership or addressing changed meanwhile (421, 487).
    StaleGroup,
    /// Too many messages (429).
    RateLimited,
    /// The account is restricted (475 and others of its kind).
    Restricted,
    /// WhatsApp cannot take it now (500, 503).
    ServerUnavailable,
    /// The connection broke while sending.
    ConnectionLost,
    /// The message could not be prepared: encryption, device lists, storage.
    Preparation,
    /// The media hosts did not take its file.
    Upload,
    /// The request itself makes no sense, such as a vote in a channel.
    InvalidRequest,
    /// Another code.
    Other,
}

impl RejectReason {
    /// A short name for stores and clients.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownRecipient => "unknown_recipient",
            Self::Forbidden => "forbidden",
            Self::ReachoutRestricted => "reachout_restricted",
            Self::StaleGroup => "stale_group",
            Self::RateLimited => "rate_limited",
            Self::Restricted => "restricted",
            Self::ServerUnavailable => "server_unavailable",
            Self::ConnectionLost => "connection_lost",
            Self::Preparation => "preparation",
            Self::Upload => "upload",
            Self::InvalidRequest => "invalid_request",
            Self::Other => "other",
        }
    }
}

impl std::fmt::Display for RejectReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

hide_contents!(
    Outgoing { id },
    Sent { timestamp_ms },
    OutgoingContent,
    Target,
    Quoted
);
