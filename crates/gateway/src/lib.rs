//! Live sessions: who owns them, what they receive and send, and whether they are up.
//!
//! - [`Gateway`] owns sessions by leases in the store and runs one task for each.
//! - Messages that come in are committed before WhatsApp is told that they arrived.
//! - Messages that go out keep one WhatsApp id over retries, crashes and takeovers.
//! - A session's status is written by its one owner, from its live connection.

mod backfills;
mod backoff;
mod commands;
mod config;
mod context;
mod gateway;
mod groups;
mod inbound;
mod live;
mod ordered_ids;
mod outbox;
mod ownership;
mod recaps;
mod registry;
mod rounds;
mod session;
mod targets;
mod typing;

pub use config::{GatewayConfig, OutboxConfig, OwnershipConfig, SessionConfig};
pub use gateway::{Gateway, GatewayError};
