//! One attempt: sign, post, and judge the answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use tokio::time::Instant;
use wagate_model::{Clock, EventId, WEBHOOK_TEST_HEADER};
use wagate_store::{AttemptRecord, WebhookTarget};

use crate::client::GuardedClient;
use crate::retry::{Reply, Verdict, asked_wait_ms, judge, parse_retry_after};
use crate::signing::{SigningKeys, SigningRoot, delivery_headers};
use crate::telemetry;

/// Draws a number from 0 up to 1, for the jitter of retries.
pub type Chance = Arc<dyn Fn() -> f64 + Send + Sync>;

/// What an attempt brought, and what follows from it.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// What is kept of it.
    pub record: AttemptRecord,
    /// What comes next.
    pub verdict: Verdict,
}

/// How a request went.
struct Posted {
    record: AttemptRecord,
    reply: Reply,
    took: Duration,
}

/// Posts events to webhooks, signed.
#[derive(Clone)]
pub struct Courier {
    client: GuardedClient,
    root: SigningRoot,
    clock: Arc<dyn Clock>,
    chance: Chance,
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl Courier {
    /// A courier that goes through a guarded client.
    #[must_use]
    pub fn new(
        client: GuardedClient,
        root: SigningRoot,
        clock: Arc<dyn Clock>,
        chance: Chance,
    ) -> Self {
        Self {
            client,
            root,
            clock,
            chance,
        }
    }

    /// The client that requests go through.
    #[must_use]
    pub const fn client(&self) -> &GuardedClient {
        &self.client
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Posts an event once; `number` is 1 for a delivery's first attempt.
    pub async fn attempt(
        &self,
        target: &WebhookTarget,
        event: EventId,
        body: String,
        number: u32,
    ) -> Attempt {
        let posted = self.post(target, event, body, false).await;
        let verdict = judge(&target.retry_policy, number, posted.reply, (self.chance)());
        telemetry::attempt_ended(outcome_name(verdict), posted.took);
        Attempt {
            record: posted.record,
            verdict,
        }
    }

    /// Posts a made-up event once, marked as a test; nothing follows from what comes of it.
    pub async fn try_out(
        &self,
        target: &WebhookTarget,
        event: EventId,
        body: String,
    ) -> AttemptRecord {
        self.post(target, event, body, true).await.record
    }

    async fn post(
        &self,
        target: &WebhookTarget,
        event: EventId,
        body: String,
        is_test: bool,
    ) -> Posted {
        let started_at_ms = self.clock.now_ms();
        let keys = SigningKeys {
            webhook: target.id,
            given: target.secrets.current.as_deref(),
            earlier: &target.secrets.earlier,
            root: &self.root,
        };
        let custom = &target.custom_headers;
        let mut headers = delivery_headers(keys, custom, event, &body, started_at_ms);
        if is_test {
            let mark = HeaderName::from_static(WEBHOOK_TEST_HEADER);
            headers.insert(mark, HeaderValue::from_static("true"));
        }
        let began = Instant::now();
        let result = self
            .client
            .post(&target.url, headers, Bytes::from(body))
            .await;
        let took = began.elapsed();

        let mut record = AttemptRecord {
            started_at_ms,
            duration_ms: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
            was_requested: true,
            ..AttemptRecord::default()
        };
        let mut reply = Reply::default();
        match result {
            Ok(answer) => {
                reply.status = Some(answer.status);
                reply.retry_after_ms = answer
                    .retry_after
                    .and_then(|value| parse_retry_after(&value, self.clock.now_ms()));
                record.pause_until_ms =
                    asked_wait_ms(reply).map(|wait_ms| self.clock.now_ms().saturating_add(wait_ms));
                record.status_code = Some(i64::from(answer.status));
                record.error = (300..400)
                    .contains(&answer.status)
                    .then(|| "redirects are not followed".to_owned());
                record.answer = Some(answer.body);
            }
            Err(error) => record.error = Some(error.to_string()),
        }
        Posted {
            record,
            reply,
            took,
        }
    }

    /// The attempt of an event that is no longer kept: given up without a request.
    pub(crate) fn without_event(&self) -> Attempt {
        Attempt {
            record: self.unanswered("the event is no longer kept"),
            verdict: Verdict::Dead,
        }
    }

    /// The attempt that a fault of the service itself cut short: a failed one of the
    /// delivery, of which the receiver is not to blame.
    pub(crate) fn cut_short(&self, target: &WebhookTarget, number: u32) -> Attempt {
        let verdict = judge(
            &target.retry_policy,
            number,
            Reply::default(),
            (self.chance)(),
        );
        Attempt {
            record: self.unanswered("the service failed during the attempt"),
            verdict,
        }
    }

    fn unanswered(&self, error: &str) -> AttemptRecord {
        AttemptRecord {
            started_at_ms: self.clock.now_ms(),
            error: Some(error.to_owned()),
            ..AttemptRecord::default()
        }
    }
}

const fn outcome_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Retry { .. } => "retry",
        Verdict::Dead => "dead",
        Verdict::Gone => "gone",
    }
}
