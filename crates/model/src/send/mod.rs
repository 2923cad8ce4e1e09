//! What is to be sent, and what becomes of it.

mod actions;
mod request;
mod result;
mod task;

pub use actions::{EditMessageInput, ForwardInput, ReactionInput, RevokeMessageInput, VoteInput};
pub use request::{ContactCard, SendRequest, SendType};
pub use result::{SendMode, SendResult};
pub use task::{SendTask, TargetMessage};
