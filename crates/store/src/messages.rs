//! Messages: written by the owner of the session, read by everyone of the organization.

mod marks;
mod of_chat;
mod own;
mod read;
mod search;
mod stored;
mod write;

pub use of_chat::ChatDeletion;
pub(crate) use own::OwnMessage;
pub use read::MessagePosition;
pub use search::MessageFilter;
pub use stored::StoredMessage;
pub use write::{AdvancedMessage, NewMessage};
