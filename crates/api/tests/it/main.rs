//! The API through its router, over a scripted gateway and the real store: SQLite by
//! default, PostgreSQL where `TEST_DATABASE_URL` is set.

#![expect(
    clippy::unwrap_used,
    reason = "the steps of a test are in functions too: one that fails fails the test"
)]

mod audit;
mod authorization;
mod bodies;
mod connections;
mod contract;
mod document;
mod ended;
mod firehose;
mod harness;
mod login_tokens;
mod operator;
mod pages;
mod people;
mod probes;
mod pulls;
mod realtime;
mod sending;
mod sessions;
mod webhooks;
