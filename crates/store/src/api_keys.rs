//! API keys; the secrets themselves are never stored.

use sqlx::FromRow;
use wagate_model::{ApiKey, ApiKeyId, Capabilities, OrganizationId};

use crate::error::Result;
use crate::organizations::is_not_ended;
use crate::text::{Text, storable};
use crate::tx::{Tx, db_now, on, sql};

macro_rules! select_api_key {
    ($condition:expr) => {
        concat!(
            "SELECT id, organization_id, name, prefix, capabilities, session_ids, expires_at, \
             revoked_at, created_at, last_used_at FROM api_key WHERE ",
            $condition
        )
    };
}

pub(crate) use select_api_key;

#[derive(FromRow)]
pub(crate) struct ApiKeyRow {
    id: Text<ApiKeyId>,
    organization_id: Text<OrganizationId>,
    name: String,
    prefix: String,
    capabilities: i64,
    session_ids: Option<String>,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    created_at: i64,
    last_used_at: Option<i64>,
}

impl ApiKeyRow {
    pub(crate) fn into_key(self) -> Result<ApiKey> {
        Ok(ApiKey {
            id: self.id.0,
            organization_id: self.organization_id.0,
            name: self.name,
            hint: self.prefix,
            capabilities: Capabilities::from_bits(self.capabilities),
            session_ids: self
                .session_ids
                .as_deref()
                .map(serde_json::from_str)
                .transpose()?,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            created_at: self.created_at,
            last_used_at: self.last_used_at,
        })
    }
}

impl Tx {
    /// Adds a key under the SHA-256 of its secret.
    pub async fn insert_api_key(
        &mut self,
        organization: OrganizationId,
        key: &ApiKey,
        hash: &[u8; 32],
    ) -> Result<()> {
        self.hold_organization(organization).await?;
        let session_ids = key
            .session_ids
            .as_ref()
            .map(serde_json::to_string)
            .transpose()?;
        on!(self, |conn| sqlx::query(
            "INSERT INTO api_key (id, organization_id, name, hash, prefix, capabilities, \
             session_ids, expires_at, revoked_at, created_at, last_used_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        )
        .bind(Text(key.id))
        .bind(Text(organization))
        .bind(storable(&key.name))
        .bind(hash.as_slice())
        .bind(storable(&key.hint))
        .bind(key.capabilities.bits())
        .bind(session_ids)
        .bind(key.expires_at)
        .bind(key.revoked_at)
        .bind(key.created_at)
        .bind(key.last_used_at)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// The keys of an organization, oldest first, revoked ones too.
    pub async fn api_keys(&mut self, organization: OrganizationId) -> Result<Vec<ApiKey>> {
        let rows: Vec<ApiKeyRow> = on!(self, |conn| sqlx::query_as(select_api_key!(concat!(
            "organization_id = $1 AND ",
            is_not_ended!(),
            " ORDER BY id"
        )))
        .bind(Text(organization))
        .fetch_all(conn)
        .await)?;
        rows.into_iter().map(ApiKeyRow::into_key).collect()
    }

    /// One key of an organization, also when it is revoked or has expired.
    pub async fn api_key(
        &mut self,
        organization: OrganizationId,
        id: ApiKeyId,
    ) -> Result<Option<ApiKey>> {
        let row: Option<ApiKeyRow> = on!(self, |conn| sqlx::query_as(select_api_key!(
            "organization_id = $1 AND id = $2"
        ))
        .bind(Text(organization))
        .bind(Text(id))
        .fetch_optional(conn)
        .await)?;
        row.map(ApiKeyRow::into_key).transpose()
    }

    /// Revokes a key; whether it was there and not revoked yet.
    ///
    /// The time of it is the database's: others look for what was revoked lately.
    pub async fn revoke_api_key(
        &mut self,
        organization: OrganizationId,
        id: ApiKeyId,
    ) -> Result<bool> {
        let text = sql!(
            self,
            sqlite: concat!(
                "UPDATE api_key SET revoked_at = ", db_now!(sqlite),
                " WHERE organization_id = $1 AND id = $2 AND revoked_at IS NULL",
            ),
            postgres: concat!(
                "UPDATE api_key SET revoked_at = ", db_now!(postgres),
                " WHERE organization_id = $1 AND id = $2 AND revoked_at IS NULL",
            ),
        );
        let count = on!(self, |conn| sqlx::query(text)
            .bind(Text(organization))
            .bind(Text(id))
            .execute(conn)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Revokes every key of an organization, in the database's time; gives those that were good.
    pub(crate) async fn revoke_api_keys(
        &mut self,
        organization: OrganizationId,
    ) -> Result<Vec<ApiKeyId>> {
        let text = sql!(
            self,
            sqlite: concat!(
                "UPDATE api_key SET revoked_at = ", db_now!(sqlite),
                " WHERE organization_id = $1 AND revoked_at IS NULL RETURNING id",
            ),
            postgres: concat!(
                "UPDATE api_key SET revoked_at = ", db_now!(postgres),
                " WHERE organization_id = $1 AND revoked_at IS NULL RETURNING id",
            ),
        );
        let keys: Vec<Text<ApiKeyId>> = on!(self, |conn| sqlx::query_scalar(text)
            .bind(Text(organization))
            .fetch_all(conn)
            .await)?;
        Ok(keys.into_iter().map(|key| key.0).collect())
    }
}
