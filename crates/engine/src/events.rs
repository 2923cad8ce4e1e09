//! What a session tells while it is open.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use wagate_model::{GroupPayload, Jid, MessageStatus, Restriction, RestrictionKind, hide_contents};

use crate::InboundMessage;
use crate::groups::GroupSnapshot;
use crate::history::HistoryChunk;
use crate::kept::{ChatChange, LabelChange};

/// One event of a session, in the order in which things happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "events are few, and are moved once on their way to their session's task"
)]
pub enum EngineEvent {
    /// A QR code to show until the next one, or until it expires.
    Qr(QrCode),
    /// All QR codes of this round are used up, but a pairing code is still open,
    /// so the session goes on until that one expires.
    QrExhausted,
    /// The pairing code is no longer valid; another can be asked for, unless
    /// `Ended` follows because the QR codes are used up too.
    PairingCodeExpired,
    /// The phone linked this device; [`crate::Connection::save`] makes sure that the
    /// credentials are stored. The engine logs in again by itself; `Connected` follows.
    Paired(Account),
    /// Logged in and ready to send; told once per connection. The first synchronization
    /// after a pairing may still be under way.
    Connected,
    /// The connection is gone, or an attempt to make it failed; the engine
    /// tries again by itself.
    Disconnected(Disconnect),
    /// The session is over: the engine has stopped and makes no further
    /// attempt. Always the last event, and always told, except after
    /// [`crate::Connection::close`].
    Ended(EndReason),
    /// Messages that WhatsApp acknowledged on another way than the sink
    /// (channel posts, messages fetched again from the phone): commit them
    /// like a sink's batch.
    Messages(Vec<InboundMessage>),
    /// A recipient's device received, read or played messages, or another
    /// device of this number read them.
    Receipt(Receipt),
    /// A message came that no linked device can read.
    Unreadable(UnreadableMessage),
    /// Somebody came online or went offline.
    Presence(Presence),
    /// Somebody types or records, or stopped.
    Typing(Typing),
    /// Somebody changed the name they chose.
    PushName {
        /// Who.
        person: Jid,
        /// The same person's other address, where known.
        alias: Option<Jid>,
        /// The new name.
        name: String,
    },
    /// This account's own name changed.
    OwnPushName(String),
    /// The phone's address book names somebody.
    ContactName(ContactName),
    /// A person's address changed or two addresses are one person.
    Alias {
        /// The phone-number address.
        phone: Jid,
        /// The LID.
        lid: Jid,
    },
    /// A person's or group's picture changed.
    Picture(Picture),
    /// Somebody changed the text below their name.
    About {
        /// Who.
        person: Jid,
        /// The new text.
        text: String,
    },
    /// A group's settings or members changed.
    Group(GroupChange),
    /// The account came into a group: it was added, or made or joined it.
    GroupEntered(Box<GroupEntry>),
    /// What is known of a group is out of date, or of all groups where none is named.
    GroupsStale(Option<Jid>),
    /// Another device of this number changed how a chat is kept.
    Chat(ChatChange),
    /// Somebody's stories were muted or unmuted, on any device of this number.
    StatusMuted {
        /// Whose.
        person: Jid,
        /// Whether they are muted.
        is_muted: bool,
    },
    /// A label was changed, put on something or taken off, on any device of this number.
    Label(LabelChange),
    /// The account follows a channel, left or muted it, on any of its devices.
    Channel(ChannelChange),
    /// WhatsApp forbids the account something, or no longer does.
    Restriction {
        /// What.
        kind: RestrictionKind,
        /// How; none where it is allowed again.
        restriction: Option<Restriction>,
    },
    /// After how many seconds messages disappear in chats that the account begins; 0: never.
    DefaultTimer(u32),
    /// A call.
    Call(Call),
    /// A page of the history that the phone sent after pairing, or on request.
    History(HistoryChunk),
    /// Everything that waited at WhatsApp while the session was away has arrived.
    CaughtUp,
    /// Somebody waits until this and what came before it is dealt with: until it is dropped.
    Mark(Mark),
}

impl EngineEvent {
    /// Whether it may be dropped when the receiver is far behind.
    pub(crate) const fn is_ephemeral(&self) -> bool {
        matches!(self, Self::Presence(_) | Self::Typing(_))
    }
}

/// What is dropped once the events before it are dealt with.
#[derive(Debug, Clone)]
pub struct Mark {
    _held: Arc<oneshot::Sender<()>>,
}

impl Mark {
    /// A mark, and what resolves when it is dropped.
    pub(crate) fn new() -> (Self, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        let held = Arc::new(sender);
        (Self { _held: held }, receiver)
    }
}

/// A QR code to show.
#[derive(Clone, PartialEq, Eq)]
pub struct QrCode {
    /// The code's text.
    pub code: String,
    /// For how long it can be scanned.
    pub expires_in: Duration,
}

/// Why pairing ended without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairingEnd {
    /// Nobody scanned any of the codes.
    Expired,
    /// The phone's and this device's keys did not fit together.
    Failed,
    /// The phone that scanned does not support linked devices.
    NotSupportedByPhone,
}

/// The account that a session is attached to.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The phone-number address.
    pub jid: Jid,
    /// The LID, where known.
    pub lid: Option<Jid>,
    /// The phone's platform, such as `android`; only when just paired.
    pub platform: Option<String>,
    /// The business's name; only when just paired, for businesses.
    pub business_name: Option<String>,
    /// The name that the account chose, where known.
    pub push_name: Option<String>,
}

/// A lost connection, or a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disconnect {
    /// What happened.
    pub reason: DropReason,
    /// Whether a login had succeeded on this connection.
    pub was_connected: bool,
    /// How long the engine waits before the next attempt.
    pub retry_in: Duration,
    /// Attempts without success so far, this one included.
    pub failures: u32,
}

/// Why a connection was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropReason {
    /// WhatsApp could not be reached.
    Unreachable,
    /// The socket opened but the handshake or the login failed.
    HandshakeFailed,
    /// WhatsApp closed the stream, as it does from time to time.
    ClosedByServer,
    /// The network broke.
    NetworkError,
    /// WhatsApp was silent for too long.
    Silent,
    /// WhatsApp asked for a new stream.
    RestartRequested,
    /// WhatsApp is not available (500, 503).
    ServerUnavailable,
    /// WhatsApp limits this number's connections (429).
    RateLimited,
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// The device was unlinked on the phone; it must be paired again.
    LoggedOutByPhone,
    /// [`crate::Connection::logout`] was called.
    LoggedOutByRequest,
    /// Another client connected with the same credentials.
    Replaced,
    /// The number is banned for good or locked.
    Banned,
    /// The number is banned for a while.
    TemporarilyBanned {
        /// WhatsApp's code for the reason, where given.
        code: Option<i32>,
        /// For how long, where given.
        expires_in: Option<Duration>,
    },
    /// WhatsApp does not accept this client version, nor is a newer one known.
    Outdated,
    /// WhatsApp refuses the login for another reason.
    Refused {
        /// WhatsApp's code.
        code: i32,
    },
    /// Pairing ended without success.
    Pairing(PairingEnd),
    /// A task of the session failed unexpectedly; the session may be opened again.
    Crashed,
}

/// Who received, read or played what.
#[derive(Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The chat.
    pub chat: Jid,
    /// Whose device it was.
    pub sender: Jid,
    /// The same person's other address, where known.
    pub sender_alias: Option<Jid>,
    /// The messages.
    pub message_ids: Vec<String>,
    /// How far they came.
    pub status: MessageStatus,
    /// True when it was another device of this number that read or played
    /// messages of others; the status is then `Read` or `Played`.
    pub is_own: bool,
    /// When, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Whether it waited at WhatsApp while the session was away.
    pub is_offline: bool,
}

/// A message that no linked device can read, such as one to be seen once.
#[derive(Clone, PartialEq, Eq)]
pub struct UnreadableMessage {
    /// Its id.
    pub id: String,
    /// The chat.
    pub chat: Jid,
    /// Who sent it.
    pub sender: Jid,
    /// Whether this number sent it, from any of its devices.
    pub is_from_me: bool,
    /// Why it cannot be read.
    pub reason: UnreadableReason,
    /// When it was sent, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

/// Why a message cannot be read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnreadableReason {
    /// It may be seen once, on the phone only.
    ViewOnce,
    /// It is kept at a provider and not given to linked devices.
    Hosted,
    /// It belongs to a bot's conversation.
    Bot,
    /// It could not be decrypted yet; the sender or the phone was asked to
    /// send it again, and it may still come.
    Undecryptable,
}

/// Somebody's presence.
#[derive(Clone, PartialEq, Eq)]
pub struct Presence {
    /// Who.
    pub person: Jid,
    /// Whether they are online.
    pub is_online: bool,
    /// When they were last online, in milliseconds since 1970, where told.
    pub last_seen_ms: Option<i64>,
}

/// Somebody types, records, or stopped.
#[derive(Clone, PartialEq, Eq)]
pub struct Typing {
    /// Where.
    pub chat: Jid,
    /// Who.
    pub person: Jid,
    /// What they do.
    pub state: TypingState,
}

/// What somebody does in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypingState {
    /// Types a text.
    Composing,
    /// Records a voice note.
    Recording,
    /// Stopped.
    Paused,
}

/// A name from the phone's address book.
#[derive(Clone, PartialEq, Eq)]
pub struct ContactName {
    /// Who.
    pub person: Jid,
    /// The same person's other address, where known.
    pub alias: Option<Jid>,
    /// The full name.
    pub full_name: Option<String>,
    /// The first name.
    pub first_name: Option<String>,
    /// Whether it is old news of a first synchronization.
    pub is_initial: bool,
}

/// What WhatsApp says of a person on request.
#[derive(Clone, PartialEq, Eq)]
pub struct KnownPerson {
    /// The phone-number address.
    pub phone: Option<Jid>,
    /// The LID.
    pub lid: Option<Jid>,
    /// The verified name of a business.
    pub business_name: Option<String>,
}

/// A changed picture.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// The person or group.
    pub of: Jid,
    /// The new picture's id.
    pub id: Option<String>,
    /// Whether it was removed.
    pub is_removed: bool,
    /// When, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

/// A change in a group.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupChange {
    /// The group.
    pub group: Jid,
    /// What changed, in the public contract's shape.
    pub payload: GroupPayload,
    /// Whether the payload is about members (`group.participant`), not settings.
    pub is_about_members: bool,
    /// Whether the group is no more.
    pub is_deleted: bool,
    /// The same people by their other address, as pairs of phone and LID.
    pub aliases: Vec<(Jid, Jid)>,
}

/// A group that the account came into.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupEntry {
    /// The group as it is now.
    pub snapshot: GroupSnapshot,
    /// Who brought the account in, where known.
    pub by: Option<Jid>,
    /// When, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

/// What became of a channel for the account.
#[derive(Clone, PartialEq, Eq)]
pub struct ChannelChange {
    /// The channel.
    pub channel: Jid,
    /// What happened.
    pub news: ChannelNews,
}

/// What happened to a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelNews {
    /// The account follows it.
    Joined {
        /// Its name, where told.
        name: Option<String>,
    },
    /// The account no longer follows it.
    Left,
    /// The account muted it, or no longer does.
    Muted(bool),
    /// Somebody who may has changed it.
    Updated {
        /// Its name now, where told.
        name: Option<String>,
        /// What it is about now, where told.
        description: Option<String>,
        /// What names its picture now, where it has one and that is told.
        picture: Option<String>,
    },
    /// Its owner has deleted it.
    Deleted,
}

/// A call's news.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// The call's id.
    pub id: String,
    /// Who calls.
    pub from: Jid,
    /// Whether it is a call of a group, or of several people.
    pub is_group: bool,
    /// The group, where it is said.
    pub group: Option<Jid>,
    /// What happened.
    pub stage: CallStage,
    /// Whether it is a video call.
    pub is_video: bool,
    /// When, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallStage {
    /// It rings.
    Offered,
    /// It rang while the session was away, or was not taken.
    Missed,
    /// Another device of this number took or refused it.
    HandledElsewhere,
    /// It was taken.
    Accepted,
    /// It was refused.
    Rejected,
    /// It is over.
    Ended,
}

// Codes, names and addresses must not reach logs by `{:?}`.
hide_contents!(
    QrCode,
    Account,
    Receipt,
    UnreadableMessage,
    Presence,
    Typing,
    ContactName,
    KnownPerson,
    Picture,
    GroupChange,
    GroupEntry,
    ChannelChange,
    Call
);
