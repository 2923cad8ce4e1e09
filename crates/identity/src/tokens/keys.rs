//! The keys that this installation signs login tokens with.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wagate_model::TokenKeyId;
use wagate_store::{Lane, Store, StoreError, TokenKey};

use super::jws::{KeySet, VerifyingKey, encode};
use super::mint::TOKEN_LIFETIME_MS;
use super::verify::LEEWAY_MS;
use crate::error::IdentityError;
use crate::service::Identity;

/// How long keys are used to sign without a look into the store, and how long a key that is
/// not known is believed to be none.
const KNOWN_FOR_MS: i64 = 1_000;

/// How often keys that were ever asked for are looked at: another process may change them.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a retired key is of use: its tokens' lifetime, and as long again for clocks that
/// differ.
const RETIRED_FOR_MS: i64 = TOKEN_LIFETIME_MS + 2 * LEEWAY_MS;

const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// What stands before the seed in the PKCS#8 form of an Ed25519 key (RFC 8410, 7).
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// The key that signs.
pub(crate) struct Signer {
    pub(crate) id: TokenKeyId,
    pair: Ed25519KeyPair,
    created_at: i64,
}

impl Signer {
    pub(crate) fn sign(&self, message: &str) -> Vec<u8> {
        self.pair.sign(message.as_bytes()).as_ref().to_vec()
    }
}

/// The keys as the store has them.
pub(crate) struct OwnKeys {
    /// All that tokens may be signed with.
    pub(crate) set: Arc<KeySet>,
    ids: Vec<(TokenKeyId, Option<i64>)>,
    published: Arc<Value>,
    signer: Option<Signer>,
}

// Keys do not change but for their end.
impl PartialEq for OwnKeys {
    fn eq(&self, other: &Self) -> bool {
        self.ids == other.ids
    }
}

impl OwnKeys {
    fn new(keys: &[TokenKey]) -> Self {
        let named = |key: &TokenKey| {
            let public = VerifyingKey::Ed25519(key.public_key.clone());
            (key.id.to_string(), public)
        };
        let published: Vec<_> = keys.iter().map(jwk).collect();
        // Two that were made at the same time may both be there: the later one signs.
        let newest = keys.iter().rfind(|key| key.retired_at.is_none());
        let signer = newest.and_then(|key| {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key.private_key);
            if pair.is_err() {
                tracing::error!(key = %key.id, "a key for login tokens cannot be read");
            }
            Some(Signer {
                id: key.id,
                pair: pair.ok()?,
                created_at: key.created_at,
            })
        });
        Self {
            set: Arc::new(KeySet::new(keys.iter().map(named))),
            ids: keys.iter().map(|key| (key.id, key.retired_at)).collect(),
            published: Arc::new(json!({ "keys": published })),
            signer,
        }
    }

    /// The key that signs, unless it is too old for that.
    fn signer(&self, now_ms: i64, days: u32) -> Option<&Signer> {
        let lifetime_ms = i64::from(days) * DAY_MS;
        self.signer
            .as_ref()
            .filter(|signer| now_ms.saturating_sub(signer.created_at) < lifetime_ms)
    }

    fn has_outdated(&self, now_ms: i64) -> bool {
        let ends = self.ids.iter().filter_map(|(_, retired_at)| *retired_at);
        let mut ends = ends.map(|at| at.saturating_add(RETIRED_FOR_MS));
        ends.any(|end| end <= now_ms)
    }
}

fn jwk(key: &TokenKey) -> Value {
    json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "use": "sig",
        "alg": "EdDSA",
        "kid": key.id.to_string(),
        "x": encode(&key.public_key),
    })
}

async fn load(store: Store) -> Result<OwnKeys, Arc<StoreError>> {
    let keys = async { store.read().await?.admin().token_keys().await };
    match keys.await {
        Ok(keys) => Ok(OwnKeys::new(&keys)),
        Err(error) => {
            tracing::warn!(%error, "the keys of login tokens were not loaded");
            Err(Arc::new(error))
        }
    }
}

impl Identity {
    /// The public keys of login tokens made here, as a JWK set (RFC 7517).
    ///
    /// One that was retired is among them as long as its tokens live.
    pub async fn jwks(&self) -> Result<Arc<Value>, IdentityError> {
        if !self.0.config.has_builtin_issuer {
            return Ok(Arc::new(json!({ "keys": [] })));
        }
        let keys = self.keys_to_sign_with().await?;
        Ok(Arc::clone(&keys.published))
    }

    /// Makes a new key that signs from now on, and gives its id.
    ///
    /// Tokens of earlier keys are good until they expire, unless those are revoked: then every
    /// token made so far is refused within a second, and browsers get new ones by themselves.
    pub async fn rotate_token_keys(
        &self,
        revokes_earlier: bool,
    ) -> Result<TokenKeyId, IdentityError> {
        let key = self.new_token_key();
        let id = key.id;
        self.0
            .store
            .write(Lane::SHARED, move |tx| {
                async move {
                    let mut admin = tx.admin();
                    admin.rotate_token_keys(&key).await?;
                    if revokes_earlier {
                        admin.purge_token_keys(i64::MAX).await?;
                    }
                    Ok::<_, StoreError>(())
                }
                .boxed()
            })
            .await?;
        self.load_token_keys(0).await?;
        Ok(id)
    }

    /// The keys that tokens may be signed with, as they are known.
    pub(crate) fn known_token_keys(&self) -> Option<Arc<OwnKeys>> {
        self.0.tokens.own.get()
    }

    /// The keys, among them one of a name where the store has it.
    pub(crate) async fn token_keys_with(
        &self,
        id: Option<&str>,
    ) -> Result<Arc<OwnKeys>, Arc<StoreError>> {
        match self.known_token_keys() {
            Some(keys) if keys.set.find(id).is_some() => Ok(keys),
            _ => self.load_token_keys(KNOWN_FOR_MS).await,
        }
    }

    /// The keys with one that signs: made here where there is none, or none that is new enough.
    pub(crate) async fn keys_to_sign_with(&self) -> Result<Arc<OwnKeys>, IdentityError> {
        let days = self.0.config.token_key_days;
        let keys = self.load_token_keys(KNOWN_FOR_MS).await?;
        if keys.signer(self.now_ms(), days).is_some() {
            return Ok(keys);
        }
        self.make_due_token_key().await?;
        Ok(self.load_token_keys(0).await?)
    }

    async fn load_token_keys(&self, pause_ms: i64) -> Result<Arc<OwnKeys>, Arc<StoreError>> {
        let own = &self.0.tokens.own;
        let loaded = own.refresh(pause_ms, load(self.0.store.clone())).await;
        match own.get() {
            // Better than nothing, also where the store has just failed.
            Some(keys) => Ok(keys),
            None => loaded.map(|()| Arc::new(OwnKeys::new(&[]))),
        }
    }

    fn new_token_key(&self) -> TokenKey {
        let mut seed = [0; 32];
        self.0.randomness.fill(&mut seed);
        let private_key = [PKCS8_HEAD.as_slice(), &seed].concat();
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .expect("any 32 bytes are the seed of a key (RFC 8032, 5.1.5)");
        let (time, random) = self.ulid_parts();
        TokenKey {
            id: TokenKeyId::from_parts(time, random),
            private_key,
            public_key: pair.public_key().as_ref().to_vec(),
            created_at: self.now_ms(),
            retired_at: None,
        }
    }

    /// Adds a key unless the store has one that is new enough: another process may have been
    /// quicker. Two that find each other too late leave two keys, which does no harm.
    async fn make_due_token_key(&self) -> Result<(), StoreError> {
        let (key, now_ms) = (self.new_token_key(), self.now_ms());
        let days = self.0.config.token_key_days;
        self.0
            .store
            .write(Lane::SHARED, move |tx| {
                async move {
                    let mut admin = tx.admin();
                    let keys = OwnKeys::new(&admin.token_keys().await?);
                    if keys.signer(now_ms, days).is_none() {
                        admin.rotate_token_keys(&key).await?;
                    }
                    Ok(())
                }
                .boxed()
            })
            .await
    }

    /// Follows the keys of a process that uses them, until stopped: those that other processes
    /// made or revoked, the next one when it is due, and the end of those that are of no use.
    pub(crate) async fn keep_token_keys(&self, stop: CancellationToken) {
        let looks = async {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                if self.known_token_keys().is_some()
                    && let Err(error) = self.look_at_token_keys().await
                {
                    tracing::warn!(%error, "the keys of login tokens were not looked after");
                }
            }
        };
        stop.run_until_cancelled(looks).await;
    }

    pub(crate) async fn look_at_token_keys(&self) -> Result<(), IdentityError> {
        let keys = self.keys_to_sign_with().await?;
        let now_ms = self.now_ms();
        if !keys.has_outdated(now_ms) {
            return Ok(());
        }
        let before_ms = now_ms.saturating_sub(RETIRED_FOR_MS).saturating_add(1);
        self.0
            .store
            .write(Lane::SHARED, move |tx| {
                async move { tx.admin().purge_token_keys(before_ms).await }.boxed()
            })
            .await?;
        self.load_token_keys(0).await?;
        Ok(())
    }
}

impl OwnKeys {
    /// The key that signs.
    pub(crate) const fn newest(&self) -> Option<&Signer> {
        self.signer.as_ref()
    }
}
