//! The event log: what happened in an organization, in the order of the commits.
//!
//! A job only buffers its events. Before the group commits, the writer locks the
//! stream of each organization concerned (in sorted order, so that two writers
//! cannot wait for each other), draws ids above the stream's last one, and writes
//! the events and one delivery per matching webhook. Since the lock is held until
//! the commit, ids and commits have the same order: who has read up to an id never
//! misses an earlier one. What webhooks want is remembered between groups, for one
//! version of the organization's webhooks, which is locked and read with the stream.

mod flush;
mod rows;
mod subscriptions;

pub use flush::{CommitListener, CommittedEvent, IgnoreCommits, NewEvent};
pub(crate) use flush::{NewDelivery, PendingEvent};
pub use rows::EventFilter;
pub(crate) use subscriptions::Subscriptions;
