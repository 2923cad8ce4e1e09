//! One file on its way in: claimed, stored, given back.

use wagate_model::{BucketId, EventKind, MediaId, MediaProblem, MediaStatus, OrganizationId};

use crate::error::Result;
use crate::events::NewEvent;
use crate::media::{MediaRecord, SOURCE_SEALED_AS};
use crate::text::Text;
use crate::tx::{Tx, on};

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

    /// Notes where the file of a claimed row is about to be written; whether that may be: the
    /// claim holds, the bucket is there, and there is no file of it elsewhere.
    pub async fn begin_storing_media(
        &mut self,
        organization: OrganizationId,
        id: MediaId,
        owner: &str,
        bucket: Option<BucketId>,
        now_ms: i64,
    ) -> Result<bool> {
        if let Some(bucket) = bucket
            && !self.hold_bucket(organization, bucket).await?
        {
            return Ok(false);
        }
        let count = on!(self, |conn| sqlx::query(
            "UPDATE media SET bucket_id = $4, has_file = $6, updated_at = $5 \
             WHERE organization_id = $1 AND id = $2 AND lease_owner = $3 \
             AND status = 'pending' AND NOT is_removed \
             AND (NOT has_file OR COALESCE(bucket_id, '') = COALESCE($4, ''))"
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

    /// Notes that nothing is left of a claimed row's file where an earlier attempt has put it.
    pub async fn vacate_media(
        &mut self,
        organization: OrganizationId,
        id: MediaId,
        owner: &str,
        now_ms: i64,
    ) -> Result<bool> {
        let count = on!(self, |conn| sqlx::query(
            "UPDATE media SET bucket_id = NULL, has_file = $5, updated_at = $4 \
             WHERE organization_id = $1 AND id = $2 AND lease_owner = $3 AND status = 'pending'"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .bind(owner)
        .bind(now_ms)
        .bind(false)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Leaves a claimed file at WhatsApp, until somebody asks for it; whether the claim held.
    pub async fn leave_media(
        &mut self,
        organization: OrganizationId,
        id: MediaId,
        owner: &str,
        now_ms: i64,
    ) -> Result<bool> {
        let count = on!(self, |conn| sqlx::query(
            "UPDATE media SET status = 'available', lease_owner = NULL, updated_at = $4 \
             WHERE organization_id = $1 AND id = $2 AND lease_owner = $3 AND status = 'pending'"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .bind(owner)
        .bind(now_ms)
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

    /// Keeps a claim for longer; whether it holds. It does so too when the file is no longer
    /// wanted: what is on its way is removed once it has come.
    pub async fn renew_media_claim(
        &mut self,
        organization: OrganizationId,
        id: MediaId,
        owner: &str,
        until_ms: i64,
    ) -> Result<bool> {
        let count = on!(self, |conn| sqlx::query(
            "UPDATE media SET next_attempt_at = $4 WHERE organization_id = $1 AND id = $2 \
             AND lease_owner = $3 AND status = 'pending'"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .bind(owner)
        .bind(until_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Notes how fetching a claimed file ended for good; whether the claim held.
    pub async fn settle_media(
        &mut self,
        organization: OrganizationId,
        id: MediaId,
        owner: &str,
        status: MediaStatus,
        problem: MediaProblem,
        now_ms: i64,
    ) -> Result<bool> {
        let count = on!(self, |conn| sqlx::query(
            "UPDATE media SET status = $4, problem = $5, lease_owner = NULL, updated_at = $6 \
             WHERE organization_id = $1 AND id = $2 AND lease_owner = $3 \
             AND status = 'pending' AND NOT is_removed"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .bind(owner)
        .bind(status.as_str())
        .bind(Text(problem))
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Notes that the time of a kept file is over; whether it was still kept.
    pub(super) async fn expire_kept(
        &mut self,
        organization: OrganizationId,
        id: MediaId,
        now_ms: i64,
    ) -> Result<bool> {
        let count = on!(self, |conn| sqlx::query(
            "UPDATE media SET status = 'expired', problem = $3, updated_at = $4 \
             WHERE organization_id = $1 AND id = $2 AND status = 'ready' AND NOT is_removed"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .bind(Text(MediaProblem::Retention))
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
