//! Every session, and whose sessions and webhooks are.

use wagate_model::{OrganizationId, SessionId, WebhookId};

use super::Admin;
use crate::error::Result;
use crate::sessions::{SessionRecord, SessionRow, select_session};
use crate::text::Text;
use crate::tx::{db_now, on, sql};

impl Admin<'_> {
    /// The sessions of every organization, oldest first.
    pub async fn sessions(&mut self) -> Result<Vec<SessionRecord>> {
        let text = sql!(
            self.tx,
            sqlite: select_session!(sqlite, "1 = 1 ORDER BY s.id"),
            postgres: select_session!(postgres, "1 = 1 ORDER BY s.id"),
        );
        let rows: Vec<SessionRow> =
            on!(self.tx, |conn| sqlx::query_as(text).fetch_all(conn).await)?;
        rows.into_iter().map(SessionRow::into_record).collect()
    }

    /// The organization of a webhook.
    pub async fn webhook_organization(&mut self, id: WebhookId) -> Result<Option<OrganizationId>> {
        let found: Option<Text<OrganizationId>> = on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT w.organization_id FROM webhook w \
             JOIN organization o ON o.id = w.organization_id AND o.deleted_at IS NULL \
             WHERE w.id = $1"
        )
        .bind(Text(id))
        .fetch_optional(conn)
        .await)?;
        Ok(found.map(|found| found.0))
    }

    /// The organization of a session.
    pub async fn session_organization(&mut self, id: SessionId) -> Result<Option<OrganizationId>> {
        let found: Option<Text<OrganizationId>> = on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT organization_id FROM session WHERE id = $1 AND deleted_at IS NULL"
        )
        .bind(Text(id))
        .fetch_optional(conn)
        .await)?;
        Ok(found.map(|found| found.0))
    }
}
