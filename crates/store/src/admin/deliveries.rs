//! The worker's side of deliveries: claim, then finish, defer or bury.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::FromRow;
use wagate_model::{DeliveryId, EventId, OrganizationId, RetryPolicy, SessionId, WebhookId};

use super::Admin;
use crate::error::Result;
use crate::text::{Text, storable};
use crate::tx::{on, sql};
use crate::webhooks::{PREVIOUS_SECRET_SEALED_AS, SECRET_SEALED_AS, WebhookSecrets};

/// How many of a webhook's due deliveries are looked at in one claim: those of busy
/// chats wait for each other, and should not have to be read all.
const LOOKAHEAD: i64 = 500;

/// How much may be claimed at once.
#[derive(Debug, Clone, Copy)]
pub struct ClaimLimits {
    /// Most deliveries of one webhook under way at the same time, in all workers.
    pub per_webhook: i64,
    /// Most deliveries in this claim.
    pub total: i64,
    /// How long the worker may take, in milliseconds.
    pub lease_ms: i64,
}

/// Where a webhook's events go.
#[derive(Debug, Clone)]
pub struct WebhookTarget {
    /// The webhook.
    pub id: WebhookId,
    /// The organization.
    pub organization: OrganizationId,
    /// The address.
    pub url: String,
    /// The secrets to sign with.
    pub secrets: WebhookSecrets,
    /// Headers to add.
    pub custom_headers: BTreeMap<String, String>,
    /// When to try again.
    pub retry_policy: RetryPolicy,
    /// Since when every attempt failed, in milliseconds since 1970.
    pub failing_since_ms: Option<i64>,
}

/// The right to finish one claimed delivery; void when its lease ran out and another has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryClaim {
    /// The delivery.
    pub id: DeliveryId,
    /// The worker.
    pub owner: String,
    /// How often the delivery was claimed.
    pub number: i64,
}

/// A delivery to be attempted now.
#[derive(Debug, Clone)]
pub struct ClaimedDelivery {
    /// The right to finish it.
    pub claim: DeliveryClaim,
    /// Where it goes.
    pub target: Arc<WebhookTarget>,
    /// The event.
    pub event_id: EventId,
    /// The session of the event.
    pub session_id: SessionId,
    /// How many attempts were made before.
    pub attempts: i64,
    /// Whether it was asked for again.
    pub is_replay: bool,
    /// The body; absent when the event is no longer kept.
    pub envelope: Option<String>,
}

/// What an attempt brought.
#[derive(Debug, Clone, Default)]
pub struct AttemptRecord {
    /// When it began, in milliseconds since 1970.
    pub started_at_ms: i64,
    /// How long it took.
    pub duration_ms: i64,
    /// What the receiver answered, where it did.
    pub status_code: Option<i64>,
    /// What failed.
    pub error: Option<String>,
    /// The beginning of the answer, already cut.
    pub answer: Option<String>,
}

/// What is done with a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The receiver accepted it.
    Delivered,
    /// It is tried again.
    Retry {
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// It is given up.
    Dead,
}

#[derive(FromRow)]
struct TargetRow {
    id: Text<WebhookId>,
    organization_id: Text<OrganizationId>,
    url: String,
    secret: Option<Vec<u8>>,
    previous_secret: Option<Vec<u8>>,
    previous_secret_expires_at: Option<i64>,
    custom_headers: Option<String>,
    retry_policy: String,
    failing_since: Option<i64>,
    in_flight: i64,
}

#[derive(FromRow)]
struct ClaimedRow {
    id: Text<DeliveryId>,
    event_id: Text<EventId>,
    session_id: Text<SessionId>,
    attempt: i64,
    claims: i64,
    is_replay: bool,
    envelope: Option<String>,
}

/// Which due deliveries of a webhook may go out: a first attempt waits until every
/// earlier event of its chat has had its own.
macro_rules! claimable {
    ($lock:literal) => {
        concat!(
            "SELECT c.id FROM webhook_delivery c WHERE c.id IN ( \
             SELECT d.id FROM webhook_delivery d WHERE d.webhook_id = $1 \
             AND d.status = 'pending' AND d.next_attempt_at <= $2 \
             ORDER BY d.next_attempt_at, d.event_id LIMIT $3) \
             AND c.status = 'pending' AND c.next_attempt_at <= $2 \
             AND (c.attempt > 0 OR c.chat_key IS NULL OR NOT EXISTS ( \
             SELECT 1 FROM webhook_delivery e WHERE e.webhook_id = c.webhook_id \
             AND e.chat_key = c.chat_key AND e.status = 'pending' AND e.attempt = 0 \
             AND e.event_id < c.event_id)) \
             ORDER BY c.next_attempt_at, c.event_id LIMIT $4",
            $lock
        )
    };
}

macro_rules! claimed_columns {
    () => {
        " RETURNING webhook_delivery.id, event_id, session_id, attempt, claims, is_replay, \
         (SELECT v.envelope FROM event v \
         WHERE v.organization_id = webhook_delivery.organization_id \
         AND v.id = webhook_delivery.event_id) AS envelope"
    };
}

impl Admin<'_> {
    /// Claims deliveries that are due, in the order of their events for each webhook.
    ///
    /// At most one first attempt of a chat is under way at a time, so that they go out
    /// in order; a lease that ran out makes its delivery due again.
    pub async fn claim_deliveries(
        &mut self,
        owner: &str,
        limits: ClaimLimits,
        now_ms: i64,
    ) -> Result<Vec<ClaimedDelivery>> {
        let mut claimed = Vec::new();
        for row in self.webhooks_with_due(now_ms).await? {
            let left = limits.total - i64::try_from(claimed.len()).unwrap_or(i64::MAX);
            let count = left.min(limits.per_webhook - row.in_flight);
            if left <= 0 {
                break;
            }
            if count <= 0 {
                continue;
            }
            let rows = self
                .claim_of_webhook(&row.id, owner, limits.lease_ms, count, now_ms)
                .await?;
            if rows.is_empty() {
                continue;
            }
            let target = Arc::new(self.target(row, now_ms)?);
            claimed.extend(rows.into_iter().map(|row| ClaimedDelivery {
                claim: DeliveryClaim {
                    id: row.id.0,
                    owner: owner.to_owned(),
                    number: row.claims,
                },
                target: target.clone(),
                event_id: row.event_id.0,
                session_id: row.session_id.0,
                attempts: row.attempt,
                is_replay: row.is_replay,
                envelope: row.envelope,
            }));
        }
        Ok(claimed)
    }

    async fn webhooks_with_due(&mut self, now_ms: i64) -> Result<Vec<TargetRow>> {
        // The recursion hops over the index from webhook to webhook, however many
        // deliveries each has.
        Ok(on!(self.tx, |conn| sqlx::query_as(
            "WITH RECURSIVE pending (webhook_id) AS ( \
             SELECT MIN(webhook_id) FROM webhook_delivery WHERE status = 'pending' \
             UNION ALL SELECT (SELECT MIN(d.webhook_id) FROM webhook_delivery d \
             WHERE d.status = 'pending' AND d.webhook_id > p.webhook_id) \
             FROM pending p WHERE p.webhook_id IS NOT NULL) \
             SELECT w.id, w.organization_id, w.url, w.secret, w.previous_secret, \
             w.previous_secret_expires_at, w.custom_headers, w.retry_policy, w.failing_since, \
             (SELECT COUNT(*) FROM webhook_delivery f WHERE f.webhook_id = w.id \
             AND f.status = 'pending' AND f.lease_until > $1) AS in_flight \
             FROM pending p JOIN webhook w ON w.id = p.webhook_id WHERE w.active \
             AND EXISTS (SELECT 1 FROM webhook_delivery d WHERE d.webhook_id = w.id \
             AND d.status = 'pending' AND d.next_attempt_at <= $1)"
        )
        .bind(now_ms)
        .fetch_all(conn)
        .await)?)
    }

    async fn claim_of_webhook(
        &mut self,
        webhook: &Text<WebhookId>,
        owner: &str,
        lease_ms: i64,
        count: i64,
        now_ms: i64,
    ) -> Result<Vec<ClaimedRow>> {
        let text = sql!(
            self.tx,
            sqlite: concat!(
                "UPDATE webhook_delivery SET lease_owner = $5, lease_until = $6, \
                 next_attempt_at = $6, claims = claims + 1 WHERE id IN (",
                claimable!(""), ")", claimed_columns!(),
            ),
            postgres: concat!(
                "WITH picked AS MATERIALIZED (", claimable!(" FOR UPDATE OF c SKIP LOCKED"),
                ") UPDATE webhook_delivery SET lease_owner = $5, lease_until = $6, \
                 next_attempt_at = $6, claims = claims + 1 FROM picked \
                 WHERE webhook_delivery.id = picked.id", claimed_columns!(),
            ),
        );
        let mut rows: Vec<ClaimedRow> = on!(self.tx, |conn| sqlx::query_as(text)
            .bind(webhook)
            .bind(now_ms)
            .bind(LOOKAHEAD.max(count))
            .bind(count)
            .bind(owner)
            .bind(now_ms + lease_ms)
            .fetch_all(conn)
            .await)?;
        rows.sort_by_key(|row| row.event_id.0);
        Ok(rows)
    }

    fn target(&self, row: TargetRow, now_ms: i64) -> Result<WebhookTarget> {
        let key = row.id.0.to_string();
        let open = |sealed_as: &str, sealed: Option<Vec<u8>>| -> Result<Option<String>> {
            let Some(sealed) = sealed else {
                return Ok(None);
            };
            let plain = self.tx.unseal(sealed_as, key.as_bytes(), &sealed)?;
            Ok(Some(String::from_utf8_lossy(&plain).into_owned()))
        };
        let previous = row.previous_secret.filter(|_| {
            row.previous_secret_expires_at
                .is_some_and(|expiry| expiry > now_ms)
        });
        Ok(WebhookTarget {
            id: row.id.0,
            organization: row.organization_id.0,
            url: row.url,
            secrets: WebhookSecrets {
                current: open(SECRET_SEALED_AS, row.secret)?,
                previous: open(PREVIOUS_SECRET_SEALED_AS, previous)?,
            },
            custom_headers: row
                .custom_headers
                .as_deref()
                .map(serde_json::from_str)
                .transpose()?
                .unwrap_or_default(),
            retry_policy: serde_json::from_str(&row.retry_policy)?,
            failing_since_ms: row.failing_since,
        })
    }

    /// Ends an attempt; whether the claim was still good. Where it was not, nothing changes.
    pub async fn finish_attempt(
        &mut self,
        claim: &DeliveryClaim,
        attempt: &AttemptRecord,
        outcome: DeliveryOutcome,
        now_ms: i64,
    ) -> Result<bool> {
        let (status, next_attempt_at) = match outcome {
            DeliveryOutcome::Delivered => ("delivered", now_ms),
            DeliveryOutcome::Retry { at_ms } => ("pending", at_ms),
            DeliveryOutcome::Dead => ("dead", now_ms),
        };
        let row: Option<(i64, Text<WebhookId>)> = on!(self.tx, |conn| sqlx::query_as(
            "UPDATE webhook_delivery SET status = $4, attempt = attempt + 1, \
             next_attempt_at = $5, lease_owner = NULL, lease_until = NULL, \
             last_status_code = $6, last_error = $7, updated_at = $8 \
             WHERE id = $1 AND lease_owner = $2 AND claims = $3 AND status = 'pending' \
             RETURNING attempt, webhook_id"
        )
        .bind(Text(claim.id))
        .bind(&claim.owner)
        .bind(claim.number)
        .bind(status)
        .bind(next_attempt_at)
        .bind(attempt.status_code)
        .bind(attempt.error.as_deref().map(storable))
        .bind(now_ms)
        .fetch_optional(conn)
        .await)?;
        let Some((number, Text(webhook))) = row else {
            return Ok(false);
        };
        on!(self.tx, |conn| sqlx::query(
            "INSERT INTO webhook_attempt \
             (delivery_id, number, started_at, duration_ms, status_code, error, answer) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)"
        )
        .bind(Text(claim.id))
        .bind(number)
        .bind(attempt.started_at_ms)
        .bind(attempt.duration_ms)
        .bind(attempt.status_code)
        .bind(attempt.error.as_deref().map(storable))
        .bind(attempt.answer.as_deref().map(storable))
        .execute(conn)
        .await
        .map(drop))?;
        self.note_health(webhook, outcome == DeliveryOutcome::Delivered, now_ms)
            .await?;
        Ok(true)
    }

    async fn note_health(
        &mut self,
        webhook: WebhookId,
        is_healthy: bool,
        now_ms: i64,
    ) -> Result<()> {
        let (text, failing_since) = if is_healthy {
            (
                "UPDATE webhook SET failing_since = $2 WHERE id = $1 AND failing_since IS NOT NULL",
                None,
            )
        } else {
            (
                "UPDATE webhook SET failing_since = $2 WHERE id = $1 AND failing_since IS NULL",
                Some(now_ms),
            )
        };
        on!(self.tx, |conn| sqlx::query(text)
            .bind(Text(webhook))
            .bind(failing_since)
            .execute(conn)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Gives a claimed delivery back without an attempt: the worker is stopping.
    pub async fn return_delivery(&mut self, claim: &DeliveryClaim, now_ms: i64) -> Result<bool> {
        let count = on!(self.tx, |conn| sqlx::query(
            "UPDATE webhook_delivery SET next_attempt_at = $4, lease_owner = NULL, \
             lease_until = NULL \
             WHERE id = $1 AND lease_owner = $2 AND claims = $3 AND status = 'pending'"
        )
        .bind(Text(claim.id))
        .bind(&claim.owner)
        .bind(claim.number)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Switches a webhook off with a reason that its owner sees; whether it was on.
    ///
    /// Its deliveries stay, and go out when it is switched on again.
    pub async fn disable_webhook(
        &mut self,
        webhook: WebhookId,
        reason: &str,
        now_ms: i64,
    ) -> Result<bool> {
        let count = on!(self.tx, |conn| sqlx::query(
            "UPDATE webhook SET active = $2, disabled_reason = $3, updated_at = $4 \
             WHERE id = $1 AND active"
        )
        .bind(Text(webhook))
        .bind(false)
        .bind(reason)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// When the next delivery is due, in milliseconds since 1970, of webhooks that are on.
    pub async fn next_delivery_at(&mut self) -> Result<Option<i64>> {
        Ok(on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT MIN((SELECT MIN(d.next_attempt_at) FROM webhook_delivery d \
             WHERE d.webhook_id = w.id AND d.status = 'pending')) FROM webhook w WHERE w.active"
        )
        .fetch_one(conn)
        .await)?)
    }

    /// How many deliveries wait, and how many were given up, for the operator.
    pub async fn delivery_counts(&mut self) -> Result<(i64, i64)> {
        Ok(on!(self.tx, |conn| sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM webhook_delivery WHERE status = 'pending'), \
             (SELECT COUNT(*) FROM webhook_delivery WHERE status = 'dead')"
        )
        .fetch_one(conn)
        .await)?)
    }
}
