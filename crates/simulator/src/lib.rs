//! A WhatsApp server with simulated phones: real protocol on the wire, for tests, benchmarks and
//! for trying the gateway without a phone.

pub mod accounting;
pub mod clock;
pub mod control;
pub mod faults;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod journal;
pub mod noise;
pub mod phone;
pub mod server;
mod simulator;
mod socket;
mod tls;

pub use simulator::{Simulator, SimulatorConfig, SimulatorError};
pub use tls::TlsError;
