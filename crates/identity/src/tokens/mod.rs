//! Login tokens: made here, and accepted from here and from other issuers.

mod issuers;
pub(crate) mod jws;
mod keys;
mod mint;
mod refreshed;
mod remote_keys;
mod standings;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use wagate_model::Clock;
use wagate_store::StoreError;

pub(crate) use self::issuers::MAX_SUBJECT_CHARS;
pub use self::issuers::{ClaimNames, IssuerConfig};
pub use self::mint::MintedToken;
pub(crate) use self::refreshed::Refreshed;
pub(crate) use self::remote_keys::{NoKey, RemoteKeys};
pub(crate) use self::verify::verify_with;

use self::issuers::Issuer;
use self::keys::OwnKeys;
use self::standings::{ORGANIZATION_FOR_MS, Organizations, STANDING_FOR_MS, Standings};
use self::verify::Verified;
use crate::config::IdentityConfig;

const MAX_VERIFIED: u64 = 100_000;
const MAX_STANDINGS: u64 = 100_000;
const MAX_ORGANIZATIONS: u64 = 100_000;
/// A bound for memory: when a token expires is looked at in each use.
const MEMORY_FOR: Duration = Duration::from_mins(10);

/// What is remembered of tokens, and of those who are recognized by them.
pub(crate) struct Tokens {
    /// By the SHA-256 of the token.
    verified: Cache<[u8; 32], Arc<Verified>>,
    own: Arc<Refreshed<OwnKeys, Arc<StoreError>>>,
    issuers: Vec<Issuer>,
    pub(crate) standings: Standings,
    pub(crate) organizations: Organizations,
}

impl Tokens {
    pub(crate) fn new(config: &IdentityConfig, clock: &Arc<dyn Clock>) -> Self {
        let issuer = |issuer: &IssuerConfig| {
            Issuer::new(
                issuer.clone(),
                config.issuer_client.clone(),
                Arc::clone(clock),
            )
        };
        Self {
            verified: Cache::builder()
                .max_capacity(MAX_VERIFIED)
                .time_to_live(MEMORY_FOR)
                .build(),
            own: Refreshed::new(Arc::clone(clock)),
            issuers: config.issuers.iter().map(issuer).collect(),
            standings: Standings::new(MAX_STANDINGS, STANDING_FOR_MS),
            organizations: Organizations::new(MAX_ORGANIZATIONS, ORGANIZATION_FOR_MS),
        }
    }
}
