//! `engine_sent_message`: what was sent, for recipients that ask for it again.

use wacore::store::error::Result as EngineResult;

use super::backend::EngineBackend;
use super::key;
use super::kind::RecordKind;
use crate::error::{Result, StoreError};
use crate::tx::on;

pub(crate) const TABLE: &str = "engine_sent_message";

impl EngineBackend {
    pub(crate) async fn put_sent(
        &self,
        chat: &str,
        message_id: &str,
        payload: &[u8],
    ) -> EngineResult<()> {
        let key = key::message(&[chat, message_id]);
        let payload = self.seal(TABLE, &[&key], payload);
        // The engine computes its cutoffs with this clock.
        let stored_at = wacore::time::now_secs();
        let session = self.session();
        self.write(move |tx| {
            Box::pin(async move {
                on!(tx, |conn| sqlx::query(
                    "INSERT INTO engine_sent_message (session_id, key, stored_at, payload) \
                     VALUES ($1, $2, $3, $4) ON CONFLICT (session_id, key) \
                     DO UPDATE SET stored_at = excluded.stored_at, payload = excluded.payload"
                )
                .bind(session)
                .bind(key)
                .bind(stored_at)
                .bind(payload)
                .execute(conn)
                .await
                .map(drop))?;
                Ok(())
            })
        })
        .await
    }

    pub(crate) async fn take_sent(
        &self,
        chat: &str,
        message_id: &str,
    ) -> EngineResult<Option<Vec<u8>>> {
        let key = key::message(&[chat, message_id]);
        let session = self.session();
        let bound = key.clone();
        let sealed: Option<Vec<u8>> = self
            .write(move |tx| {
                Box::pin(async move {
                    Ok(on!(tx, |conn| sqlx::query_scalar(
                        "DELETE FROM engine_sent_message \
                         WHERE session_id = $1 AND key = $2 RETURNING payload"
                    )
                    .bind(session)
                    .bind(bound)
                    .fetch_optional(conn)
                    .await)?)
                })
            })
            .await?;
        Ok(sealed
            .map(|sealed| self.unseal(TABLE, &[&key], &sealed))
            .transpose()?)
    }

    /// Deletes sent messages of before a time, and base keys, which belong to their retries.
    pub(crate) async fn expire_sent(&self, cutoff: i64) -> EngineResult<u32> {
        self.delete_older(RecordKind::BaseKey, cutoff).await?;
        if !self.has_expired_sent(cutoff).await? {
            return Ok(0);
        }
        let session = self.session();
        let deleted = self
            .write(move |tx| {
                Box::pin(async move {
                    Ok(on!(tx, |conn| sqlx::query(
                        "DELETE FROM engine_sent_message \
                         WHERE session_id = $1 AND stored_at < $2"
                    )
                    .bind(session)
                    .bind(cutoff)
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected()))?)
                })
            })
            .await?;
        Ok(u32::try_from(deleted).unwrap_or(u32::MAX))
    }

    async fn has_expired_sent(&self, cutoff: i64) -> Result<bool> {
        let mut tx = self.reader().await?;
        let found: Option<i64> = on!(tx, |conn| sqlx::query_scalar(
            "SELECT stored_at FROM engine_sent_message \
             WHERE session_id = $1 AND stored_at < $2 LIMIT 1"
        )
        .bind(self.session())
        .bind(cutoff)
        .fetch_optional(conn)
        .await)
        .map_err(StoreError::from)?;
        Ok(found.is_some())
    }
}
