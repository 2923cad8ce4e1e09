//! People whom a provider vouches for.

use wagate_model::{Email, UserId};

use super::Admin;
use crate::error::Result;
use crate::text::Text;
use crate::tx::on;

impl Admin<'_> {
    /// Whether an organization has invited an address, and the invitation can be accepted.
    pub async fn has_invitation(&mut self, email: &Email, now_ms: i64) -> Result<bool> {
        let count: i64 = on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT COUNT(*) FROM invitation i \
             JOIN organization o ON o.id = i.organization_id AND o.deleted_at IS NULL \
             WHERE i.email = $1 AND i.expires_at > $2"
        )
        .bind(Text(email))
        .bind(now_ms)
        .fetch_one(conn)
        .await)?;
        Ok(count > 0)
    }

    /// Drops a user's password and notes that the address is the user's: it is another person
    /// who has shown that.
    pub async fn forget_proofs(&mut self, id: UserId, now_ms: i64) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE user_account SET password_hash = NULL, email_confirmed_at = $2, \
             updated_at = $2 WHERE id = $1"
        )
        .bind(Text(id))
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }
}
