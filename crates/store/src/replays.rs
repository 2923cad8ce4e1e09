//! Queueing the events of a time range for a webhook once more.

use std::ops::Bound;

use sqlx::{FromRow, QueryBuilder};
use wagate_model::{DeliveryId, EventId, OrganizationId, ReplayScope, SessionId, WebhookId};

use crate::error::Result;
use crate::events::{EventFilter, NewDelivery};
use crate::organizations::is_not_ended;
use crate::text::Text;
use crate::tx::{Tx, on};

#[derive(FromRow)]
struct ReplayedRow {
    id: Text<EventId>,
    session_id: Text<SessionId>,
}

/// Whether the event has a delivery to the webhook of which something holds.
macro_rules! has_delivery {
    ($condition:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM webhook_delivery d \
             WHERE d.organization_id = e.organization_id AND d.event_id = e.id \
             AND d.webhook_id = w.id",
            $condition,
            ")"
        )
    };
}

/// Which events are meant, by their deliveries. What waits already is not queued twice.
const fn condition(scope: ReplayScope) -> &'static str {
    match scope {
        ReplayScope::Dead => concat!(
            " AND ",
            has_delivery!(" AND d.status = 'dead'"),
            " AND NOT ",
            has_delivery!(" AND d.status <> 'dead'")
        ),
        ReplayScope::Missing => concat!(" AND NOT ", has_delivery!("")),
        ReplayScope::All => concat!(" AND NOT ", has_delivery!(" AND d.status = 'pending'")),
    }
}

impl Tx {
    /// The ids of events from a bound on and before an id, oldest first.
    pub async fn event_ids_between(
        &mut self,
        organization: OrganizationId,
        from: Bound<EventId>,
        until: EventId,
        filter: &EventFilter,
        limit: i64,
    ) -> Result<Vec<EventId>> {
        let rows: Vec<Text<EventId>> = on!(self, |conn| {
            let mut query = QueryBuilder::new("SELECT id FROM event WHERE organization_id = ");
            query.push_bind(Text(organization));
            query.push(concat!(" AND ", is_not_ended!()));
            match from {
                Bound::Included(id) => query.push(" AND id >= ").push_bind(Text(id)),
                Bound::Excluded(id) => query.push(" AND id > ").push_bind(Text(id)),
                Bound::Unbounded => &mut query,
            };
            query.push(" AND id < ").push_bind(Text(until));
            filter.push_to(&mut query);
            query.push(" ORDER BY id LIMIT ").push_bind(limit);
            query.build_query_scalar().fetch_all(conn).await
        })?;
        Ok(rows.into_iter().map(|id| id.0).collect())
    }

    /// Queues those of some events for a webhook that are meant; gives how many.
    ///
    /// What waits for the webhook already is left out: to be called with its row held, so that
    /// nobody else queues the same meanwhile. They are not in the order of their chats, so that
    /// they hold up nothing that comes now.
    pub async fn replay_events(
        &mut self,
        organization: OrganizationId,
        webhook: WebhookId,
        events: &[EventId],
        scope: ReplayScope,
        now_ms: i64,
    ) -> Result<u64> {
        if events.is_empty() {
            return Ok(0);
        }
        let rows: Vec<ReplayedRow> = on!(self, |conn| {
            let mut query = QueryBuilder::new(
                "SELECT e.id, e.session_id FROM event e \
                 JOIN webhook w ON w.organization_id = e.organization_id \
                 JOIN organization o ON o.id = e.organization_id AND o.deleted_at IS NULL \
                 WHERE e.organization_id = ",
            );
            query.push_bind(Text(organization));
            query.push(" AND w.id = ").push_bind(Text(webhook));
            query.push(" AND e.id IN (");
            let mut list = query.separated(", ");
            for event in events {
                list.push_bind(Text(*event));
            }
            query.push(")").push(condition(scope));
            query.push(" ORDER BY e.id");
            query
                .build_query_as()
                .persistent(false)
                .fetch_all(conn)
                .await
        })?;
        let time = u64::try_from(now_ms).unwrap_or(0);
        let deliveries: Vec<_> = rows
            .into_iter()
            .map(|row| NewDelivery {
                id: DeliveryId::from_parts(time, rand::random::<u128>() >> 48),
                organization,
                webhook,
                event: row.id.0,
                session: row.session_id.0,
                chat_key: None,
                is_replay: true,
            })
            .collect();
        self.insert_deliveries(&deliveries, now_ms).await?;
        Ok(u64::try_from(deliveries.len()).unwrap_or(u64::MAX))
    }
}
