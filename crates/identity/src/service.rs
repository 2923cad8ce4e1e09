//! The service over the store.

use std::fmt;
use std::sync::Arc;

use wagate_model::Clock;
use wagate_store::Store;

use crate::audit::AuditIds;
use crate::authentication::KeyCache;
use crate::config::IdentityConfig;
use crate::last_used::LastUsed;
use crate::oidc::{Provider, ProviderConfig};
use crate::people::PasswordHashing;
use crate::randomness::Randomness;
use crate::tokens::Tokens;

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) config: IdentityConfig,
    pub(crate) passwords: Arc<PasswordHashing>,
    pub(crate) audit_ids: AuditIds,
    pub(crate) cache: KeyCache,
    pub(crate) last_used: LastUsed,
    pub(crate) tokens: Tokens,
    pub(crate) providers: Vec<Provider>,
}

/// People, organizations and API keys, shared by cloning.
#[derive(Clone)]
pub struct Identity(pub(crate) Arc<Inner>);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("store", &self.0.store)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// The service over a store, with time and chance as given.
    #[must_use]
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
        config: IdentityConfig,
    ) -> Self {
        let provider = |provider: &ProviderConfig| {
            Provider::new(
                provider.clone(),
                config.issuer_client.clone(),
                Arc::clone(&clock),
            )
        };
        Self(Arc::new(Inner {
            providers: config.providers.iter().map(provider).collect(),
            tokens: Tokens::new(&config, &clock),
            store,
            clock,
            randomness,
            passwords: PasswordHashing::new(config.password_cost),
            config,
            audit_ids: AuditIds::default(),
            cache: KeyCache::new(),
            last_used: LastUsed::default(),
        }))
    }

    /// What the operator has set.
    #[must_use]
    pub fn config(&self) -> &IdentityConfig {
        &self.0.config
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.0.clock.now_ms()
    }

    /// The two parts of a new ULID: the time, and 80 random bits.
    pub(crate) fn ulid_parts(&self) -> (u64, u128) {
        let mut random = [0; 16];
        self.0.randomness.fill(&mut random[6..]);
        (
            u64::try_from(self.now_ms()).unwrap_or(0),
            u128::from_be_bytes(random),
        )
    }
}
