//! Using tickets.

use sqlx::FromRow;
use wagate_model::OrganizationId;

use super::Admin;
use crate::error::Result;
use crate::text::Text;
use crate::tx::on;

#[derive(FromRow)]
struct TicketRow {
    organization_id: Option<Text<OrganizationId>>,
    scope: String,
    expires_at: i64,
}

impl Admin<'_> {
    /// Whose ticket it is, without taking it: an organization's, or one for all of them.
    /// Nothing where it had run out.
    pub async fn ticket_organization(
        &mut self,
        hash: &[u8; 32],
        now_ms: i64,
    ) -> Result<Option<Option<OrganizationId>>> {
        let found: Option<Option<Text<OrganizationId>>> = on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT organization_id FROM realtime_ticket WHERE hash = $1 AND expires_at > $2"
        )
        .bind(hash.as_slice())
        .bind(now_ms)
        .fetch_optional(conn)
        .await)?;
        Ok(found.map(|organization| organization.map(|organization| organization.0)))
    }

    /// Takes a ticket: it is gone afterwards, and only the first caller gets what it opens.
    ///
    /// Gives the organization, where it is for one, and the scope as JSON; nothing where it had run out.
    pub async fn take_ticket(
        &mut self,
        hash: &[u8; 32],
        now_ms: i64,
    ) -> Result<Option<(Option<OrganizationId>, String)>> {
        let row: Option<TicketRow> = on!(self.tx, |conn| sqlx::query_as(
            "DELETE FROM realtime_ticket WHERE hash = $1 \
             RETURNING organization_id, scope, expires_at"
        )
        .bind(hash.as_slice())
        .fetch_optional(conn)
        .await)?;
        Ok(row.filter(|row| row.expires_at > now_ms).map(|row| {
            (
                row.organization_id.map(|organization| organization.0),
                row.scope,
            )
        }))
    }
}
