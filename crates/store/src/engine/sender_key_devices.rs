//! `engine_sender_key_device`: which devices of a group hold our sender key.

use std::collections::BTreeMap;
use std::sync::Arc;

use wacore::store::error::Result as EngineResult;

use super::backend::EngineBackend;
use crate::batch;
use crate::error::StoreError;
use crate::text::storable;
use crate::tx::on;

const UPSERT: &str =
    "INSERT INTO engine_sender_key_device (session_id, group_jid, device_jid, has_key) VALUES";
const OVERWRITE: &str =
    "ON CONFLICT (session_id, group_jid, device_jid) DO UPDATE SET has_key = excluded.has_key";

impl EngineBackend {
    pub(crate) async fn list_key_devices(&self, group: &str) -> EngineResult<Vec<(String, bool)>> {
        let mut tx = self.reader().await?;
        Ok(on!(tx, |conn| sqlx::query_as(
            "SELECT device_jid, has_key FROM engine_sender_key_device \
             WHERE session_id = $1 AND group_jid = $2"
        )
        .bind(self.session())
        .bind(storable(group))
        .fetch_all(conn)
        .await)
        .map_err(StoreError::from)?)
    }

    pub(crate) async fn put_key_devices(
        &self,
        group: &str,
        entries: &[(&str, bool)],
    ) -> EngineResult<()> {
        if entries.is_empty() {
            return Ok(());
        }
        // Sorted, so that two jobs never wait for each other; the last of a device counts.
        let sorted: BTreeMap<String, bool> = entries
            .iter()
            .map(|(device, has_key)| (storable(device).into_owned(), *has_key))
            .collect();
        let rows: Arc<[(String, bool)]> = sorted.into_iter().collect();
        let group = storable(group).into_owned();
        let session = self.session();
        self.write(move |tx| {
            Box::pin(async move {
                for piece in batch::pieces(&rows) {
                    let text = batch::values(UPSERT, 2, 2, piece.len(), OVERWRITE);
                    on!(tx, |conn| {
                        let mut query = sqlx::query(text).bind(session).bind(&group);
                        for (device, has_key) in piece {
                            query = query.bind(device).bind(has_key);
                        }
                        query.execute(conn).await.map(drop)
                    })?;
                }
                Ok(())
            })
        })
        .await
    }

    pub(crate) async fn clear_key_devices(&self, group: &str) -> EngineResult<()> {
        let group = storable(group).into_owned();
        let session = self.session();
        self.write(move |tx| {
            Box::pin(async move {
                on!(tx, |conn| sqlx::query(
                    "DELETE FROM engine_sender_key_device \
                     WHERE session_id = $1 AND group_jid = $2"
                )
                .bind(session)
                .bind(group)
                .execute(conn)
                .await
                .map(drop))?;
                Ok(())
            })
        })
        .await
    }

    pub(crate) async fn clear_all_key_devices(&self) -> EngineResult<()> {
        let session = self.session();
        self.write(move |tx| {
            Box::pin(async move {
                on!(tx, |conn| sqlx::query(
                    "DELETE FROM engine_sender_key_device WHERE session_id = $1"
                )
                .bind(session)
                .execute(conn)
                .await
                .map(drop))?;
                Ok(())
            })
        })
        .await
    }

    pub(crate) async fn forget_key_devices(&self, devices: &[&str]) -> EngineResult<()> {
        if devices.is_empty() {
            return Ok(());
        }
        let devices: Arc<[String]> = devices
            .iter()
            .map(|device| storable(device).into_owned())
            .collect();
        let session = self.session();
        self.write(move |tx| {
            Box::pin(async move {
                for piece in batch::pieces(&devices) {
                    let text = batch::list(
                        "DELETE FROM engine_sender_key_device \
                         WHERE session_id = $1 AND device_jid IN",
                        1,
                        piece.len(),
                    );
                    on!(tx, |conn| {
                        let mut query = sqlx::query(text).bind(session);
                        for device in piece {
                            query = query.bind(device);
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
