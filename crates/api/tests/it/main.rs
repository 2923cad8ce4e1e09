//! The API through its router, over a scripted gateway and the real store: SQLite by
//! default, PostgreSQL where `TEST_DATABASE_URL` is set.

#![expect(
    clippy::unwrap_used,
    reason = "the steps of a test are in functions too: one that fails fails the test"
)]

mod actors;
mod audit;
mod authorization;
mod bodies;
mod buckets;
mod connections;
mod contract;
mod credentials;
mod document;
mod ended;
mod firehose;
mod forged;
mod groups;
mod harness;
mod isolation;
mod isolation_runs;
mod login_tokens;
mod media;
mod operations;
mod operator;
mod outbox_gateway;
mod pages;
mod people;
mod probes;
mod pulls;
mod quiet_logs;
mod realtime;
mod references;
mod reply;
mod scheduled;
mod scripted;
mod searches;
mod sending;
mod sessions;
mod somebody;
mod steps;
mod views;
mod webhook_actions;
mod webhooks;
mod world;
