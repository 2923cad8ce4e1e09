//! What is to be sent, and what becomes of it.

mod actions;
mod files;
mod preview;
mod request;
mod result;
mod scheduled;
mod task;

pub use actions::{
    DeleteForMeInput, EditMessageInput, ForwardInput, MessageInChatInput, ReactionInput,
    RevokeMessageInput, VoteInput,
};
pub use files::{AlbumMediaPayload, AlbumMediaType, Attachment, MediaPayload};
pub use preview::LinkPreview;
pub use request::{ContactCard, SendRequest, SendType};
pub use result::{SendMode, SendResult};
pub use scheduled::{ListScheduledMessage, ScheduledMessage, ScheduledStatus};
pub use task::{SendTask, TargetMessage};
