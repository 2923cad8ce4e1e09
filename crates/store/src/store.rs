//! The store: reads from a pool, writes through writers that share commits.

use std::fmt;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wagate_model::{Clock, OrganizationId};

use crate::connect::{Readers, StoreConfig, Target};
use crate::error::{Result, StoreError};
use crate::events::CommitListener;
use crate::leases::{Fence, Owned};
use crate::migrations::Migrations;
use crate::seal::MasterKeys;
use crate::tx::{DatabaseKind, Tx};
use crate::writer::{Job, JobQueue, Jobs, MAX_OUTAGE, Writer};

/// PostgreSQL keeps this many subtransactions of a connection at hand; beyond it,
/// every other connection has to look them up on disk (PostgreSQL manual, 67.3).
const MAX_POSTGRES_GROUP: usize = 60;

/// Which writer does a job: jobs of one lane are done in the order in which they were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane(u64);

impl Lane {
    /// For work that belongs to no organization.
    pub const SHARED: Self = Self(0);
}

impl From<OrganizationId> for Lane {
    fn from(organization: OrganizationId) -> Self {
        // The low bits of a ULID are random, and every process computes the same lane.
        Self(u64::try_from(organization.ulid().random() & u128::from(u64::MAX)).unwrap_or(0))
    }
}

impl From<&OrganizationId> for Lane {
    fn from(organization: &OrganizationId) -> Self {
        Self::from(*organization)
    }
}

struct Inner {
    kind: DatabaseKind,
    readers: Readers,
    lanes: Vec<JobQueue>,
    keys: Arc<MasterKeys>,
    clock: Arc<dyn Clock>,
    closing: CancellationToken,
    writers: Mutex<Vec<JoinHandle<()>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The writers finish what they were given and close their connections.
        self.closing.cancel();
    }
}

/// The database, shared by cloning.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("database", &self.0.kind)
            .finish_non_exhaustive()
    }
}

/// Starts a lane's writer, and gives what ends with it.
///
/// SQLite's statements are done by a thread of the connection, and each is waited for: the
/// two threads hand over to each other directly, which costs a fraction of waking a task of
/// the runtime for every statement.
fn spawn_writer(kind: DatabaseKind, writer: Writer, jobs: Jobs) -> Result<JoinHandle<()>> {
    if kind == DatabaseKind::Postgres {
        return Ok(tokio::spawn(writer.run(jobs)));
    }
    let runtime = Handle::current();
    let (ended, end) = oneshot::channel();
    std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || {
            runtime.block_on(writer.run(jobs));
            // Nobody may be waiting.
            let _ = ended.send(());
        })
        .map_err(|error| StoreError::Config(format!("the writer cannot be started: {error}")))?;
    Ok(tokio::spawn(async move {
        // Where the writer panicked, its end is told by the channel's.
        let _ = end.await;
    }))
}

impl Store {
    /// Connects, brings the schema up to date, and starts the writers.
    pub async fn open(
        config: StoreConfig,
        clock: Arc<dyn Clock>,
        keys: MasterKeys,
        listener: Arc<dyn CommitListener>,
    ) -> Result<Self> {
        let target = Target::of(&config)?;
        target.ensure_schema(config.schema.as_deref()).await?;
        target.migrate(config.migrations).await?;
        let kind = target.kind();
        let (lane_count, max_group) = match kind {
            DatabaseKind::Sqlite => (1, config.max_group),
            DatabaseKind::Postgres => (
                config.lanes.max(1),
                config.max_group.min(MAX_POSTGRES_GROUP),
            ),
        };
        let keys = Arc::new(keys);
        let readers = target.readers(config.readers.max(1)).await?;
        let closing = CancellationToken::new();
        let mut lanes = Vec::with_capacity(lane_count);
        let mut writers = Vec::with_capacity(lane_count);
        for _ in 0..lane_count {
            let (queue, jobs) = JobQueue::bounded(config.max_waiting.max(1));
            let writer = Writer {
                target: target.clone(),
                keys: keys.clone(),
                clock: clock.clone(),
                listener: listener.clone(),
                max_group: max_group.max(1),
                max_outage: MAX_OUTAGE,
                closing: closing.clone(),
            };
            lanes.push(queue);
            writers.push(spawn_writer(kind, writer, jobs)?);
        }
        Ok(Self(Arc::new(Inner {
            kind,
            readers,
            lanes,
            keys,
            clock,
            closing,
            writers: Mutex::new(writers),
        })))
    }

    /// Brings the schema up to date without opening the store.
    pub async fn migrate(config: &StoreConfig) -> Result<()> {
        let target = Target::of(config)?;
        target.ensure_schema(config.schema.as_deref()).await?;
        target.migrate(Migrations::Run).await
    }

    /// Which database this is.
    #[must_use]
    pub fn database(&self) -> DatabaseKind {
        self.0.kind
    }

    /// The master keys, for proofs that belong to no row.
    #[must_use]
    pub fn keys(&self) -> &Arc<MasterKeys> {
        &self.0.keys
    }

    /// The clock that the store was opened with.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// The time now, in milliseconds since 1970, by the clock that the store was opened with.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.0.clock.now_ms()
    }

    /// Takes a connection that can only read; each statement sees the latest commit.
    pub async fn read(&self) -> Result<Tx> {
        Ok(Tx::new(
            self.0.readers.acquire().await?,
            self.0.keys.clone(),
        ))
    }

    /// Runs a job in a writer's transaction and waits until it is committed.
    ///
    /// Jobs of one lane run one after the other, in the order given; jobs that wait
    /// at the same time share a commit. The job must do nothing but SQL: everyone
    /// in its lane waits for it. When it fails or panics, what it wrote is undone
    /// and only it fails; when the commit fails, the error is retryable and the job
    /// may or may not be stored. The job runs to its end even if the caller is gone.
    pub async fn write<T, E, F>(&self, lane: impl Into<Lane>, job: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (job, answer) = Job::new(None, job);
        self.run(lane.into(), job, answer, false).await
    }

    /// As [`Self::write`], before all jobs that wait: for what must not be late however
    /// much there is to do, such as leases, and takes little time.
    pub async fn write_urgently<T, E, F>(&self, lane: impl Into<Lane>, job: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (job, answer) = Job::new(None, job);
        self.run(lane.into(), job, answer, true).await
    }

    /// Runs a job of a session's owner like [`write`](Self::write), where the fence holds.
    pub async fn write_owned<T, E, F>(
        &self,
        organization: OrganizationId,
        fence: Fence,
        job: F,
    ) -> Result<T, E>
    where
        F: for<'a, 't> FnOnce(&'a mut Owned<'t>) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (job, answer) = Job::new(Some(fence.session_id), move |tx: &mut Tx| {
            Box::pin(async move {
                let mut owned = tx.owned(&fence).await?;
                job(&mut owned).await
            })
        });
        self.run(organization.into(), job, answer, false).await
    }

    async fn run<T, E>(
        &self,
        lane: Lane,
        job: Job,
        answer: oneshot::Receiver<Result<T, E>>,
        is_urgent: bool,
    ) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        let lanes = &self.0.lanes;
        let index = lane.0 % u64::try_from(lanes.len()).unwrap_or(1);
        let queue = &lanes[usize::try_from(index).unwrap_or(0)];
        if self.0.closing.is_cancelled() {
            return Err(StoreError::Closed.into());
        }
        queue.push(job, is_urgent).await?;
        answer
            .await
            .unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        self.read().await?.run("SELECT 1").await
    }

    /// Finishes the jobs that were given and closes every connection.
    pub async fn close(&self) {
        self.0.closing.cancel();
        let writers = {
            let mut writers = self
                .0
                .writers
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            std::mem::take(&mut *writers)
        };
        for writer in writers {
            if writer.await.is_err() {
                tracing::error!("a database writer panicked");
            }
        }
        self.0.readers.close().await;
    }
}
