//! Finding the key behind a credential.

use wagate_model::{ApiKey, ApiKeyId};

use super::Admin;
use crate::api_keys::{ApiKeyRow, select_api_key};
use crate::error::Result;
use crate::organizations::is_not_ended;
use crate::text::Text;
use crate::tx::{db_now, on, sql};

impl Admin<'_> {
    /// The key with the SHA-256 of its secret, also when it is revoked or has expired;
    /// none of a deleted organization.
    pub async fn api_key_by_hash(&mut self, hash: &[u8; 32]) -> Result<Option<ApiKey>> {
        let row: Option<ApiKeyRow> = on!(self.tx, |conn| sqlx::query_as(select_api_key!(
            concat!("hash = $1 AND ", is_not_ended!())
        ))
        .bind(hash.as_slice())
        .fetch_optional(conn)
        .await)?;
        row.map(ApiKeyRow::into_key).transpose()
    }

    /// The keys revoked within the last milliseconds, by the database's time.
    pub async fn api_keys_revoked_within(&mut self, window_ms: i64) -> Result<Vec<ApiKeyId>> {
        let text = sql!(
            self.tx,
            sqlite: concat!(
                "SELECT id FROM api_key WHERE revoked_at > ", db_now!(sqlite), " - $1",
            ),
            postgres: concat!(
                "SELECT id FROM api_key WHERE revoked_at > ", db_now!(postgres), " - $1",
            ),
        );
        let rows: Vec<Text<ApiKeyId>> = on!(self.tx, |conn| sqlx::query_scalar(text)
            .bind(window_ms)
            .fetch_all(conn)
            .await)?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// Notes when keys were last used; earlier times than the stored ones are ignored.
    pub async fn touch_api_keys(&mut self, used: &[(ApiKeyId, i64)]) -> Result<()> {
        for (id, at_ms) in used {
            on!(self.tx, |conn| sqlx::query(
                "UPDATE api_key SET last_used_at = $2 \
                 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)"
            )
            .bind(Text(*id))
            .bind(*at_ms)
            .execute(conn)
            .await
            .map(drop))?;
        }
        Ok(())
    }
}
