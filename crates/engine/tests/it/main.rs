//! Sessions against the simulator; they need the feature `sandbox`, without
//! which the engine connects to WhatsApp only.

#![cfg_attr(
    feature = "sandbox",
    expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")
)]

#[cfg(feature = "sandbox")]
mod ends;
#[cfg(feature = "sandbox")]
mod media;
#[cfg(feature = "sandbox")]
mod messages;
#[cfg(feature = "sandbox")]
mod pairing;
#[cfg(feature = "sandbox")]
mod resilience;
#[cfg(feature = "sandbox")]
mod support;
