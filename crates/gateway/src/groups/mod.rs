//! Groups, kept in line with WhatsApp.
//!
//! Whatever is learned of a group (by a notification, by what this account did itself, by
//! asking WhatsApp) is written in one place, which compares it with what is stored and tells
//! the difference: so each change is told once, whichever way it was learned first. What a
//! notification says too little of, and after a while everything, is asked for in the
//! background.

mod change;
mod notes;
mod snapshot;
mod sync;
#[cfg(test)]
mod tests;

pub(crate) use change::{own_address, store_change};
pub(crate) use notes::GroupNotes;
pub(crate) use snapshot::{Arrival, store_snapshot};
pub(crate) use sync::{MAX_SYNCS, SyncError, store_group, sync_all, tend};
