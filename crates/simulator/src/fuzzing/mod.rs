//! What must hold of everything from outside, for property tests and fuzz targets alike.
//!
//! Each function takes an input, reads it, and panics when a property does not hold.

mod control;
mod frames;
mod handshake;
mod messages;
mod pairing;
mod stanzas;

pub use control::{message_query, send_request};
pub use frames::frames;
pub use handshake::{client_payload, handshake, ik_handshake, xx_handshake};
pub use messages::{device_identity, phone_message};
pub use pairing::{key_bundle, link_code, qr_code};
pub use stanzas::{Sender, stanzas};
