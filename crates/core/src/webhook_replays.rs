//! Events of a time range, queued for a webhook once more.
//!
//! The range is gone through in windows of events, each queued in a transaction of its own, so
//! that nobody waits for a large one. What waits for the webhook already is left out: whoever
//! asks again, as after a lost answer, queues nothing twice.

use std::ops::Bound;

use wagate_cluster::Signal;
use wagate_model::{
    AuditAction, AuditEntry, Draft, EventId, EventSelector, ReplayOrder, ReplayWebhookInput,
    Webhook,
};
use wagate_store::EventFilter;

use crate::error::{Error, Result, What};
use crate::service::Core;
use crate::webhooks::WebhookAccess;

/// How far one request goes.
#[derive(Debug, Clone, Copy)]
struct Extent {
    /// Events that are looked at in one transaction.
    window: usize,
    /// Events that are queued, as far as a window more or less.
    queued: u64,
    /// Events that are looked at, likewise.
    looked_at: usize,
}

const EXTENT: Extent = Extent {
    window: 500,
    queued: 10_000,
    looked_at: 200_000,
};

/// What was queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// How many events.
    pub count: u64,
    /// From when on to ask again, in milliseconds since 1970; nothing where all was looked at.
    pub next_from: Option<i64>,
}

/// The first id that an event of a time could have.
fn first_of(time_ms: i64) -> EventId {
    EventId::from_parts(u64::try_from(time_ms).unwrap_or(0), 0)
}

fn time_of(event: EventId) -> i64 {
    i64::try_from(event.ulid().timestamp_ms()).unwrap_or(i64::MAX)
}

/// The events of the order that the webhook wants.
fn filter(webhook: &Webhook, order: ReplayOrder) -> EventFilter {
    let kinds = match (order.kind, EventSelector::of_known(&webhook.events)) {
        (Some(kind), _) => Some(vec![kind]),
        (None, EventSelector::All) => None,
        (None, EventSelector::Only(kinds)) => Some(kinds),
    };
    EventFilter {
        session: webhook.session_id,
        kinds,
    }
}

impl Core {
    /// Queues those events of a time range for a webhook that it wants and that are meant.
    ///
    /// One request goes so far and no further; the answer says from when on to ask again.
    pub async fn replay_webhook(
        &self,
        access: &WebhookAccess,
        body: Draft<ReplayWebhookInput>,
    ) -> Result<Replayed> {
        let (body, mut faults) = body.open()?;
        let order = body.order(self.store.now_ms(), &mut faults);
        if let Some(kind) = order.kind {
            let selector = EventSelector::of_known(&access.webhook.events);
            faults.check(selector.wants(kind), "event", || {
                "is not among the events that the webhook wants".into()
            });
        }
        faults.into_result()?;
        self.replay_range(access, order, EXTENT).await
    }

    async fn replay_range(
        &self,
        access: &WebhookAccess,
        order: ReplayOrder,
        extent: Extent,
    ) -> Result<Replayed> {
        let webhook = &access.webhook;
        let filter = filter(webhook, order);
        let limit = i64::try_from(extent.window).unwrap_or(i64::MAX);
        let mut line = Some(self.replay_line(access, order));
        let mut from = Bound::Included(first_of(order.from_ms));
        let mut until_ms = order.until_ms;
        let (mut count, mut looked_at) = (0, 0);
        loop {
            let mut tx = self.store.read().await?;
            let until = first_of(until_ms);
            let events = tx
                .event_ids_between(webhook.organization_id, from, until, &filter, limit)
                .await?;
            drop(tx);
            let Some(last) = events.last().copied() else {
                break;
            };
            looked_at += events.len();
            let is_last = events.len() < extent.window;
            let queued = self.queue(webhook, order, events, line.clone()).await?;
            if queued > 0 {
                line = None;
                count += queued;
                self.bus.publish(Signal::DeliveriesDue);
            }
            if is_last {
                break;
            }
            from = Bound::Excluded(last);
            if count >= extent.queued || looked_at >= extent.looked_at {
                // To the end of its millisecond, so that the next request meets none again.
                until_ms = until_ms.min(time_of(last).saturating_add(1));
            }
        }
        Ok(Replayed {
            count,
            next_from: Some(until_ms).filter(|until_ms| *until_ms < order.until_ms),
        })
    }

    /// The line that stands for the whole replay.
    fn replay_line(&self, access: &WebhookAccess, order: ReplayOrder) -> AuditEntry {
        let mut line = self
            .webhook_line(access, AuditAction::WebhookReplayed)
            .with("from", order.from_ms)
            .with("to", order.until_ms)
            .with("status", order.scope.as_str());
        if let Some(kind) = order.kind {
            line = line.with("event", kind.as_str());
        }
        line.entry()
    }

    /// Queues one window; gives how many of its events.
    async fn queue(
        &self,
        webhook: &Webhook,
        order: ReplayOrder,
        events: Vec<EventId>,
        line: Option<AuditEntry>,
    ) -> Result<u64> {
        const NOT_FOUND: Error = Error::NotFound(What::Webhook);
        let (organization, id) = (webhook.organization_id, webhook.id);
        let now_ms = self.store.now_ms();
        self.store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move {
                    // Held, so that of two requests at once the second sees what the first did.
                    let held = tx.webhook_for_update(organization, id).await?;
                    held.ok_or(NOT_FOUND)?;
                    let count = tx
                        .replay_events(organization, id, &events, order.scope, now_ms)
                        .await?;
                    if let Some(line) = line.filter(|_| count > 0) {
                        tx.insert_audit(&line).await?;
                    }
                    Ok(count)
                })
            })
            .await
    }
}
