//! Every organization.

use wagate_model::{EventId, Organization, OrganizationId};

use super::Admin;
use crate::error::Result;
use crate::organizations::OrganizationRow;
use crate::text::Text;
use crate::tx::on;

impl Admin<'_> {
    /// The organizations, oldest first.
    pub async fn organizations(&mut self) -> Result<Vec<Organization>> {
        let rows: Vec<OrganizationRow> = on!(self.tx, |conn| sqlx::query_as(
            "SELECT id, name, created_at FROM organization WHERE deleted_at IS NULL ORDER BY id"
        )
        .fetch_all(conn)
        .await)?;
        Ok(rows.into_iter().map(Organization::from).collect())
    }

    /// The newest event of each organization that has one.
    pub async fn last_event_ids(&mut self) -> Result<Vec<(OrganizationId, EventId)>> {
        let rows: Vec<(Text<OrganizationId>, Text<EventId>)> =
            on!(self.tx, |conn| sqlx::query_as(
                "SELECT organization_id, last_id FROM event_stream WHERE last_id <> '' \
                 ORDER BY organization_id"
            )
            .fetch_all(conn)
            .await)?;
        Ok(rows.into_iter().map(|row| (row.0.0, row.1.0)).collect())
    }
}
