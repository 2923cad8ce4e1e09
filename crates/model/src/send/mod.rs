//! What is to be sent, and what becomes of it.

mod actions;
mod files;
mod preview;
mod request;
mod result;
mod scheduled;
mod special;
mod task;

pub use actions::{
    DeleteForMeInput, EditMessageInput, ForwardInput, MessageInChatInput, PinInput, ReactionInput,
    RespondInput, RevokeMessageInput, SelectInput, UnpinInput, VoteInput,
};
pub use files::{AlbumMediaPayload, AlbumMediaType, Attachment, MediaPayload};
pub use preview::LinkPreview;
pub use request::{ContactCard, SendRequest, SendType};
pub use result::{SendMode, SendResult};
pub use scheduled::{ListScheduledMessage, ScheduledMessage, ScheduledStatus};
pub use special::{
    ButtonInput, EventInput, ListInput, ListRowInput, ListSectionInput, Offer, OfferSection,
};
pub use task::{SendTask, TargetMessage};
