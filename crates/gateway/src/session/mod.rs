//! One task tree per session: its connection, its status, its commands.

mod actor;
mod asks;
mod handle;
mod launch;
mod lifecycle;
mod pairing;
mod probing;
mod standing;

pub(crate) use handle::{Ask, Command, CommitError, STORE_PAUSE, Session};
pub(crate) use launch::launch;
pub(crate) use probing::probe_sessions;
