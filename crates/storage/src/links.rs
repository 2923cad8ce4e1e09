//! Links by which a file can be read without further credentials, for a while.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wagate_model::{MediaId, OrganizationId, hide_contents};
use wagate_store::MasterKeys;

/// What tokens are sealed as.
const SEALED_AS: &str = "media.link";

/// A link to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The path of the API, with its token.
    pub url: String,
    /// When it stops working, in milliseconds since 1970.
    pub expires_at: i64,
}

/// Makes and reads the tokens of links.
#[derive(Clone)]
pub struct LinkKeys {
    keys: Arc<MasterKeys>,
    ttl_ms: i64,
}

hide_contents!(LinkKeys { ttl_ms });

impl LinkKeys {
    pub(crate) const fn new(keys: Arc<MasterKeys>, ttl_ms: i64) -> Self {
        Self { keys, ttl_ms }
    }

    /// A link to a file, from now on.
    #[must_use]
    pub fn link(&self, organization: OrganizationId, media: MediaId, now_ms: i64) -> Link {
        let expires_at = now_ms.saturating_add(self.ttl_ms);
        let mut plain = organization.ulid().to_bytes().to_vec();
        plain.extend(expires_at.to_be_bytes());
        let sealed = self
            .keys
            .seal(SEALED_AS, media.to_string().as_bytes(), &plain);
        let token = URL_SAFE_NO_PAD.encode(sealed);
        Link {
            url: format!("/api/v1/media/{media}/content?token={token}"),
            expires_at,
        }
    }

    /// Whose file a token opens; nothing where it opens not this one, or no longer.
    #[must_use]
    pub fn open(&self, media: MediaId, token: &str, now_ms: i64) -> Option<OrganizationId> {
        let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
        let row = media.to_string();
        let plain = self.keys.open(SEALED_AS, row.as_bytes(), &sealed).ok()?;
        let (organization, expires_at) = plain.split_first_chunk::<16>()?;
        let expires_at = i64::from_be_bytes(expires_at.try_into().ok()?);
        let organization = u128::from_be_bytes(*organization);
        let random = organization & ((1 << 80) - 1);
        let time = u64::try_from(organization >> 80).ok()?;
        (now_ms < expires_at).then(|| OrganizationId::from_parts(time, random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_one_file_for_a_while() {
        let keys = LinkKeys::new(Arc::new(wagate_store::testing::keys()), 1_000);
        let organization = OrganizationId::from_parts(1_767_225_600_000, 77);
        let (media, other) = (MediaId::from_parts(1, 2), MediaId::from_parts(1, 3));
        let link = keys.link(organization, media, 5_000);
        assert_eq!(link.expires_at, 6_000);
        let (path, token) = link.url.split_once("?token=").unwrap();
        assert_eq!(path, format!("/api/v1/media/{media}/content"));
        assert_eq!(keys.open(media, token, 5_999), Some(organization));
        assert_eq!(keys.open(media, token, 6_000), None);
        assert_eq!(keys.open(other, token, 5_000), None);
        let changed = format!("{}A", &token[..token.len() - 1]);
        assert!(changed == token || keys.open(media, &changed, 5_000).is_none());
        assert_eq!(keys.open(media, "", 5_000), None);
    }
}
