//! `engine_lid_mapping`: LIDs and the phone numbers that they stand for.

use std::collections::BTreeMap;
use std::sync::Arc;

use wacore::store::error::Result as EngineResult;
use wacore::store::traits::LidPnMappingEntry;

use super::backend::EngineBackend;
use crate::batch;
use crate::error::StoreError;
use crate::text::storable;
use crate::tx::on;

const UPSERT: &str = "INSERT INTO engine_lid_mapping \
     (session_id, lid, phone_number, created_at, updated_at, learning_source) VALUES";
const OVERWRITE: &str = "ON CONFLICT (session_id, lid) DO UPDATE SET \
     phone_number = excluded.phone_number, created_at = excluded.created_at, \
     updated_at = excluded.updated_at, learning_source = excluded.learning_source";

type Row = (String, String, i64, i64, String);

fn entry((lid, phone_number, created_at, updated_at, learning_source): Row) -> LidPnMappingEntry {
    LidPnMappingEntry {
        lid,
        phone_number,
        created_at,
        updated_at,
        learning_source,
    }
}

fn row(entry: &LidPnMappingEntry) -> Row {
    (
        storable(&entry.lid).into_owned(),
        storable(&entry.phone_number).into_owned(),
        entry.created_at,
        entry.updated_at,
        storable(&entry.learning_source).into_owned(),
    )
}

impl EngineBackend {
    pub(crate) async fn mapping_of_lid(
        &self,
        lid: &str,
    ) -> EngineResult<Option<LidPnMappingEntry>> {
        let mut tx = self.reader().await?;
        let found: Option<Row> = on!(tx, |conn| sqlx::query_as(
            "SELECT lid, phone_number, created_at, updated_at, learning_source \
             FROM engine_lid_mapping WHERE session_id = $1 AND lid = $2"
        )
        .bind(self.session())
        .bind(storable(lid))
        .fetch_optional(conn)
        .await)
        .map_err(StoreError::from)?;
        Ok(found.map(entry))
    }

    pub(crate) async fn mapping_of_phone(
        &self,
        phone: &str,
    ) -> EngineResult<Option<LidPnMappingEntry>> {
        let mut tx = self.reader().await?;
        // A number that changed hands has several LIDs: the latest counts.
        let found: Option<Row> = on!(tx, |conn| sqlx::query_as(
            "SELECT lid, phone_number, created_at, updated_at, learning_source \
             FROM engine_lid_mapping WHERE session_id = $1 AND phone_number = $2 \
             ORDER BY updated_at DESC, created_at DESC, lid DESC LIMIT 1"
        )
        .bind(self.session())
        .bind(storable(phone))
        .fetch_optional(conn)
        .await)
        .map_err(StoreError::from)?;
        Ok(found.map(entry))
    }

    pub(crate) async fn list_mappings(&self) -> EngineResult<Vec<LidPnMappingEntry>> {
        let mut tx = self.reader().await?;
        let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(
            "SELECT lid, phone_number, created_at, updated_at, learning_source \
             FROM engine_lid_mapping WHERE session_id = $1"
        )
        .bind(self.session())
        .fetch_all(conn)
        .await)
        .map_err(StoreError::from)?;
        Ok(rows.into_iter().map(entry).collect())
    }

    pub(crate) async fn put_mappings(&self, entries: &[LidPnMappingEntry]) -> EngineResult<()> {
        if entries.is_empty() {
            return Ok(());
        }
        // Sorted, so that two jobs never wait for each other; the last of a LID counts.
        let sorted: BTreeMap<&str, &LidPnMappingEntry> = entries
            .iter()
            .map(|entry| (entry.lid.as_str(), entry))
            .collect();
        let rows: Arc<[Row]> = sorted.into_values().map(row).collect();
        let session = self.session();
        self.write(move |tx| {
            Box::pin(async move {
                for piece in batch::pieces(&rows) {
                    let text = batch::values(UPSERT, 1, 5, piece.len(), OVERWRITE);
                    on!(tx, |conn| {
                        let mut query = sqlx::query(text).bind(session);
                        for (lid, phone_number, created_at, updated_at, source) in piece {
                            query = query
                                .bind(lid)
                                .bind(phone_number)
                                .bind(created_at)
                                .bind(updated_at)
                                .bind(source);
                        }
                        query.execute(conn).await.map(drop)
                    })?;
                }
                Ok(())
            })
        })
        .await
    }
}
