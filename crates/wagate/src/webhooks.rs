//! Wires the webhook worker to the store's commits.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::FutureExt as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wagate_cluster::Topic;
use wagate_core::{WebhookTestLimits, WebhookTester};
use wagate_delivery::{
    AddressGuard, ClientTimeouts, Courier, DeliveryWorker, GuardedClient, SigningRoot, WorkerConfig,
};
use wagate_identity::{Randomness as _, SystemRandomness};
use wagate_model::Clock;
use wagate_store::{Lane, Store};

use crate::config::Config;
use crate::parts::{self, Parts};

/// What a lease leaves beyond the longest request.
const LEASE_MARGIN: Duration = Duration::from_secs(30);

/// Starts to deliver, woken by the bus.
pub(crate) async fn start(
    tasks: &TaskTracker,
    stop: &CancellationToken,
    parts: &Parts,
    config: &Config,
    guard: AddressGuard,
) -> anyhow::Result<()> {
    let timeouts = timeouts(config);
    if config.is_embedded() {
        // The folder is locked: whoever held deliveries is gone.
        release(&parts.store).await?;
    }
    let client = GuardedClient::new(guard, timeouts)?;
    let root = signing_root(&parts.store).await?;
    let courier = Courier::new(client, root, Arc::clone(&parts.clock), Arc::new(chance));
    let wake = Arc::new(Notify::new());
    let days = u64::from(config.webhooks.disable_after_days);
    let worker = DeliveryWorker::new(
        parts.store.clone(),
        courier,
        Arc::clone(&wake),
        WorkerConfig {
            concurrency: config.webhooks.concurrency,
            per_webhook: config.webhooks.concurrency_per_webhook,
            lease: timeouts.total + LEASE_MARGIN,
            disable_after: Duration::from_hours(days * 24),
            ..WorkerConfig::new(worker_name(config)?)
        },
    )?;
    tasks.spawn(worker.run(stop.clone()));
    let mut due = parts
        .bus
        .subscribe(Topic::Deliveries)
        .await
        .context("listening on the bus")?;
    let stopped = stop.clone();
    tasks.spawn(async move {
        // Missed signals are as good a reason to look as one that came.
        while let Some(Some(_)) = stopped.run_until_cancelled(due.recv()).await {
            wake.notify_one();
        }
    });
    Ok(())
}

fn timeouts(config: &Config) -> ClientTimeouts {
    let total = Duration::from_secs(config.webhooks.timeout_seconds);
    ClientTimeouts {
        connect: total.min(Duration::from_secs(10)),
        total,
    }
}

/// Posts test events as deliveries are posted, from where the API is served.
pub(crate) fn tester(
    config: &Config,
    guard: AddressGuard,
    root: SigningRoot,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<WebhookTester> {
    let client = GuardedClient::new(guard, timeouts(config))?;
    // Nothing is repeated, so that nothing has to be spread.
    let courier = Courier::new(client, root, clock, Arc::new(|| 0.0));
    Ok(WebhookTester::new(courier, WebhookTestLimits::default()))
}

/// Takes back what an earlier process had under way when it was killed.
async fn release(store: &Store) -> anyhow::Result<()> {
    let now_ms = store.now_ms();
    let released = store
        .write(Lane::SHARED, move |tx| {
            async move { tx.admin().release_deliveries(now_ms).await }.boxed()
        })
        .await
        .context("taking webhook deliveries back")?;
    if released > 0 {
        tracing::info!(
            released,
            "webhook deliveries of an earlier run are due again"
        );
    }
    Ok(())
}

/// What webhooks without a secret of their own are signed with, in all processes.
pub(crate) async fn signing_root(store: &Store) -> anyhow::Result<SigningRoot> {
    let mut drawn = [0; 32];
    SystemRandomness.fill(&mut drawn);
    SigningRoot::load_or_create(store, drawn)
        .await
        .context("the signing key of webhooks")
}

/// The name under which this process leases deliveries: its gateway's, and its process id,
/// so that workers that share a folder's name are still told apart.
fn worker_name(config: &Config) -> anyhow::Result<String> {
    Ok(format!(
        "{}-{}",
        parts::gateway_id(config)?,
        std::process::id()
    ))
}

/// A number from 0 up to 1.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    SystemRandomness.fill(&mut bytes);
    f64::from(u32::from_be_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}
