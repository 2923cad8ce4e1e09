//! Live sessions with the real engine against the simulator.

#![expect(
    clippy::unwrap_used,
    reason = "the linter knows test functions, not what they call"
)]

mod inbound;
mod interruptions;
mod media;
mod outbound;
mod ownership;
mod pairing;
mod starting;
mod world;
