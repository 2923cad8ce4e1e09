//! Files on their way in and out: claimed, stored, kept, removed.

use sqlx::FromRow;
use wagate_model::{
    BucketId, EventKind, MediaId, MediaProblem, MediaStatus, OrganizationId, SessionId,
    StorageBucket,
};

use super::Admin;
use crate::buckets::BucketKeys;
use crate::error::Result;
use crate::events::NewEvent;
use crate::media::{MediaRecord, MediaRow, SOURCE_SEALED_AS, media_columns};
use crate::text::Text;
use crate::tx::{Tx, on, sql};

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
    /// Takes pending files that are due, for as long as a lease; those of ended organizations
    /// and deleted sessions are left alone.
    pub async fn claim_media(
        &mut self,
        owner: &str,
        now_ms: i64,
        lease_ms: i64,
        limit: i64,
    ) -> Result<Vec<MediaRecord>> {
        let text = sql!(
            self.tx,
            sqlite: concat!(
                "UPDATE media AS m SET lease_owner = $1, next_attempt_at = $3, updated_at = $2 \
                 WHERE m.id IN (SELECT d.id FROM media d WHERE d.status = 'pending' \
                 AND NOT d.is_removed AND d.next_attempt_at <= $2 AND EXISTS (SELECT 1 FROM \
                 session s WHERE s.id = d.session_id AND s.deleted_at IS NULL) \
                 ORDER BY d.next_attempt_at, d.id LIMIT $4) RETURNING ",
                "id, organization_id, session_id, position, wa_message_id, kind, mimetype, \
                 filename, size, sha256, width, height, seconds, is_voice, source, status, \
                 problem, bucket_id, has_file, stored_at, expires_at, attempts",
            ),
            postgres: concat!(
                "UPDATE media AS m SET lease_owner = $1, next_attempt_at = $3, updated_at = $2 \
                 WHERE m.id IN (SELECT d.id FROM media d WHERE d.status = 'pending' \
                 AND NOT d.is_removed AND d.next_attempt_at <= $2 AND EXISTS (SELECT 1 FROM \
                 session s WHERE s.id = d.session_id AND s.deleted_at IS NULL) \
                 ORDER BY d.next_attempt_at, d.id LIMIT $4 FOR UPDATE SKIP LOCKED) RETURNING ",
                media_columns!(),
            ),
        );
        let rows: Vec<MediaRow> = on!(self.tx, |conn| sqlx::query_as(text)
            .bind(owner)
            .bind(now_ms)
            .bind(now_ms + lease_ms)
            .bind(limit)
            .fetch_all(conn)
            .await)?;
        rows.into_iter()
            .map(|row| row.into_record(self.tx))
            .collect()
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
             AND m.expires_at <= $1 ORDER BY m.expires_at LIMIT $2"
        ))
        .bind(now_ms)
        .bind(limit)
        .fetch_all(conn)
        .await)?;
        let mut expired = Vec::new();
        for row in rows {
            let record = row.into_record(self.tx)?;
            let (organization, id) = (record.organization_id, record.file.id);
            let (status, problem) = (MediaStatus::Expired, Some(MediaProblem::Retention));
            if self
                .tx
                .settle_media(organization, id, status, problem, now_ms)
                .await?
            {
                expired.push(record);
            }
        }
        Ok(expired)
    }

    /// Files to be removed, and rows of which there is no file any more, after a row.
    pub async fn unwanted_media(
        &mut self,
        after: Option<MediaId>,
        limit: i64,
    ) -> Result<Vec<UnwantedMedia>> {
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        Ok(on!(self.tx, |conn| sqlx::query_as(
            "SELECT id, organization_id, session_id, bucket_id, has_file, is_removed, updated_at \
             FROM media WHERE id > $1 AND (is_removed OR (has_file AND status = 'expired')) \
             ORDER BY id LIMIT $2"
        )
        .bind(after)
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

impl Tx {
    /// Takes one file for as long as a lease, whether it was to be captured or not; nothing
    /// where it is not to be fetched, or somebody else has it.
    pub async fn claim_one_media(
        &mut self,
        organization: OrganizationId,
        id: MediaId,
        owner: &str,
        now_ms: i64,
        lease_ms: i64,
    ) -> Result<bool> {
        let count = on!(self, |conn| sqlx::query(
            "UPDATE media SET status = 'pending', problem = NULL, lease_owner = $3, \
             next_attempt_at = $5, updated_at = $4 \
             WHERE organization_id = $1 AND id = $2 AND NOT is_removed AND source IS NOT NULL \
             AND (status IN ('available', 'failed') OR (status = 'pending' \
             AND (lease_owner IS NULL OR next_attempt_at <= $4)))"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .bind(owner)
        .bind(now_ms)
        .bind(now_ms + lease_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Notes where the file of a claimed row is about to be written; whether the claim holds.
    pub async fn begin_storing_media(
        &mut self,
        organization: OrganizationId,
        id: MediaId,
        owner: &str,
        bucket: Option<BucketId>,
        now_ms: i64,
    ) -> Result<bool> {
        let count = on!(self, |conn| sqlx::query(
            "UPDATE media SET bucket_id = $4, has_file = $6, updated_at = $5 \
             WHERE organization_id = $1 AND id = $2 AND lease_owner = $3 \
             AND status = 'pending' AND NOT is_removed"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .bind(owner)
        .bind(bucket.map(Text))
        .bind(now_ms)
        .bind(true)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Notes that the file of a claimed row is stored; whether the claim held.
    pub async fn finish_storing_media(
        &mut self,
        organization: OrganizationId,
        id: MediaId,
        owner: &str,
        size: i64,
        expires_at_ms: Option<i64>,
        now_ms: i64,
    ) -> Result<bool> {
        let count = on!(self, |conn| sqlx::query(
            "UPDATE media SET status = 'ready', problem = NULL, lease_owner = NULL, size = $4, \
             stored_at = $6, expires_at = $5, updated_at = $6 \
             WHERE organization_id = $1 AND id = $2 AND lease_owner = $3 \
             AND status = 'pending' AND NOT is_removed"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .bind(owner)
        .bind(size)
        .bind(expires_at_ms)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Gives a claimed row back, to be tried again at a time.
    pub async fn postpone_media(
        &mut self,
        organization: OrganizationId,
        id: MediaId,
        owner: &str,
        is_failure: bool,
        next_attempt_at_ms: i64,
        now_ms: i64,
    ) -> Result<bool> {
        let count = on!(self, |conn| sqlx::query(
            "UPDATE media SET lease_owner = NULL, next_attempt_at = $5, \
             attempts = attempts + $4, updated_at = $6 \
             WHERE organization_id = $1 AND id = $2 AND lease_owner = $3 AND status = 'pending'"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .bind(owner)
        .bind(i64::from(is_failure))
        .bind(next_attempt_at_ms)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Notes how it ended with a file; whether it was there and not so before.
    pub async fn settle_media(
        &mut self,
        organization: OrganizationId,
        id: MediaId,
        status: MediaStatus,
        problem: Option<MediaProblem>,
        now_ms: i64,
    ) -> Result<bool> {
        let count = on!(self, |conn| sqlx::query(
            "UPDATE media SET status = $3, problem = $4, lease_owner = NULL, updated_at = $5 \
             WHERE organization_id = $1 AND id = $2 AND status <> $3 AND NOT is_removed"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .bind(status.as_str())
        .bind(problem.map(Text))
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Replaces where a file is at WhatsApp, as its phone has told.
    pub async fn set_media_source(
        &mut self,
        organization: OrganizationId,
        id: MediaId,
        source: &[u8],
        now_ms: i64,
    ) -> Result<()> {
        let row = id.to_string();
        let sealed = self.seal(SOURCE_SEALED_AS, row.as_bytes(), source);
        on!(self, |conn| sqlx::query(
            "UPDATE media SET source = $3, updated_at = $4 WHERE organization_id = $1 AND id = $2"
        )
        .bind(Text(organization))
        .bind(&row)
        .bind(sealed)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Adds the event that tells of a file.
    pub fn append_media_event(
        &mut self,
        record: &MediaRecord,
        kind: EventKind,
        payload: &impl serde::Serialize,
        now_ms: i64,
    ) -> Result<()> {
        let (organization, session) = (record.organization_id, record.file.session_id);
        self.append_event(NewEvent::new(organization, session, kind, now_ms, payload)?);
        Ok(())
    }
}
