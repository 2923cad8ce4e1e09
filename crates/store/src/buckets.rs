//! Buckets in which organizations keep files, and where each session keeps its own.

use sqlx::FromRow;
use wagate_model::{
    BucketId, OrganizationId, SessionId, SessionStorage, StorageBucket, hide_contents,
};

use crate::error::Result;
use crate::text::{Text, storable};
use crate::tx::{Tx, on, sql};

pub(crate) const ACCESS_KEY_SEALED_AS: &str = "storage_bucket.access_key";
pub(crate) const BUCKET_SECRET_SEALED_AS: &str = "storage_bucket.secret_key";

/// The credentials of a bucket.
#[derive(Clone, PartialEq, Eq)]
pub struct BucketKeys {
    /// The access key's id.
    pub access_key: String,
    /// The secret.
    pub secret_key: String,
}

hide_contents!(BucketKeys);

macro_rules! select_bucket {
    ($condition:literal) => {
        concat!(
            "SELECT b.id, b.name, b.endpoint, b.region, b.bucket, b.path_style, \
             b.retention_days, b.access_key, b.secret_key, b.created_at, b.updated_at \
             FROM storage_bucket b JOIN organization o ON o.id = b.organization_id \
             WHERE b.organization_id = $1",
            $condition
        )
    };
}

macro_rules! select_storage {
    ($lock:literal) => {
        concat!(
            "SELECT storage_bucket_id, captures_media, media_retention_days FROM session \
             WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL",
            $lock
        )
    };
}

#[derive(FromRow)]
struct BucketRow {
    id: Text<BucketId>,
    name: String,
    endpoint: String,
    region: String,
    bucket: String,
    path_style: bool,
    retention_days: Option<i64>,
    access_key: Vec<u8>,
    secret_key: Vec<u8>,
    created_at: i64,
    updated_at: i64,
}

impl BucketRow {
    fn into_parts(self, tx: &Tx) -> Result<(StorageBucket, BucketKeys)> {
        let row = self.id.0.to_string();
        let open = |sealed_as, sealed: &[u8]| -> Result<String> {
            let plain = tx.unseal(sealed_as, row.as_bytes(), sealed)?;
            Ok(String::from_utf8_lossy(&plain).into_owned())
        };
        let keys = BucketKeys {
            access_key: open(ACCESS_KEY_SEALED_AS, &self.access_key)?,
            secret_key: open(BUCKET_SECRET_SEALED_AS, &self.secret_key)?,
        };
        let bucket = StorageBucket {
            bucket: self.bucket,
            created_at: self.created_at,
            endpoint: self.endpoint,
            id: self.id.0,
            name: self.name,
            path_style: self.path_style,
            region: self.region,
            retention_days: self.retention_days,
            updated_at: self.updated_at,
        };
        Ok((bucket, keys))
    }
}

impl Tx {
    /// The buckets of an organization, oldest first.
    pub async fn buckets(&mut self, organization: OrganizationId) -> Result<Vec<StorageBucket>> {
        let rows: Vec<BucketRow> = on!(self, |conn| sqlx::query_as(select_bucket!(
            " AND o.deleted_at IS NULL ORDER BY b.id"
        ))
        .bind(Text(organization))
        .fetch_all(conn)
        .await)?;
        rows.into_iter()
            .map(|row| Ok(row.into_parts(self)?.0))
            .collect()
    }

    /// A bucket of an organization, with its credentials.
    pub async fn bucket(
        &mut self,
        organization: OrganizationId,
        id: BucketId,
    ) -> Result<Option<(StorageBucket, BucketKeys)>> {
        let text = select_bucket!(" AND o.deleted_at IS NULL AND b.id = $2");
        self.bucket_by(text, organization, id).await
    }

    /// A bucket with its credentials, which nobody else changes or begins to use until the end
    /// of the transaction.
    pub async fn bucket_for_update(
        &mut self,
        organization: OrganizationId,
        id: BucketId,
    ) -> Result<Option<(StorageBucket, BucketKeys)>> {
        let text = sql!(
            self,
            sqlite: select_bucket!(" AND o.deleted_at IS NULL AND b.id = $2"),
            postgres: select_bucket!(
                " AND o.deleted_at IS NULL AND b.id = $2 FOR NO KEY UPDATE OF b"
            ),
        );
        self.bucket_by(text, organization, id).await
    }

    /// Whether there is a bucket; it stays until the end of the transaction.
    pub async fn hold_bucket(
        &mut self,
        organization: OrganizationId,
        id: BucketId,
    ) -> Result<bool> {
        let text = sql!(
            self,
            sqlite: "SELECT id FROM storage_bucket WHERE organization_id = $1 AND id = $2",
            postgres: "SELECT id FROM storage_bucket WHERE organization_id = $1 AND id = $2 \
                       FOR SHARE",
        );
        let found: Option<Text<BucketId>> = on!(self, |conn| sqlx::query_scalar(text)
            .bind(Text(organization))
            .bind(Text(id))
            .fetch_optional(conn)
            .await)?;
        Ok(found.is_some())
    }

    async fn bucket_by(
        &mut self,
        text: &'static str,
        organization: OrganizationId,
        id: BucketId,
    ) -> Result<Option<(StorageBucket, BucketKeys)>> {
        let row: Option<BucketRow> = on!(self, |conn| sqlx::query_as(text)
            .bind(Text(organization))
            .bind(Text(id))
            .fetch_optional(conn)
            .await)?;
        row.map(|row| row.into_parts(self)).transpose()
    }

    /// A bucket, also of an organization that has ended.
    pub(crate) async fn any_bucket(
        &mut self,
        organization: OrganizationId,
        id: BucketId,
    ) -> Result<Option<(StorageBucket, BucketKeys)>> {
        self.bucket_by(select_bucket!(" AND b.id = $2"), organization, id)
            .await
    }

    /// Adds a bucket.
    pub async fn insert_bucket(
        &mut self,
        organization: OrganizationId,
        bucket: &StorageBucket,
        keys: &BucketKeys,
    ) -> Result<()> {
        self.hold_organization(organization).await?;
        let row = bucket.id.to_string();
        let access = self.seal(
            ACCESS_KEY_SEALED_AS,
            row.as_bytes(),
            keys.access_key.as_bytes(),
        );
        let secret = self.seal(
            BUCKET_SECRET_SEALED_AS,
            row.as_bytes(),
            keys.secret_key.as_bytes(),
        );
        on!(self, |conn| sqlx::query(
            "INSERT INTO storage_bucket (id, organization_id, name, endpoint, region, bucket, \
             path_style, retention_days, access_key, secret_key, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        )
        .bind(&row)
        .bind(Text(organization))
        .bind(storable(&bucket.name))
        .bind(storable(&bucket.endpoint))
        .bind(storable(&bucket.region))
        .bind(storable(&bucket.bucket))
        .bind(bucket.path_style)
        .bind(bucket.retention_days)
        .bind(access)
        .bind(secret)
        .bind(bucket.created_at)
        .bind(bucket.updated_at)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Writes a bucket anew, with its credentials; whether it is there.
    pub async fn update_bucket(
        &mut self,
        organization: OrganizationId,
        bucket: &StorageBucket,
        keys: &BucketKeys,
    ) -> Result<bool> {
        let row = bucket.id.to_string();
        let access = self.seal(
            ACCESS_KEY_SEALED_AS,
            row.as_bytes(),
            keys.access_key.as_bytes(),
        );
        let secret = self.seal(
            BUCKET_SECRET_SEALED_AS,
            row.as_bytes(),
            keys.secret_key.as_bytes(),
        );
        let count = on!(self, |conn| sqlx::query(
            "UPDATE storage_bucket SET name = $3, endpoint = $4, region = $5, bucket = $6, \
             path_style = $7, retention_days = $8, access_key = $9, secret_key = $10, \
             updated_at = $11 WHERE organization_id = $2 AND id = $1"
        )
        .bind(&row)
        .bind(Text(organization))
        .bind(storable(&bucket.name))
        .bind(storable(&bucket.endpoint))
        .bind(storable(&bucket.region))
        .bind(storable(&bucket.bucket))
        .bind(bucket.path_style)
        .bind(bucket.retention_days)
        .bind(access)
        .bind(secret)
        .bind(bucket.updated_at)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Whether a session keeps its files in a bucket, or there are files in it.
    pub async fn is_bucket_used(
        &mut self,
        organization: OrganizationId,
        id: BucketId,
    ) -> Result<bool> {
        Ok(on!(self, |conn| sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM session s WHERE s.organization_id = $1 \
             AND s.storage_bucket_id = $2 AND s.deleted_at IS NULL) \
             OR EXISTS (SELECT 1 FROM media m WHERE m.organization_id = $1 \
             AND m.bucket_id = $2 AND m.has_file)"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .fetch_one(conn)
        .await)?)
    }

    /// Deletes a bucket here, not its contents; whether it was there.
    pub async fn delete_bucket(
        &mut self,
        organization: OrganizationId,
        id: BucketId,
    ) -> Result<bool> {
        let count = on!(self, |conn| sqlx::query(
            "DELETE FROM storage_bucket WHERE organization_id = $1 AND id = $2"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Where a session keeps its files.
    pub async fn session_storage(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
    ) -> Result<Option<SessionStorage>> {
        self.storage_by(select_storage!(""), organization, session)
            .await
    }

    /// Where a session keeps its files, which nobody else changes until the end of the
    /// transaction.
    pub async fn session_storage_for_update(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
    ) -> Result<Option<SessionStorage>> {
        // Rows that refer to the session may be written meanwhile.
        let text = sql!(
            self,
            sqlite: select_storage!(""),
            postgres: select_storage!(" FOR NO KEY UPDATE"),
        );
        self.storage_by(text, organization, session).await
    }

    async fn storage_by(
        &mut self,
        text: &'static str,
        organization: OrganizationId,
        session: SessionId,
    ) -> Result<Option<SessionStorage>> {
        let row: Option<(Option<Text<BucketId>>, bool, Option<i64>)> =
            on!(self, |conn| sqlx::query_as(text)
                .bind(Text(organization))
                .bind(Text(session))
                .fetch_optional(conn)
                .await)?;
        Ok(row.map(|(bucket, capture, retention_days)| SessionStorage {
            bucket_id: bucket.map(|bucket| bucket.0),
            capture,
            retention_days,
        }))
    }

    /// Sets where a session keeps its files; whether it is there.
    pub async fn set_session_storage(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        storage: &SessionStorage,
        now_ms: i64,
    ) -> Result<bool> {
        let count = on!(self, |conn| sqlx::query(
            "UPDATE session SET storage_bucket_id = $3, captures_media = $4, \
             media_retention_days = $5, updated_at = $6 \
             WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL"
        )
        .bind(Text(organization))
        .bind(Text(session))
        .bind(storage.bucket_id.map(Text))
        .bind(storage.capture)
        .bind(storage.retention_days)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }
}
