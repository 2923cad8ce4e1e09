//! Second factors: the secret that codes come from, and the codes for when it is lost.

use wagate_model::UserId;

use super::Admin;
use super::users::TOTP_SEALED_AS;
use crate::error::Result;
use crate::text::Text;
use crate::tx::on;

impl Admin<'_> {
    /// Stores a secret that does not count yet: whether there was none that counts.
    pub async fn offer_totp(&mut self, user: UserId, secret: &[u8]) -> Result<bool> {
        let sealed = self
            .tx
            .seal(TOTP_SEALED_AS, user.to_string().as_bytes(), secret);
        let count = on!(self.tx, |conn| sqlx::query(
            "UPDATE user_account SET totp_secret = $2, totp_last_step = NULL \
             WHERE id = $1 AND totp_confirmed_at IS NULL"
        )
        .bind(Text(user))
        .bind(sealed)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Lets the stored secret count from now on; whether it did not before.
    pub async fn confirm_totp(&mut self, user: UserId, now_ms: i64) -> Result<bool> {
        let count = on!(self.tx, |conn| sqlx::query(
            "UPDATE user_account SET totp_confirmed_at = $2, updated_at = $2 \
             WHERE id = $1 AND totp_confirmed_at IS NULL AND totp_secret IS NOT NULL"
        )
        .bind(Text(user))
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Forgets the second factor and its recovery codes; whether there was one that counted.
    pub async fn clear_totp(&mut self, user: UserId, now_ms: i64) -> Result<bool> {
        let count = on!(self.tx, |conn| sqlx::query(
            "UPDATE user_account SET totp_secret = NULL, totp_confirmed_at = NULL, \
             totp_last_step = NULL, updated_at = $2 \
             WHERE id = $1 AND totp_confirmed_at IS NOT NULL"
        )
        .bind(Text(user))
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        self.put_recovery_codes(user, &[]).await?;
        Ok(count > 0)
    }

    /// Uses up a code by its time step; whether it and later ones were not used before.
    pub async fn take_totp_step(&mut self, user: UserId, step: i64) -> Result<bool> {
        let count = on!(self.tx, |conn| sqlx::query(
            "UPDATE user_account SET totp_last_step = $2 \
             WHERE id = $1 AND (totp_last_step IS NULL OR totp_last_step < $2)"
        )
        .bind(Text(user))
        .bind(step)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Replaces the recovery codes, each by its SHA-256.
    pub async fn put_recovery_codes(&mut self, user: UserId, hashes: &[[u8; 32]]) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "DELETE FROM recovery_code WHERE user_id = $1"
        )
        .bind(Text(user))
        .execute(conn)
        .await
        .map(drop))?;
        for hash in hashes {
            on!(self.tx, |conn| sqlx::query(
                "INSERT INTO recovery_code (user_id, hash) VALUES ($1, $2)"
            )
            .bind(Text(user))
            .bind(hash.as_slice())
            .execute(conn)
            .await
            .map(drop))?;
        }
        Ok(())
    }

    /// Uses up a recovery code; whether it was one.
    pub async fn take_recovery_code(&mut self, user: UserId, hash: &[u8; 32]) -> Result<bool> {
        let count = on!(self.tx, |conn| sqlx::query(
            "DELETE FROM recovery_code WHERE user_id = $1 AND hash = $2"
        )
        .bind(Text(user))
        .bind(hash.as_slice())
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// How many recovery codes are left.
    pub async fn recovery_code_count(&mut self, user: UserId) -> Result<i64> {
        Ok(on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT COUNT(*) FROM recovery_code WHERE user_id = $1"
        )
        .bind(Text(user))
        .fetch_one(conn)
        .await)?)
    }
}
