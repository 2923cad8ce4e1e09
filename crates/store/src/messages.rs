//! Messages: written by the owner of the session, read by everyone of the organization.

mod own;
mod read;
mod write;

pub(crate) use own::OwnMessage;
pub use read::MessagePosition;
pub use write::{AdvancedMessage, NewMessage, StoredMessage};
