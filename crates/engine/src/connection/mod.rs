//! One session: its client, its tasks, and what can be done with it.
//!
//! The engine drives reconnects itself: the library's own loop is told to end
//! with each connection, so that the wait before the next attempt stays short
//! (the library would wait up to 15 minutes), each attempt claims the current
//! client version, and every end is classified and told in one place.

mod actions;
mod addons;
mod app_state;
mod attempt;
mod backoff;
mod channel_files;
mod channels;
mod chats;
mod communities;
mod contacts;
mod default_timer;
mod graph;
mod groups;
mod history;
mod hook;
mod labels;
mod messages;
mod numbers;
mod observer;
mod open;
mod pairing;
mod posting;
mod profile;
#[cfg(all(test, not(feature = "sandbox")))]
mod refusal;
mod restrictions;
mod runtime;
mod secrets;
mod sending;
mod supervisor;
mod unhooked;
mod uploads;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whatsapp_rust::Client;

pub(crate) use attempt::Attempt;
pub(crate) use history::HistoryTurns;
pub(crate) use labels::LABEL_MESSAGE;

pub use sending::{raw_of, raw_text};

use self::history::HistoryParts;
use crate::acks::AckBook;
use crate::engine::Shared;
use crate::mailbox::Mailbox;

/// How a session is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionOptions {
    /// Whether the phone's history is taken when the session is paired.
    pub is_history_wanted: bool,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            is_history_wanted: true,
        }
    }
}

/// An open session. Clones are the same session; when the last one is dropped
/// without [`Connection::close`], the session is cut off without farewell.
#[derive(Clone)]
pub struct Connection {
    inner: Arc<Inner>,
}

struct Inner {
    session: Arc<Session>,
}

/// What the session's tasks share; it outlives the last [`Connection`] only
/// until they have ended.
struct Session {
    client: Arc<Client>,
    engine: Arc<Shared>,
    attempt: Arc<Attempt>,
    acks: Arc<AckBook>,
    history: HistoryParts,
    mailbox: Mailbox,
    tasks: TaskTracker,
    /// Ends every task of the session at once.
    cancel: CancellationToken,
    /// Ends the supervisor, which then says goodbye.
    stop: CancellationToken,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.session.stop.cancel();
        self.session.client.signal_shutdown_sync();
        self.session.cancel.cancel();
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
