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
    AttemptRecord, ClaimLimits, ClaimedDelivery, DeliveryClaim, DeliveryOutcome, Lane, StoreError,
    WebhookTarget,
};

use crate::courier::{Attempt, Courier};
use crate::retry::Verdict;
use crate::telemetry;
use crate::worker::DeliveryWorker;

/// How long the loop rests after the store failed.
const STORE_REST: Duration = Duration::from_millis(500);

/// Why the service disables a webhook, as its owner sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DisableReason {
    Gone,
    Failing,
}

impl DisableReason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Failing => "failing",
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
    disable: Option<DisableReason>,
    /// When the claim is void anyway, in milliseconds since 1970.
    lease_ends_at_ms: i64,
}

/// What a request task gives.
struct Ended {
    delivery: ClaimedDelivery,
    attempt: Attempt,
    lease_ends_at_ms: i64,
}

pub(crate) struct Shift {
    worker: Arc<DeliveryWorker>,
    requests: JoinSet<Ended>,
    claims: HashMap<Id, DeliveryClaim>,
    finished: Vec<Finished>,
    /// When webhooks that had been failing were last reached.
    recovered_at_ms: HashMap<WebhookId, i64>,
    /// When the store is to be asked next, in milliseconds since 1970.
    look_at_ms: i64,
}

impl Shift {
    pub(crate) fn new(worker: Arc<DeliveryWorker>) -> Self {
        let look_at_ms = worker.courier.clock().now_ms();
        Self {
            worker,
            requests: JoinSet::new(),
            claims: HashMap::new(),
            finished: Vec::new(),
            recovered_at_ms: HashMap::new(),
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
        let finished = Arc::new(std::mem::take(&mut self.finished));
        let worker = self.worker.clone();
        let lease_ends_at_ms = self.now_ms() + as_ms(worker.config.lease);
        // In this order, so that what ended makes room for what is claimed.
        let (written, claimed) = tokio::join!(
            write_finished(&worker, finished.clone()),
            claim(&worker, room)
        );
        if written.is_err() {
            self.keep_for_later(finished);
        }
        let claimed = claimed?;
        for delivery in claimed {
            self.begin(delivery, lease_ends_at_ms);
        }
        telemetry::under_way(self.requests.len());
        written
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
        let claim = delivery.claim.clone();
        if delivery.attempts == 0 && !delivery.is_replay {
            let queued_at_ms =
                i64::try_from(delivery.event_id.ulid().timestamp_ms()).unwrap_or(i64::MAX);
            telemetry::first_attempt_began(self.now_ms() - queued_at_ms);
        }
        let courier = self.worker.courier.clone();
        let task = self.requests.spawn(async move {
            let attempt = attempt(&courier, &delivery).await;
            Ended {
                delivery,
                attempt,
                lease_ends_at_ms,
            }
        });
        self.claims.insert(task.id(), claim);
    }

    fn collect_ended(&mut self) {
        while let Some(ended) = self.requests.try_join_next_with_id() {
            self.note_ended(ended);
        }
    }

    fn note_ended(&mut self, ended: Result<(Id, Ended), JoinError>) {
        match ended {
            Ok((task, ended)) => {
                self.claims.remove(&task);
                self.note_attempt(ended);
            }
            // The delivery is due again when its lease ends.
            Err(error) if error.is_panic() => {
                self.claims.remove(&error.id());
                tracing::error!("a webhook request panicked");
            }
            // Stopped on purpose: its claim is given back.
            Err(_) => {}
        }
    }

    fn note_attempt(&mut self, ended: Ended) {
        let Ended {
            delivery,
            attempt,
            lease_ends_at_ms,
        } = ended;
        let Attempt { record, verdict } = attempt;
        let target = &delivery.target;
        let now_ms = self.now_ms();
        let outcome = match verdict {
            Verdict::Delivered => DeliveryOutcome::Delivered,
            Verdict::Retry { wait_ms } => {
                let at_ms = now_ms.saturating_add(wait_ms);
                self.look_by(at_ms);
                DeliveryOutcome::Retry { at_ms }
            }
            Verdict::Dead | Verdict::Gone => DeliveryOutcome::Dead,
        };
        if outcome == DeliveryOutcome::Delivered && target.failing_since_ms.is_some() {
            self.recovered_at_ms
                .retain(|_, at_ms| *at_ms > now_ms - as_ms(self.worker.config.lease));
            self.recovered_at_ms.insert(target.id, now_ms);
        }
        let claimed_at_ms = lease_ends_at_ms - as_ms(self.worker.config.lease);
        // An event that is no longer kept says nothing of the receiver.
        let was_requested = delivery.envelope.is_some();
        let disable = match verdict {
            Verdict::Gone => Some(DisableReason::Gone),
            Verdict::Retry { .. } | Verdict::Dead
                if was_requested && self.has_failed_too_long(target, claimed_at_ms) =>
            {
                Some(DisableReason::Failing)
            }
            _ => None,
        };
        tracing::debug!(
            webhook.id = %target.id,
            delivery.id = %delivery.claim.id,
            delivery.attempt = delivery.attempts + 1,
            http.status = record.status_code,
            outcome = ?outcome,
            "a webhook attempt ended"
        );
        self.finished.push(Finished {
            claim: delivery.claim,
            webhook: target.id,
            record,
            outcome,
            disable,
            lease_ends_at_ms,
        });
    }

    fn has_failed_too_long(&self, target: &WebhookTarget, claimed_at_ms: i64) -> bool {
        let limit_ms = as_ms(self.worker.config.disable_after);
        let has_failed_long = target
            .failing_since_ms
            .is_some_and(|since_ms| self.now_ms() - since_ms >= limit_ms);
        // The time was read with the claim: an answer since then has ended the failure.
        let has_recovered = self
            .recovered_at_ms
            .get(&target.id)
            .is_some_and(|at_ms| *at_ms >= claimed_at_ms);
        has_failed_long && !has_recovered
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
        let claims: Vec<_> = self.claims.drain().map(|(_, claim)| claim).collect();
        if let Err(error) = give_back(&self.worker, claims).await {
            tracing::warn!(error = %error, "claimed webhook deliveries wait for the end of their lease");
        }
    }

    async fn write_or_keep(&mut self) {
        let finished = Arc::new(std::mem::take(&mut self.finished));
        if let Err(error) = write_finished(&self.worker, finished.clone()).await {
            tracing::warn!(error = %error, "webhook attempts cannot be written down");
            self.keep_for_later(finished);
        }
    }
}

async fn attempt(courier: &Courier, delivery: &ClaimedDelivery) -> Attempt {
    let Some(envelope) = delivery.envelope.clone() else {
        return courier.without_event();
    };
    let number = u32::try_from(delivery.attempts + 1).unwrap_or(u32::MAX);
    courier
        .attempt(&delivery.target, delivery.event_id, envelope, number)
        .await
}

async fn claim(worker: &DeliveryWorker, room: usize) -> Result<Vec<ClaimedDelivery>, StoreError> {
    if room == 0 {
        return Ok(Vec::new());
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
            async move { tx.admin().claim_deliveries(&owner, limits, now_ms).await }.boxed()
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
    let disabled = worker
        .store
        .write(Lane::SHARED, move |tx| {
            async move {
                let mut disabled = Vec::new();
                for one in finished.iter() {
                    let mut admin = tx.admin();
                    // A claim that is void was finished by another worker, or its webhook is gone.
                    let is_written = admin
                        .finish_attempt(&one.claim, &one.record, one.outcome, now_ms)
                        .await?;
                    if let Some(reason) = one.disable
                        && is_written
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
        tracing::warn!(webhook.id = %webhook, reason = reason.as_str(), "a webhook was disabled");
        telemetry::webhook_disabled(reason.as_str());
    }
    Ok(())
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
