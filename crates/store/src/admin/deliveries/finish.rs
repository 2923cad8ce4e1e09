//! What becomes of claimed deliveries, and of their webhooks.

use sqlx::FromRow;
use wagate_model::{OrganizationId, WebhookId};

use super::DeliveryClaim;
use crate::admin::Admin;
use crate::error::Result;
use crate::text::{Text, storable};
use crate::tx::on;

/// Failures that lie further apart than this, in milliseconds, are not without a break: a day,
/// twice the longest wait between two attempts.
const MAX_FAILURE_GAP_MS: i64 = 24 * 3600 * 1000;

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
    /// Whether the receiver was called: otherwise the attempt says nothing of it.
    pub was_requested: bool,
    /// Until when the receiver asks to be left alone, in milliseconds since 1970.
    pub pause_until_ms: Option<i64>,
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

/// How a webhook fares after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromRow)]
pub struct WebhookHealth {
    /// Since when every attempt failed, in milliseconds since 1970.
    pub failing_since: Option<i64>,
    /// How many attempts failed since then.
    pub failure_count: i64,
}

impl Admin<'_> {
    /// Ends an attempt and gives how its webhook fares; nothing where the claim was void.
    ///
    /// Then nothing changes.
    pub async fn finish_attempt(
        &mut self,
        claim: &DeliveryClaim,
        attempt: &AttemptRecord,
        outcome: DeliveryOutcome,
        now_ms: i64,
    ) -> Result<Option<WebhookHealth>> {
        let (status, next_attempt_at) = match outcome {
            DeliveryOutcome::Delivered => ("delivered", now_ms),
            DeliveryOutcome::Retry { at_ms } => ("pending", at_ms),
            DeliveryOutcome::Dead => ("dead", now_ms),
        };
        let row: Option<(i64, Text<WebhookId>, Option<String>)> =
            on!(self.tx, |conn| sqlx::query_as(
                "UPDATE webhook_delivery SET status = $4, attempt = attempt + 1, \
                 next_attempt_at = $5, lease_owner = NULL, lease_until = NULL, \
                 last_status_code = $6, last_error = $7, updated_at = $8 \
                 WHERE id = $1 AND lease_owner = $2 AND claims = $3 AND status = 'pending' \
                 RETURNING attempt, webhook_id, chat_key"
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
        let Some((number, Text(webhook), chat_key)) = row else {
            return Ok(None);
        };
        if let (1, Some(chat_key)) = (number, chat_key) {
            self.unblock_chat(webhook, &chat_key).await?;
        }
        self.insert_attempt(claim, number, attempt).await?;
        if let Some(until_ms) = attempt.pause_until_ms {
            self.pause_webhook(webhook, until_ms).await?;
        }
        if !attempt.was_requested {
            return Ok(Some(WebhookHealth::default()));
        }
        if outcome == DeliveryOutcome::Delivered {
            self.note_success(webhook).await?;
            return Ok(Some(WebhookHealth::default()));
        }
        self.note_failure(webhook, now_ms).await.map(Some)
    }

    /// Brings the first of a chat's deliveries back to what can be claimed.
    ///
    /// To be called whenever one that others may wait for no longer waits for its first attempt.
    pub(crate) async fn unblock_chat(&mut self, webhook: WebhookId, chat_key: &str) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE webhook_delivery SET is_blocked = FALSE WHERE is_blocked AND id = ( \
             SELECT e.id FROM webhook_delivery e WHERE e.webhook_id = $1 AND e.chat_key = $2 \
             AND e.status = 'pending' AND e.attempt = 0 ORDER BY e.event_id LIMIT 1)"
        )
        .bind(Text(webhook))
        .bind(chat_key)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    async fn insert_attempt(
        &mut self,
        claim: &DeliveryClaim,
        number: i64,
        attempt: &AttemptRecord,
    ) -> Result<()> {
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
        Ok(())
    }

    async fn pause_webhook(&mut self, webhook: WebhookId, until_ms: i64) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE webhook SET paused_until = $2 \
             WHERE id = $1 AND (paused_until IS NULL OR paused_until < $2)"
        )
        .bind(Text(webhook))
        .bind(until_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    async fn note_success(&mut self, webhook: WebhookId) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE webhook SET failing_since = NULL, failure_count = 0, last_failed_at = NULL \
             WHERE id = $1 AND failing_since IS NOT NULL"
        )
        .bind(Text(webhook))
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    async fn note_failure(&mut self, webhook: WebhookId, now_ms: i64) -> Result<WebhookHealth> {
        let health: Option<WebhookHealth> = on!(self.tx, |conn| sqlx::query_as(
            "UPDATE webhook SET \
             failing_since = CASE WHEN last_failed_at >= $3 THEN failing_since ELSE $2 END, \
             failure_count = CASE WHEN last_failed_at >= $3 THEN failure_count + 1 ELSE 1 END, \
             last_failed_at = $2 WHERE id = $1 RETURNING failing_since, failure_count"
        )
        .bind(Text(webhook))
        .bind(now_ms)
        .bind(now_ms - MAX_FAILURE_GAP_MS)
        .fetch_optional(conn)
        .await)?;
        Ok(health.unwrap_or_default())
    }

    /// Gives a claimed delivery back without an attempt: the worker is stopping.
    ///
    /// It is as if it had not been claimed.
    pub async fn return_delivery(&mut self, claim: &DeliveryClaim, now_ms: i64) -> Result<bool> {
        let count = on!(self.tx, |conn| sqlx::query(
            "UPDATE webhook_delivery SET next_attempt_at = $4, lease_owner = NULL, \
             lease_until = NULL, claims = claims - 1 \
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

    /// Makes everything due that workers hold who are gone; gives how much.
    ///
    /// For a database of one process, when it starts: nobody else can have claimed anything.
    /// The claims stay counted, so that a delivery that takes its worker down is found out.
    pub async fn release_deliveries(&mut self, now_ms: i64) -> Result<u64> {
        Ok(on!(self.tx, |conn| sqlx::query(
            "UPDATE webhook_delivery SET next_attempt_at = $1, lease_owner = NULL, \
             lease_until = NULL WHERE status = 'pending' AND lease_owner IS NOT NULL"
        )
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?)
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
        let organization: Option<Text<OrganizationId>> = on!(self.tx, |conn| sqlx::query_scalar(
            "UPDATE webhook SET active = $2, disabled_reason = $3, updated_at = $4 \
             WHERE id = $1 AND active RETURNING organization_id"
        )
        .bind(Text(webhook))
        .bind(false)
        .bind(reason)
        .bind(now_ms)
        .fetch_optional(conn)
        .await)?;
        if let Some(Text(organization)) = organization {
            self.tx.note_changed_webhooks(organization);
        }
        Ok(organization.is_some())
    }
}
