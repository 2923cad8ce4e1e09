//! The audit log of the whole installation.

use wagate_model::{AuditEntry, AuditId};

use super::Admin;
use crate::audit::{AuditFilter, AuditRow, select_audit};
use crate::error::Result;
use crate::text::{Text, storable};
use crate::tx::on;

impl Admin<'_> {
    /// Lines of every organization, and those of none, before one; newest first.
    pub async fn audit(
        &mut self,
        filter: &AuditFilter,
        before: Option<AuditId>,
        limit: i64,
    ) -> Result<Vec<AuditEntry>> {
        // The parameters have the same numbers as those of one organization's log.
        let rows: Vec<AuditRow> = on!(self.tx, |conn| sqlx::query_as(select_audit!(
            "($1 IS NULL OR organization_id = $1)"
        ))
        .bind(None::<String>)
        .bind(before.map(Text))
        .bind(filter.actor_id.as_deref().map(storable))
        .bind(filter.action.map(Text))
        .bind(filter.resource_id.as_deref().map(storable))
        .bind(limit)
        .fetch_all(conn)
        .await)?;
        rows.into_iter().map(AuditRow::into_entry).collect()
    }
}
