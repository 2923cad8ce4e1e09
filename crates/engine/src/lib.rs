//! WhatsApp for one number at a time: connect, pair, act, and tell what happens.
//!
//! One [`Engine`] per process holds what all sessions share. [`Engine::open`]
//! gives a [`Connection`] to act with and [`Events`] to read; messages go to the
//! [`InboundSink`] instead, because they are committed before WhatsApp is told
//! that they arrived. The crate knows nothing of stores: it is given a
//! [`Backend`] and a sink.
//!
//! # What survives a crash
//!
//! Encrypted messages, in chats of two and in groups: always. They are
//! acknowledged after [`InboundSink::commit`]; until then WhatsApp keeps them,
//! and the backend keeps their decrypted copy, as they cannot be decrypted twice.
//!
//! What the library acknowledges by itself may be lost between its
//! acknowledgement and the reader's commit, when the process dies in that
//! moment (an orderly [`Connection::close`] after reading all events loses
//! nothing): receipts, of which a later one of the same message says all that
//! the lost one said; group, picture and contact notifications, after which a
//! query of the group or contact gives the same state; channel posts and
//! messages fetched again from the phone ([`EngineEvent::Messages`]); calls;
//! changes of chats and contact names made on other devices, which the next full
//! synchronization repeats. Presence is never kept by anybody.
//!
//! The history that a phone sends after pairing is announced in messages, which are
//! acknowledged after the sink has kept the announcements ([`InboundBatch::history`]); what
//! was not read to its end is gone on with by [`Connection::resume_history`].
//!
//! # When the reader is slow
//!
//! Events wait in memory, bounded: above 256 waiting ones presence is dropped,
//! above 2,048 the session stops reading its socket until the reader has caught
//! up, and the rest waits at WhatsApp. See [`Events`].
//!
//! # A dead peer
//!
//! The library pings after 15 to 30 s of silence and reconnects when nothing
//! came for 20 s after something was sent: a deaf connection is found within
//! 50 s without anybody asking. [`Connection::probe`] is a ping of one's own
//! with an answer, [`Connection::last_traffic_ms`] says when WhatsApp last
//! sent anything, and [`Connection::reconnect`] replaces a connection that
//! stayed silent.
//!
//! # Safety
//!
//! A build without the cargo feature `sandbox` verifies in every handshake that
//! WhatsApp signed the server's certificate chain, and nothing at run time can
//! change that. A build with it cannot verify, so it refuses to dial any host
//! but loopback and its configured simulator, and refuses WhatsApp even when
//! configured. [`verifies_certificate_chain`] says which one this is.
//!
//! # Memory
//!
//! An idle session holds its socket (with TLS about 50 KiB of buffers and keys,
//! without about 20), some ten tasks, empty caches with small bounds, and the
//! pairs of phone numbers and LIDs of its contacts (about 300 bytes each). The
//! bounds, and why they are what they are, stand in `caches.rs`. One TLS
//! configuration, one HTTP client and one history unpacker serve all sessions.
//!
//! # Logging
//!
//! This crate logs nothing private. The library logs through the `log` and
//! `tracing` crates under the targets `whatsapp_rust`, `wacore` and `Client/…`,
//! and names addresses and pairing codes there: a subscriber must not let those
//! targets through outside of the sandbox.

// The library's futures are nested deeper than the compiler looks by itself.
#![recursion_limit = "256"]

mod acks;
mod caches;
mod connection;
mod convert;
mod engine;
mod error;
mod events;
mod groups;
mod history;
mod http;
mod ids;
mod inbound;
mod kept;
mod mailbox;
mod media;
mod outgoing;
mod transport;
mod upload;
mod version;

pub use connection::{Connection, SessionOptions, raw_of, raw_text};
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub use convert::fuzzing;
pub use convert::{content_of, is_played, is_view_once, poll_option_hash, raw_edited, reply_kind};
pub use engine::{Endpoint, Engine, EngineConfig, verifies_certificate_chain};
pub use error::{EngineError, PairingCodeError, RequestError};
pub use events::{
    Account, Call, CallStage, ChannelChange, ChannelNews, ContactName, Disconnect, DropReason,
    EndReason, EngineEvent, GroupChange, GroupEntry, KnownPerson, Mark, PairingEnd, Picture,
    Presence, QrCode, Receipt, Typing, TypingState, UnreadableMessage, UnreadableReason,
};
pub use groups::{
    CommunitySubgroup, GroupPerson, GroupSetting, GroupSnapshot, JoinRequest, JoinedGroup,
    LinkOutcome, MemberAction, MemberOutcome,
};
pub use history::{HistoryChat, HistoryChunk, HistoryPart};
pub use ids::new_message_id;
pub use inbound::{
    BufferedMessage, Content, InboundBatch, InboundMessage, InboundSink, InteractiveReply, Media,
    MediaDetails, MessageRef, QuotedMessage, SinkError, VoteChoice,
};
pub use kept::{ChatChange, ChatSetting, LabelChange, LabelNews, NamedMessage};
pub use mailbox::Events;
pub use media::{FetchError, MediaFetcher, MediaOrigin, MediaSource};
pub use outgoing::{
    Outgoing, OutgoingContent, OutgoingFile, Quoted, RejectReason, SendFailure, Sent, Target,
};
pub use upload::{UploadSource, UploadSourceError, Uploaded};
pub use version::{CachedVersion, ClientVersion, VersionSource};
pub use whatsapp_rust::store::traits::Backend;
