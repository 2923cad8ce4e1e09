//! What an operator can tune about a gateway.

use std::time::Duration;

use wagate_model::GatewayId;

/// How a gateway behaves; [`GatewayConfig::new`] gives the defaults.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// The gateway's name; the same again after a restart, and no other process's.
    pub id: GatewayId,
    /// Whether something else proves that no other process runs under the name, such as a
    /// lock. Otherwise one that reported lately is watched for a while first.
    pub is_name_held: bool,
    /// The version of the program, for the row in the store.
    pub version: String,
    /// When to renew leases and to poll for sessions.
    pub ownership: OwnershipConfig,
    /// How sessions are brought up and kept up.
    pub sessions: SessionConfig,
    /// How messages are sent.
    pub outbox: OutboxConfig,
}

impl GatewayConfig {
    /// The defaults for a gateway of this name.
    #[must_use]
    pub fn new(id: GatewayId) -> Self {
        Self {
            id,
            is_name_held: false,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ownership: OwnershipConfig::default(),
            sessions: SessionConfig::default(),
            outbox: OutboxConfig::default(),
        }
    }
}

/// When to renew leases and to poll for sessions.
#[derive(Debug, Clone)]
pub struct OwnershipConfig {
    /// For how long a lease lasts, by the database's time.
    pub lease_ttl: Duration,
    /// How often leases are renewed and the heartbeat is written.
    pub renew_every: Duration,
    /// How long before the end of a lease that could not be renewed its client is stopped.
    pub safety_margin: Duration,
    /// How often the store is asked for sessions that wait for an owner.
    pub claim_every: Duration,
    /// Most sessions claimed by one statement.
    pub claim_batch: i64,
    /// How long a drain waits for sessions to end in order.
    pub drain_timeout: Duration,
}

impl Default for OwnershipConfig {
    fn default() -> Self {
        Self {
            lease_ttl: Duration::from_secs(6),
            renew_every: Duration::from_secs(2),
            safety_margin: Duration::from_millis(1_500),
            claim_every: Duration::from_secs(1),
            claim_batch: 256,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// How sessions are brought up and kept up.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// How many sessions may be starting at the same time.
    pub max_starting: usize,
    /// Starts are spread over up to this time.
    pub start_jitter: Duration,
    /// How long a start may take before it is given up and tried again.
    pub start_timeout: Duration,
    /// The delay after a first failure; it doubles up to `max_backoff`.
    pub min_backoff: Duration,
    /// The longest delay after failures.
    pub max_backoff: Duration,
    /// How long WhatsApp may be silent before a connection is probed.
    pub probe_after: Duration,
    /// How long the answer to a probe may take.
    pub probe_timeout: Duration,
    /// Control commands that may wait for one session.
    pub mailbox: usize,
    /// How long a control command may take.
    pub command_timeout: Duration,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            max_starting: 32,
            start_jitter: Duration::from_millis(250),
            start_timeout: Duration::from_secs(30),
            min_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_mins(1),
            probe_after: Duration::from_secs(20),
            probe_timeout: Duration::from_secs(8),
            mailbox: 32,
            command_timeout: Duration::from_secs(25),
        }
    }
}

/// How messages are sent.
#[derive(Debug, Clone)]
pub struct OutboxConfig {
    /// How long a synchronous caller waits for WhatsApp.
    pub sync_timeout: Duration,
    /// Callers that may wait for one session's sends.
    pub max_callers: usize,
    /// Chats of one session that are sent to at the same time.
    pub max_parallel_chats: usize,
    /// Rows that are read from the store at once.
    pub page: i64,
    /// Attempts before a message that fails for now is given up.
    pub max_attempts: i64,
    /// The delay after a first failed attempt; it doubles up to `max_backoff`.
    pub min_backoff: Duration,
    /// The longest delay between attempts.
    pub max_backoff: Duration,
    /// Messages that waited longer than this are not sent any more.
    pub max_age: Duration,
    /// The longest time that typing is shown before a text.
    pub max_typing: Duration,
}

impl Default for OutboxConfig {
    fn default() -> Self {
        Self {
            sync_timeout: Duration::from_secs(55),
            max_callers: 256,
            max_parallel_chats: 16,
            page: 64,
            max_attempts: 10,
            min_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_mins(1),
            max_age: Duration::from_hours(24),
            max_typing: Duration::from_secs(5),
        }
    }
}
