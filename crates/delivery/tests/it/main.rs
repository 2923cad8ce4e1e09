//! Integration tests of wagate-delivery: real sockets on loopback, and a store on
//! SQLite or on the PostgreSQL of `TEST_DATABASE_URL`.

#![expect(
    clippy::unwrap_used,
    reason = "the steps of a test are in functions too: one that fails fails the test"
)]

mod client;
mod harness;
mod receiver;
mod receivers;
mod setup;
mod worker;
