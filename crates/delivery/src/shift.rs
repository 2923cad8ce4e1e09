//! The loop of the worker.
//!
//! Each turn writes down, in one transaction, how all requests ended that ended since
//! the last turn, and claims in another as many deliveries as there is room for; both
//! share a commit. Requests run beside, and never within a transaction.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wagate_model::WebhookId;
use wagate_store::{
    AttemptRecord, ClaimLimits, ClaimedDelivery, Claims, DeliveryClaim, DeliveryOutcome, Lane,
    StoreError, WebhookHealth, WebhookTarget, Workload,
};

use crate::courier::{Attempt, Courier};
use crate::retry::Verdict;
use crate::telemetry;
use crate::worker::DeliveryWorker;

/// How long the loop rests after the store failed.
const STORE_REST: Duration = Duration::from_millis(500);
/// How many failures without a break it takes to disable a webhook, however long they last.
const MIN_FAILURES: i64 = 20;

/// Why the service disables a webhook, as its owner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DisableReason {
    Gone,
    Failing,
    Unreadable,
}

impl DisableReason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Failing => "failing",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A request that ended and is to be written down.
#[derive(Debug, Clone)]
struct Finished {
    claim: DeliveryClaim,
    webhook: WebhookId,
    record: AttemptRecord,
    outcome: DeliveryOutcome,
    /// Whether the receiver said that it is gone for good.
    is_gone: bool,
    /// When the claim is void anyway, in milliseconds since 1970.
    lease_ends_at_ms: i64,
}

impl Finished {
    /// Why the webhook is to be disabled, where it fails since then or longer.
    fn disables(&self, health: WebhookHealth, failing_since_ms: i64) -> Option<DisableReason> {
        if self.is_gone {
            return Some(DisableReason::Gone);
        }
        let is_long = health
            .failing_since
            .is_some_and(|since_ms| since_ms <= failing_since_ms);
        (is_long && health.failure_count >= MIN_FAILURES).then_some(DisableReason::Failing)
    }
}

/// A delivery whose request is under way.
#[derive(Debug)]
struct UnderWay {
    claim: DeliveryClaim,
    target: Arc<WebhookTarget>,
    /// The attempt's number, 1 for the first.
    number: u32,
    lease_ends_at_ms: i64,
}

pub(crate) struct Shift {
    worker: Arc<DeliveryWorker>,
    requests: JoinSet<Attempt>,
    under_way: HashMap<Id, UnderWay>,
    finished: Vec<Finished>,
    /// The webhook that had its turn last.
    last_served: Option<WebhookId>,
    /// When the store is to be asked next, in milliseconds since 1970.
    look_at_ms: i64,
}

impl Shift {
    pub(crate) fn new(worker: Arc<DeliveryWorker>) -> Self {
        let look_at_ms = worker.courier.clock().now_ms();
        Self {
            worker,
            requests: JoinSet::new(),
            under_way: HashMap::new(),
            finished: Vec::new(),
            last_served: None,
            look_at_ms,
        }
    }

    fn now_ms(&self) -> i64 {
        self.worker.courier.clock().now_ms()
    }

    pub(crate) async fn work(mut self, stop: &CancellationToken) {
        let wake = self.worker.wake.clone();
        let mut may_be_due = true;
        while !stop.is_cancelled() {
            self.collect_ended();
            if may_be_due || !self.finished.is_empty() {
                may_be_due = false;
                if let Err(error) = self.turn().await {
                    tracing::warn!(error = %error, "webhook deliveries cannot be claimed or finished");
                    may_be_due = true;
                    stop.run_until_cancelled(tokio::time::sleep(STORE_REST))
                        .await;
                    continue;
                }
            }
            let look_at = Instant::now() + self.until_look();
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                Some(ended) = self.requests.join_next_with_id() => self.note_ended(ended),
                // A call that came during the turn is kept for this one.
                () = wake.notified() => may_be_due = true,
                () = tokio::time::sleep_until(look_at) => may_be_due = self.is_something_due().await,
            }
        }
        self.wind_down().await;
    }

    fn until_look(&self) -> Duration {
        let left_ms = u64::try_from(self.look_at_ms - self.now_ms()).unwrap_or(0);
        Duration::from_millis(left_ms).min(self.worker.config.poll)
    }

    fn look_by(&mut self, at_ms: i64) {
        self.look_at_ms = self.look_at_ms.min(at_ms);
    }

    /// Asks the store, and plans the next question.
    async fn is_something_due(&mut self) -> bool {
        let now_ms = self.now_ms();
        self.look_at_ms = now_ms + as_ms(self.worker.config.poll);
        let next = async {
            self.worker
                .store
                .read()
                .await?
                .admin()
                .next_delivery_at()
                .await
        }
        .await;
        match next {
            Ok(Some(at_ms)) if at_ms > now_ms => {
                self.look_by(at_ms);
                false
            }
            // Perhaps only for one that waits for its chat or for room: then nothing is
            // claimed, and the next look is a polling interval away.
            Ok(Some(_)) => true,
            Ok(None) => false,
            Err(error) => {
                tracing::debug!(error = %error, "the time of the next webhook delivery cannot be read");
                false
            }
        }
    }

    async fn turn(&mut self) -> Result<(), StoreError> {
        let room = self
            .worker
            .config
            .concurrency
            .saturating_sub(self.requests.len());
        let finished = self.take_finished();
        let worker = self.worker.clone();
        let lease_ends_at_ms = self.now_ms() + as_ms(worker.config.lease);
        // In this order, so that what ended makes room for what is claimed.
        let (written, claimed) = tokio::join!(
            write_finished(&worker, finished.clone()),
            claim(&worker, room, self.workload())
        );
        if written.is_err() {
            self.keep_for_later(finished);
        }
        let claims = claimed?;
        self.last_served = claims.last_served;
        for webhook in &claims.unreadable {
            tracing::error!(webhook.id = %webhook.id, error = %webhook.error, "a webhook cannot be read");
            note_disabled(webhook.id, DisableReason::Unreadable);
        }
        for delivery in claims.deliveries {
            self.begin(delivery, lease_ends_at_ms);
        }
        telemetry::under_way(self.requests.len());
        written
    }

    fn workload(&self) -> Workload {
        let mut under_way = HashMap::new();
        for one in self.under_way.values() {
            *under_way.entry(one.target.organization).or_default() += 1;
        }
        Workload {
            under_way,
            last_served: self.last_served,
        }
    }

    fn take_finished(&mut self) -> Arc<Vec<Finished>> {
        let mut finished = std::mem::take(&mut self.finished);
        // In the same order in all workers, so that two that write down failures of the same
        // webhooks do not wait for each other.
        finished.sort_by_key(|one| one.webhook);
        Arc::new(finished)
    }

    /// What could not be written is written later, unless the claims are void by then.
    fn keep_for_later(&mut self, finished: Arc<Vec<Finished>>) {
        let now_ms = self.now_ms();
        let finished = Arc::unwrap_or_clone(finished);
        self.finished.extend(
            finished
                .into_iter()
                .filter(|one| one.lease_ends_at_ms > now_ms),
        );
    }

    fn begin(&mut self, delivery: ClaimedDelivery, lease_ends_at_ms: i64) {
        if delivery.attempts == 0 && !delivery.is_replay {
            let queued_at_ms =
                i64::try_from(delivery.event_id.ulid().timestamp_ms()).unwrap_or(i64::MAX);
            telemetry::first_attempt_began(self.now_ms() - queued_at_ms);
        }
        let under_way = UnderWay {
            claim: delivery.claim.clone(),
            target: delivery.target.clone(),
            number: u32::try_from(delivery.attempts + 1).unwrap_or(u32::MAX),
            lease_ends_at_ms,
        };
        let (courier, number) = (self.worker.courier.clone(), under_way.number);
        let task = self
            .requests
            .spawn(async move { attempt(&courier, delivery, number).await });
        self.under_way.insert(task.id(), under_way);
    }

    fn collect_ended(&mut self) {
        while let Some(ended) = self.requests.try_join_next_with_id() {
            self.note_ended(ended);
        }
    }

    fn note_ended(&mut self, ended: Result<(Id, Attempt), JoinError>) {
        match ended {
            Ok((task, attempt)) => {
                if let Some(one) = self.under_way.remove(&task) {
                    self.note_attempt(one, attempt);
                }
            }
            Err(error) if error.is_panic() => {
                if let Some(one) = self.under_way.remove(&error.id()) {
                    tracing::error!(delivery.id = %one.claim.id, "a webhook request panicked");
                    let attempt = self.worker.courier.cut_short(&one.target, one.number);
                    self.note_attempt(one, attempt);
                }
            }
            // Stopped on purpose: its claim is given back.
            Err(_) => {}
        }
    }

    fn note_attempt(&mut self, one: UnderWay, attempt: Attempt) {
        let Attempt { record, verdict } = attempt;
        let outcome = match verdict {
            Verdict::Delivered => DeliveryOutcome::Delivered,
            Verdict::Retry { wait_ms } => {
                let at_ms = self.now_ms().saturating_add(wait_ms);
                self.look_by(at_ms);
                DeliveryOutcome::Retry { at_ms }
            }
            Verdict::Dead | Verdict::Gone => DeliveryOutcome::Dead,
        };
        tracing::debug!(
            webhook.id = %one.target.id,
            delivery.id = %one.claim.id,
            delivery.attempt = one.number,
            http.status = record.status_code,
            outcome = ?outcome,
            "a webhook attempt ended"
        );
        self.finished.push(Finished {
            claim: one.claim,
            webhook: one.target.id,
            record,
            outcome,
            is_gone: verdict == Verdict::Gone,
            lease_ends_at_ms: one.lease_ends_at_ms,
        });
    }

    /// Lets requests end for a while, then ends them and gives their deliveries back.
    async fn wind_down(&mut self) {
        let give_up_at = Instant::now() + self.worker.config.grace;
        loop {
            self.collect_ended();
            self.write_or_keep().await;
            match tokio::time::timeout_at(give_up_at, self.requests.join_next_with_id()).await {
                Ok(Some(ended)) => self.note_ended(ended),
                Ok(None) | Err(_) => break,
            }
        }
        self.requests.abort_all();
        while let Some(ended) = self.requests.join_next_with_id().await {
            self.note_ended(ended);
        }
        self.write_or_keep().await;
        let claims = self.under_way.drain().map(|(_, one)| one.claim).collect();
        if let Err(error) = give_back(&self.worker, claims).await {
            tracing::warn!(error = %error, "claimed webhook deliveries wait for the end of their lease");
        }
    }

    async fn write_or_keep(&mut self) {
        let finished = self.take_finished();
        if let Err(error) = write_finished(&self.worker, finished.clone()).await {
            tracing::warn!(error = %error, "webhook attempts cannot be written down");
            self.keep_for_later(finished);
        }
    }
}

async fn attempt(courier: &Courier, delivery: ClaimedDelivery, number: u32) -> Attempt {
    let Some(envelope) = delivery.envelope else {
        return courier.without_event();
    };
    courier
        .attempt(&delivery.target, delivery.event_id, envelope, number)
        .await
}

async fn claim(worker: &DeliveryWorker, room: usize, load: Workload) -> Result<Claims, StoreError> {
    if room == 0 {
        return Ok(Claims {
            last_served: load.last_served,
            ..Claims::default()
        });
    }
    let config = &worker.config;
    let limits = ClaimLimits {
        per_webhook: i64::try_from(config.per_webhook).unwrap_or(i64::MAX),
        total: i64::try_from(room).unwrap_or(i64::MAX),
        lease_ms: as_ms(config.lease),
    };
    let owner = config.owner.clone();
    let now_ms = worker.courier.clock().now_ms();
    worker
        .store
        .write(Lane::SHARED, move |tx| {
            async move {
                let mut admin = tx.admin();
                admin.claim_deliveries(&owner, limits, load, now_ms).await
            }
            .boxed()
        })
        .await
}

async fn write_finished(
    worker: &DeliveryWorker,
    finished: Arc<Vec<Finished>>,
) -> Result<(), StoreError> {
    if finished.is_empty() {
        return Ok(());
    }
    let now_ms = worker.courier.clock().now_ms();
    let disable_after_ms = as_ms(worker.config.disable_after);
    let disabled = worker
        .store
        .write(Lane::SHARED, move |tx| {
            async move {
                let mut disabled = Vec::new();
                for one in finished.iter() {
                    let mut admin = tx.admin();
                    // A claim that is void was finished by another worker, or its webhook is gone.
                    let health = admin
                        .finish_attempt(&one.claim, &one.record, one.outcome, now_ms)
                        .await?;
                    if let Some(health) = health
                        && let Some(reason) = one.disables(health, now_ms - disable_after_ms)
                        && admin
                            .disable_webhook(one.webhook, reason.as_str(), now_ms)
                            .await?
                    {
                        disabled.push((one.webhook, reason));
                    }
                }
                Ok::<_, StoreError>(disabled)
            }
            .boxed()
        })
        .await?;
    for (webhook, reason) in disabled {
        note_disabled(webhook, reason);
    }
    Ok(())
}

fn note_disabled(webhook: WebhookId, reason: DisableReason) {
    tracing::warn!(webhook.id = %webhook, reason = reason.as_str(), "a webhook was disabled");
    telemetry::webhook_disabled(reason.as_str());
}

async fn give_back(worker: &DeliveryWorker, claims: Vec<DeliveryClaim>) -> Result<(), StoreError> {
    if claims.is_empty() {
        return Ok(());
    }
    let now_ms = worker.courier.clock().now_ms();
    worker
        .store
        .write(Lane::SHARED, move |tx| {
            async move {
                for claim in &claims {
                    tx.admin().return_delivery(claim, now_ms).await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await
}

fn as_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
