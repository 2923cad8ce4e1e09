//! Deliveries of events to webhooks, as the organization sees them.

use sqlx::{FromRow, QueryBuilder};
use wagate_model::{DeliveryId, EventId, EventKind, OrganizationId, SessionId, WebhookId};

use crate::error::{Result, StoreError};
use crate::organizations::is_not_ended;
use crate::text::Text;
use crate::tx::{Tx, on};

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// Waits for its first or next attempt.
    Pending,
    /// The receiver accepted it.
    Delivered,
    /// Given up; can be replayed.
    Dead,
}

impl DeliveryStatus {
    /// The name used on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

impl std::str::FromStr for DeliveryStatus {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Pending, Self::Delivered, Self::Dead]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| StoreError::Corrupt("webhook_delivery.status".to_owned()))
    }
}

/// One event on its way to one webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// The id.
    pub id: DeliveryId,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// The event.
    pub event_id: EventId,
    /// The session of the event.
    pub session_id: SessionId,
    /// How far it is.
    pub status: DeliveryStatus,
    /// How many attempts were made.
    pub attempts: i64,
    /// When it is tried next, in milliseconds since 1970; for pending ones.
    pub next_attempt_at_ms: Option<i64>,
    /// What the receiver answered last.
    pub last_status_code: Option<i64>,
    /// What failed last.
    pub last_error: Option<String>,
    /// Whether it was asked for again.
    pub is_replay: bool,
    /// When it was queued, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When it last changed, in milliseconds since 1970.
    pub updated_at_ms: i64,
}

/// One attempt of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct AttemptEntry {
    /// Counted from 1.
    pub number: i64,
    /// When it began, in milliseconds since 1970.
    pub started_at: i64,
    /// How long it took.
    pub duration_ms: i64,
    /// What the receiver answered, where it did.
    pub status_code: Option<i64>,
    /// What failed.
    pub error: Option<String>,
    /// The beginning of the answer.
    pub answer: Option<String>,
}

/// Which deliveries of a webhook are wanted.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Only these.
    pub status: Option<DeliveryStatus>,
    /// Only of this event.
    pub event_id: Option<EventId>,
    /// Only of events of this kind, as long as those are kept.
    pub kind: Option<EventKind>,
    /// Only those queued at this time or later, in milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// Only those queued before this time, in milliseconds since 1970.
    pub until_ms: Option<i64>,
}

#[derive(FromRow)]
struct DeliveryRow {
    id: Text<DeliveryId>,
    webhook_id: Text<WebhookId>,
    event_id: Text<EventId>,
    session_id: Text<SessionId>,
    status: Text<DeliveryStatus>,
    attempt: i64,
    next_attempt_at: i64,
    last_status_code: Option<i64>,
    last_error: Option<String>,
    is_replay: bool,
    created_at: i64,
    updated_at: i64,
}

impl From<DeliveryRow> for DeliveryRecord {
    fn from(row: DeliveryRow) -> Self {
        let status = row.status.0;
        Self {
            id: row.id.0,
            webhook_id: row.webhook_id.0,
            event_id: row.event_id.0,
            session_id: row.session_id.0,
            status,
            attempts: row.attempt,
            next_attempt_at_ms: (status == DeliveryStatus::Pending).then_some(row.next_attempt_at),
            last_status_code: row.last_status_code,
            last_error: row.last_error,
            is_replay: row.is_replay,
            created_at_ms: row.created_at,
            updated_at_ms: row.updated_at,
        }
    }
}

impl Tx {
    /// Lists deliveries of a webhook, newest first, before a delivery's id.
    pub async fn deliveries(
        &mut self,
        organization: OrganizationId,
        webhook: WebhookId,
        filter: &DeliveryFilter,
        before: Option<DeliveryId>,
        limit: i64,
    ) -> Result<Vec<DeliveryRecord>> {
        let rows: Vec<DeliveryRow> = on!(self, |conn| {
            let mut query = QueryBuilder::new(
                "SELECT id, webhook_id, event_id, session_id, status, attempt, next_attempt_at, \
                 last_status_code, last_error, is_replay, created_at, updated_at \
                 FROM webhook_delivery WHERE organization_id = ",
            );
            query.push_bind(Text(organization));
            query.push(concat!(" AND ", is_not_ended!()));
            query.push(" AND webhook_id = ").push_bind(Text(webhook));
            if let Some(status) = filter.status {
                query.push(" AND status = ").push_bind(status.as_str());
            }
            if let Some(event) = filter.event_id {
                query.push(" AND event_id = ").push_bind(Text(event));
            }
            if let Some(kind) = filter.kind {
                query.push(
                    " AND EXISTS (SELECT 1 FROM event v \
                     WHERE v.organization_id = webhook_delivery.organization_id \
                     AND v.id = webhook_delivery.event_id AND v.kind = ",
                );
                query.push_bind(kind.as_str()).push(")");
            }
            if let Some(from) = filter.from_ms {
                query.push(" AND created_at >= ").push_bind(from);
            }
            if let Some(until) = filter.until_ms {
                query.push(" AND created_at < ").push_bind(until);
            }
            if let Some(before) = before {
                query.push(" AND id < ").push_bind(Text(before));
            }
            query.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
            query.build_query_as().fetch_all(conn).await
        })?;
        Ok(rows.into_iter().map(DeliveryRecord::from).collect())
    }

    /// One delivery of an organization.
    pub async fn delivery(
        &mut self,
        organization: OrganizationId,
        id: DeliveryId,
    ) -> Result<Option<DeliveryRecord>> {
        let row: Option<DeliveryRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT id, webhook_id, event_id, session_id, status, attempt, next_attempt_at, \
             last_status_code, last_error, is_replay, created_at, updated_at \
             FROM webhook_delivery WHERE organization_id = $1 AND id = $2 AND ",
            is_not_ended!()
        ))
        .bind(Text(organization))
        .bind(Text(id))
        .fetch_optional(conn)
        .await)?;
        Ok(row.map(DeliveryRecord::from))
    }

    /// The attempts of a delivery, first to last.
    pub async fn delivery_attempts(
        &mut self,
        organization: OrganizationId,
        delivery: DeliveryId,
    ) -> Result<Vec<AttemptEntry>> {
        Ok(on!(self, |conn| sqlx::query_as(
            "SELECT a.number, a.started_at, a.duration_ms, a.status_code, a.error, a.answer \
             FROM webhook_attempt a JOIN webhook_delivery d ON d.id = a.delivery_id \
             WHERE d.organization_id = $1 AND d.id = $2 ORDER BY a.number"
        )
        .bind(Text(organization))
        .bind(Text(delivery))
        .fetch_all(conn)
        .await)?)
    }

    /// Queues an event for a webhook once more (or for the first time) and gives the delivery.
    ///
    /// Nothing where the organization has no such webhook, or no such event any more.
    pub async fn replay_event(
        &mut self,
        organization: OrganizationId,
        webhook: WebhookId,
        event: EventId,
        now_ms: i64,
    ) -> Result<Option<DeliveryId>> {
        let id = DeliveryId::from_parts(
            u64::try_from(now_ms).unwrap_or(0),
            rand::random::<u128>() >> 48,
        );
        let count = on!(self, |conn| sqlx::query(
            "INSERT INTO webhook_delivery (id, organization_id, webhook_id, event_id, \
             session_id, chat_key, status, attempt, claims, next_attempt_at, is_replay, \
             created_at, updated_at) \
             SELECT $1, e.organization_id, w.id, e.id, e.session_id, NULL, 'pending', 0, 0, $5, \
             $6, $5, $5 FROM event e JOIN webhook w ON w.organization_id = e.organization_id \
             JOIN organization o ON o.id = e.organization_id AND o.deleted_at IS NULL \
             WHERE e.organization_id = $2 AND w.id = $3 AND e.id = $4"
        )
        .bind(Text(id))
        .bind(Text(organization))
        .bind(Text(webhook))
        .bind(Text(event))
        .bind(now_ms)
        .bind(true)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok((count > 0).then_some(id))
    }
}
