//! Sessions against the simulator; they need the feature `sandbox`, without
//! which the engine connects to WhatsApp only.

#[cfg(feature = "sandbox")]
mod ends;
#[cfg(feature = "sandbox")]
mod messages;
#[cfg(feature = "sandbox")]
mod pairing;
#[cfg(feature = "sandbox")]
mod resilience;
#[cfg(feature = "sandbox")]
mod support;
