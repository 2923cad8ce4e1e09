//! Checking login tokens.
//!
//! The issuer is chosen by the token's `iss`, the key by its `kid`, and the algorithm by the
//! key. What was checked is remembered until it expires, or its issuer's keys change.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::jws::{Claims, Jws, KeySet, MAX_TOKEN_LEN};
use super::remote_keys::NoKey;
use super::standings::{Person, StandingKey};
use crate::error::{AuthError, TokenFault};
use crate::principal::Principal;
use crate::service::Identity;

/// How far the clocks of an issuer and of this machine may be apart.
pub(crate) const LEEWAY_MS: i64 = 60_000;

/// A token that was checked.
pub(crate) struct Verified {
    /// Which issuer's; our own where absent.
    issuer: Option<usize>,
    /// The keys that it was checked with.
    keys: Arc<KeySet>,
    expires_at_ms: i64,
    bearer: Bearer,
}

enum Bearer {
    User(StandingKey),
    Foreign(Person),
}

/// Refuses claims that are for somebody else, or for another time; gives when they expire.
pub(crate) fn check_claims(
    claims: &Claims,
    issuer: &str,
    audience: &str,
    now_ms: i64,
) -> Result<i64, TokenFault> {
    if claims.text("iss") != Some(issuer) {
        return Err(TokenFault::Issuer);
    }
    if !claims.texts("aud").any(|named| named == audience) {
        return Err(TokenFault::Audience);
    }
    let time_ms = |name| claims.time_ms(name).map_err(|_| TokenFault::Claims);
    let expires_at_ms = time_ms("exp")?.ok_or(TokenFault::Claims)?;
    for begin_ms in [time_ms("nbf")?, time_ms("iat")?].into_iter().flatten() {
        if begin_ms > now_ms.saturating_add(LEEWAY_MS) {
            return Err(TokenFault::NotYet);
        }
    }
    check_expiry(expires_at_ms, now_ms)?;
    Ok(expires_at_ms)
}

fn check_expiry(expires_at_ms: i64, now_ms: i64) -> Result<(), TokenFault> {
    if expires_at_ms.saturating_add(LEEWAY_MS) <= now_ms {
        Err(TokenFault::Expired)
    } else {
        Ok(())
    }
}

impl Identity {
    /// Recognizes a person by a login token.
    pub(crate) async fn authenticate_token(
        &self,
        token: &str,
    ) -> Result<Arc<Principal>, AuthError> {
        if token.len() > MAX_TOKEN_LEN {
            return Err(AuthError::Malformed);
        }
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let known = self.0.tokens.verified.get(&hash).await;
        let verified = match known.filter(|known| self.has_same_keys(known)) {
            Some(known) => known,
            None => {
                let verified = Arc::new(self.verify(token).await?);
                let cache = &self.0.tokens.verified;
                cache.insert(hash, Arc::clone(&verified)).await;
                verified
            }
        };
        check_expiry(verified.expires_at_ms, self.now_ms())?;
        match &verified.bearer {
            Bearer::User(standing) => self.stand(*standing).await,
            Bearer::Foreign(person) => self.place(person).await,
        }
    }

    /// Whether the issuer has the keys that a token was checked with: it may have revoked one.
    fn has_same_keys(&self, verified: &Verified) -> bool {
        let keys = match verified.issuer {
            Some(index) => self.0.tokens.issuers[index].keys.known(),
            None => self.known_token_keys().map(|own| Arc::clone(&own.set)),
        };
        keys.is_some_and(|keys| Arc::ptr_eq(&keys, &verified.keys))
    }

    async fn verify(&self, token: &str) -> Result<Verified, AuthError> {
        let token = Jws::parse(token).ok_or(AuthError::Malformed)?;
        let issuer = token.unchecked().text("iss").ok_or(TokenFault::Issuer)?;
        if self.0.config.has_builtin_issuer && issuer == self.token_issuer() {
            return self.verify_own(token).await;
        }
        let mut issuers = self.0.tokens.issuers.iter();
        let index = issuers
            .position(|known| known.config.issuer == issuer)
            .ok_or(TokenFault::Issuer)?;
        self.verify_foreign(index, token).await
    }

    async fn verify_own(&self, token: Jws<'_>) -> Result<Verified, AuthError> {
        let own = self
            .token_keys_with(token.key_id())
            .await
            .map_err(AuthError::Unavailable)?;
        let config = &self.0.config;
        let (claims, expires_at_ms) = verify_with(
            token,
            &own.set,
            self.token_issuer(),
            &config.token_audience,
            self.now_ms(),
        )?;
        let id = |name| claims.text(name).ok_or(TokenFault::Claims);
        let organization = claims
            .text("activeOrganizationId")
            .map(|text| text.parse().map_err(|_| TokenFault::Claims))
            .transpose()?;
        let standing = (
            id("sub")?.parse().map_err(|_| TokenFault::Claims)?,
            id("sid")?.parse().map_err(|_| TokenFault::Claims)?,
            organization,
        );
        Ok(Verified {
            issuer: None,
            keys: Arc::clone(&own.set),
            expires_at_ms,
            bearer: Bearer::User(standing),
        })
    }

    async fn verify_foreign(&self, index: usize, token: Jws<'_>) -> Result<Verified, AuthError> {
        let issuer = &self.0.tokens.issuers[index];
        let keys = match issuer.keys.with_key(token.key_id()).await {
            Ok(keys) => keys,
            Err(NoKey::Unknown) => return Err(TokenFault::Key.into()),
            Err(NoKey::Unavailable) => return Err(AuthError::IssuerUnavailable),
        };
        let config = &issuer.config;
        let (claims, expires_at_ms) = verify_with(
            token,
            &keys,
            &config.issuer,
            &config.audience,
            self.now_ms(),
        )?;
        let person = issuer.person(&claims, expires_at_ms)?;
        Ok(Verified {
            issuer: Some(index),
            keys,
            expires_at_ms,
            bearer: Bearer::Foreign(person),
        })
    }
}

/// Checks a token's signature, then what it claims; gives the claims, and when they expire.
pub(crate) fn verify_with(
    token: Jws<'_>,
    keys: &KeySet,
    issuer: &str,
    audience: &str,
    now_ms: i64,
) -> Result<(Claims, i64), TokenFault> {
    let key = keys.find(token.key_id()).ok_or(TokenFault::Key)?;
    let claims = token.verify(key).ok_or(TokenFault::Signature)?;
    let expires_at_ms = check_claims(&claims, issuer, audience, now_ms)?;
    Ok((claims, expires_at_ms))
}
