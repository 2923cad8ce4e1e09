//! Chance as a parameter.

use rand::Rng as _;

/// Where secret bytes come from.
pub trait Randomness: Send + Sync + 'static {
    /// Fills a buffer with bytes that nobody can predict.
    fn fill(&self, bytes: &mut [u8]);
}

/// A generator seeded by the operating system and suited for secrets.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}
