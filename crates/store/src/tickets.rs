//! Tickets that open one realtime socket each.

use serde_json::value::RawValue;
use wagate_model::OrganizationId;

use crate::error::Result;
use crate::text::Text;
use crate::tx::{Tx, on};

impl Tx {
    /// Adds a ticket under the SHA-256 of its secret, with what it opens: of an organization,
    /// or of all of them.
    pub async fn insert_ticket(
        &mut self,
        organization: Option<OrganizationId>,
        hash: &[u8; 32],
        scope: &RawValue,
        now_ms: i64,
        expires_at_ms: i64,
    ) -> Result<()> {
        if let Some(organization) = organization {
            self.hold_organization(organization).await?;
        }
        on!(self, |conn| sqlx::query(
            "INSERT INTO realtime_ticket (hash, organization_id, scope, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5)"
        )
        .bind(hash.as_slice())
        .bind(organization.map(Text))
        .bind(scope.get())
        .bind(now_ms)
        .bind(expires_at_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }
}
