//! Commands to the owner of a session, and its answers.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use wagate_model::{
    Attachment, LinkPreview, MediaId, OrganizationId, OutboxId, Qr, SendMode, SendResult, SendTask,
    SessionId, SessionStatus, StatusDetail, StatusReason,
};

use crate::live::{LiveReply, LiveRequest};

/// Something that only the owner of a session can do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionCommand {
    /// The organization on whose behalf it is asked; the owner checks it again.
    pub organization_id: OrganizationId,
    /// The session.
    pub session_id: SessionId,
    /// What to do.
    pub action: SessionAction,
}

/// What the owner of a session is asked to do.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do", content = "with")]
pub enum SessionAction {
    /// Connect, or begin pairing by QR code when unpaired; no-op when started.
    Start,
    /// Disconnect and stay so; no-op when stopped.
    Stop,
    /// Stop, then start.
    Restart,
    /// Unlink the device on WhatsApp; no-op when unpaired.
    Logout,
    /// Disconnect for good: the row is about to go.
    Delete,
    /// Give the QR code to show now, beginning pairing when nothing runs.
    ReadQr,
    /// Ask WhatsApp for a pairing code for a phone number (digits).
    RequestPairingCode {
        /// The number in digits.
        phone: String,
    },
    /// Accept a message to send.
    Send(Box<SendCommand>),
    /// Do something on WhatsApp, or ask something of it, now.
    Live(Box<LiveRequest>),
    /// Read the session's settings again.
    ApplySettings,
    /// Ask the phone to send a message's file again.
    AskForMedia {
        /// The file.
        media: MediaId,
    },
}

// Numbers and texts are in here; logs get the name of the action only.
impl std::fmt::Debug for SessionAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl SessionAction {
    /// The action's name, for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Logout => "logout",
            Self::Delete => "delete",
            Self::ReadQr => "read_qr",
            Self::RequestPairingCode { .. } => "request_pairing_code",
            Self::Send(_) => "send",
            Self::Live(request) => request.name(),
            Self::ApplySettings => "apply_settings",
            Self::AskForMedia { .. } => "ask_for_media",
        }
    }
}

/// A message to send.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendCommand {
    /// What to send, validated.
    pub task: SendTask,
    /// Whether the caller waits for WhatsApp.
    pub mode: SendMode,
    /// What makes a repeated request recognizable.
    pub idempotency: Option<IdempotencyKey>,
    /// The message's files, which are in the store; of a request that was made before they
    /// may be missing.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// What its text shows of the page that it links to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<LinkPreview>,
}

/// What makes a repeated request recognizable within its organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyKey {
    /// The caller's `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of session, mode and request, in hex: another body under the same key is a conflict.
    pub body_hash: String,
}

/// The owner's answer to a command that it carried out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "with")]
pub enum CommandReply {
    /// Done, or under way.
    Done,
    /// The QR code to show now.
    Qr(Qr),
    /// No QR code yet; pairing has begun.
    QrPending,
    /// Whether the phone has sent the file again; the row says where it is now.
    Media {
        /// Whether it has.
        is_there: bool,
    },
    /// The pairing code, such as `ABCD-1234`.
    PairingCode(String),
    /// What came of a live request.
    Live(Box<LiveReply>),
    /// The message's result, or its first result when replayed.
    Send(SendResult),
    /// The message is accepted under this id, and its outcome not known yet.
    SendPending {
        /// Where the outcome will be found.
        outbox_id: OutboxId,
        /// WhatsApp's id of the message, reserved.
        wa_message_id: String,
        /// Whether it was accepted by an earlier request.
        is_replay: bool,
    },
}

/// Why the owner did not carry out a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "is", content = "with")]
pub enum Refusal {
    /// There is no such session for the organization.
    #[error("no such session")]
    NotFound,
    /// The receiver does not own the session (any more); ask the store who does.
    #[error("the session belongs to another gateway")]
    NotOwner,
    /// It needs WhatsApp, and the session is not connected.
    #[error("the session is not connected")]
    NotConnected {
        /// Where the session stands.
        status: SessionStatus,
        /// Why, where there is more to say.
        #[serde(default)]
        reason: Option<StatusReason>,
        /// What WhatsApp said about it.
        #[serde(default)]
        detail: Option<StatusDetail>,
    },
    /// The session has a phone already.
    #[error("the session is paired already")]
    AlreadyPaired,
    /// The `Idempotency-Key` was used with another request.
    #[error("the idempotency key was used with another request")]
    KeyReused,
    /// The session's sending limit is reached.
    #[error("the session's sending limit is reached")]
    RateLimited {
        /// When to try again, in seconds.
        retry_after_seconds: i64,
    },
    /// WhatsApp lets the account begin no new chats for now.
    #[error("the account may not begin new chats now")]
    ReachoutRestricted {
        /// When to try again, in seconds.
        retry_after_seconds: i64,
    },
    /// WhatsApp or the request's content forbids it.
    #[error("{message}")]
    Invalid {
        /// The field at fault.
        field: String,
        /// What is wrong.
        message: String,
    },
    /// WhatsApp refused.
    #[error("WhatsApp refused: {message}")]
    Rejected {
        /// WhatsApp's code, where it gave one.
        code: Option<i64>,
        /// What it means.
        message: String,
    },
    /// WhatsApp does not let this account do it, such as for want of an admin's role.
    #[error("WhatsApp does not permit it")]
    Forbidden,
    /// What the request is about is not there.
    #[error("what the request is about is not there")]
    Missing,
    /// What the request is about was never sent, or is not sent yet.
    #[error("the message was not sent")]
    NotSent,
    /// A job of the same kind runs for the session already.
    #[error("such a job runs already")]
    BackfillRunning,
    /// The account has as many labels as official clients let it have.
    #[error("there are as many labels as there may be")]
    TooManyLabels,
    /// Too many commands wait for this session already.
    #[error("the session has too many commands waiting")]
    Busy,
    /// The owner stops, or its database is away; try again.
    #[error("the gateway cannot answer now")]
    Unavailable,
    /// A defect; it is in the owner's log.
    #[error("the gateway failed")]
    Internal,
}

/// What comes back for a command that reached its owner.
pub type CommandResult = Result<CommandReply, Refusal>;

/// Carries out commands; implemented by the gateway.
#[async_trait]
pub trait CommandHandler: Send + Sync + 'static {
    /// Carries out one command, unless nobody waits for it any more: after the deadline its
    /// caller has been told that the gateway cannot be reached.
    async fn handle(&self, command: SessionCommand, deadline: Instant) -> CommandResult;
}
