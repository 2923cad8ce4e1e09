//! Tests of the whole service, through its public API, against the simulator.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helper functions too"
)]

mod app_state;
mod architecture;
mod calls;
mod channel_files;
mod channels;
mod chats;
mod commands;
mod communities;
mod contacts;
mod content;
mod crashes;
mod event_messages;
mod files;
mod files_in;
mod forwards;
mod group_world;
mod groups;
mod guide;
mod history;
mod idempotency;
mod kills;
mod kinds;
mod labels;
mod limits;
mod marks;
mod messages;
mod pairing;
mod people;
mod polls;
mod presence;
mod previews;
mod profile;
mod realtime;
mod restrictions;
mod revocation;
mod roles;
mod safety;
mod scale;
mod scheduled;
mod stage;
mod status;
mod surface;
mod unsent;
mod webhook_actions;
mod webhooks;
mod withheld;

use std::path::Path;

/// The service as a program of its own, for tests that kill it.
fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_wagate-under-test"))
}
