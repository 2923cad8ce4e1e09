//! `engine_message_secret`: secrets that reactions, edits and votes are opened with.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use wacore::store::error::Result as EngineResult;
use wacore::store::traits::{
    MessageSecret, MsgSecretEntry, MsgSecretStore, merge_msg_secret_expiry,
    merge_msg_secret_message_ts,
};

use super::backend::EngineBackend;
use super::key;
use crate::batch;
use crate::error::StoreError;
use crate::tx::on;

pub(crate) const TABLE: &str = "engine_message_secret";

const UPSERT: &str =
    "INSERT INTO engine_message_secret (session_id, key, expires_at, message_ts, secret) VALUES";

/// The later deadline and the later time of the message count; no deadline is the latest.
const MERGE: &str = "ON CONFLICT (session_id, key) DO UPDATE SET secret = excluded.secret, \
     expires_at = CASE WHEN engine_message_secret.expires_at > excluded.expires_at \
     THEN engine_message_secret.expires_at \
     WHEN engine_message_secret.expires_at IS NULL THEN NULL ELSE excluded.expires_at END, \
     message_ts = CASE WHEN engine_message_secret.message_ts > excluded.message_ts \
     THEN engine_message_secret.message_ts ELSE excluded.message_ts END";

#[derive(Clone, Copy)]
struct Merged {
    secret: MessageSecret,
    expires_at: i64,
    message_ts: i64,
}

struct Row {
    key: Vec<u8>,
    expires_at: Option<i64>,
    message_ts: i64,
    secret: Vec<u8>,
}

/// One statement may hold a key once only, so entries of one message are merged before.
fn merge(entries: &[MsgSecretEntry]) -> BTreeMap<Vec<u8>, Merged> {
    let mut merged: BTreeMap<Vec<u8>, Merged> = BTreeMap::new();
    for entry in entries {
        let new = Merged {
            secret: entry.secret,
            expires_at: entry.expires_at,
            message_ts: entry.message_ts,
        };
        merged
            .entry(key::message(&[&entry.chat, &entry.sender, &entry.msg_id]))
            .and_modify(|old| {
                *old = Merged {
                    secret: new.secret,
                    expires_at: merge_msg_secret_expiry(old.expires_at, new.expires_at),
                    message_ts: merge_msg_secret_message_ts(old.message_ts, new.message_ts),
                };
            })
            .or_insert(new);
    }
    merged
}

#[async_trait]
impl MsgSecretStore for EngineBackend {
    async fn put_msg_secrets(&self, entries: Vec<MsgSecretEntry>) -> EngineResult<usize> {
        if entries.is_empty() {
            return Ok(0);
        }
        let rows: Arc<[Row]> = merge(&entries)
            .into_iter()
            .map(|(key, merged)| Row {
                secret: self.seal(TABLE, &[&key], &merged.secret),
                key,
                expires_at: (merged.expires_at != 0).then_some(merged.expires_at),
                message_ts: merged.message_ts,
            })
            .collect();
        let session = self.session();
        self.write(move |tx| {
            Box::pin(async move {
                for piece in batch::pieces(&rows) {
                    let text = batch::values(UPSERT, 1, 4, piece.len(), MERGE);
                    on!(tx, |conn| {
                        let mut query = sqlx::query(text).bind(session);
                        for row in piece {
                            query = query
                                .bind(&row.key)
                                .bind(row.expires_at)
                                .bind(row.message_ts)
                                .bind(&row.secret);
                        }
                        query.execute(conn).await.map(drop)
                    })?;
                }
                Ok(())
            })
        })
        .await?;
        Ok(entries.len())
    }

    async fn get_msg_secret(
        &self,
        chat: &str,
        sender: &str,
        msg_id: &str,
    ) -> EngineResult<Option<Vec<u8>>> {
        let found = self.get_msg_secret_with_ts(chat, sender, msg_id).await?;
        Ok(found.map(|(secret, _)| secret))
    }

    async fn get_msg_secret_with_ts(
        &self,
        chat: &str,
        sender: &str,
        msg_id: &str,
    ) -> EngineResult<Option<(Vec<u8>, i64)>> {
        let key = key::message(&[chat, sender, msg_id]);
        let mut tx = self.reader().await?;
        let found: Option<(Vec<u8>, i64)> = on!(tx, |conn| sqlx::query_as(
            "SELECT secret, message_ts FROM engine_message_secret \
             WHERE session_id = $1 AND key = $2"
        )
        .bind(self.session())
        .bind(&key)
        .fetch_optional(conn)
        .await)
        .map_err(StoreError::from)?;
        let Some((sealed, message_ts)) = found else {
            return Ok(None);
        };
        Ok(Some((self.unseal(TABLE, &[&key], &sealed)?, message_ts)))
    }

    async fn delete_expired_msg_secrets(&self, cutoff_timestamp: i64) -> EngineResult<u32> {
        let mut tx = self.reader().await?;
        let expired: Option<i64> = on!(tx, |conn| sqlx::query_scalar(
            "SELECT expires_at FROM engine_message_secret \
             WHERE session_id = $1 AND expires_at <= $2 LIMIT 1"
        )
        .bind(self.session())
        .bind(cutoff_timestamp)
        .fetch_optional(conn)
        .await)
        .map_err(StoreError::from)?;
        drop(tx);
        if expired.is_none() {
            return Ok(0);
        }
        let session = self.session();
        let deleted = self
            .write(move |tx| {
                Box::pin(async move {
                    Ok(on!(tx, |conn| sqlx::query(
                        "DELETE FROM engine_message_secret \
                         WHERE session_id = $1 AND expires_at <= $2"
                    )
                    .bind(session)
                    .bind(cutoff_timestamp)
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected()))?)
                })
            })
            .await?;
        Ok(u32::try_from(deleted).unwrap_or(u32::MAX))
    }
}
