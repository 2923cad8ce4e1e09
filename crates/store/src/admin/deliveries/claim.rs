//! Claiming what is due, with a fair share for everybody.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sqlx::FromRow;
use wagate_model::{DeliveryId, EventId, OrganizationId, RetryPolicy, SessionId, WebhookId};

use super::{AttemptRecord, DeliveryClaim, DeliveryOutcome};
use crate::admin::Admin;
use crate::error::{Result, StoreError};
use crate::text::Text;
use crate::tx::{on, sql};
use crate::webhook_secrets::WebhookSecrets;

/// How many of a webhook's due deliveries are looked at in one step.
const WINDOW: i64 = 500;
/// How many deliveries one claim sets aside at most, so that nobody waits for it for long.
const MAX_SET_ASIDE: i64 = 5_000;
/// A delivery that was claimed so often without an attempt takes its workers down with it.
const MAX_LOST_CLAIMS: i64 = 10;

/// How much may be claimed at once.
#[derive(Debug, Clone, Copy)]
pub struct ClaimLimits {
    /// Most deliveries of one webhook under way at the same time, in all workers.
    pub per_webhook: i64,
    /// Most deliveries in this claim: the requests that the worker has room for.
    pub total: i64,
    /// How long the worker may take, in milliseconds.
    pub lease_ms: i64,
}

/// What a worker is busy with, for a fair choice of what comes next.
#[derive(Debug, Clone, Default)]
pub struct Workload {
    /// How many of its requests are under way for each organization.
    pub under_way: HashMap<OrganizationId, i64>,
    /// The webhook that its last claim ended with: the next one begins behind it.
    pub last_served: Option<WebhookId>,
}

impl Workload {
    /// How many of so many free places an organization may have.
    ///
    /// It never has more than it leaves free: alone half of all places, and the more
    /// organizations are busy, the less each; one that comes late still finds room.
    fn share(&self, organization: OrganizationId, free: i64) -> i64 {
        let taken = self.under_way.get(&organization).copied().unwrap_or(0);
        ((free - taken + 1) / 2).clamp(0, free.max(0))
    }
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

/// A webhook that was disabled because its row cannot be read.
#[derive(Debug)]
pub struct UnreadableWebhook {
    /// The webhook.
    pub id: WebhookId,
    /// What is wrong with it.
    pub error: StoreError,
}

/// What a claim brought.
#[derive(Debug, Default)]
pub struct Claims {
    /// What is to be attempted now, in the order of the events of each webhook.
    pub deliveries: Vec<ClaimedDelivery>,
    /// The webhook that got its turn last, for the next [`Workload`].
    pub last_served: Option<WebhookId>,
    /// Webhooks that were disabled instead.
    pub unreadable: Vec<UnreadableWebhook>,
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

/// Whether an earlier event of the delivery's chat waits for its first attempt.
macro_rules! has_earlier {
    () => {
        "EXISTS (SELECT 1 FROM webhook_delivery e WHERE e.webhook_id = c.webhook_id \
         AND e.chat_key = c.chat_key AND e.status = 'pending' AND e.attempt = 0 \
         AND e.event_id < c.event_id)"
    };
}

/// Which due deliveries of a webhook may go out: a first attempt waits until every
/// earlier event of its chat has had its own.
macro_rules! claimable {
    ($lock:literal) => {
        concat!(
            "SELECT c.id FROM webhook_delivery c WHERE c.id IN ( \
             SELECT d.id FROM webhook_delivery d WHERE d.webhook_id = $1 \
             AND d.status = 'pending' AND NOT d.is_blocked AND d.next_attempt_at <= $2 \
             ORDER BY d.next_attempt_at, d.event_id LIMIT $3) \
             AND c.status = 'pending' AND NOT c.is_blocked AND c.next_attempt_at <= $2 \
             AND (c.attempt > 0 OR c.chat_key IS NULL OR NOT ",
            has_earlier!(),
            ") ORDER BY c.next_attempt_at, c.event_id LIMIT $4",
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

/// Which due deliveries of a webhook wait for their chat.
macro_rules! waiting {
    ($columns:literal, $lock:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM webhook_delivery c WHERE c.webhook_id = $1 \
             AND c.status = 'pending' AND NOT c.is_blocked AND c.next_attempt_at <= $2 \
             AND c.attempt = 0 AND c.chat_key IS NOT NULL AND ",
            has_earlier!(),
            " ORDER BY c.next_attempt_at, c.event_id LIMIT $3",
            $lock
        )
    };
}

/// One claim on its way through the webhooks.
struct Round<'r> {
    owner: &'r str,
    limits: ClaimLimits,
    load: Workload,
    free: i64,
    set_aside: i64,
    now_ms: i64,
    claims: Claims,
}

/// A webhook that may have more to do than its first turn took.
struct Eager {
    target: Arc<WebhookTarget>,
    room: i64,
}

impl Admin<'_> {
    /// Claims deliveries that are due: each webhook has its turn before any has a second.
    ///
    /// At most one first attempt of a chat is under way at a time, so that they go out
    /// in order; a lease that ran out makes its delivery due again. A webhook whose row
    /// cannot be read is disabled, and holds nobody up.
    pub async fn claim_deliveries(
        &mut self,
        owner: &str,
        limits: ClaimLimits,
        load: Workload,
        now_ms: i64,
    ) -> Result<Claims> {
        let mut rows = self.webhooks_with_due(now_ms).await?;
        rows.retain(|row| row.in_flight < limits.per_webhook);
        let behind = rows.partition_point(|row| Some(row.id.0) <= load.last_served);
        rows.rotate_left(behind);
        let webhooks = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let turn = limits.total / webhooks.max(1) + 1;
        let mut round = Round {
            owner,
            limits,
            free: limits.total,
            set_aside: 0,
            now_ms,
            claims: Claims {
                last_served: load.last_served,
                ..Claims::default()
            },
            load,
        };
        let mut eager = Vec::new();
        for row in rows {
            if round.free <= 0 {
                break;
            }
            let (id, room) = (row.id.0, limits.per_webhook - row.in_flight);
            let target = match self.target(row, now_ms) {
                Ok(target) => Arc::new(target),
                Err(error) => {
                    self.disable_webhook(id, "unreadable", now_ms).await?;
                    round
                        .claims
                        .unreadable
                        .push(UnreadableWebhook { id, error });
                    continue;
                }
            };
            let wanted = turn.min(room);
            let count = self.claim_for(&mut round, &target, wanted).await?;
            if count > 0 {
                round.claims.last_served = Some(id);
            }
            if count == wanted && room > count {
                let room = room - count;
                eager.push(Eager { target, room });
            }
        }
        for Eager { target, room } in eager {
            self.claim_for(&mut round, &target, room).await?;
        }
        Ok(round.claims)
    }

    async fn webhooks_with_due(&mut self, now_ms: i64) -> Result<Vec<TargetRow>> {
        // The recursion hops over the index from webhook to webhook, however many
        // deliveries each has. What is under way is due at the end of its lease.
        Ok(on!(self.tx, |conn| sqlx::query_as(
            "WITH RECURSIVE pending (webhook_id) AS ( \
             SELECT MIN(webhook_id) FROM webhook_delivery \
             WHERE status = 'pending' AND NOT is_blocked \
             UNION ALL SELECT (SELECT MIN(d.webhook_id) FROM webhook_delivery d \
             WHERE d.status = 'pending' AND NOT d.is_blocked AND d.webhook_id > p.webhook_id) \
             FROM pending p WHERE p.webhook_id IS NOT NULL) \
             SELECT w.id, w.organization_id, w.url, w.secret, w.previous_secret, \
             w.previous_secret_expires_at, w.custom_headers, w.retry_policy, \
             (SELECT COUNT(*) FROM webhook_delivery f WHERE f.webhook_id = w.id \
             AND f.status = 'pending' AND NOT f.is_blocked AND f.next_attempt_at > $1 \
             AND f.lease_until > $1) AS in_flight \
             FROM pending p JOIN webhook w ON w.id = p.webhook_id WHERE w.active \
             AND (w.paused_until IS NULL OR w.paused_until <= $1) \
             AND EXISTS (SELECT 1 FROM webhook_delivery d WHERE d.webhook_id = w.id \
             AND d.status = 'pending' AND NOT d.is_blocked AND d.next_attempt_at <= $1) \
             ORDER BY w.id"
        )
        .bind(now_ms)
        .fetch_all(conn)
        .await)?)
    }

    /// Claims for one webhook within its organization's share; gives how many it took.
    async fn claim_for(
        &mut self,
        round: &mut Round<'_>,
        target: &Arc<WebhookTarget>,
        wanted: i64,
    ) -> Result<i64> {
        let share = round.load.share(target.organization, round.free);
        let wanted = wanted.min(share);
        if wanted <= 0 {
            return Ok(0);
        }
        let mut taken = 0;
        loop {
            let rows = self.claim_rows(round, target.id, wanted - taken).await?;
            let found = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            for row in rows {
                taken += i64::from(self.hand_out(round, target, row).await?);
            }
            if taken >= wanted || round.set_aside >= MAX_SET_ASIDE {
                break;
            }
            // What waits for its chat would hide what is behind it in the window.
            let set_aside = self.set_aside(target.id, round.now_ms).await?;
            round.set_aside += set_aside;
            if set_aside + found < WINDOW {
                break;
            }
        }
        round.free -= taken;
        *round.load.under_way.entry(target.organization).or_default() += taken;
        Ok(taken)
    }

    /// Adds a claimed delivery to the round, or buries it; whether it is to be attempted.
    async fn hand_out(
        &mut self,
        round: &mut Round<'_>,
        target: &Arc<WebhookTarget>,
        row: ClaimedRow,
    ) -> Result<bool> {
        let claim = DeliveryClaim {
            id: row.id.0,
            owner: round.owner.to_owned(),
            number: row.claims,
        };
        if row.claims - row.attempt > MAX_LOST_CLAIMS {
            let record = AttemptRecord {
                started_at_ms: round.now_ms,
                error: Some("given up: the service never came to the end of an attempt".into()),
                ..AttemptRecord::default()
            };
            self.finish_attempt(&claim, &record, DeliveryOutcome::Dead, round.now_ms)
                .await?;
            return Ok(false);
        }
        round.claims.deliveries.push(ClaimedDelivery {
            claim,
            target: target.clone(),
            event_id: row.event_id.0,
            session_id: row.session_id.0,
            attempts: row.attempt,
            is_replay: row.is_replay,
            envelope: row.envelope,
        });
        Ok(true)
    }

    async fn claim_rows(
        &mut self,
        round: &Round<'_>,
        webhook: WebhookId,
        count: i64,
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
            .bind(Text(webhook))
            .bind(round.now_ms)
            .bind(WINDOW.max(count))
            .bind(count)
            .bind(round.owner)
            .bind(round.now_ms + round.limits.lease_ms)
            .fetch_all(conn)
            .await)?;
        rows.sort_by_key(|row| row.event_id.0);
        Ok(rows)
    }

    /// Sets due deliveries aside that wait for their chat; gives how many.
    ///
    /// Each comes back when the first of its chat has had its attempt. On PostgreSQL that
    /// one is locked meanwhile: either its end waits for this transaction and sees what was
    /// set aside, or it is under way to its end, and nothing is set aside behind it.
    async fn set_aside(&mut self, webhook: WebhookId, now_ms: i64) -> Result<i64> {
        let text = sql!(
            self.tx,
            sqlite: concat!(
                "UPDATE webhook_delivery SET is_blocked = TRUE WHERE id IN (",
                waiting!("c.id", ""), ")",
            ),
            postgres: concat!(
                "WITH waiting AS MATERIALIZED (",
                waiting!("c.id, c.chat_key", " FOR UPDATE OF c SKIP LOCKED"),
                "), heads AS MATERIALIZED (SELECT h.chat_key FROM webhook_delivery h \
                 WHERE h.id IN (SELECT (SELECT e.id FROM webhook_delivery e \
                 WHERE e.webhook_id = $1 AND e.chat_key = w.chat_key AND e.status = 'pending' \
                 AND e.attempt = 0 ORDER BY e.event_id LIMIT 1) \
                 FROM (SELECT DISTINCT chat_key FROM waiting) w) \
                 AND h.status = 'pending' AND h.attempt = 0 FOR SHARE OF h SKIP LOCKED) \
                 UPDATE webhook_delivery SET is_blocked = TRUE \
                 FROM waiting JOIN heads ON heads.chat_key = waiting.chat_key \
                 WHERE webhook_delivery.id = waiting.id",
            ),
        );
        let count = on!(self.tx, |conn| sqlx::query(text)
            .bind(Text(webhook))
            .bind(now_ms)
            .bind(WINDOW)
            .execute(conn)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }

    fn target(&self, row: TargetRow, now_ms: i64) -> Result<WebhookTarget> {
        let is_valid = |expiry: &i64| *expiry > now_ms;
        let is_any_valid = row
            .previous_secret_expires_at
            .as_ref()
            .is_some_and(is_valid);
        let earlier = row.previous_secret.filter(|_| is_any_valid);
        let secrets =
            self.tx
                .open_secrets(row.id.0, row.secret.as_deref(), earlier.as_deref(), now_ms)?;
        Ok(WebhookTarget {
            id: row.id.0,
            organization: row.organization_id.0,
            url: row.url,
            secrets,
            custom_headers: row
                .custom_headers
                .as_deref()
                .map(serde_json::from_str)
                .transpose()?
                .unwrap_or_default(),
            retry_policy: serde_json::from_str(&row.retry_policy)?,
        })
    }
}
