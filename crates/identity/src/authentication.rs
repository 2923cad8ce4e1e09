//! Recognizing callers by their key, from a cache.
//!
//! The cache is keyed by the SHA-256 of the secret, as the store is: comparing hashes
//! needs no constant time, because nobody can choose a secret by the hash that it has.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use moka::future::Cache;
use wagate_model::{ApiKey, ApiKeyId, ApiKeyPrincipal, ApiKeySecret};

use crate::error::AuthError;
use crate::principal::Principal;
use crate::service::Identity;

/// How long a key is believed without asking the store again.
const KNOWN_FOR_MS: i64 = 30_000;
/// How long a secret is believed to be unknown.
const UNKNOWN_FOR_MS: i64 = 10_000;
const MAX_KNOWN: u64 = 100_000;
const MAX_UNKNOWN: u64 = 10_000;
/// Longer than an entry is believed and any answer of the store can be under way.
const FORGOTTEN_FOR_MS: i64 = 300_000;
/// Marks are swept out when there are more than this many.
const FORGOTTEN_KEPT: usize = 1000;
const MEMORY_FOR: Duration = Duration::from_mins(2);

type SecretHash = [u8; 32];

/// A key as the store told it.
struct Known {
    key: ApiKey,
    principal: Arc<Principal>,
    loaded_at_ms: i64,
    /// How many times a key had been forgotten when the store was asked.
    generation: u64,
    last_noted_at_ms: AtomicI64,
}

/// Says that what was known of a key before is void.
struct Forgotten {
    /// Entries of earlier generations are void.
    since_generation: u64,
    at_ms: i64,
}

/// What is remembered of keys and of secrets that are none.
pub(crate) struct KeyCache {
    known: Cache<SecretHash, Arc<Known>>,
    unknown: Cache<SecretHash, i64>,
    forgotten: RwLock<HashMap<ApiKeyId, Forgotten>>,
    generation: AtomicU64,
}

impl KeyCache {
    pub(crate) fn new() -> Self {
        Self {
            known: Cache::builder()
                .max_capacity(MAX_KNOWN)
                .time_to_live(MEMORY_FOR)
                .build(),
            unknown: Cache::builder()
                .max_capacity(MAX_UNKNOWN)
                .time_to_live(MEMORY_FOR)
                .build(),
            forgotten: RwLock::default(),
            generation: AtomicU64::new(0),
        }
    }

    fn is_forgotten(&self, known: &Known) -> bool {
        let forgotten = self
            .forgotten
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        forgotten
            .get(&known.key.id)
            .is_some_and(|mark| mark.since_generation > known.generation)
    }

    fn forget(&self, id: ApiKeyId, now_ms: i64) {
        let mut forgotten = self
            .forgotten
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let since_generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        if forgotten.len() >= FORGOTTEN_KEPT {
            forgotten.retain(|_, mark| is_within(now_ms, mark.at_ms, FORGOTTEN_FOR_MS));
        }
        forgotten.insert(
            id,
            Forgotten {
                since_generation,
                at_ms: now_ms,
            },
        );
    }
}

fn is_within(now_ms: i64, since_ms: i64, lifetime_ms: i64) -> bool {
    (0..lifetime_ms).contains(&now_ms.saturating_sub(since_ms))
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
        self.0.cache.forget(id, self.now_ms());
    }

    /// Drops everything remembered, as after a time without news from other processes.
    pub fn forget_all(&self) {
        self.0.cache.known.invalidate_all();
        self.0.cache.unknown.invalidate_all();
    }

    async fn find(&self, hash: SecretHash, now_ms: i64) -> Result<Arc<Known>, AuthError> {
        let cache = &self.0.cache;
        if let Some(known) = cache.known.get(&hash).await {
            // A clock that went back ends belief too.
            if is_within(now_ms, known.loaded_at_ms, KNOWN_FOR_MS) && !cache.is_forgotten(&known) {
                return Ok(known);
            }
            cache.known.invalidate(&hash).await;
        }
        if let Some(since_ms) = cache.unknown.get(&hash).await
            && is_within(now_ms, since_ms, UNKNOWN_FOR_MS)
        {
            return Err(AuthError::Unknown);
        }
        loop {
            // Callers that ask for the same key together wait for one answer.
            match cache.known.try_get_with(hash, self.load(hash)).await {
                // That answer may have been under way when the key was forgotten.
                Ok(known) if cache.is_forgotten(&known) => {
                    cache.known.invalidate(&hash).await;
                }
                Ok(known) => return Ok(known),
                Err(error) => {
                    if matches!(*error, AuthError::Unknown) {
                        cache.unknown.insert(hash, now_ms).await;
                    }
                    return Err(AuthError::clone(&error));
                }
            }
        }
    }

    async fn load(&self, hash: SecretHash) -> Result<Arc<Known>, AuthError> {
        let generation = self.0.cache.generation.load(Ordering::SeqCst);
        let loaded_at_ms = self.now_ms();
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
        Ok(Arc::new(Known {
            key,
            principal,
            loaded_at_ms,
            generation,
            last_noted_at_ms: AtomicI64::new(last_noted.unwrap_or(i64::MIN)),
        }))
    }
}
