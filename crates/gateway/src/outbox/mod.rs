//! Messages on their way out: accepted once, sent in order, finished once.
//!
//! A message gets its WhatsApp id before the first attempt and keeps it, so that a
//! retry, a crash or another gateway cannot send it twice: WhatsApp and the
//! recipients drop a second copy under the same id.

mod accept;
mod attempt;
mod checks;
mod entry;
mod files;
mod finish;
mod give_up;
mod lanes;
mod order;
mod outcome;
mod own;
mod queue;
mod scheduled;
mod sender;
mod waiters;

pub(crate) use accept::{accept, replay, store_refusal};
pub(crate) use checks::ambiguous;
pub(crate) use give_up::{GivenUp, LOGGED_OUT, abandon, give_up_all};
pub(crate) use queue::SendQueue;
pub(crate) use scheduled::accept_scheduled;
pub(crate) use sender::wake;
pub(crate) use waiters::Waiters;
