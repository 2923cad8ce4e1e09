//! Integration tests of the simulator.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has failed the test"
)]

mod client;
mod engine;
mod groups;
mod groups_control;
mod groups_engine;
mod handshake;
mod logins;
mod media;
mod messages;
mod phone;
mod phone_control;
mod phone_engine;
mod requests;
mod signals;
mod support_engine;
mod support_http;
mod tls;
