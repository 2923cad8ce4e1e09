//! Files that wait to be sent.
//!
//! Whoever takes a request writes its files here, piece by piece, so that no transaction is
//! large and every gateway can read them. Accepting the message claims them for its outbox
//! entry; the end of that entry deletes them, and housekeeping what nobody claimed.

use sqlx::QueryBuilder;
use wagate_model::{AttachmentId, OrganizationId, OutboxId, SessionId};

use crate::error::Result;
use crate::leases::Owned;
use crate::text::Text;
use crate::tx::{Tx, on};

/// The bytes of one piece, except for the last one.
pub const ATTACHMENT_PIECE_BYTES: usize = 256 * 1024;

impl Tx {
    /// Begins a file; its pieces are added in transactions of their own.
    pub async fn insert_attachment(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        id: AttachmentId,
        size: i64,
        now_ms: i64,
    ) -> Result<()> {
        on!(self, |conn| sqlx::query(
            "INSERT INTO attachment (id, organization_id, session_id, size, created_at) \
             VALUES ($1, $2, $3, $4, $5)"
        )
        .bind(Text(id))
        .bind(Text(organization))
        .bind(Text(session))
        .bind(size)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Adds a piece of a file that nobody has claimed; whether the file is there.
    pub async fn insert_attachment_piece(
        &mut self,
        organization: OrganizationId,
        id: AttachmentId,
        position: i64,
        data: &[u8],
    ) -> Result<bool> {
        Ok(on!(self, |conn| sqlx::query(
            "INSERT INTO attachment_piece (attachment_id, position, data) \
             SELECT a.id, $3, $4 FROM attachment a \
             WHERE a.organization_id = $1 AND a.id = $2 AND a.outbox_id IS NULL"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .bind(position)
        .bind(data)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() > 0))?)
    }

    /// A piece of a file; none behind the last, and where the file is gone.
    pub async fn attachment_piece(
        &mut self,
        organization: OrganizationId,
        id: AttachmentId,
        position: i64,
    ) -> Result<Option<Vec<u8>>> {
        Ok(on!(self, |conn| sqlx::query_scalar(
            "SELECT p.data FROM attachment_piece p JOIN attachment a ON a.id = p.attachment_id \
             WHERE a.organization_id = $1 AND a.id = $2 AND p.position = $3"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .bind(position)
        .fetch_optional(conn)
        .await)?)
    }

    /// The bytes of all files that wait in a session.
    pub async fn attachment_bytes(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
    ) -> Result<i64> {
        Ok(on!(self, |conn| sqlx::query_scalar(
            "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM attachment \
             WHERE organization_id = $1 AND session_id = $2"
        )
        .bind(Text(organization))
        .bind(Text(session))
        .fetch_one(conn)
        .await)?)
    }

    /// Deletes files that nobody has claimed.
    pub async fn delete_attachments(
        &mut self,
        organization: OrganizationId,
        ids: &[AttachmentId],
    ) -> Result<()> {
        for id in ids {
            on!(self, |conn| sqlx::query(
                "DELETE FROM attachment \
                 WHERE organization_id = $1 AND id = $2 AND outbox_id IS NULL"
            )
            .bind(Text(organization))
            .bind(Text(*id))
            .execute(conn)
            .await
            .map(drop))?;
        }
        Ok(())
    }
}

impl Owned<'_> {
    /// Claims a file of the session for an outbox entry; false where it is not there, or
    /// claimed.
    pub async fn claim_attachment(&mut self, id: AttachmentId, outbox: OutboxId) -> Result<bool> {
        let (organization, session) = (self.organization, self.session);
        Ok(on!(self.tx, |conn| sqlx::query(
            "UPDATE attachment SET outbox_id = $4 WHERE organization_id = $1 \
             AND session_id = $2 AND id = $3 AND outbox_id IS NULL"
        )
        .bind(Text(organization))
        .bind(Text(session))
        .bind(Text(id))
        .bind(Text(outbox))
        .execute(conn)
        .await
        .map(|done| done.rows_affected() == 1))?)
    }

    /// Deletes the files of outbox entries that are over.
    pub async fn drop_attachments(&mut self, outbox: &[OutboxId]) -> Result<()> {
        if outbox.is_empty() {
            return Ok(());
        }
        on!(self.tx, |conn| {
            let mut query = QueryBuilder::new("DELETE FROM attachment WHERE outbox_id IN (");
            let mut list = query.separated(", ");
            for id in outbox {
                list.push_bind(Text(*id));
            }
            query.push(")");
            query.build().execute(conn).await.map(drop)
        })?;
        Ok(())
    }
}
