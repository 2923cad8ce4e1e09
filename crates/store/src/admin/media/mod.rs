//! Files on their way in and out: claimed, stored, kept, removed.

mod fetching;

use sqlx::FromRow;
use wagate_model::{BucketId, MediaId, OrganizationId, SessionId, StorageBucket};

use super::Admin;
use crate::buckets::BucketKeys;
use crate::error::Result;
use crate::media::{MediaRecord, MediaRow, media_columns};
use crate::text::Text;
use crate::tx::{on, sql};

/// A file that is no longer wanted, where it is kept.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct UnwantedMedia {
    #[sqlx(try_from = "Text<MediaId>")]
    id: MediaId,
    #[sqlx(try_from = "Text<OrganizationId>")]
    organization_id: OrganizationId,
    #[sqlx(try_from = "Text<SessionId>")]
    session_id: SessionId,
    bucket_id: Option<Text<BucketId>>,
    has_file: bool,
    is_removed: bool,
    updated_at: i64,
}

macro_rules! from_text {
    ($($id:ty),*) => {$(
        impl From<Text<$id>> for $id {
            fn from(text: Text<$id>) -> Self {
                text.0
            }
        }
    )*};
}

from_text!(MediaId, OrganizationId, SessionId);

impl UnwantedMedia {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> MediaId {
        self.id
    }

    /// Whose it is.
    #[must_use]
    pub const fn organization_id(&self) -> OrganizationId {
        self.organization_id
    }

    /// The session.
    #[must_use]
    pub const fn session_id(&self) -> SessionId {
        self.session_id
    }

    /// The bucket that it is kept in.
    #[must_use]
    pub fn bucket_id(&self) -> Option<BucketId> {
        self.bucket_id.map(|bucket| bucket.0)
    }

    /// Since when it is unwanted, in milliseconds since 1970.
    #[must_use]
    pub const fn since_ms(&self) -> i64 {
        self.updated_at
    }

    /// Whether there may be a file of it.
    #[must_use]
    pub const fn has_file(&self) -> bool {
        self.has_file
    }
}

impl Admin<'_> {
    /// Organizations that have files to be fetched, in the order of their ids.
    pub async fn organizations_with_due_media(
        &mut self,
        now_ms: i64,
    ) -> Result<Vec<OrganizationId>> {
        // From each organization to the next by the index, however many files one has.
        let rows: Vec<Text<OrganizationId>> = on!(self.tx, |conn| sqlx::query_scalar(
            "WITH RECURSIVE waiting (id) AS ( \
             SELECT MIN(m.organization_id) FROM media m \
             WHERE m.status = 'pending' AND NOT m.is_removed \
             UNION ALL SELECT (SELECT MIN(m.organization_id) FROM media m \
             WHERE m.status = 'pending' AND NOT m.is_removed AND m.organization_id > w.id) \
             FROM waiting w WHERE w.id IS NOT NULL) \
             SELECT w.id FROM waiting w WHERE w.id IS NOT NULL \
             AND (SELECT MIN(m.next_attempt_at) FROM media m WHERE m.organization_id = w.id \
             AND m.status = 'pending' AND NOT m.is_removed) <= $1 ORDER BY w.id"
        )
        .bind(now_ms)
        .fetch_all(conn)
        .await)?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// Takes pending files of an organization that are due, for as long as a lease; those of
    /// deleted sessions are left alone.
    pub async fn claim_media(
        &mut self,
        organization: OrganizationId,
        owner: &str,
        now_ms: i64,
        lease_ms: i64,
        limit: i64,
    ) -> Result<Vec<MediaRecord>> {
        let text = sql!(
            self.tx,
            sqlite: concat!(
                "UPDATE media AS m SET lease_owner = $1, next_attempt_at = $3, updated_at = $2 \
                 WHERE m.id IN (SELECT d.id FROM media d WHERE d.organization_id = $5 \
                 AND d.status = 'pending' AND NOT d.is_removed AND d.next_attempt_at <= $2 \
                 AND EXISTS (SELECT 1 FROM session s WHERE s.id = d.session_id \
                 AND s.deleted_at IS NULL) \
                 ORDER BY d.next_attempt_at, d.id LIMIT $4) RETURNING ",
                "id, organization_id, session_id, position, wa_message_id, kind, mimetype, \
                 filename, size, sha256, width, height, seconds, is_voice, source, status, \
                 problem, bucket_id, has_file, stored_at, expires_at, attempts",
            ),
            postgres: concat!(
                "UPDATE media AS m SET lease_owner = $1, next_attempt_at = $3, updated_at = $2 \
                 WHERE m.id IN (SELECT d.id FROM media d WHERE d.organization_id = $5 \
                 AND d.status = 'pending' AND NOT d.is_removed AND d.next_attempt_at <= $2 \
                 AND EXISTS (SELECT 1 FROM session s WHERE s.id = d.session_id \
                 AND s.deleted_at IS NULL) \
                 ORDER BY d.next_attempt_at, d.id LIMIT $4 FOR UPDATE SKIP LOCKED) RETURNING ",
                media_columns!(),
            ),
        );
        let rows: Vec<MediaRow> = on!(self.tx, |conn| sqlx::query_as(text)
            .bind(owner)
            .bind(now_ms)
            .bind(now_ms + lease_ms)
            .bind(limit)
            .bind(Text(organization))
            .fetch_all(conn)
            .await)?;
        let records = rows.into_iter().map(|row| row.into_record(self.tx));
        Ok(records.collect())
    }

    /// A bucket with its credentials, also of an organization that has ended.
    pub async fn bucket(
        &mut self,
        organization: OrganizationId,
        id: BucketId,
    ) -> Result<Option<(StorageBucket, BucketKeys)>> {
        self.tx.any_bucket(organization, id).await
    }

    /// The organization of a file, whosever it is.
    pub async fn media_organization(&mut self, id: MediaId) -> Result<Option<OrganizationId>> {
        let found: Option<Text<OrganizationId>> = on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT organization_id FROM media WHERE id = $1"
        )
        .bind(Text(id))
        .fetch_optional(conn)
        .await)?;
        Ok(found.map(|organization| organization.0))
    }

    /// Files whose time is over, up to a number; gives how many expired.
    ///
    /// Their rows say so at once, and an event tells it; the files themselves are removed next.
    pub async fn expire_media(&mut self, now_ms: i64, limit: i64) -> Result<Vec<MediaRecord>> {
        let rows: Vec<MediaRow> = on!(self.tx, |conn| sqlx::query_as(concat!(
            "SELECT ",
            media_columns!(),
            " FROM media m WHERE m.status = 'ready' AND m.expires_at IS NOT NULL \
             AND m.expires_at <= $1 AND NOT m.is_removed ORDER BY m.expires_at LIMIT $2"
        ))
        .bind(now_ms)
        .bind(limit)
        .fetch_all(conn)
        .await)?;
        let mut expired = Vec::new();
        for row in rows {
            let record = row.into_record(self.tx);
            let (organization, id) = (record.organization_id, record.file.id);
            if self.tx.expire_kept(organization, id, now_ms).await? {
                expired.push(record);
            }
        }
        Ok(expired)
    }

    /// Files to be removed, and rows of which there is no file any more, after a row.
    ///
    /// What somebody is fetching just now waits for the end of that, or of its lease: its file
    /// may still be on its way to where it is to be removed.
    pub async fn unwanted_media(
        &mut self,
        after: Option<MediaId>,
        now_ms: i64,
        limit: i64,
    ) -> Result<Vec<UnwantedMedia>> {
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        Ok(on!(self.tx, |conn| sqlx::query_as(
            "SELECT id, organization_id, session_id, bucket_id, has_file, is_removed, updated_at \
             FROM media WHERE id > $1 AND (is_removed OR (has_file AND status = 'expired')) \
             AND (lease_owner IS NULL OR next_attempt_at <= $2) ORDER BY id LIMIT $3"
        )
        .bind(after)
        .bind(now_ms)
        .bind(limit)
        .fetch_all(conn)
        .await)?)
    }

    /// Notes that an unwanted file is gone; its row goes too, unless its message is still there.
    pub async fn forget_media(&mut self, gone: &UnwantedMedia, now_ms: i64) -> Result<()> {
        if gone.is_removed {
            on!(self.tx, |conn| sqlx::query(
                "DELETE FROM media WHERE id = $1 AND is_removed"
            )
            .bind(Text(gone.id))
            .execute(conn)
            .await
            .map(drop))?;
            return Ok(());
        }
        on!(self.tx, |conn| sqlx::query(
            "UPDATE media SET has_file = $3, updated_at = $2 WHERE id = $1"
        )
        .bind(Text(gone.id))
        .bind(now_ms)
        .bind(false)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }
}
