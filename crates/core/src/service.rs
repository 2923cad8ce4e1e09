//! What all use cases share.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use wagate_cluster::{Bus, Placement};
use wagate_delivery::{AddressGuard, SigningRoot};
use wagate_identity::{Identity, Randomness};
use wagate_model::{Clock, RequestId, SessionDefaults};
use wagate_storage::Files;
use wagate_store::Store;

use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::health::Health;
use crate::intake::FileIntake;
use crate::previews::LinkPreviews;
use crate::webhook_tests::WebhookTester;

/// What an operator can set.
#[derive(Debug, Clone)]
pub struct CoreConfig {
    /// What a new session has unless its creator says otherwise.
    pub session_defaults: SessionDefaults,
    /// How long a command may take; more than a gateway gives its sessions.
    pub command_timeout: Duration,
    /// How long a pairing code may take: WhatsApp is asked first.
    pub pairing_timeout: Duration,
    /// How long a send may take; more than a gateway waits for WhatsApp.
    pub send_timeout: Duration,
    /// How long a realtime ticket can be used, in milliseconds.
    pub ticket_ttl_ms: i64,
    /// How often a realtime stream looks into the log without being woken, for wake-ups
    /// that got lost.
    pub stream_poll_interval: Duration,
}

impl Default for CoreConfig {
    fn default() -> Self {
        Self {
            session_defaults: SessionDefaults::default(),
            // Each is longer than a gateway's own limit: whoever gives up first decides the
            // answer, and only the gateway knows what became of a command.
            command_timeout: Duration::from_secs(35),
            pairing_timeout: Duration::from_mins(1),
            send_timeout: Duration::from_secs(65),
            ticket_ttl_ms: 30_000,
            stream_poll_interval: Duration::from_secs(15),
        }
    }
}

/// What the use cases work with.
pub struct Parts {
    /// The store.
    pub store: Store,
    /// The bus.
    pub bus: Bus,
    /// Whom to ask about a session.
    pub placement: Placement,
    /// Whether all of it works.
    pub health: Health,
    /// Organizations and their keys.
    pub identity: Identity,
    /// Messages' files.
    pub files: Files,
    /// Takes in files that are to be sent.
    pub intake: FileIntake,
    /// Looks at pages that texts link to; none where texts show nothing of them.
    pub previews: Option<LinkPreviews>,
    /// Judges URLs that users give.
    pub address_guard: AddressGuard,
    /// Posts test events to webhooks.
    pub webhook_tester: WebhookTester,
    /// What webhooks without a secret of their own are signed with.
    pub signing_root: SigningRoot,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The randomness.
    pub randomness: Arc<dyn Randomness>,
    /// What an operator can set.
    pub config: CoreConfig,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// The use cases; cheap to clone.
#[derive(Clone)]
pub struct Core(Arc<Parts>);

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Core")
    }
}

impl Deref for Core {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Core {
    /// The use cases over their parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Finds out who calls, by an API key or a login token.
    pub async fn authenticate(&self, token: &str) -> Result<Caller> {
        match self.identity.authenticate(token).await {
            Ok(principal) => Ok(Caller::from(principal)),
            Err(error) if error.is_retryable() => {
                tracing::warn!(%error, "a credential could not be looked up");
                Err(Error::unavailable())
            }
            Err(error) => {
                tracing::debug!(%error, "a credential was refused");
                Err(Error::Unauthorized)
            }
        }
    }

    /// A new id for a request that came without one.
    #[must_use]
    pub fn new_request_id(&self) -> RequestId {
        let (time, random) = self.id_parts();
        RequestId::from_parts(time, random)
    }

    /// The time and the random bits of a new id.
    pub(crate) fn id_parts(&self) -> (u64, u128) {
        let mut random = [0; 16];
        self.randomness.fill(&mut random[6..]);
        let time = u64::try_from(self.clock.now_ms()).unwrap_or(0);
        (time, u128::from_be_bytes(random))
    }
}
