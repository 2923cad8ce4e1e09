//! How the processes of an installation talk to each other and share the sessions.
//!
//! - [`Bus`]: commands to the gateway that owns a session (request and reply),
//!   wake-ups, and live copies of events. In one process it is memory; in a
//!   cluster it is NATS. A lost bus message may delay something, never lose it:
//!   everything that matters is in the store first.
//! - [`Placement`]: which gateway a session belongs to.

mod bus;
mod commands;
mod live;
mod placement;
mod signals;

pub use bus::{Bus, BusError, Serving, Subscription};
pub use commands::{
    CommandHandler, CommandReply, CommandResult, IdempotencyKey, Refusal, SendCommand,
    SessionAction, SessionCommand,
};
pub use live::{
    BackfillRequest, ChannelReply, ChannelRequest, ChatRequest, CommunityReply, CommunityRequest,
    ContactReply, ContactRequest, GroupReply, GroupRequest, LabelRequest, LiveReply, LiveRequest,
    MemberChange, MessageRequest, PresenceReply, PresenceRequest, ProfileReply, ProfileRequest,
};
pub use placement::{Placement, PlacementError};
pub use signals::{EventCopy, Lagged, Signal, Topic};
