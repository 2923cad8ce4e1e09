//! The server's side of the Noise handshake and the framing beneath it.

mod frames;
mod identity;
mod responder;
mod transport;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use frames::FrameError;
pub(crate) use frames::Frames;
pub use identity::{IdentityError, ServerIdentity};
pub use responder::{Established, HandshakeError, Responder, ServerHello};
pub use transport::{Transport, TransportError};
