//! The control API under `/sim/v1`: JSON, for people, tests and the dashboard.

mod accounting;
mod body;
mod envelope;
mod faults;
mod messages;
mod phones;
mod router;
mod send_request;

pub use router::{ControlInfo, router};
