//! Write-through persistence: a write has left the process before the call returns.

mod disk;
mod memory;
mod store;

pub use store::{Batch, Journal, JournalError};
