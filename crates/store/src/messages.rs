//! Messages: written by the owner of the session, read by everyone of the organization.

mod read;
mod write;

pub use read::MessagePosition;
pub use write::{AdvancedMessage, NewMessage, StoredMessage};
