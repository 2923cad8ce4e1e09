//! Pure conversion between the protocol's messages and what the engine speaks.
//!
//! Everything here is a function of its arguments, for any input: the network
//! decides what comes in, so nothing panics, recursion is bounded, and text is
//! freed of NUL characters, which not every database stores.

mod attachments;
mod calls;
mod channels;
mod chats;
mod choices;
mod content;
mod context;
mod edited;
mod events;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod groups;
mod history;
mod identity;
mod labels;
mod media;
mod messages;
mod outgoing;
mod people;
mod polls;
mod receipts;
mod replies;
mod restrictions;
#[cfg(any(test, feature = "fuzzing"))]
mod show;
mod targets;
mod text;
mod unknown;
mod wrappers;

#[cfg(test)]
mod tests;

pub(crate) use calls::{call, ended_elsewhere, missed_call};
pub(crate) use channels::{channel, channel_news, channel_updated};
pub(crate) use chats::{
    archived, cleared, deleted, deleted_for_me, marked_read, muted, pinned, starred,
};
pub use choices::reply_kind;
pub(crate) use content::edited_content;
pub use content::{content_of, is_played};
pub use edited::{is_view_once, raw_edited};
pub(crate) use events::{event_edit_message, event_response, response_message};
#[cfg(test)]
pub(crate) use groups::group_change;
pub(crate) use groups::{group, group_news, seconds_to_ms};
pub(crate) use history::unpack_into;
pub(crate) use identity::{Own, alias, library_jid, model_jid};
pub(crate) use labels::{chat_labelled, label_edited, message_labelled};
pub(crate) use messages::{Converted, Sealed, SealedKind, message};
pub(crate) use outgoing::{key, outgoing, raw, text_message};
pub(crate) use people::{about, contact_name, number_change, picture, presence, push_name, typing};
pub(crate) use polls::option_hashes;
pub use polls::poll_option_hash;
pub(crate) use receipts::receipt;
pub(crate) use restrictions::{message_cap, reachout_timelock, restriction_news};
