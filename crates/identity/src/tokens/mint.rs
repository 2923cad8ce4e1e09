//! Making login tokens.

use serde_json::{Map, Value, json};
use wagate_model::hide_contents;
use wagate_store::LoginRecord;

use super::jws::encode;
use super::keys::Signer;
use crate::error::IdentityError;
use crate::service::Identity;

/// How long a token lives.
pub(crate) const TOKEN_LIFETIME_MS: i64 = 5 * 60_000;

/// A login token just made.
pub struct MintedToken {
    /// The token, to send as a bearer.
    pub token: String,
    /// When it expires, in milliseconds since 1970.
    pub expires_at: i64,
}

hide_contents!(MintedToken { expires_at });

impl Identity {
    /// Makes a token of five minutes for a signed-in browser.
    ///
    /// What it says about roles is for its reader: here, the store is asked. Not found where the
    /// login has ended or its user is banned, and where tokens are made by others only.
    pub async fn mint_token(&self, login: &LoginRecord) -> Result<MintedToken, IdentityError> {
        if !self.0.config.has_builtin_issuer {
            return Err(IdentityError::NotFound);
        }
        let now_ms = self.now_ms();
        let organization = login.active_organization_id;
        let standing = self
            .0
            .store
            .read()
            .await?
            .admin()
            .standing(login.user_id, login.id, organization, now_ms)
            .await?
            .ok_or(IdentityError::NotFound)?;
        let keys = self.keys_to_sign_with().await?;
        let signer = keys.newest().ok_or(IdentityError::NotFound)?;
        let issued_at = now_ms.div_euclid(1000);
        let expires_at = issued_at + TOKEN_LIFETIME_MS / 1000;
        let mut claims = Map::new();
        let mut claim = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        claim("iss", json!(self.token_issuer()));
        claim("aud", json!(self.0.config.token_audience));
        claim("sub", json!(login.user_id));
        claim("sid", json!(login.id));
        claim("iat", json!(issued_at));
        claim("exp", json!(expires_at));
        claim("name", json!(standing.name));
        claim("role", json!(standing.platform_role));
        let is_operator = standing.platform_role == wagate_model::PlatformRole::SuperAdmin;
        if standing.has_organization && (standing.role.is_some() || is_operator) {
            claim("activeOrganizationId", json!(organization));
        }
        if let Some(role) = standing.role {
            claim("orgRole", json!(role));
        }
        Ok(MintedToken {
            token: sign(signer, &claims),
            expires_at: expires_at * 1000,
        })
    }

    /// This installation's name in its tokens.
    pub(crate) fn token_issuer(&self) -> &str {
        self.0.config.token_issuer()
    }
}

fn sign(signer: &Signer, claims: &Map<String, Value>) -> String {
    let header = json!({ "alg": "EdDSA", "kid": signer.id.to_string(), "typ": "JWT" });
    let part = |value: String| encode(value.as_bytes());
    let claims = serde_json::to_string(claims).expect("claims are texts and numbers");
    let message = format!("{}.{}", part(header.to_string()), part(claims));
    let signature = encode(&signer.sign(&message));
    format!("{message}.{signature}")
}
