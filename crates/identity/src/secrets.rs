//! Secrets that are shown once and stored by their hash: cookies, links.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use wagate_model::hide_contents;
use zeroize::Zeroizing;

use crate::randomness::Randomness;

/// 32 random bytes as text; a plain hash of them is enough, because nobody can guess them.
#[derive(Clone)]
pub struct OneTimeSecret(Zeroizing<String>);

impl OneTimeSecret {
    /// Draws a new one.
    pub(crate) fn draw(randomness: &dyn Randomness) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        randomness.fill(&mut *bytes);
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes)))
    }

    /// The text, to show once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        hash_of(&self.0)
    }
}

hide_contents!(OneTimeSecret);

/// What a secret is stored as.
pub(crate) fn hash_of(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
