//! From the buffer of a group to rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::QueryBuilder;
use ulid::Ulid;
use wagate_model::{
    DeliveryId, EVENT_SCHEMA, EventId, EventKind, OrganizationId, SessionId, WebhookId,
};

use crate::error::{Result, StoreError};
use crate::text::{Text, storable};
use crate::tx::{Tx, on, sql};

/// Rows of one INSERT; far below the parameter limits of both databases.
pub(super) const ROWS_PER_INSERT: usize = 200;
/// INSERTs of up to this many rows are prepared once and kept.
pub(super) const ROWS_WORTH_PREPARING: usize = 8;

/// An event that a job adds to the log.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The organization.
    pub organization: OrganizationId,
    /// The session.
    pub session: SessionId,
    /// What happened.
    pub kind: EventKind,
    /// When it was emitted, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// What it says, as JSON.
    pub payload: Box<RawValue>,
    /// The chat whose events are delivered in order; no order where absent.
    pub chat_key: Option<String>,
}

impl NewEvent {
    /// An event with a payload that is written as JSON.
    pub fn new<P: Serialize>(
        organization: OrganizationId,
        session: SessionId,
        kind: EventKind,
        timestamp_ms: i64,
        payload: &P,
    ) -> Result<Self> {
        let payload = serde_json::value::to_raw_value(payload)?;
        Ok(Self {
            organization,
            session,
            kind,
            timestamp_ms,
            payload,
            chat_key: None,
        })
    }

    /// Has the event delivered in the order of its chat's events.
    #[must_use]
    pub fn in_chat(mut self, chat_key: impl Into<String>) -> Self {
        self.chat_key = Some(chat_key.into());
        self
    }
}

/// An event that waits in a transaction for its id.
#[derive(Debug)]
pub(crate) struct PendingEvent(NewEvent);

/// An event that is in the log.
#[derive(Debug, Clone)]
pub struct CommittedEvent {
    /// The id.
    pub id: EventId,
    /// The organization.
    pub organization: OrganizationId,
    /// The session.
    pub session: SessionId,
    /// What happened.
    pub kind: EventKind,
    /// The envelope as JSON: the bytes that webhooks, sockets and pulls carry.
    pub envelope: Arc<str>,
    /// How many webhooks it was queued for.
    pub delivery_count: usize,
}

/// Hears of events once they are committed.
///
/// It is called by the writer, in the order of the commits of each organization: it
/// must return at once and must not write to the store.
pub trait CommitListener: Send + Sync + 'static {
    /// Jobs were done together, and their events committed: none, where they wrote none.
    fn committed(&self, events: Vec<CommittedEvent>);
}

/// A listener that does nothing, for programs that serve nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct IgnoreCommits;

impl CommitListener for IgnoreCommits {
    fn committed(&self, _events: Vec<CommittedEvent>) {}
}

#[derive(Serialize)]
struct Envelope<'a> {
    schema: &'static str,
    id: EventId,
    event: EventKind,
    session: SessionId,
    organization: OrganizationId,
    timestamp: i64,
    payload: &'a RawValue,
}

struct EventRow {
    event: NewEvent,
    id: EventId,
    envelope: Arc<str>,
}

/// An event that is queued for a webhook.
pub(crate) struct NewDelivery {
    pub(crate) id: DeliveryId,
    pub(crate) organization: OrganizationId,
    pub(crate) webhook: WebhookId,
    pub(crate) event: EventId,
    pub(crate) session: SessionId,
    pub(crate) chat_key: Option<String>,
    pub(crate) is_replay: bool,
}

/// Where the event stream of an organization stands.
pub(super) struct Stream {
    last_id: Option<Ulid>,
    /// Which state of the organization's webhooks this is.
    pub(super) webhooks_version: i64,
}

/// The id after `last`: never lower, and not before `now_ms`, also when the clock went back.
fn next_id(last: Option<Ulid>, now_ms: u64) -> Ulid {
    let fresh = Ulid::from_parts(now_ms, rand::random::<u128>() >> 48);
    match last {
        Some(last) if last.timestamp_ms() >= now_ms => {
            // The random part overflows once in 2^80 steps: then the next millisecond begins.
            last.increment()
                .unwrap_or_else(|_| Ulid::from_parts(last.timestamp_ms() + 1, 0))
        }
        _ => fresh,
    }
}

impl Tx {
    /// Adds an event to the log when the group commits; nothing where the job fails.
    pub fn append_event(&mut self, event: NewEvent) {
        self.pending_events.push(PendingEvent(event));
    }

    /// Writes the buffered events of the whole group; the caller commits.
    pub(crate) async fn flush_events(&mut self, now_ms: i64) -> Result<Vec<CommittedEvent>> {
        let changed = std::mem::take(&mut self.changed_webhooks);
        if self.pending_events.is_empty() && changed.is_empty() {
            return Ok(Vec::new());
        }
        let pending = std::mem::take(&mut self.pending_events);
        let mut organizations: BTreeSet<_> =
            pending.iter().map(|event| event.0.organization).collect();
        let posting: Vec<_> = organizations.iter().copied().collect();
        organizations.extend(&changed);
        let mut streams = self.lock_streams(&organizations).await?;
        for organization in &changed {
            if let Some(stream) = streams.get_mut(organization) {
                stream.webhooks_version += 1;
            }
        }
        self.refresh_subscriptions(&posting, &streams).await?;
        let now = u64::try_from(now_ms).unwrap_or(0);

        let mut events = Vec::with_capacity(pending.len());
        let mut deliveries = Vec::new();
        let mut delivery_counts = Vec::with_capacity(pending.len());
        for PendingEvent(event) in pending {
            let Some(stream) = streams.get_mut(&event.organization) else {
                continue;
            };
            let ulid = next_id(stream.last_id, now);
            stream.last_id = Some(ulid);
            let id = EventId::new(ulid);
            let before = deliveries.len();
            for webhook in self.subscriptions.wanting(&event) {
                deliveries.push(NewDelivery {
                    id: DeliveryId::from_parts(now, rand::random::<u128>() >> 48),
                    organization: event.organization,
                    webhook,
                    event: id,
                    session: event.session,
                    chat_key: event
                        .chat_key
                        .as_deref()
                        .map(|key| storable(key).into_owned()),
                    is_replay: false,
                });
            }
            delivery_counts.push(deliveries.len() - before);
            let envelope = Arc::from(serde_json::to_string(&Envelope {
                schema: EVENT_SCHEMA,
                id,
                event: event.kind,
                session: event.session,
                organization: event.organization,
                timestamp: event.timestamp_ms,
                payload: &event.payload,
            })?);
            events.push(EventRow {
                event,
                id,
                envelope,
            });
        }
        self.insert_events(&events, now_ms).await?;
        self.insert_deliveries(&deliveries, now_ms).await?;
        self.advance_streams(&streams).await?;
        Ok(events
            .into_iter()
            .zip(delivery_counts)
            .map(|(row, delivery_count)| CommittedEvent {
                id: row.id,
                organization: row.event.organization,
                session: row.event.session,
                kind: row.event.kind,
                envelope: row.envelope,
                delivery_count,
            })
            .collect())
    }

    async fn lock_streams(
        &mut self,
        organizations: &BTreeSet<OrganizationId>,
    ) -> Result<BTreeMap<OrganizationId, Stream>> {
        // One at a time and in order: a single statement would lock in the order of its plan.
        let mut streams = BTreeMap::new();
        for &organization in organizations {
            let mut row = self.stream_row(organization).await?;
            if row.is_none() {
                on!(self, |conn| sqlx::query(
                    "INSERT INTO event_stream (organization_id, last_id) \
                     SELECT id, '' FROM organization WHERE id = $1 AND deleted_at IS NULL \
                     ON CONFLICT (organization_id) DO NOTHING"
                )
                .bind(Text(organization))
                .execute(conn)
                .await
                .map(drop))?;
                row = self.stream_row(organization).await?;
            }
            // The organization has ended: its events are dropped.
            let Some((last_id, webhooks_version)) = row else {
                continue;
            };
            let last_id = match &*last_id {
                "" => None,
                text => Some(
                    text.parse::<EventId>()
                        .map_err(|_| StoreError::Corrupt("event_stream.last_id".to_owned()))?
                        .ulid(),
                ),
            };
            let stream = Stream {
                last_id,
                webhooks_version,
            };
            streams.insert(organization, stream);
        }
        Ok(streams)
    }

    async fn stream_row(&mut self, organization: OrganizationId) -> Result<Option<(String, i64)>> {
        let text = sql!(
            self,
            sqlite: "SELECT last_id, webhooks_version FROM event_stream \
                     WHERE organization_id = $1",
            postgres: "SELECT last_id, webhooks_version FROM event_stream \
                       WHERE organization_id = $1 FOR UPDATE",
        );
        Ok(on!(self, |conn| sqlx::query_as(text)
            .bind(Text(organization))
            .fetch_optional(conn)
            .await)?)
    }

    async fn insert_events(&mut self, rows: &[EventRow], now_ms: i64) -> Result<()> {
        for chunk in rows.chunks(ROWS_PER_INSERT) {
            on!(self, |conn| {
                let mut query = QueryBuilder::new(
                    "INSERT INTO event \
                     (organization_id, id, session_id, kind, envelope, created_at) ",
                );
                query.push_values(chunk, |mut values, row| {
                    values
                        .push_bind(Text(row.event.organization))
                        .push_bind(Text(row.id))
                        .push_bind(Text(row.event.session))
                        .push_bind(row.event.kind.as_str())
                        .push_bind(&*row.envelope)
                        .push_bind(now_ms);
                });
                query
                    .build()
                    .persistent(chunk.len() <= ROWS_WORTH_PREPARING)
                    .execute(conn)
                    .await
                    .map(drop)
            })?;
        }
        Ok(())
    }

    /// Queues events, due at once.
    pub(crate) async fn insert_deliveries(
        &mut self,
        rows: &[NewDelivery],
        now_ms: i64,
    ) -> Result<()> {
        for chunk in rows.chunks(ROWS_PER_INSERT) {
            on!(self, |conn| {
                let mut query = QueryBuilder::new(
                    "INSERT INTO webhook_delivery \
                     (id, organization_id, webhook_id, event_id, session_id, chat_key, status, \
                      attempt, claims, next_attempt_at, is_replay, created_at, updated_at) ",
                );
                query.push_values(chunk, |mut values, row| {
                    values
                        .push_bind(Text(row.id))
                        .push_bind(Text(row.organization))
                        .push_bind(Text(row.webhook))
                        .push_bind(Text(row.event))
                        .push_bind(Text(row.session))
                        .push_bind(row.chat_key.as_deref())
                        .push_bind("pending")
                        .push_bind(0_i64)
                        .push_bind(0_i64)
                        .push_bind(now_ms)
                        .push_bind(row.is_replay)
                        .push_bind(now_ms)
                        .push_bind(now_ms);
                });
                query
                    .build()
                    .persistent(chunk.len() <= ROWS_WORTH_PREPARING)
                    .execute(conn)
                    .await
                    .map(drop)
            })?;
        }
        Ok(())
    }

    async fn advance_streams(&mut self, streams: &BTreeMap<OrganizationId, Stream>) -> Result<()> {
        for (organization, stream) in streams {
            let last_id = stream.last_id.map(|id| EventId::new(id).to_string());
            on!(self, |conn| sqlx::query(
                "UPDATE event_stream SET last_id = $2, webhooks_version = $3 \
                 WHERE organization_id = $1"
            )
            .bind(Text(*organization))
            .bind(last_id.unwrap_or_default())
            .bind(stream.webhooks_version)
            .execute(conn)
            .await
            .map(drop))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_only_grow_whatever_the_clock_does(clock in proptest::collection::vec(0_u64..1000, 1..50)) {
            let mut last = None;
            for now in clock {
                let next = next_id(last, now);
                prop_assert!(last.is_none_or(|last| next > last));
                prop_assert!(next.timestamp_ms() >= now);
                last = Some(next);
            }
        }
    }

    #[test]
    fn an_overflowing_id_goes_on_in_the_next_millisecond() {
        let last = Ulid::from_parts(5, (1 << 80) - 1);
        let next = next_id(Some(last), 3);
        assert!(next > last);
        assert_eq!(next.timestamp_ms(), 6);
    }
}
