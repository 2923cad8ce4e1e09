//! The WhatsApp engine's storage, on whichever database the tests run.

mod app_state;
mod conformance;
mod device;
mod fencing;
mod pending_inbound;
mod protocol;
mod sealing;
mod signal;
mod support;
