//! The task of one phone.
//!
//! Everything that touches a phone's keys happens here, one thing after the other. State is in
//! the journal before the stanza that depends on it leaves.

mod actions;
mod bootstrap;
mod connection;
mod groups;
mod inbound;
mod mail;
mod media;
mod outbound;
mod past;
mod peers;
mod query;
mod receipts;
mod retry;
mod run;

pub(crate) use actions::parse_user;
pub(crate) use mail::{Command, Mail, Reply, SendReply, TypingState};
pub(crate) use run::{Actor, erase};
