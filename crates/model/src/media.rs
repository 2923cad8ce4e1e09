//! Files of messages, and where organizations keep them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{BucketId, MediaId, MessageType, SessionId, hide_contents};

/// The kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A video.
    Video,
    /// A looping video without sound.
    Gif,
    /// A round video note.
    VideoNote,
    /// Sound.
    Audio,
    /// A voice note.
    Voice,
    /// Any file.
    Document,
    /// A sticker.
    Sticker,
}

impl MediaKind {
    /// The name that is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Gif => "gif",
            Self::VideoNote => "video_note",
            Self::Audio => "audio",
            Self::Voice => "voice",
            Self::Document => "document",
            Self::Sticker => "sticker",
        }
    }

    /// The type in the public contract.
    #[must_use]
    pub const fn message_type(self) -> MessageType {
        match self {
            Self::Image => MessageType::Image,
            Self::Video | Self::Gif | Self::VideoNote => MessageType::Video,
            Self::Audio | Self::Voice => MessageType::Audio,
            Self::Document => MessageType::Document,
            Self::Sticker => MessageType::Sticker,
        }
    }
}

/// How far a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MediaStatus {
    /// WhatsApp has it; it is fetched when somebody asks for it.
    Available,
    /// It is about to be fetched.
    Pending,
    /// It is kept here.
    Ready,
    /// It was kept as long as it should be, or WhatsApp no longer has it.
    Expired,
    /// It cannot be had.
    Failed,
}

impl MediaStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [
        Self::Available,
        Self::Pending,
        Self::Ready,
        Self::Expired,
        Self::Failed,
    ];

    /// The name used on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }
}

impl std::str::FromStr for MediaStatus {
    type Err = UnknownMediaName;

    fn from_str(text: &str) -> Result<Self, UnknownMediaName> {
        let mut all = Self::ALL.into_iter();
        all.find(|status| status.as_str() == text)
            .ok_or(UnknownMediaName)
    }
}

/// Why a file is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MediaProblem {
    /// The message does not say where the file is, or how it is read.
    Incomplete,
    /// WhatsApp no longer has it, and the phone could not send it again.
    Gone,
    /// What came is not what the sender sent.
    Corrupt,
    /// It could not be fetched or stored, however often it was tried.
    Unreachable,
    /// It was kept as long as it should be.
    Retention,
}

impl MediaProblem {
    const ALL: [Self; 5] = [
        Self::Incomplete,
        Self::Gone,
        Self::Corrupt,
        Self::Unreachable,
        Self::Retention,
    ];

    /// The name used on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Gone => "gone",
            Self::Corrupt => "corrupt",
            Self::Unreachable => "unreachable",
            Self::Retention => "retention",
        }
    }
}

impl std::fmt::Display for MediaProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for MediaProblem {
    type Err = UnknownMediaName;

    fn from_str(text: &str) -> Result<Self, UnknownMediaName> {
        let mut all = Self::ALL.into_iter();
        all.find(|problem| problem.as_str() == text)
            .ok_or(UnknownMediaName)
    }
}

/// The text names no status or problem of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown name of a file's status or problem")]
pub struct UnknownMediaName;

/// A message's file, as clients see it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MediaFile {
    /// The bucket that it is kept in; absent for the installation's own disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket_id: Option<BucketId>,
    /// When `url` stops working, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// The file's name, for documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// The height of a picture or video, as the sender gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<i64>,
    /// The id.
    pub id: MediaId,
    /// Its place among the files of the message.
    pub index: i64,
    /// Whether it is a voice note.
    pub is_voice: bool,
    /// Until when it is kept, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_until: Option<i64>,
    /// What kind of file: `image`, `video`, `gif`, `video_note`, `audio`, `voice`, `document`
    /// or `sticker`.
    pub kind: String,
    /// The MIME type that the sender gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mimetype: Option<String>,
    /// Why it is not to be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<MediaProblem>,
    /// The length of sound or video, as the sender gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
    /// The session.
    pub session_id: SessionId,
    /// The SHA-256 of the file, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// How far it is.
    pub status: MediaStatus,
    /// When it was stored, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_at: Option<i64>,
    /// Where to read it, without further credentials; absent where it cannot be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// WhatsApp's id of the message.
    pub wa_message_id: String,
    /// The width of a picture or video, as the sender gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<i64>,
}

impl MediaFile {
    /// What the event says that tells of it.
    #[must_use]
    pub fn payload(&self) -> MediaEventPayload {
        MediaEventPayload {
            id: self.id,
            session_id: self.session_id,
            wa_message_id: self.wa_message_id.clone(),
            index: self.index,
            status: self.status,
            mimetype: self.mimetype.clone(),
            filename: self.filename.clone(),
            size: self.size,
            url: self.url.clone(),
            expires_at: self.expires_at,
        }
    }
}

/// Payload of `media.ready` and `media.expired`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MediaEventPayload {
    /// The file's id.
    pub id: MediaId,
    /// The session.
    pub session_id: SessionId,
    /// WhatsApp's id of the message.
    pub wa_message_id: String,
    /// Its place among the files of the message.
    pub index: i64,
    /// How far it is.
    pub status: MediaStatus,
    /// The MIME type that the sender gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mimetype: Option<String>,
    /// The file's name, for documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// The size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// Where to read it, without further credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When `url` stops working, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

hide_contents!(MediaEventPayload { id, status }, MediaFile { id, status });
