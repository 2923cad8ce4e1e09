//! Whether a process can do its work now.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::Mutex;
use tokio::time::Instant;
use wagate_cluster::Bus;
use wagate_storage::Files;
use wagate_store::{Lane, Store, StoreError};

/// How long a write may take, everything that waits before it included.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a write that went through is believed: whoever asks costs no write of their own.
const WRITE_BELIEVED: Duration = Duration::from_secs(1);

/// The row that is written.
const SETTING: &str = "last_health_check";

/// Whether each thing that the service needs works now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// The database answers.
    pub is_store_ready: bool,
    /// The database takes what is written.
    pub is_writer_ready: bool,
    /// The bus works.
    pub is_bus_ready: bool,
    /// Files of messages come in; not while the disk is full, which hinders nothing else.
    pub takes_files: bool,
}

impl Readiness {
    /// Whether everything works.
    #[must_use]
    pub const fn is_ready(self) -> bool {
        self.is_store_ready && self.is_writer_ready && self.is_bus_ready
    }
}

/// Looks at what every role needs; cheap to clone.
#[derive(Clone)]
pub struct Health(Arc<Inner>);

struct Inner {
    store: Store,
    bus: Bus,
    files: Option<Files>,
    written_at: Mutex<Option<Instant>>,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Health")
    }
}

impl Health {
    /// The health of a process with this store and bus.
    #[must_use]
    pub fn new(store: Store, bus: Bus) -> Self {
        Self::with_files(store, bus, None)
    }

    /// The health of a process that takes files, too.
    #[must_use]
    pub fn with_files(store: Store, bus: Bus, files: Option<Files>) -> Self {
        Self(Arc::new(Inner {
            store,
            bus,
            files,
            written_at: Mutex::default(),
        }))
    }

    /// Whether the process can do its work now.
    pub async fn readiness(&self) -> Readiness {
        Readiness {
            is_store_ready: self.0.store.ping().await.is_ok(),
            is_writer_ready: self.is_writer_ready().await,
            is_bus_ready: self.0.bus.is_ready(),
            takes_files: self.0.files.as_ref().is_none_or(Files::takes_files),
        }
    }

    /// Whether a write goes through: a disk that is full still answers reads.
    async fn is_writer_ready(&self) -> bool {
        let mut written_at = self.0.written_at.lock().await;
        if written_at.is_some_and(|at| at.elapsed() < WRITE_BELIEVED) {
            return true;
        }
        let now_ms = self.0.store.now_ms();
        let write = self
            .0
            .store
            .write::<_, StoreError, _>(Lane::SHARED, move |tx| {
                async move { tx.admin().put_setting(SETTING, &now_ms, now_ms).await }.boxed()
            });
        let is_written = match tokio::time::timeout(WRITE_TIMEOUT, write).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the database does not take a write");
                false
            }
            Err(_) => {
                tracing::warn!("the database does not take a write in time");
                false
            }
        };
        *written_at = is_written.then(Instant::now);
        is_written
    }
}
