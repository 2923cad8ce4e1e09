//! Organizations: the tenants.

use sqlx::FromRow;
use wagate_model::{Organization, OrganizationId};

use crate::error::Result;
use crate::text::{Text, storable};
use crate::tx::{Tx, on, sql};

#[derive(FromRow)]
pub(crate) struct OrganizationRow {
    id: Text<OrganizationId>,
    name: String,
    created_at: i64,
}

impl From<OrganizationRow> for Organization {
    fn from(row: OrganizationRow) -> Self {
        Self {
            id: row.id.0,
            name: row.name,
            created_at: row.created_at,
        }
    }
}

impl Tx {
    /// Adds an organization with an empty event log.
    pub async fn insert_organization(
        &mut self,
        id: OrganizationId,
        name: &str,
        now_ms: i64,
    ) -> Result<()> {
        on!(self, |conn| sqlx::query(
            "INSERT INTO organization (id, name, created_at) VALUES ($1, $2, $3)"
        )
        .bind(Text(id))
        .bind(storable(name))
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        on!(self, |conn| sqlx::query(
            "INSERT INTO event_stream (organization_id, last_id) VALUES ($1, '')"
        )
        .bind(Text(id))
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// One organization.
    pub async fn organization(&mut self, id: OrganizationId) -> Result<Option<Organization>> {
        let row: Option<OrganizationRow> = on!(self, |conn| sqlx::query_as(
            "SELECT id, name, created_at FROM organization WHERE id = $1 AND deleted_at IS NULL"
        )
        .bind(Text(id))
        .fetch_optional(conn)
        .await)?;
        Ok(row.map(Organization::from))
    }

    /// One organization, held until the transaction ends: who changes its members or their
    /// roles waits for others who do.
    pub async fn organization_for_update(
        &mut self,
        id: OrganizationId,
    ) -> Result<Option<Organization>> {
        let text = sql!(
            self,
            sqlite: "SELECT id, name, created_at FROM organization \
                     WHERE id = $1 AND deleted_at IS NULL",
            postgres: "SELECT id, name, created_at FROM organization \
                       WHERE id = $1 AND deleted_at IS NULL FOR UPDATE",
        );
        let row: Option<OrganizationRow> = on!(self, |conn| sqlx::query_as(text)
            .bind(Text(id))
            .fetch_optional(conn)
            .await)?;
        Ok(row.map(Organization::from))
    }

    /// Gives an organization another name; whether it is there.
    pub async fn rename_organization(&mut self, id: OrganizationId, name: &str) -> Result<bool> {
        let count = on!(self, |conn| sqlx::query(
            "UPDATE organization SET name = $2 WHERE id = $1 AND deleted_at IS NULL"
        )
        .bind(Text(id))
        .bind(storable(name))
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }
}
