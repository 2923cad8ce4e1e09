//! `engine_sent_message`: what was sent, for recipients that ask for it again.
//!
//! A sent message is held in memory until the session's next transaction takes it along:
//! the one that stores the outcome of the send, or a write of Signal state. Until then the
//! outbox has it, and a crash has it sent again under the same id.

use std::collections::BTreeMap;
use std::sync::Arc;

use wacore::store::error::Result as EngineResult;
use wagate_model::SessionId;

use super::backend::EngineBackend;
use super::key;
use super::kind::RecordKind;
use crate::batch;
use crate::error::{Result, StoreError};
use crate::text::Text;
use crate::tx::{Tx, on};

pub(crate) const TABLE: &str = "engine_sent_message";

/// A sent message as it is stored.
#[derive(Debug)]
pub(crate) struct SentRow {
    key: Vec<u8>,
    /// In seconds since 1970.
    stored_at: i64,
    payload: Vec<u8>,
}

/// Sent messages of one session that wait in a transaction.
#[derive(Debug, Clone)]
pub(crate) struct SentRows {
    session: SessionId,
    rows: Vec<Arc<SentRow>>,
}

const INSERT: &str = "INSERT INTO engine_sent_message (session_id, key, stored_at, payload) VALUES";
const OVERWRITE: &str = "ON CONFLICT (session_id, key) \
     DO UPDATE SET stored_at = excluded.stored_at, payload = excluded.payload";

impl Tx {
    /// Writes the sent messages that wait for it.
    pub(crate) async fn write_sent_messages(&mut self) -> Result<()> {
        let waiting = self.deferred.sent.take_unwritten();
        // The last one of a key counts.
        let rows: BTreeMap<_, _> = waiting
            .iter()
            .flat_map(|batch| batch.rows.iter().map(|row| (batch.session, row)))
            .map(|(session, row)| ((session, &row.key), row))
            .collect();
        let rows: Vec<_> = rows.into_iter().collect();
        for piece in batch::pieces(&rows) {
            let text = batch::values(INSERT, 0, 4, piece.len(), OVERWRITE);
            on!(self, |conn| {
                let mut query = sqlx::query(text);
                for ((session, _), row) in piece {
                    query = query
                        .bind(Text(*session))
                        .bind(&row.key)
                        .bind(row.stored_at)
                        .bind(&row.payload);
                }
                query.execute(conn).await.map(drop)
            })?;
        }
        Ok(())
    }
}

/// Sent messages that the caller's own transaction takes along.
///
/// Call [`apply`](Self::apply) in a transaction that has checked the lease and
/// [`committed`](Self::committed) after it.
#[derive(Clone)]
pub struct HeldSentMessages {
    backend: EngineBackend,
    rows: Vec<Arc<SentRow>>,
}

impl std::fmt::Debug for HeldSentMessages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeldSentMessages")
            .field("messages", &self.rows.len())
            .finish_non_exhaustive()
    }
}

impl HeldSentMessages {
    /// Has them stored when the group commits, but for those that were taken meanwhile.
    pub fn apply(&self, tx: &mut Tx) {
        let rows: Vec<_> = {
            let sent = self.backend.sent();
            let is_held = |row: &&Arc<SentRow>| sent.iter().any(|held| Arc::ptr_eq(row, held));
            self.rows.iter().filter(is_held).cloned().collect()
        };
        if !rows.is_empty() {
            let session = self.backend.session_id();
            tx.deferred.sent.push(SentRows { session, rows });
        }
    }

    /// Says that the transaction was committed.
    pub fn committed(self) {
        let is_stored = |held: &Arc<SentRow>| self.rows.iter().any(|row| Arc::ptr_eq(row, held));
        let mut sent = self.backend.sent();
        sent.retain(|held| !is_stored(held));
        if sent.is_empty() {
            // Sessions are many and mostly idle.
            *sent = Vec::new();
        }
    }
}

impl EngineBackend {
    /// The sent messages that are not stored yet.
    #[must_use]
    pub fn held_sent_messages(&self) -> HeldSentMessages {
        HeldSentMessages {
            backend: self.clone(),
            rows: self.sent().clone(),
        }
    }

    pub(crate) fn hold_sent(
        &self,
        chat: &str,
        message_id: &str,
        payload: &[u8],
    ) -> EngineResult<()> {
        self.check_not_fenced()?;
        let key = key::message(&[chat, message_id]);
        let payload = self.seal(TABLE, &[&key], payload);
        self.sent().push(Arc::new(SentRow {
            key,
            // The engine computes its cutoffs with this clock.
            stored_at: wacore::time::now_secs(),
            payload,
        }));
        Ok(())
    }

    pub(crate) async fn take_sent(
        &self,
        chat: &str,
        message_id: &str,
    ) -> EngineResult<Option<Vec<u8>>> {
        let key = key::message(&[chat, message_id]);
        let mut held = Vec::new();
        self.sent().retain(|row| {
            let is_other = row.key != key;
            if !is_other {
                held.push(row.clone());
            }
            is_other
        });
        let session = self.session();
        let bound = key.clone();
        // A row too, where a transaction has stored it: it comes before this one.
        let stored: Option<Vec<u8>> = self
            .write(move |tx| {
                Box::pin(async move {
                    tx.write_sent_messages().await?;
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
        let newest = held.pop().map(|row| row.payload.clone()).or(stored);
        Ok(newest
            .map(|sealed| self.unseal(TABLE, &[&key], &sealed))
            .transpose()?)
    }

    /// Deletes sent messages of before a time, and base keys, which belong to their retries.
    pub(crate) async fn expire_sent(&self, cutoff: i64) -> EngineResult<u32> {
        self.delete_older(RecordKind::BaseKey, cutoff).await?;
        let held = self.held_sent_messages();
        if held.rows.is_empty() && !self.has_expired_sent(cutoff).await? {
            return Ok(0);
        }
        let session = self.session();
        let stored = held.clone();
        let deleted = self
            .write(move |tx| {
                Box::pin(async move {
                    // What is held is mostly no older than a second; so it is counted once.
                    held.apply(tx);
                    tx.write_sent_messages().await?;
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
        stored.committed();
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
