//! What phones say: from requests to protocol messages, and back to something readable.

mod build;
mod describe;
mod files;
mod request;
mod wrap;

pub(crate) use build::{Quoted, build, edit, reaction, revoke};
pub(crate) use describe::{describe, innermost};
pub use files::{FileContent, FileKind};
pub(crate) use files::{Uploaded, in_album};
pub use request::{Content, SendRequest};
pub(crate) use wrap::{device_sent, encode_padded, new_message_id, with_secret};
