//! What is to be sent, and what becomes of it.

mod actions;
mod files;
mod request;
mod result;
mod task;

pub use actions::{
    DeleteForMeInput, EditMessageInput, ForwardInput, MessageInChatInput, ReactionInput,
    RevokeMessageInput, VoteInput,
};
pub use files::{AlbumMediaPayload, AlbumMediaType, Attachment, MediaPayload};
pub use request::{ContactCard, SendRequest, SendType};
pub use result::{SendMode, SendResult};
pub use task::{SendTask, TargetMessage};
