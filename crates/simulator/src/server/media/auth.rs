//! The tokens that `media_conn` hands out and uploads bring back.
//!
//! A token tells whose it is and until when, with a MAC over both: nothing is kept for it. The key
//! lives as long as the process; after a restart clients are refused once, and ask again.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const MAC_LEN: usize = 32;

/// Issues and checks upload tokens.
pub(crate) struct MediaAuth {
    key: [u8; MAC_LEN],
}

impl fmt::Debug for MediaAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaAuth").finish_non_exhaustive()
    }
}

impl MediaAuth {
    pub(crate) fn new() -> Self {
        Self {
            key: rand::random(),
        }
    }

    fn mac(&self, claim: &str) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of any length is taken");
        mac.update(claim.as_bytes());
        mac
    }

    pub(crate) fn issue(&self, number: &str, expires_at_s: i64) -> String {
        let claim = format!("{number}:{expires_at_s}");
        let mac = self.mac(&claim).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([mac.as_slice(), claim.as_bytes()].concat())
    }

    /// Whose token it is, while it counts.
    pub(crate) fn number(&self, token: &str, now_s: i64) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (mac, claim) = bytes.split_at_checked(MAC_LEN)?;
        let claim = std::str::from_utf8(claim).ok()?;
        self.mac(claim).verify_slice(mac).ok()?;
        let (number, expires_at_s) = claim.split_once(':')?;
        (expires_at_s.parse::<i64>().ok()? > now_s).then(|| number.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_counts_for_its_number_until_it_expires() {
        let auth = MediaAuth::new();
        let token = auth.issue("15550000001", 100);
        assert_eq!(auth.number(&token, 99).as_deref(), Some("15550000001"));
        assert_eq!(auth.number(&token, 100), None);
        assert_eq!(MediaAuth::new().number(&token, 99), None);
        assert_eq!(auth.number(&token[1..], 99), None);
        assert_eq!(auth.number("", 99), None);
    }
}
