//! What the account keeps of chats and messages on all its devices.

use wagate_model::{Jid, Label, hide_contents};

/// How a chat is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct ChatChange {
    /// The chat.
    pub chat: Jid,
    /// What changed.
    pub change: ChatSetting,
    /// Whether it is old news of a first synchronization.
    pub is_initial: bool,
    /// When, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

/// A message of a chat, as changes name it to other devices.
#[derive(Clone, PartialEq, Eq)]
pub struct NamedMessage {
    /// Its id.
    pub id: String,
    /// Whether the account sent it.
    pub is_from_me: bool,
    /// Who sent it.
    pub sender: Option<Jid>,
    /// When it was sent, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

/// One setting of a chat.
#[derive(Clone, PartialEq, Eq)]
pub enum ChatSetting {
    /// Pinned or not.
    Pinned(bool),
    /// Muted until a time in milliseconds since 1970 (-1: for ever), or not.
    Muted(Option<i64>),
    /// Archived or not.
    Archived(bool),
    /// Marked read, or unread.
    Read(bool),
    /// Deleted on the phone.
    Deleted,
    /// Emptied on the phone.
    Cleared,
    /// One message was deleted for this number only.
    MessageDeleted {
        /// Its id.
        id: String,
    },
    /// One message was starred or not.
    MessageStarred {
        /// Its id.
        id: String,
        /// Whether the account sent it.
        is_from_me: bool,
        /// Who sent it, where the chat does not say so.
        sender: Option<Jid>,
        /// Whether it has the star.
        is_starred: bool,
    },
}

/// A change of a label, or of what has it.
#[derive(Clone, PartialEq, Eq)]
pub struct LabelChange {
    /// The label's id.
    pub label: String,
    /// What changed.
    pub news: LabelNews,
    /// Whether it is old news of a first synchronization.
    pub is_initial: bool,
}

/// What happened to a label.
#[derive(Clone, PartialEq, Eq)]
pub enum LabelNews {
    /// It is there, as it is now.
    Put(Label),
    /// It was deleted, and nothing has it any more.
    Deleted,
    /// It was put on a chat or taken off.
    Chat {
        /// The chat.
        chat: Jid,
        /// Whether the chat has it.
        is_labelled: bool,
    },
    /// It was put on a message or taken off.
    Message {
        /// The chat.
        chat: Jid,
        /// The message's id.
        id: String,
        /// Whether the message has it.
        is_labelled: bool,
    },
}

// Addresses and names of labels must not reach logs by `{:?}`.
hide_contents!(ChatChange, ChatSetting, LabelChange, LabelNews);
