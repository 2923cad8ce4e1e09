//! The storage of one session's engine: whose it is, and how it reads and writes.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use tokio::sync::watch;
use wacore::store::error::{Result as EngineResult, StoreError as EngineError};
use wagate_model::{OrganizationId, SessionId};

use super::pending_inbound::PendingInbound;
use super::sent_messages::SentRow;
use crate::error::{Result, StoreError};
use crate::leases::Fence;
use crate::seal::MasterKeys;
use crate::store::Store;
use crate::text::Text;
use crate::tx::Tx;

/// How often a write is repeated when the database ends it to resolve a conflict.
const MAX_REPETITIONS: u32 = 3;

/// The engine's storage of one session, for as long as one lease of it lasts.
///
/// Implements wacore's `Backend`. Every write checks the lease's epoch in its own
/// transaction and is durable when it returns; reads see every write that returned.
/// Nothing is cached here: a session costs a few hundred bytes of memory. Only messages wait
/// in memory, for the transaction that takes them along: decrypted ones and sent ones.
#[derive(Clone)]
pub struct EngineBackend(Arc<Inner>);

struct Inner {
    store: Store,
    keys: Arc<MasterKeys>,
    organization: OrganizationId,
    fence: Fence,
    is_fenced: watch::Sender<bool>,
    pending: Mutex<PendingInbound>,
    sent: Mutex<Vec<Arc<SentRow>>>,
}

impl fmt::Debug for EngineBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineBackend")
            .field("fence", &self.0.fence)
            .field("is_fenced", &self.is_fenced())
            .finish_non_exhaustive()
    }
}

/// What a sealed value is bound to: the session and the rest of its row's key.
pub(crate) fn sealed_row(session: SessionId, parts: &[&[u8]]) -> Vec<u8> {
    // A session's id has one length, and only the last of `parts` has not.
    let mut row = session.to_string().into_bytes();
    for part in parts {
        row.extend_from_slice(part);
    }
    row
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Closed => Self::Connection(Box::new(error)),
            StoreError::Corrupt(_) | StoreError::Seal(_) => Self::Serialization(Box::new(error)),
            _ => Self::Database(Box::new(error)),
        }
    }
}

impl EngineBackend {
    /// Makes the storage of the session that the fence names, which belongs to `organization`.
    pub async fn open(store: Store, organization: OrganizationId, fence: Fence) -> Result<Self> {
        let keys = store.read().await?.keys().clone();
        Ok(Self(Arc::new(Inner {
            store,
            keys,
            organization,
            fence,
            is_fenced: watch::Sender::new(false),
            pending: Mutex::default(),
            sent: Mutex::default(),
        })))
    }

    /// Whether a write was refused because the session belongs to another gateway or epoch.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        *self.0.is_fenced.borrow()
    }

    /// Waits until a write is refused because of the lease: the session must stop at once.
    pub async fn fenced(&self) {
        let mut receiver = self.0.is_fenced.subscribe();
        // The sender lives as long as `self`, so this does not end early.
        let _ = receiver.wait_for(|is_fenced| *is_fenced).await;
    }

    /// The session whose state this is.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.0.fence.session_id
    }

    pub(crate) fn organization(&self) -> OrganizationId {
        self.0.organization
    }

    /// The session's id as the tables hold it.
    pub(crate) fn session(&self) -> Text<SessionId> {
        Text(self.session_id())
    }

    /// The sent messages that are not stored yet.
    pub(crate) fn sent(&self) -> MutexGuard<'_, Vec<Arc<SentRow>>> {
        self.0.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The messages that wait to be committed.
    pub(crate) fn pending(&self) -> MutexGuard<'_, PendingInbound> {
        self.0
            .pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection for reading.
    pub(crate) async fn reader(&self) -> Result<Tx> {
        self.0.store.read().await
    }

    /// The time, by the store's clock.
    pub(crate) fn now_ms(&self) -> i64 {
        self.0.store.now_ms()
    }

    /// Encrypts a value for a row of this session.
    pub(crate) fn seal(&self, table: &str, row: &[&[u8]], plain: &[u8]) -> Vec<u8> {
        self.0
            .keys
            .seal(table, &sealed_row(self.session_id(), row), plain)
    }

    /// Decrypts a value of a row of this session.
    pub(crate) fn unseal(&self, table: &str, row: &[&[u8]], sealed: &[u8]) -> Result<Vec<u8>> {
        Ok(self
            .0
            .keys
            .open(table, &sealed_row(self.session_id(), row), sealed)?)
    }

    /// Fails once a write was refused because of the lease.
    pub(crate) fn check_not_fenced(&self) -> EngineResult<()> {
        if self.is_fenced() {
            return Err(StoreError::Fenced.into());
        }
        Ok(())
    }

    /// Runs a job in a transaction that holds only while the lease does.
    pub(crate) async fn write<T, F>(&self, job: F) -> EngineResult<T>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Clone + Send + 'static,
        T: Send + 'static,
    {
        self.check_not_fenced()?;
        let mut repetitions = 0;
        loop {
            let fence = self.0.fence.clone();
            let job = job.clone();
            let outcome: Result<T> = self
                .0
                .store
                .write_owned(self.0.organization, fence, move |owned| job(owned))
                .await;
            match outcome {
                Ok(value) => return Ok(value),
                Err(StoreError::Conflicted(_)) if repetitions < MAX_REPETITIONS => repetitions += 1,
                Err(StoreError::Fenced) => {
                    if !self.0.is_fenced.send_replace(true) {
                        tracing::warn!(session.id = %self.session_id(), "the engine's storage was fenced off");
                    }
                    return Err(StoreError::Fenced.into());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
