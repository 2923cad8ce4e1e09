//! What needs WhatsApp at once: requests to a session's owner, and its answers.
//!
//! One file for each resource; the owner's side has the same files in `gateway/src/live`.

mod backfills;
mod channels;
mod chats;
mod communities;
mod contacts;
mod groups;
mod labels;
mod messages;
mod presence;
mod profile;

use serde::{Deserialize, Serialize};
use wagate_model::{BackfillJob, Label};

pub use backfills::BackfillRequest;
pub use channels::{ChannelReply, ChannelRequest};
pub use chats::ChatRequest;
pub use communities::{CommunityReply, CommunityRequest};
pub use contacts::{ContactReply, ContactRequest};
pub use groups::{GroupReply, GroupRequest, MemberChange};
pub use labels::LabelRequest;
pub use messages::MessageRequest;
pub use presence::{PresenceReply, PresenceRequest};
pub use profile::{ProfileReply, ProfileRequest};

/// Something to do on WhatsApp, or to ask of it, now.
///
/// Numbers and texts are in here: neither requests nor replies have a `Debug` that shows them.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "about", content = "request")]
pub enum LiveRequest {
    /// Pulling again what WhatsApp gives on request.
    Backfill(BackfillRequest),
    /// Communities.
    Communities(CommunityRequest),
    /// People.
    Contact(ContactRequest),
    /// How chats are kept.
    Chats(ChatRequest),
    /// Groups.
    Groups(GroupRequest),
    /// Labels.
    Labels(LabelRequest),
    /// What the account keeps of messages.
    Messages(MessageRequest),
    /// The account's and other people's presence.
    Presence(PresenceRequest),
    /// The account itself.
    Profile(ProfileRequest),
    /// Channels.
    Channels(ChannelRequest),
}

impl LiveRequest {
    /// The request's name, for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Backfill(request) => request.name(),
            Self::Communities(request) => request.name(),
            Self::Contact(request) => request.name(),
            Self::Chats(request) => request.name(),
            Self::Groups(request) => request.name(),
            Self::Labels(request) => request.name(),
            Self::Messages(request) => request.name(),
            Self::Presence(request) => request.name(),
            Self::Profile(request) => request.name(),
            Self::Channels(request) => request.name(),
        }
    }

    /// Whether doing it twice is the same as doing it once.
    #[must_use]
    pub const fn is_repeatable(&self) -> bool {
        match self {
            Self::Backfill(request) => request.is_repeatable(),
            Self::Communities(request) => request.is_repeatable(),
            Self::Contact(request) => request.is_repeatable(),
            Self::Chats(request) => request.is_repeatable(),
            Self::Groups(request) => request.is_repeatable(),
            Self::Labels(request) => request.is_repeatable(),
            Self::Messages(request) => request.is_repeatable(),
            Self::Presence(request) => request.is_repeatable(),
            Self::Profile(request) => request.is_repeatable(),
            Self::Channels(request) => request.is_repeatable(),
        }
    }
}

/// What came of a [`LiveRequest`]; each resource has its own.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "about", content = "reply")]
pub enum LiveReply {
    /// Done; there is nothing to say.
    Done,
    /// A job that pulls contacts and groups again.
    Backfill(BackfillJob),
    /// About communities.
    Communities(CommunityReply),
    /// About people.
    Contact(ContactReply),
    /// About groups.
    Groups(GroupReply),
    /// A label as it is now.
    Label(Label),
    /// About presence.
    Presence(PresenceReply),
    /// About the account itself.
    Profile(ProfileReply),
    /// About channels.
    Channels(ChannelReply),
}

impl LiveReply {
    /// The reply's name, for logs: its contents are private.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Backfill(_) => "backfill",
            Self::Communities(_) => "communities",
            Self::Contact(_) => "contact",
            Self::Groups(_) => "groups",
            Self::Label(_) => "label",
            Self::Presence(_) => "presence",
            Self::Profile(_) => "profile",
            Self::Channels(_) => "channels",
        }
    }
}

impl std::fmt::Debug for LiveReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
