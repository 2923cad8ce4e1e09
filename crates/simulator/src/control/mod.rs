//! The control API under `/sim/v1`: JSON, for people, tests and the dashboard.

mod accounting;
mod body;
mod channels;
mod envelope;
mod faults;
mod files;
mod groups;
mod history;
mod media;
mod messages;
mod phones;
mod restrictions;
mod router;
mod send_request;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use messages::parse_query as parse_message_query;
pub use router::{ControlInfo, router};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use send_request::parse as parse_send_request;
