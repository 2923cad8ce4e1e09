//! `engine_record`: sealed values by kind and key.

use std::collections::BTreeMap;
use std::sync::Arc;

use wacore::store::error::Result as EngineResult;
use wagate_model::SessionId;

use super::backend::EngineBackend;
use super::kind::RecordKind;
use crate::batch;
use crate::error::{Result, StoreError};
use crate::text::Text;
use crate::tx::{Tx, on};

pub(crate) const TABLE: &str = "engine_record";

/// A value under its key, not sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) key: Vec<u8>,
    /// What the kind says: a flag, a time, or 0.
    pub(crate) stamp: i64,
    pub(crate) value: Vec<u8>,
}

impl Record {
    /// A record of a kind that makes no use of the stamp.
    pub(crate) fn new(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            key: key.into(),
            stamp: 0,
            value: value.into(),
        }
    }
}

/// A record as it is stored.
#[derive(Debug)]
struct SealedRow {
    kind: i16,
    key: Vec<u8>,
    stamp: i64,
    value: Vec<u8>,
}

/// Where and what a job writes.
#[derive(Debug, Clone)]
pub(crate) struct RecordRows {
    session: SessionId,
    /// Sorted, and no key twice.
    rows: Arc<[SealedRow]>,
}

const INSERT: &str = "INSERT INTO engine_record (session_id, kind, key, stamp, value) VALUES";
const OVERWRITE: &str = "ON CONFLICT (session_id, kind, key) \
     DO UPDATE SET stamp = excluded.stamp, value = excluded.value";
const KEEP: &str = "ON CONFLICT (session_id, kind, key) DO NOTHING";

impl Tx {
    /// Has records written over those that are there, when the group commits.
    fn defer_records(&mut self, rows: RecordRows) {
        self.deferred.records.push(rows);
    }

    /// Writes records where there are none under their keys.
    pub(crate) async fn insert_missing_records(&mut self, batch: &RecordRows) -> Result<()> {
        self.write_records().await?;
        let rows: Vec<_> = batch.rows.iter().map(|row| (batch.session, row)).collect();
        insert(self, &rows, KEEP).await
    }

    /// Writes the records that wait for it.
    pub(crate) async fn write_records(&mut self) -> Result<()> {
        let waiting = self.deferred.records.take_unwritten();
        // The last one of a key counts; sorted, so that two writers never wait for each other.
        let rows: BTreeMap<_, _> = waiting
            .iter()
            .flat_map(|batch| batch.rows.iter().map(|row| (batch.session, row)))
            .map(|(session, row)| ((session, row.kind, &row.key), row))
            .collect();
        let rows: Vec<_> = rows
            .into_iter()
            .map(|((session, ..), row)| (session, row))
            .collect();
        insert(self, &rows, OVERWRITE).await
    }
}

async fn insert(
    tx: &mut Tx,
    rows: &[(SessionId, &SealedRow)],
    conflict: &'static str,
) -> Result<()> {
    for piece in batch::pieces(rows) {
        let text = batch::values(INSERT, 0, 5, piece.len(), conflict);
        on!(tx, |conn| {
            let mut query = sqlx::query(text);
            for (session, row) in piece {
                query = query
                    .bind(Text(*session))
                    .bind(row.kind)
                    .bind(&row.key)
                    .bind(row.stamp)
                    .bind(&row.value);
            }
            query.execute(conn).await.map(drop)
        })?;
    }
    Ok(())
}

/// Deletes those of the given keys that exist.
pub(crate) async fn delete_keys(
    tx: &mut Tx,
    session: SessionId,
    kind: RecordKind,
    keys: &[Vec<u8>],
) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    tx.write_records().await?;
    for piece in batch::pieces(keys) {
        let text = batch::list(
            "DELETE FROM engine_record WHERE session_id = $1 AND kind = $2 AND key IN",
            2,
            piece.len(),
        );
        on!(tx, |conn| {
            let mut query = sqlx::query(text).bind(Text(session)).bind(kind.number());
            for key in piece {
                query = query.bind(key);
            }
            query.execute(conn).await.map(drop)
        })?;
    }
    Ok(())
}

impl EngineBackend {
    pub(crate) fn seal_rows(
        &self,
        records: impl IntoIterator<Item = (RecordKind, Record)>,
    ) -> RecordRows {
        // Sorted, so that two jobs never wait for each other; the last of a key counts.
        let rows: BTreeMap<_, _> = records
            .into_iter()
            .map(|(kind, record)| ((kind.number(), record.key), (record.stamp, record.value)))
            .collect();
        let rows = rows
            .into_iter()
            .map(|((kind, key), (stamp, value))| SealedRow {
                value: self.seal(TABLE, &[&kind.to_be_bytes(), &key], &value),
                kind,
                key,
                stamp,
            })
            .collect();
        RecordRows {
            session: self.session_id(),
            rows,
        }
    }

    /// Opens a value that was read.
    fn open_value(&self, kind: RecordKind, key: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        self.unseal(TABLE, &[&kind.number().to_be_bytes(), key], sealed)
    }

    /// Writes records of one kind, over those that are there.
    pub(crate) async fn put(&self, kind: RecordKind, records: Vec<Record>) -> EngineResult<()> {
        self.put_mixed(records.into_iter().map(|record| (kind, record)))
            .await
    }

    /// Writes records of several kinds at once, over those that are there.
    pub(crate) async fn put_mixed(
        &self,
        records: impl IntoIterator<Item = (RecordKind, Record)>,
    ) -> EngineResult<()> {
        let mut is_signal_state = false;
        let batch = self.seal_rows(
            records
                .into_iter()
                .inspect(|(kind, _)| is_signal_state |= kind.is_signal_state()),
        );
        if batch.rows.is_empty() {
            return Ok(());
        }
        self.write_state(is_signal_state, move |tx| {
            Box::pin(async move {
                tx.defer_records(batch);
                Ok(())
            })
        })
        .await
    }

    /// Has messages stored that wait to be committed, in a transaction that has checked the lease.
    pub(crate) fn defer_pending(&self, tx: &mut Tx, records: &[Record]) {
        let kind = RecordKind::PendingInbound;
        let batch = self.seal_rows(records.iter().map(|record| (kind, record.clone())));
        tx.defer_records(batch);
    }

    /// Writes a record unless there is one.
    pub(crate) async fn insert_missing(
        &self,
        kind: RecordKind,
        record: Record,
    ) -> EngineResult<()> {
        let batch = self.seal_rows([(kind, record)]);
        self.write(move |tx| Box::pin(async move { tx.insert_missing_records(&batch).await }))
            .await
    }

    /// Reads the value of a key.
    pub(crate) async fn get(&self, kind: RecordKind, key: &[u8]) -> EngineResult<Option<Vec<u8>>> {
        let mut tx = self.reader().await?;
        let sealed: Option<Vec<u8>> = on!(tx, |conn| sqlx::query_scalar(
            "SELECT value FROM engine_record WHERE session_id = $1 AND kind = $2 AND key = $3"
        )
        .bind(self.session())
        .bind(kind.number())
        .bind(key)
        .fetch_optional(conn)
        .await)
        .map_err(StoreError::from)?;
        Ok(sealed
            .map(|sealed| self.open_value(kind, key, &sealed))
            .transpose()?)
    }

    /// Whether there is a record under a key.
    pub(crate) async fn has(&self, kind: RecordKind, key: &[u8]) -> EngineResult<bool> {
        let mut tx = self.reader().await?;
        let found: Option<i64> = on!(tx, |conn| sqlx::query_scalar(
            "SELECT stamp FROM engine_record WHERE session_id = $1 AND kind = $2 AND key = $3"
        )
        .bind(self.session())
        .bind(kind.number())
        .bind(key)
        .fetch_optional(conn)
        .await)
        .map_err(StoreError::from)?;
        Ok(found.is_some())
    }

    /// Reads those of the given keys that exist, in no particular order.
    pub(crate) async fn get_many(
        &self,
        kind: RecordKind,
        keys: &[Vec<u8>],
    ) -> EngineResult<Vec<(Vec<u8>, Vec<u8>)>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.reader().await?;
        let mut found = Vec::with_capacity(keys.len());
        for piece in batch::pieces(keys) {
            let text = batch::list(
                "SELECT key, value FROM engine_record WHERE session_id = $1 AND kind = $2 AND key IN",
                2,
                piece.len(),
            );
            let rows: Vec<(Vec<u8>, Vec<u8>)> = on!(tx, |conn| {
                let mut query = sqlx::query_as(text)
                    .bind(self.session())
                    .bind(kind.number());
                for key in piece {
                    query = query.bind(key);
                }
                query.fetch_all(conn).await
            })
            .map_err(StoreError::from)?;
            for (key, sealed) in rows {
                let value = self.open_value(kind, &key, &sealed)?;
                found.push((key, value));
            }
        }
        Ok(found)
    }

    /// Reads all records of a kind, by key.
    pub(crate) async fn list(&self, kind: RecordKind) -> EngineResult<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut tx = self.reader().await?;
        let rows: Vec<(Vec<u8>, Vec<u8>)> = on!(tx, |conn| {
            sqlx::query_as(
            "SELECT key, value FROM engine_record WHERE session_id = $1 AND kind = $2 ORDER BY key"
        )
        .bind(self.session())
        .bind(kind.number())
        .fetch_all(conn)
        .await
        })
        .map_err(StoreError::from)?;
        rows.into_iter()
            .map(|(key, sealed)| {
                let value = self.open_value(kind, &key, &sealed)?;
                Ok((key, value))
            })
            .collect()
    }

    /// Reads the greatest key of a kind.
    pub(crate) async fn last_key(&self, kind: RecordKind) -> EngineResult<Option<Vec<u8>>> {
        let mut tx = self.reader().await?;
        Ok(on!(tx, |conn| sqlx::query_scalar(
            "SELECT key FROM engine_record WHERE session_id = $1 AND kind = $2 \
             ORDER BY key DESC LIMIT 1"
        )
        .bind(self.session())
        .bind(kind.number())
        .fetch_optional(conn)
        .await)
        .map_err(StoreError::from)?)
    }

    /// Deletes those of the given keys that exist.
    pub(crate) async fn delete(&self, kind: RecordKind, keys: Vec<Vec<u8>>) -> EngineResult<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let keys: Arc<[_]> = keys.into();
        let session = self.session_id();
        self.write_state(kind.is_signal_state(), move |tx| {
            Box::pin(async move { delete_keys(tx, session, kind, &keys).await })
        })
        .await
    }

    /// Deletes the keys from `start` up to `end`, which is excluded.
    pub(crate) async fn delete_range(
        &self,
        kind: RecordKind,
        (start, end): (Vec<u8>, Vec<u8>),
    ) -> EngineResult<()> {
        let session = self.session();
        self.write(move |tx| {
            Box::pin(async move {
                tx.write_records().await?;
                on!(tx, |conn| sqlx::query(
                    "DELETE FROM engine_record \
                     WHERE session_id = $1 AND kind = $2 AND key >= $3 AND key < $4"
                )
                .bind(session)
                .bind(kind.number())
                .bind(start)
                .bind(end)
                .execute(conn)
                .await
                .map(drop))?;
                Ok(())
            })
        })
        .await
    }

    /// Sets the stamp of those of the given keys that exist.
    pub(crate) async fn set_stamps(
        &self,
        kind: RecordKind,
        keys: Vec<Vec<u8>>,
        stamp: i64,
    ) -> EngineResult<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let keys: Arc<[_]> = keys.into();
        let session = self.session();
        self.write(move |tx| {
            Box::pin(async move {
                tx.write_records().await?;
                for piece in batch::pieces(&keys) {
                    let text = batch::list(
                        "UPDATE engine_record SET stamp = $3 \
                         WHERE session_id = $1 AND kind = $2 AND key IN",
                        3,
                        piece.len(),
                    );
                    on!(tx, |conn| {
                        let mut query = sqlx::query(text)
                            .bind(session)
                            .bind(kind.number())
                            .bind(stamp);
                        for key in piece {
                            query = query.bind(key);
                        }
                        query.execute(conn).await.map(drop)
                    })?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Deletes the records of a kind whose stamp is below a time, and counts them.
    pub(crate) async fn delete_older(&self, kind: RecordKind, cutoff: i64) -> EngineResult<u32> {
        if !self.has_older(kind, cutoff).await? {
            return Ok(0);
        }
        let session = self.session();
        let deleted = self
            .write(move |tx| {
                Box::pin(async move {
                    tx.write_records().await?;
                    Ok(on!(tx, |conn| sqlx::query(
                        "DELETE FROM engine_record \
                         WHERE session_id = $1 AND kind = $2 AND stamp < $3"
                    )
                    .bind(session)
                    .bind(kind.number())
                    .bind(cutoff)
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected()))?)
                })
            })
            .await?;
        Ok(u32::try_from(deleted).unwrap_or(u32::MAX))
    }

    /// Whether [`delete_older`](Self::delete_older) has anything to do: mostly it has
    /// not, and looking costs no transaction.
    async fn has_older(&self, kind: RecordKind, cutoff: i64) -> Result<bool> {
        let mut tx = self.reader().await?;
        let found: Option<i64> = on!(tx, |conn| sqlx::query_scalar(
            "SELECT stamp FROM engine_record \
             WHERE session_id = $1 AND kind = $2 AND stamp < $3 LIMIT 1"
        )
        .bind(self.session())
        .bind(kind.number())
        .bind(cutoff)
        .fetch_optional(conn)
        .await)?;
        Ok(found.is_some())
    }
}
