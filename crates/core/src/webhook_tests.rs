//! Test events: posted to a webhook at once, and answered with what its receiver said.
//!
//! They are signed like deliveries, go through the same guard and have the same time-out, but
//! are no deliveries: nothing of them is stored, and they say nothing of the webhook's health.
//! As each is a request that somebody else's server gets, an organization has few of them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::value::to_raw_value;
use wagate_delivery::Courier;
use wagate_model::{
    Draft, EVENT_SCHEMA, EventEnvelope, EventId, EventKind, EventSelector, OrganizationId,
    SAMPLE_SESSION, TestWebhookInput, Webhook, sample_payload,
};
use wagate_store::{AttemptRecord, WebhookSecrets, WebhookTarget};

use crate::error::{Error, Result, What};
use crate::service::Core;
use crate::webhooks::WebhookAccess;

const WINDOW_MS: i64 = 60_000;

/// How many tests there may be in one process.
#[derive(Debug, Clone, Copy)]
pub struct WebhookTestLimits {
    /// Most of all organizations under way together.
    pub under_way: usize,
    /// Most of one organization under way together.
    pub per_organization: usize,
    /// Most of one organization in a minute.
    pub per_minute: u32,
}

impl Default for WebhookTestLimits {
    fn default() -> Self {
        Self {
            under_way: 64,
            per_organization: 2,
            per_minute: 10,
        }
    }
}

/// What an organization has of its tests.
#[derive(Debug, Default)]
struct Usage {
    under_way: usize,
    window_began_ms: i64,
    in_window: u32,
}

#[derive(Debug, Default)]
struct Usages {
    under_way: usize,
    of: HashMap<OrganizationId, Usage>,
}

type Shared = Arc<Mutex<Usages>>;

fn locked(usages: &Shared) -> MutexGuard<'_, Usages> {
    usages.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Posts test events, within limits.
pub struct WebhookTester {
    courier: Courier,
    limits: WebhookTestLimits,
    usages: Shared,
}

impl fmt::Debug for WebhookTester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookTester")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The right to one test; it is under way until this is dropped.
#[derive(Debug)]
struct Permit {
    usages: Shared,
    organization: OrganizationId,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut usages = locked(&self.usages);
        usages.under_way -= 1;
        if let Some(usage) = usages.of.get_mut(&self.organization) {
            usage.under_way -= 1;
        }
    }
}

impl WebhookTester {
    /// A tester that posts as deliveries are posted.
    #[must_use]
    pub fn new(courier: Courier, limits: WebhookTestLimits) -> Self {
        Self {
            courier,
            limits,
            usages: Shared::default(),
        }
    }

    /// Takes one test of an organization, or says when there is one again.
    fn permit(&self, organization: OrganizationId, now_ms: i64) -> Result<Permit> {
        let limits = self.limits;
        let mut usages = locked(&self.usages);
        let is_over = |usage: &Usage| now_ms - usage.window_began_ms >= WINDOW_MS;
        usages
            .of
            .retain(|_, usage| usage.under_way > 0 || !is_over(usage));
        let is_crowded = usages.under_way >= limits.under_way;
        let usage = usages.of.entry(organization).or_default();
        if is_over(usage) {
            (usage.window_began_ms, usage.in_window) = (now_ms, 0);
        }
        let wait_ms = if usage.in_window >= limits.per_minute {
            usage.window_began_ms + WINDOW_MS - now_ms
        } else if is_crowded || usage.under_way >= limits.per_organization {
            1_000
        } else {
            0
        };
        if wait_ms > 0 {
            let retry_after_seconds = (wait_ms + 999) / 1_000;
            return Err(Error::RateLimited {
                retry_after_seconds,
            });
        }
        usage.under_way += 1;
        usage.in_window += 1;
        usages.under_way += 1;
        drop(usages);
        Ok(Permit {
            usages: Arc::clone(&self.usages),
            organization,
        })
    }
}

/// What a receiver said of a test event.
#[derive(Debug)]
pub struct WebhookTest {
    /// What was posted.
    pub event: EventEnvelope,
    /// What came of it.
    pub record: AttemptRecord,
}

/// The event of a test that names none: the calmest that the webhook wants.
fn default_kind(webhook: &Webhook) -> EventKind {
    match EventSelector::of_known(&webhook.events) {
        EventSelector::Only(kinds) if !kinds.contains(&EventKind::SessionStatus) => {
            kinds.first().copied().unwrap_or(EventKind::SessionStatus)
        }
        _ => EventKind::SessionStatus,
    }
}

fn target(webhook: &Webhook, secrets: WebhookSecrets) -> WebhookTarget {
    WebhookTarget {
        id: webhook.id,
        organization: webhook.organization_id,
        url: webhook.url.clone(),
        secrets,
        custom_headers: webhook.custom_headers.clone().unwrap_or_default(),
        retry_policy: webhook.retry_policy.clone(),
    }
}

impl Core {
    /// Posts a made-up event to a webhook, also to one that is switched off.
    pub async fn test_webhook(
        &self,
        access: &WebhookAccess,
        body: Draft<TestWebhookInput>,
    ) -> Result<WebhookTest> {
        let webhook = &access.webhook;
        let (body, mut faults) = body.open()?;
        let kind = body.kind(&mut faults);
        faults.into_result()?;
        let kind = kind.unwrap_or_else(|| default_kind(webhook));
        let (organization, now_ms) = (webhook.organization_id, self.store.now_ms());
        let permit = self.webhook_tester.permit(organization, now_ms)?;
        let mut tx = self.store.read().await?;
        let secrets = tx.webhook_secrets(organization, webhook.id, now_ms).await?;
        let secrets = secrets.ok_or(Error::NotFound(What::Webhook))?;
        drop(tx);
        let (time, random) = self.id_parts();
        let payload = sample_payload(kind, now_ms);
        let event = EventEnvelope {
            schema: EVENT_SCHEMA.to_owned(),
            id: EventId::from_parts(time, random),
            event: kind,
            // Nobody has it: who does not see that this is a test finds nothing to act on.
            session: SAMPLE_SESSION,
            organization,
            timestamp: now_ms,
            payload: to_raw_value(&payload).map_err(Error::internal)?,
        };
        let body = serde_json::to_string(&event).map_err(Error::internal)?;
        let target = target(webhook, secrets);
        let courier = &self.webhook_tester.courier;
        let record = courier.try_out(&target, event.id, body).await;
        drop(permit);
        Ok(WebhookTest { event, record })
    }
}

#[cfg(test)]
mod tests {
    use wagate_delivery::{AddressGuard, AllowList, ClientTimeouts, GuardedClient, SigningRoot};
    use wagate_model::ManualClock;

    use super::*;

    fn tester(limits: WebhookTestLimits) -> WebhookTester {
        let guard = AddressGuard::new(AllowList::none());
        let courier = Courier::new(
            GuardedClient::new(guard, ClientTimeouts::default()).unwrap(),
            SigningRoot::from_bytes([1; 32]),
            Arc::new(ManualClock::at(0)),
            Arc::new(|| 0.0),
        );
        WebhookTester::new(courier, limits)
    }

    fn wait_of(result: Result<Permit>) -> i64 {
        match result {
            Err(Error::RateLimited {
                retry_after_seconds,
            }) => retry_after_seconds,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn tests_are_bounded_by_number_and_by_time() {
        let tester = tester(WebhookTestLimits {
            under_way: 3,
            per_organization: 2,
            per_minute: 3,
        });
        let [one, two, three] = [1, 2, 3].map(|n| OrganizationId::from_parts(1, n));
        let first = tester.permit(one, 1_000_000).unwrap();
        let second = tester.permit(one, 1_000_000).unwrap();
        assert_eq!(wait_of(tester.permit(one, 1_000_000)), 1);
        let other = tester.permit(two, 1_000_000).unwrap();
        assert_eq!(wait_of(tester.permit(three, 1_000_000)), 1);
        drop((first, second, other));
        drop(tester.permit(one, 1_000_000).unwrap());
        assert_eq!(wait_of(tester.permit(one, 1_059_999)), 1);
        assert_eq!(wait_of(tester.permit(one, 1_000_001)), 60);
        drop(tester.permit(two, 1_000_001).unwrap());
        drop(tester.permit(one, 1_060_000).unwrap());
        // What is over is forgotten.
        drop(tester.permit(one, 2_000_000).unwrap());
        assert_eq!(locked(&tester.usages).of.len(), 1);
        assert_eq!(locked(&tester.usages).under_way, 0);
    }
}
