//! What phones say: from requests to protocol messages, and back to something readable.

mod build;
mod describe;
mod details;
mod files;
mod request;
mod special;
mod wrap;

pub(crate) use build::{Quoted, build, edit, reaction, revoke};
pub(crate) use describe::{Described, describe, innermost};
pub(crate) use details::answer_details;
pub use files::{FileContent, FileKind};
pub(crate) use files::{Uploaded, in_album};
pub use request::{Content, SendRequest};
pub use special::{Action, EventContent, OfferContent, OfferForm};
pub(crate) use special::{
    event_message, keep, live_location, pin, sealed_answer, sealed_edit, sealed_message, selection,
};
pub(crate) use wrap::{device_sent, encode_padded, new_message_id, with_secret};
