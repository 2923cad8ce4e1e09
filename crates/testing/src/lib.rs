//! Boots the whole service with the simulator on free ports, and talks to it as
//! users do: by its public API, its sockets and its webhooks.
//!
//! Nothing here sleeps: tests wait for events, for the simulator's long polls, or
//! for the answer of a request.

mod api;
mod covered;
mod database;
mod openapi;
mod person;
mod process;
mod realtime;
mod receiver;
mod sandbox;
mod simulator;

pub use api::{Answer, Api, Session};
pub use database::TestDatabase;
pub use openapi::Contract;
pub use person::Person;
pub use process::{Process, SandboxProcess, SimulatorProcess};
pub use realtime::Realtime;
pub use receiver::{Delivered, Receiver};
pub use sandbox::TestSandbox;
pub use simulator::{PhoneMessage, Simulated};

use std::time::Duration;

/// How long a test waits for something that must happen before it fails.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Prepares the process: one TLS provider for all clients.
pub fn prepare() {
    // Already there when another test of the process was faster.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client for loopback requests that goes through no proxy.
///
/// # Panics
///
/// When the client cannot be built.
#[must_use]
pub fn http_client() -> reqwest::Client {
    prepare();
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .timeout(Duration::from_secs(90))
        .build()
        .expect("a plain client can be built")
}
