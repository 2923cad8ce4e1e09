//! Every organization.

use wagate_model::Organization;

use super::Admin;
use crate::error::Result;
use crate::organizations::OrganizationRow;
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
}
