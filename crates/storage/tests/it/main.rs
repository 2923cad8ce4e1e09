//! Files from a WhatsApp of the tests' own to disk and buckets, over the real store.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod buckets;
mod capture;
mod fairness;
mod leaving;
mod reading;
mod sweeping;
mod world;
