//! The server's side of the Noise handshake and the framing beneath it.

mod frames;
mod identity;
mod responder;
mod transport;

pub(crate) use frames::Frames;
pub use identity::{IdentityError, ServerIdentity};
pub use responder::{Established, HandshakeError, Responder, ServerHello};
pub use transport::{Transport, TransportError};
