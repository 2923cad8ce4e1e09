//! What is to be sent, and what becomes of it.

mod actions;
mod files;
mod request;
mod result;
mod special;
mod task;

pub use actions::{
    EditMessageInput, ForwardInput, PinInput, ReactionInput, RespondInput, RevokeMessageInput,
    SelectInput, UnpinInput, VoteInput,
};
pub use files::{AlbumMediaPayload, AlbumMediaType, Attachment, MediaPayload};
pub use request::{ContactCard, SendRequest, SendType};
pub use result::{SendMode, SendResult};
pub use special::{
    ButtonInput, EventInput, ListInput, ListRowInput, ListSectionInput, Offer, OfferSection,
};
pub use task::{SendTask, TargetMessage};
