//! Recognizing callers by their key, from a cache.
//!
//! The cache is keyed by the SHA-256 of the secret, as the store is: comparing hashes
//! needs no constant time, because nobody can choose a secret by the hash that it has.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use moka::future::Cache;
use wagate_model::{ApiKey, ApiKeyId, ApiKeyPrincipal, ApiKeySecret, UserId};

use crate::error::AuthError;
use crate::principal::Principal;
use crate::remembered::{About, Entry, Remembered, is_within};
use crate::service::Identity;

/// How long a key is believed without asking the store again.
const KNOWN_FOR_MS: i64 = 30_000;
/// How long a secret is believed to be unknown.
const UNKNOWN_FOR_MS: i64 = 10_000;
const MAX_KNOWN: u64 = 100_000;
const MAX_UNKNOWN: u64 = 10_000;
const MEMORY_FOR: Duration = Duration::from_mins(2);

type SecretHash = [u8; 32];

/// A key as the store told it.
struct Known {
    key: ApiKey,
    principal: Arc<Principal>,
    last_noted_at_ms: AtomicI64,
}

impl About for Known {
    type Subject = ApiKeyId;

    fn subject(&self) -> ApiKeyId {
        self.key.id
    }
}

/// What is remembered of keys and of secrets that are none.
pub(crate) struct KeyCache {
    known: Remembered<SecretHash, Known>,
    unknown: Cache<SecretHash, i64>,
}

impl KeyCache {
    pub(crate) fn new() -> Self {
        Self {
            known: Remembered::new(MAX_KNOWN, KNOWN_FOR_MS),
            unknown: Cache::builder()
                .max_capacity(MAX_UNKNOWN)
                .time_to_live(MEMORY_FOR)
                .build(),
        }
    }
}

impl Identity {
    /// Recognizes a caller by the text of an API key.
    pub(crate) async fn authenticate_key(&self, token: &str) -> Result<Arc<Principal>, AuthError> {
        let secret: ApiKeySecret = token.parse().map_err(|_| AuthError::Malformed)?;
        let hash = secret.hash();
        let now_ms = self.now_ms();
        let known = self.find(hash, now_ms).await?;
        if known.key.revoked_at.is_some() {
            return Err(AuthError::Revoked);
        }
        if !known.key.is_valid_at(now_ms) {
            return Err(AuthError::Expired);
        }
        self.0
            .last_used
            .note(known.key.id, &known.last_noted_at_ms, now_ms);
        Ok(known.principal.clone())
    }

    /// Drops what is remembered of a key: the next caller with it has the store asked.
    ///
    /// To be called where another process says that it changed the key.
    pub fn forget(&self, id: ApiKeyId) {
        self.0.cache.known.forget(id, self.now_ms());
    }

    /// Drops what is remembered of a user: the next caller with a token has the store asked.
    ///
    /// To be called where another process says that what the user may do has changed.
    pub fn forget_user(&self, user: UserId) {
        self.0.tokens.standings.forget(user, self.now_ms());
    }

    /// Drops everything remembered, as after a time without news from other processes.
    pub fn forget_all(&self) {
        self.0.cache.known.forget_all();
        self.0.cache.unknown.invalidate_all();
        self.0.tokens.standings.forget_all();
        self.0.tokens.organizations.forget_all();
    }

    async fn find(&self, hash: SecretHash, now_ms: i64) -> Result<Arc<Entry<Known>>, AuthError> {
        let cache = &self.0.cache;
        if let Some(known) = cache.known.find(&hash, now_ms).await {
            return Ok(known);
        }
        if let Some(since_ms) = cache.unknown.get(&hash).await
            && is_within(now_ms, since_ms, UNKNOWN_FOR_MS)
        {
            return Err(AuthError::Unknown);
        }
        let loaded = cache
            .known
            .find_or_load(hash, now_ms, || self.load(hash))
            .await;
        if matches!(loaded, Err(AuthError::Unknown)) {
            cache.unknown.insert(hash, now_ms).await;
        }
        loaded
    }

    async fn load(&self, hash: SecretHash) -> Result<Known, AuthError> {
        let found = async {
            self.0
                .store
                .read()
                .await?
                .admin()
                .api_key_by_hash(&hash)
                .await
        }
        .await
        .map_err(|error| AuthError::Unavailable(Arc::new(error)))?;
        let key = found.ok_or(AuthError::Unknown)?;
        let principal = Arc::new(Principal::ApiKey(ApiKeyPrincipal {
            key_id: key.id,
            name: key.name.clone(),
            organization_id: key.organization_id,
            capabilities: key.capabilities,
            session_ids: key.session_ids.clone(),
        }));
        let last_noted = key.last_used_at.max(self.0.last_used.waiting(key.id));
        Ok(Known {
            key,
            principal,
            last_noted_at_ms: AtomicI64::new(last_noted.unwrap_or(i64::MIN)),
        })
    }
}
