//! A store, a worker, and a client that may reach this machine.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wagate_delivery::{
    AddressGuard, AllowList, Chance, ClientTimeouts, Courier, DeliveryWorker, GuardedClient,
    SigningRoot, WorkerConfig,
};
use wagate_model::{
    Clock as _, EventKind, OrganizationId, RetryPolicy, SessionId, Webhook, WebhookId,
};
use wagate_store::testing::{TestStore, store};
use wagate_store::{
    AttemptEntry, DeliveryFilter, DeliveryRecord, DeliveryStatus, NewEvent, StoreError,
};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Post {
    pub(crate) store: TestStore,
    pub(crate) organization: OrganizationId,
    pub(crate) session: SessionId,
    pub(crate) wake: Arc<Notify>,
}

/// A worker that runs until it is stopped or dropped.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) fn start(worker: DeliveryWorker) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(worker.run(stop.clone()));
        Self { stop, task }
    }

    /// Stops it in order.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    /// Ends it at once, as a crash would.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

pub(crate) fn config() -> WorkerConfig {
    WorkerConfig {
        poll: Duration::from_millis(20),
        ..WorkerConfig::new("worker-1")
    }
}

pub(crate) fn timeouts(total: Duration) -> ClientTimeouts {
    ClientTimeouts {
        total,
        ..ClientTimeouts::default()
    }
}

impl Post {
    pub(crate) async fn open() -> Self {
        let store = store().await;
        let organization = store.organization().await;
        let session = store.session(organization).await;
        Self {
            store,
            organization,
            session,
            wake: Arc::new(Notify::new()),
        }
    }

    /// Goes on as another organization, with a session of its own.
    pub(crate) async fn become_another(&mut self) {
        self.organization = self.store.organization().await;
        self.session = self.store.session(self.organization).await;
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.store.clock.now_ms()
    }

    /// Moves the clock on and has the worker look.
    pub(crate) fn advance_ms(&self, by_ms: i64) {
        self.store.clock.advance_ms(by_ms);
        self.wake.notify_one();
    }

    pub(crate) fn worker(&self, config: WorkerConfig, timeouts: ClientTimeouts) -> DeliveryWorker {
        self.worker_by_chance(config, timeouts, Arc::new(|| 0.0))
    }

    pub(crate) fn worker_by_chance(
        &self,
        config: WorkerConfig,
        timeouts: ClientTimeouts,
        chance: Chance,
    ) -> DeliveryWorker {
        let guard = AddressGuard::new(AllowList::loopback());
        let client = GuardedClient::new(guard, timeouts).unwrap();
        let courier = Courier::new(
            client,
            SigningRoot::from_bytes([3; 32]),
            self.store.clock.clone(),
            chance,
        );
        DeliveryWorker::new(self.store.handle(), courier, self.wake.clone(), config).unwrap()
    }

    pub(crate) fn start_with(&self, config: WorkerConfig, timeouts: ClientTimeouts) -> Running {
        Running::start(self.worker(config, timeouts))
    }

    pub(crate) fn start(&self) -> Running {
        self.start_with(config(), ClientTimeouts::default())
    }

    pub(crate) async fn webhook(&self, url: &str) -> WebhookId {
        self.webhook_with(url, RetryPolicy::default(), None).await
    }

    pub(crate) async fn webhook_with(
        &self,
        url: &str,
        retry_policy: RetryPolicy,
        secret: Option<&'static str>,
    ) -> WebhookId {
        let number = u128::from(self.store.clock.now_ms().unsigned_abs());
        let id = WebhookId::from_parts(1, number << 32 | u128::from(url_port(url)));
        let webhook = Webhook {
            active: true,
            created_at: self.now_ms(),
            custom_headers: Some([("X-Tenant".to_owned(), "acme".to_owned())].into()),
            disabled_reason: None,
            events: vec!["*".into()],
            id,
            organization_id: self.organization,
            retry_policy,
            session_id: None,
            updated_at: self.now_ms(),
            url: url.to_owned(),
        };
        let organization = self.organization;
        self.store
            .write(organization, move |tx| {
                Box::pin(async move { tx.insert_webhook(organization, &webhook, secret).await })
            })
            .await
            .unwrap();
        id
    }

    /// Commits one event per chat key in one transaction, and wakes the worker.
    pub(crate) async fn emit(&self, chats: &[&str]) {
        let events: Vec<_> = chats
            .iter()
            .enumerate()
            .map(|(number, chat)| {
                let payload = json!({ "chat": chat, "number": number });
                let kind = EventKind::Message;
                NewEvent::new(
                    self.organization,
                    self.session,
                    kind,
                    self.now_ms(),
                    &payload,
                )
                .unwrap()
                .in_chat(*chat)
            })
            .collect();
        self.store
            .write(self.organization, move |tx| {
                Box::pin(async move {
                    for event in events {
                        tx.append_event(event);
                    }
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
        self.wake.notify_one();
    }

    pub(crate) async fn state(&self, webhook: WebhookId) -> Webhook {
        let mut tx = self.store.read().await.unwrap();
        tx.webhook(self.organization, webhook)
            .await
            .unwrap()
            .unwrap()
    }

    pub(crate) async fn deliveries(&self, webhook: WebhookId) -> Vec<DeliveryRecord> {
        let filter = DeliveryFilter::default();
        let mut tx = self.store.read().await.unwrap();
        tx.deliveries(self.organization, webhook, &filter, None, 1000)
            .await
            .unwrap()
    }

    pub(crate) async fn attempts(&self, webhook: WebhookId) -> Vec<AttemptEntry> {
        let delivery = self.deliveries(webhook).await[0].id;
        let mut tx = self.store.read().await.unwrap();
        tx.delivery_attempts(self.organization, delivery)
            .await
            .unwrap()
    }

    /// Waits until the only delivery of a webhook has had so many attempts.
    pub(crate) async fn attempted(&self, webhook: WebhookId, attempts: i64) -> DeliveryRecord {
        let all = self
            .until(webhook, |deliveries| deliveries[0].attempts == attempts)
            .await;
        all.into_iter().next().unwrap()
    }

    /// Waits until every delivery of a webhook is delivered.
    pub(crate) async fn all_delivered(&self, webhook: WebhookId) -> Vec<DeliveryRecord> {
        self.until(webhook, |deliveries| {
            deliveries
                .iter()
                .all(|one| one.status == DeliveryStatus::Delivered)
        })
        .await
    }

    /// Waits until nothing waits for a webhook any more.
    pub(crate) async fn none_pending(&self, webhook: WebhookId) {
        self.until(webhook, |deliveries| {
            deliveries
                .iter()
                .all(|one| one.status != DeliveryStatus::Pending)
        })
        .await;
    }

    /// Waits until a webhook is disabled and gives the reason.
    pub(crate) async fn disabled(&self, webhook: WebhookId) -> Option<String> {
        let waiting = async {
            loop {
                let state = self.state(webhook).await;
                if !state.active {
                    return state.disabled_reason;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("the webhook should be disabled")
    }

    async fn until(
        &self,
        webhook: WebhookId,
        holds: impl Fn(&[DeliveryRecord]) -> bool,
    ) -> Vec<DeliveryRecord> {
        let waiting = async {
            loop {
                let deliveries = self.deliveries(webhook).await;
                if !deliveries.is_empty() && holds(&deliveries) {
                    return deliveries;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("the deliveries should get there")
    }
}

fn url_port(url: &str) -> u16 {
    let after = url.rsplit(':').next().unwrap();
    after.split('/').next().unwrap().parse().unwrap()
}
