//! The audit log.

use serde_json::{Map, Value};
use sqlx::FromRow;
use wagate_model::{Actor, ActorKind, AuditAction, AuditEntry, AuditId, OrganizationId};

use crate::error::Result;
use crate::organizations::is_not_ended;
use crate::text::{Text, storable};
use crate::tx::{Tx, on};

/// Which lines are wanted; all where nothing is given.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only what a caller did, by its id.
    pub actor_id: Option<String>,
    /// Only one action.
    pub action: Option<AuditAction>,
    /// Only what was done to a resource, by its id.
    pub resource_id: Option<String>,
}

#[derive(FromRow)]
pub(crate) struct AuditRow {
    id: Text<AuditId>,
    organization_id: Option<Text<OrganizationId>>,
    actor_kind: Text<ActorKind>,
    actor_id: String,
    actor_name: String,
    action: Text<AuditAction>,
    resource_id: String,
    details: String,
    created_at: i64,
}

impl AuditRow {
    pub(crate) fn into_entry(self) -> Result<AuditEntry> {
        let details: Map<String, Value> = serde_json::from_str(&self.details)?;
        Ok(AuditEntry {
            id: self.id.0,
            organization_id: self.organization_id.map(|id| id.0),
            actor: Actor {
                kind: self.actor_kind.0,
                id: self.actor_id,
                name: self.actor_name,
            },
            action: self.action.0,
            resource_id: self.resource_id,
            details,
            created_at: self.created_at,
        })
    }
}

macro_rules! select_audit {
    ($condition:expr) => {
        concat!(
            "SELECT id, organization_id, actor_kind, actor_id, actor_name, action, resource_id, \
             details, created_at FROM audit_entry WHERE ",
            $condition,
            " AND ($2 IS NULL OR id < $2) AND ($3 IS NULL OR actor_id = $3) \
             AND ($4 IS NULL OR action = $4) AND ($5 IS NULL OR resource_id = $5) \
             ORDER BY id DESC LIMIT $6"
        )
    };
}

pub(crate) use select_audit;

impl Tx {
    /// Adds a line, in the transaction of what it tells.
    pub async fn insert_audit(&mut self, entry: &AuditEntry) -> Result<()> {
        let details = serde_json::to_string(&entry.details)?;
        on!(self, |conn| sqlx::query(
            "INSERT INTO audit_entry (id, organization_id, actor_kind, actor_id, actor_name, \
             action, resource_id, details, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        )
        .bind(Text(entry.id))
        .bind(entry.organization_id.map(Text))
        .bind(Text(entry.actor.kind))
        .bind(storable(&entry.actor.id))
        .bind(storable(&entry.actor.name))
        .bind(Text(entry.action))
        .bind(storable(&entry.resource_id))
        .bind(storable(&details))
        .bind(entry.created_at)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Lines of an organization before one, newest first.
    pub async fn audit(
        &mut self,
        organization: OrganizationId,
        filter: &AuditFilter,
        before: Option<AuditId>,
        limit: i64,
    ) -> Result<Vec<AuditEntry>> {
        let rows: Vec<AuditRow> = on!(self, |conn| sqlx::query_as(select_audit!(concat!(
            "organization_id = $1 AND ",
            is_not_ended!()
        )))
        .bind(Text(organization))
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
