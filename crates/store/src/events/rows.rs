//! Reading the event log.

use sqlx::{Database, Encode, FromRow, QueryBuilder, Type};
use wagate_model::{EventEnvelope, EventId, EventKind, OrganizationId, SessionId};

use crate::error::Result;
use crate::organizations::is_not_ended;
use crate::text::Text;
use crate::tx::{Tx, on};

/// Which events of an organization are wanted.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only this session's.
    pub session: Option<SessionId>,
    /// Only these kinds; all where absent.
    pub kinds: Option<Vec<EventKind>>,
}

impl EventFilter {
    /// Adds its conditions to a query of events.
    pub(crate) fn push_to<D: Database>(&self, query: &mut QueryBuilder<D>)
    where
        Text<SessionId>: for<'q> Encode<'q, D> + Type<D>,
        &'static str: for<'q> Encode<'q, D> + Type<D>,
    {
        if let Some(session) = self.session {
            query.push(" AND session_id = ").push_bind(Text(session));
        }
        if let Some(kinds) = &self.kinds {
            // An empty list is written as a list that matches nothing.
            query.push(" AND kind IN (''");
            for kind in kinds {
                query.push(", ").push_bind(kind.as_str());
            }
            query.push(")");
        }
    }
}

#[derive(FromRow)]
struct EnvelopeRow {
    id: Text<EventId>,
    envelope: String,
}

impl Tx {
    /// Lists events after an id (all that are kept where absent), oldest first, as stored bytes.
    pub async fn events_after(
        &mut self,
        organization: OrganizationId,
        after: Option<EventId>,
        filter: &EventFilter,
        limit: i64,
    ) -> Result<Vec<(EventId, String)>> {
        let rows: Vec<EnvelopeRow> = on!(self, |conn| {
            let mut query =
                QueryBuilder::new("SELECT id, envelope FROM event WHERE organization_id = ");
            query.push_bind(Text(organization));
            query.push(concat!(" AND ", is_not_ended!()));
            if let Some(after) = after {
                query.push(" AND id > ").push_bind(Text(after));
            }
            filter.push_to(&mut query);
            query.push(" ORDER BY id LIMIT ").push_bind(limit);
            query.build_query_as().fetch_all(conn).await
        })?;
        Ok(rows
            .into_iter()
            .map(|row| (row.id.0, row.envelope))
            .collect())
    }

    /// One event of an organization as it was stored.
    pub async fn event(
        &mut self,
        organization: OrganizationId,
        id: EventId,
    ) -> Result<Option<EventEnvelope>> {
        let envelope: Option<String> = on!(self, |conn| sqlx::query_scalar(
            "SELECT envelope FROM event WHERE organization_id = $1 AND id = $2"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .fetch_optional(conn)
        .await)?;
        Ok(envelope
            .map(|text| serde_json::from_str(&text))
            .transpose()?)
    }

    /// Whether the event is still kept.
    pub async fn has_event(&mut self, organization: OrganizationId, id: EventId) -> Result<bool> {
        let found: Option<i64> = on!(self, |conn| sqlx::query_scalar(
            "SELECT CAST(1 AS BIGINT) FROM event WHERE organization_id = $1 AND id = $2"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .fetch_optional(conn)
        .await)?;
        Ok(found.is_some())
    }

    /// The last event that was deleted for its age; none where all are kept.
    pub async fn purged_through(
        &mut self,
        organization: OrganizationId,
    ) -> Result<Option<EventId>> {
        let purged: Option<String> = on!(self, |conn| sqlx::query_scalar(
            "SELECT purged_through FROM event_stream WHERE organization_id = $1"
        )
        .bind(Text(organization))
        .fetch_optional(conn)
        .await)?;
        Ok(purged.and_then(|text| text.parse().ok()))
    }

    /// The id of the organization's newest event, also when it is no longer kept.
    pub async fn last_event_id(&mut self, organization: OrganizationId) -> Result<Option<EventId>> {
        let last: Option<String> = on!(self, |conn| sqlx::query_scalar(
            "SELECT last_id FROM event_stream WHERE organization_id = $1"
        )
        .bind(Text(organization))
        .fetch_optional(conn)
        .await)?;
        Ok(last.and_then(|text| text.parse().ok()))
    }
}
