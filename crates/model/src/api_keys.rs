//! API keys: `wa_` and 32 random bytes in base64url; only their SHA-256 is stored.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{ApiKeyId, Capabilities, Capability, OrganizationId, SessionId, hide_contents};

/// The text is not an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an API key")]
pub struct ParseApiKeyError;

/// An API key as its owner holds it; shown once, never stored.
#[derive(Clone)]
pub struct ApiKeySecret(Zeroizing<[u8; 32]>);

impl ApiKeySecret {
    /// What every key begins with.
    pub const PREFIX: &'static str = "wa_";

    /// Makes a key of 32 bytes that the caller drew from a secure source.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key as text, to show once.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{}{}", Self::PREFIX, URL_SAFE_NO_PAD.encode(*self.0))
    }

    /// What is stored to recognize the key. A plain hash is enough: the key is
    /// 256 random bits, so it cannot be guessed.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(*self.0).into()
    }

    /// The first characters, by which its owner recognizes it in lists.
    #[must_use]
    pub fn hint(&self) -> String {
        self.reveal().chars().take(Self::PREFIX.len() + 6).collect()
    }
}

impl FromStr for ApiKeySecret {
    type Err = ParseApiKeyError;

    fn from_str(text: &str) -> Result<Self, ParseApiKeyError> {
        let encoded = text.strip_prefix(Self::PREFIX).ok_or(ParseApiKeyError)?;
        let mut bytes = [0; 32];
        match URL_SAFE_NO_PAD.decode_slice(encoded, &mut bytes) {
            Ok(32) => Ok(Self::from_bytes(bytes)),
            _ => Err(ParseApiKeyError),
        }
    }
}

hide_contents!(ApiKeySecret);

/// The stored record of an API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The record's id.
    pub id: ApiKeyId,
    /// Whose data the key reaches.
    pub organization_id: OrganizationId,
    /// What its maker called it.
    pub name: String,
    /// The first characters of the key.
    pub hint: String,
    /// What it may do.
    pub capabilities: Capabilities,
    /// The sessions it may touch; all of the organization's where absent.
    pub session_ids: Option<Vec<SessionId>>,
    /// When it stops working, in milliseconds since 1970.
    pub expires_at: Option<i64>,
    /// When it was revoked, in milliseconds since 1970.
    pub revoked_at: Option<i64>,
    /// When it was made, in milliseconds since 1970.
    pub created_at: i64,
    /// When it was last used (to the minute), in milliseconds since 1970.
    pub last_used_at: Option<i64>,
}

impl ApiKey {
    /// Whether the key works at a time.
    #[must_use]
    pub fn is_valid_at(&self, now_ms: i64) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expiry| now_ms < expiry)
    }
}

/// Who calls, by API key: what the key grants and nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyPrincipal {
    /// The key's record.
    pub key_id: ApiKeyId,
    /// What its maker called it; for people, not for decisions.
    pub name: String,
    /// Whose data the caller sees.
    pub organization_id: OrganizationId,
    /// What the caller may do.
    pub capabilities: Capabilities,
    /// The sessions the caller may touch; all of the organization's where absent.
    pub session_ids: Option<Vec<SessionId>>,
}

impl ApiKeyPrincipal {
    /// Whether the caller may do something.
    #[must_use]
    pub fn may(&self, capability: Capability) -> bool {
        self.capabilities.has(capability)
    }

    /// Whether the caller may touch a session of its organization.
    #[must_use]
    pub fn reaches(&self, session_id: SessionId) -> bool {
        self.session_ids
            .as_ref()
            .is_none_or(|ids| ids.contains(&session_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_round_trip_and_hide() {
        let key = ApiKeySecret::from_bytes([7; 32]);
        let read: ApiKeySecret = key.reveal().parse().unwrap();
        assert_eq!(read.hash(), key.hash());
        assert!(!format!("{key:?}").contains("Bwc"));
        assert!(key.reveal().starts_with(&key.hint()));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "wa_",
            "wa_AAAA",
            "sk_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc",
        ] {
            assert!(text.parse::<ApiKeySecret>().is_err(), "{text}");
        }
    }
}
