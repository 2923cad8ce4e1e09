//! History pages, as the engine hands them over.

use bytes::Bytes;
use wagate_model::{Jid, hide_contents};

use crate::InboundMessage;

/// A part of the history, as the phone has announced it.
///
/// The sink keeps it before WhatsApp is told that it arrived, until the last page of it is
/// stored: a process that starts in between hands it to [`crate::Connection::resume_history`].
#[derive(Clone, PartialEq, Eq)]
pub struct HistoryPart {
    /// The id of the message that announced it.
    pub id: String,
    /// The announcement, in the protocol's form: it holds keys, so whoever stores it seals it.
    pub notice: Bytes,
}

/// A page of history: some chats, with some messages of each.
///
/// Pages are bounded in both, so that a long chat comes in several pages. A part is cut into
/// the same pages whenever it is read.
#[derive(Clone, Default, PartialEq)]
pub struct HistoryChunk {
    /// The part of the history that it is of, by [`HistoryPart::id`].
    pub part: String,
    /// Its place in its part, from 0.
    pub index: u32,
    /// Whether its part is the one that a phone begins with after a pairing.
    pub is_beginning: bool,
    /// The chats on this page.
    pub chats: Vec<HistoryChat>,
    /// Names that people chose, as address and name.
    pub push_names: Vec<(Jid, String)>,
    /// People's two addresses, as phone and LID.
    pub aliases: Vec<(Jid, Jid)>,
    /// How much of the history has come, in percent, where told.
    pub progress: Option<u32>,
    /// Whether it is the last page of its part.
    pub is_last: bool,
}

/// One chat on a page of history.
#[derive(Clone, PartialEq)]
pub struct HistoryChat {
    /// The chat.
    pub chat: Jid,
    /// Whether it is the chat's first page.
    pub is_first: bool,
    /// Its other address, where known.
    pub alias: Option<Jid>,
    /// Its name, for groups and saved contacts.
    pub name: Option<String>,
    /// Unread messages; only on the chat's first page.
    pub unread_count: Option<u32>,
    /// Whether it is archived; only on the chat's first page.
    pub is_archived: Option<bool>,
    /// Whether it is pinned; only on the chat's first page.
    pub is_pinned: Option<bool>,
    /// Until when it is muted, in milliseconds since 1970 (-1: for ever).
    pub muted_until_ms: Option<i64>,
    /// After how many seconds new messages disappear; only on the chat's first page.
    pub disappearing_seconds: Option<u32>,
    /// The last activity, in milliseconds since 1970.
    pub last_activity_ms: Option<i64>,
    /// Messages, newest first.
    pub messages: Vec<InboundMessage>,
    /// The ids of those of its messages that are starred.
    pub starred: Vec<String>,
}

hide_contents!(HistoryPart);

impl std::fmt::Debug for HistoryChunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HistoryChunk")
            .field("chats", &self.chats.len())
            .field("progress", &self.progress)
            .field("is_last", &self.is_last)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for HistoryChat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HistoryChat")
            .field("messages", &self.messages.len())
            .finish_non_exhaustive()
    }
}
