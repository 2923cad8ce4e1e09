//! The worker: claims due deliveries, has them posted, and writes down what came of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use wagate_store::{Store, StoreError};

use crate::courier::Courier;
use crate::shift::Shift;
use crate::telemetry;

/// What a lease must leave beyond the longest request, to write down how it ended.
const LEASE_MARGIN: Duration = Duration::from_secs(5);
const REPORTED_EVERY: Duration = Duration::from_secs(30);

/// How the worker works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerConfig {
    /// The name of this process, under which deliveries are leased.
    pub owner: String,
    /// Most requests under way in this process.
    pub concurrency: usize,
    /// Most requests under way to one webhook, from all processes.
    pub per_webhook: usize,
    /// For how long a delivery is claimed; longer than the longest request by 5 s or more.
    pub lease: Duration,
    /// How often the store is asked when nobody says that there is work.
    pub poll: Duration,
    /// For how long a webhook may fail without a break before it is disabled.
    pub disable_after: Duration,
    /// How long requests under way may go on when the worker stops.
    pub grace: Duration,
}

impl WorkerConfig {
    /// The defaults, for a process of this name.
    pub fn new(owner: impl Into<String>) -> Self {
        Self {
            owner: owner.into(),
            concurrency: 1024,
            per_webhook: 32,
            lease: Duration::from_mins(1),
            poll: Duration::from_secs(1),
            disable_after: Duration::from_hours(5 * 24),
            grace: Duration::from_secs(10),
        }
    }
}

/// The configuration of the worker cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkerConfigError {
    /// Requests could outlive their lease, and would be repeated by another worker.
    #[error(
        "the lease of a webhook delivery ({lease:?}) must be at least {} s longer than the \
         longest request ({request:?})",
        LEASE_MARGIN.as_secs()
    )]
    ShortLease {
        /// The configured lease.
        lease: Duration,
        /// The configured time-out of a request.
        request: Duration,
    },
    /// Nothing would ever be delivered.
    #[error("the concurrency of webhook deliveries must be at least 1")]
    NoConcurrency,
}

/// Delivers what is due until it is told to stop.
pub struct DeliveryWorker {
    pub(crate) store: Store,
    pub(crate) courier: Courier,
    pub(crate) wake: Arc<Notify>,
    pub(crate) config: WorkerConfig,
}

impl fmt::Debug for DeliveryWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliveryWorker")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl DeliveryWorker {
    /// A worker that looks for work at once when it is notified by `wake`.
    ///
    /// Whoever commits deliveries, here or in another process, calls `notify_one` then.
    /// A lost call delays them by no more than the polling interval.
    pub fn new(
        store: Store,
        courier: Courier,
        wake: Arc<Notify>,
        config: WorkerConfig,
    ) -> Result<Self, WorkerConfigError> {
        let request = courier.client().timeouts().total;
        if config.lease < request + LEASE_MARGIN {
            return Err(WorkerConfigError::ShortLease {
                lease: config.lease,
                request,
            });
        }
        if config.concurrency == 0 || config.per_webhook == 0 {
            return Err(WorkerConfigError::NoConcurrency);
        }
        Ok(Self {
            store,
            courier,
            wake,
            config,
        })
    }

    /// Works until stopped; then lets requests end for a while and gives the rest back.
    pub async fn run(self, stop: CancellationToken) {
        let worker = Arc::new(self);
        let reporter = worker.clone();
        let reports = stop.run_until_cancelled(reporter.report());
        tokio::join!(Box::pin(Shift::new(worker).work(&stop)), reports);
    }

    /// Tells the figures of the queue from time to time.
    async fn report(&self) {
        loop {
            if let Err(error) = self.report_once().await {
                tracing::debug!(error = %error, "the figures of the webhook queue cannot be read");
            }
            tokio::time::sleep(REPORTED_EVERY).await;
        }
    }

    async fn report_once(&self) -> Result<(), StoreError> {
        let mut tx = self.store.read().await?;
        let (pending, dead) = tx.admin().delivery_counts().await?;
        let next_at_ms = tx.admin().next_delivery_at().await?;
        let now_ms = self.courier.clock().now_ms();
        telemetry::queue(pending, dead, next_at_ms.map_or(0, |at_ms| now_ms - at_ms));
        Ok(())
    }
}
