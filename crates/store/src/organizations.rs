//! Organizations: the tenants.

use sqlx::FromRow;
use wagate_model::{ApiKeyId, GatewayId, Organization, OrganizationId, SessionId, UserId};

use crate::error::{Result, StoreError};
use crate::members::note_standing;
use crate::text::{Text, storable};
use crate::tx::{Tx, db_now, on, sql};

/// Whether a row's organization has not ended, as an SQL condition.
macro_rules! is_not_ended {
    () => {
        "EXISTS (SELECT 1 FROM organization o \
         WHERE o.id = organization_id AND o.deleted_at IS NULL)"
    };
}

pub(crate) use is_not_ended;

/// What ended with an organization, for whoever tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedOrganization {
    /// What it was called.
    pub name: String,
    /// The sessions that somebody owned, with their owners.
    pub owned_sessions: Vec<(SessionId, GatewayId)>,
    /// The keys that were still good.
    pub api_keys: Vec<ApiKeyId>,
    /// The users whose standing changed.
    pub users: Vec<UserId>,
}

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
            // Rows that refer to the organization may be written meanwhile.
            postgres: "SELECT id, name, created_at FROM organization \
                       WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE",
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

    /// Fails where the organization is not there; else it does not end before the transaction.
    ///
    /// For whoever adds something to it that its end would have to find.
    pub(crate) async fn hold_organization(&mut self, id: OrganizationId) -> Result<()> {
        let text = sql!(
            self,
            sqlite: "SELECT id FROM organization WHERE id = $1 AND deleted_at IS NULL",
            postgres: "SELECT id FROM organization WHERE id = $1 AND deleted_at IS NULL FOR SHARE",
        );
        let found: Option<Text<OrganizationId>> = on!(self, |conn| sqlx::query_scalar(text)
            .bind(Text(id))
            .fetch_optional(conn)
            .await)?;
        found.map(drop).ok_or(StoreError::NoOrganization)
    }

    /// Ends an organization for everybody at once; nothing where it is not there.
    ///
    /// Its credentials are void, its sessions fenced and nobody's, and nothing is posted any
    /// more. The stored data goes in pieces, by
    /// [`Admin::purge_ended_organizations`](crate::Admin::purge_ended_organizations).
    pub async fn end_organization(
        &mut self,
        id: OrganizationId,
        now_ms: i64,
    ) -> Result<Option<EndedOrganization>> {
        // First of all: whoever adds to it has done so, or waits and then fails.
        let name: Option<String> = on!(self, |conn| sqlx::query_scalar(
            "UPDATE organization SET deleted_at = $2 WHERE id = $1 AND deleted_at IS NULL \
             RETURNING name"
        )
        .bind(Text(id))
        .bind(now_ms)
        .fetch_optional(conn)
        .await)?;
        let Some(name) = name else {
            return Ok(None);
        };
        Ok(Some(EndedOrganization {
            name,
            owned_sessions: self.end_sessions(id, now_ms).await?,
            api_keys: self.revoke_api_keys(id).await?,
            users: self.end_memberships(id).await?,
        }))
    }

    /// Ends the sessions of an organization, and what is posted and told of them; gives those
    /// that were owned.
    async fn end_sessions(
        &mut self,
        organization: OrganizationId,
        now_ms: i64,
    ) -> Result<Vec<(SessionId, GatewayId)>> {
        self.write_deferred().await?;
        self.forget_leases();
        let owned = sql!(
            self,
            sqlite: concat!(
                "SELECT l.session_id, l.gateway_id FROM session s \
                 JOIN session_lease l ON l.session_id = s.id AND l.expires_at > ",
                db_now!(sqlite),
                " WHERE s.organization_id = $1 AND s.deleted_at IS NULL ORDER BY s.id"
            ),
            postgres: concat!(
                "SELECT l.session_id, l.gateway_id FROM session s \
                 JOIN session_lease l ON l.session_id = s.id AND l.expires_at > ",
                db_now!(postgres),
                " WHERE s.organization_id = $1 AND s.deleted_at IS NULL ORDER BY s.id"
            ),
        );
        let owned: Vec<(Text<SessionId>, Text<GatewayId>)> =
            on!(self, |conn| sqlx::query_as(owned)
                .bind(Text(organization))
                .fetch_all(conn)
                .await)?;
        on!(self, |conn| sqlx::query(
            "UPDATE session SET deleted_at = $2, is_wanted_running = FALSE, updated_at = $2 \
             WHERE organization_id = $1 AND deleted_at IS NULL"
        )
        .bind(Text(organization))
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        on!(self, |conn| sqlx::query(
            "UPDATE webhook SET active = FALSE, updated_at = $2 WHERE organization_id = $1"
        )
        .bind(Text(organization))
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        for text in [
            // A lease that cannot be renewed ends the connection of an owner that hears nothing.
            "UPDATE session_lease SET epoch = epoch + 1, expires_at = 0 WHERE session_id IN \
             (SELECT s.id FROM session s WHERE s.organization_id = $1)",
            // Without a stream no event is written, whoever tries.
            "DELETE FROM event_stream WHERE organization_id = $1",
            "DELETE FROM realtime_ticket WHERE organization_id = $1",
        ] {
            on!(self, |conn| sqlx::query(text)
                .bind(Text(organization))
                .execute(conn)
                .await
                .map(drop))?;
        }
        Ok(owned.into_iter().map(|row| (row.0.0, row.1.0)).collect())
    }

    async fn end_memberships(&mut self, organization: OrganizationId) -> Result<Vec<UserId>> {
        let text = sql!(
            self,
            sqlite: note_standing!(
                sqlite,
                "id IN (SELECT m.user_id FROM organization_member m WHERE m.organization_id = $1 \
                 UNION SELECT l.user_id FROM login l WHERE l.active_organization_id = $1) \
                 RETURNING id"
            ),
            postgres: note_standing!(
                postgres,
                "id IN (SELECT m.user_id FROM organization_member m WHERE m.organization_id = $1 \
                 UNION SELECT l.user_id FROM login l WHERE l.active_organization_id = $1) \
                 RETURNING id"
            ),
        );
        let users: Vec<Text<UserId>> = on!(self, |conn| sqlx::query_scalar(text)
            .bind(Text(organization))
            .fetch_all(conn)
            .await)?;
        for text in [
            "UPDATE login SET active_organization_id = NULL WHERE active_organization_id = $1",
            "DELETE FROM organization_member WHERE organization_id = $1",
            "DELETE FROM invitation WHERE organization_id = $1",
        ] {
            on!(self, |conn| sqlx::query(text)
                .bind(Text(organization))
                .execute(conn)
                .await
                .map(drop))?;
        }
        Ok(users.into_iter().map(|user| user.0).collect())
    }
}
