//! What all parts of the server share.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio_util::sync::CancellationToken;

use crate::accounting::Accounting;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::journal::{Journal, JournalError};

use super::groups::Groups;
use super::media::{MediaAuth, MediaFiles};
use super::pairings::Pairings;
use super::state::Directory;

/// What a server is made with.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where the time comes from.
    pub clock: Clock,
    /// Older clients are refused with `<failure reason="405">`: primary, secondary, tertiary.
    pub min_client_version: Option<[u32; 3]>,
    /// Makes numbers, ids and probabilities repeatable.
    pub seed: Option<u64>,
    /// How many companions an account may have; WhatsApp allows four.
    pub max_companions: usize,
    /// How many stanzas may wait for a socket to take them before it is cut.
    pub socket_queue_len: usize,
    /// How long a companion may take from `pair-success` to its first login.
    pub link_timeout_ms: u64,
    /// How long a client may take to ask for more of its backlog before it gets the rest unasked.
    pub offline_patience_ms: u64,
    /// Below this many one-time prekeys a device is told to upload more.
    pub low_prekeys: usize,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            min_client_version: None,
            seed: None,
            max_companions: 4,
            socket_queue_len: 1_024,
            link_timeout_ms: 60_000,
            offline_patience_ms: 2_000,
            low_prekeys: 10,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: ServerConfig,
    pub(crate) journal: Journal,
    pub(crate) directory: Directory,
    pub(in crate::server) groups: Groups,
    pub(crate) pairings: Pairings,
    pub(crate) accounting: Accounting,
    pub(crate) faults: Faults,
    pub(crate) media: MediaFiles,
    pub(crate) media_auth: MediaAuth,
    pub(crate) shutdown: CancellationToken,
    /// Whose turn it is to change queues and books.
    pub(crate) turns: Mutex<()>,
    rng: Mutex<StdRng>,
    next_link_id: AtomicU64,
    /// Where the simulator listens, known once it does.
    address: OnceLock<SocketAddr>,
}

impl Inner {
    pub(crate) fn open(config: ServerConfig, journal: Journal) -> Result<Self, JournalError> {
        let mut rng = match config.seed {
            Some(seed) => StdRng::seed_from_u64(seed),
            None => rand::make_rng(),
        };
        let faults = Faults::new(rng.random());
        let accounting = Accounting::restore(&journal)?;
        Ok(Self {
            directory: super::restore::directory(&journal)?,
            groups: Groups::restore(&journal)?,
            media: MediaFiles::restore(&journal)?,
            media_auth: MediaAuth::new(),
            config,
            journal,
            pairings: Pairings::default(),
            accounting,
            faults,
            shutdown: CancellationToken::new(),
            turns: Mutex::new(()),
            rng: Mutex::new(rng),
            next_link_id: AtomicU64::new(1),
            address: OnceLock::new(),
        })
    }

    pub(crate) fn set_address(&self, address: SocketAddr) {
        self.address.get_or_init(|| address);
    }

    /// Host and port of the simulator's HTTP side.
    pub(crate) fn media_host(&self) -> String {
        self.address
            .get()
            .map_or_else(|| "localhost".to_owned(), SocketAddr::to_string)
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.media_host())
    }

    pub(crate) fn now_s(&self) -> i64 {
        self.config.clock.now_s()
    }

    pub(crate) fn next_link_id(&self) -> u64 {
        self.next_link_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Runs something with the server's random numbers.
    pub(crate) fn with_rng<T>(&self, take: impl FnOnce(&mut StdRng) -> T) -> T {
        take(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An id for a stanza that the server starts.
    pub(crate) fn stanza_id(&self) -> String {
        self.with_rng(|rng| rng.random_range(100_000_000_u32..u32::MAX))
            .to_string()
    }
}
