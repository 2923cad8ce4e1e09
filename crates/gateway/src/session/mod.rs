//! One task tree per session: its connection, its status, its commands.

mod actor;
mod asks;
mod channels;
mod closing;
mod handle;
mod launch;
mod lifecycle;
mod pairing;
mod patience;
mod pause;
mod presences;
mod probing;
mod standing;
mod status;

pub(crate) use handle::{Ask, Command, CommitError, STORE_PAUSE, Session};
pub(crate) use launch::launch;
pub(crate) use probing::probe_sessions;
pub(crate) use standing::Standing;
