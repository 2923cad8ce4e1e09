//! Groups, kept in line with WhatsApp.
//!
//! Whatever is learned of a group (by a notification, by what this account did itself, by
//! asking WhatsApp) is written in one place, which compares it with what is stored and tells
//! the difference: so each change is told once, whichever way it was learned first. What a
//! notification says too little of, and after a while everything, is asked for in the
//! background.

mod notes;
mod sync;
mod write;

pub(crate) use notes::GroupNotes;
pub(crate) use sync::{MAX_SYNCS, SyncError, store_group, sync_all, tend};
pub(crate) use write::{Arrival, own_address, store_change, store_snapshot};
