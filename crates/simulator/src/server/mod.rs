//! The WhatsApp server: accounts, devices, routing of stanzas, queues.

mod account;
mod acks;
mod api;
mod app_state;
mod calls;
pub(crate) mod connections;
mod deliver;
mod devices;
mod error;
mod inner;
mod iq;
pub(crate) mod jids;
pub(crate) mod link;
mod linking;
mod messages;
pub(crate) mod outbox;
mod pairings;
mod phash;
mod port;
mod prekeys;
mod presence;
mod queue;
mod receipts;
mod record;
mod restore;
mod router;
pub(crate) mod session;
pub(crate) mod stanza;
mod state;

pub use account::{Account, Device};
pub use api::Server;
pub use error::{LinkError, ServerError};
pub use inner::ServerConfig;
pub use pairings::{LinkCodeHello, LinkContext, Registration, SignedLink};
pub use port::{DevicePort, DeviceSender};
pub(crate) use record::namespace;
