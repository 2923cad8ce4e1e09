//! Integration tests of wagate-identity: on SQLite, or on the PostgreSQL of `TEST_DATABASE_URL`.

#![expect(
    clippy::unwrap_used,
    reason = "the steps of a test are in functions too: one that fails fails the test"
)]

mod authentication;
mod harness;
mod issuers;
mod keys;
mod members;
mod oidc;
mod organizations;
mod people;
mod signed_in;
mod signing;
mod smtp;
mod tokens;
mod web;
