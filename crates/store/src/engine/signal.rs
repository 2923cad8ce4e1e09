//! Signal state: identities, sessions, prekeys, sender keys.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use wacore::store::error::Result as EngineResult;
use wacore::store::traits::SignalStore;

use super::backend::EngineBackend;
use super::key;
use super::kind::RecordKind;
use super::records::Record;
use crate::error::StoreError;
use crate::tx::on;

fn address_records<V: AsRef<[u8]>>(entries: &[(Arc<str>, V)]) -> Vec<Record> {
    entries
        .iter()
        .map(|(address, value)| Record::new(address.as_bytes(), value.as_ref()))
        .collect()
}

fn numbers(ids: &[u32]) -> Vec<Vec<u8>> {
    ids.iter().copied().map(key::number).collect()
}

fn id_of(key: &[u8]) -> Result<u32, StoreError> {
    key::parse_number(key).ok_or_else(|| StoreError::Corrupt("engine key id".to_owned()))
}

#[async_trait]
impl SignalStore for EngineBackend {
    async fn put_identity(&self, address: &str, key: [u8; 32]) -> EngineResult<()> {
        self.put(RecordKind::Identity, vec![Record::new(address, key)])
            .await
    }

    async fn put_identities_batch(&self, identities: &[(Arc<str>, [u8; 32])]) -> EngineResult<()> {
        self.put(RecordKind::Identity, address_records(identities))
            .await
    }

    async fn load_identity(&self, address: &str) -> EngineResult<Option<[u8; 32]>> {
        let found = self.get(RecordKind::Identity, address.as_bytes()).await?;
        let array = found.map(<[u8; 32]>::try_from).transpose();
        Ok(array.map_err(|_| StoreError::Corrupt("identity key".to_owned()))?)
    }

    async fn delete_identity(&self, address: &str) -> EngineResult<()> {
        self.delete(RecordKind::Identity, vec![address.into()])
            .await
    }

    async fn get_session(&self, address: &str) -> EngineResult<Option<Bytes>> {
        Ok(self
            .get(RecordKind::Session, address.as_bytes())
            .await?
            .map(Bytes::from))
    }

    async fn put_session(&self, address: &str, session: &[u8]) -> EngineResult<()> {
        self.put(RecordKind::Session, vec![Record::new(address, session)])
            .await
    }

    async fn put_sessions_batch(&self, sessions: &[(Arc<str>, Bytes)]) -> EngineResult<()> {
        self.put(RecordKind::Session, address_records(sessions))
            .await
    }

    async fn delete_session(&self, address: &str) -> EngineResult<()> {
        self.delete(RecordKind::Session, vec![address.into()]).await
    }

    async fn has_session(&self, address: &str) -> EngineResult<bool> {
        self.has(RecordKind::Session, address.as_bytes()).await
    }

    async fn has_signal_state_for_user(&self, user: &str) -> EngineResult<bool> {
        // Addresses are `user@server` or `user:device@server`.
        let (colon, after_colon) = (format!("{user}:"), format!("{user};"));
        let (at, after_at) = (format!("{user}@"), format!("{user}A"));
        let mut tx = self.reader().await?;
        let found: Option<i64> = on!(tx, |conn| sqlx::query_scalar(
            "SELECT stamp FROM engine_record \
             WHERE session_id = $1 AND kind IN ($2, $3) AND key >= $4 AND key < $7 \
             AND (key < $5 OR key >= $6) LIMIT 1"
        )
        .bind(self.session())
        .bind(RecordKind::Session.number())
        .bind(RecordKind::Identity.number())
        .bind(colon.as_bytes())
        .bind(after_colon.as_bytes())
        .bind(at.as_bytes())
        .bind(after_at.as_bytes())
        .fetch_optional(conn)
        .await)
        .map_err(StoreError::from)?;
        Ok(found.is_some())
    }

    async fn store_prekey(&self, id: u32, record: &[u8], uploaded: bool) -> EngineResult<()> {
        let stamp = i64::from(uploaded);
        let record = Record {
            key: key::number(id),
            stamp,
            value: record.to_vec(),
        };
        self.put(RecordKind::PreKey, vec![record]).await
    }

    async fn store_prekeys_batch(&self, keys: &[(u32, Bytes)], uploaded: bool) -> EngineResult<()> {
        let stamp = i64::from(uploaded);
        let records = keys
            .iter()
            .map(|(id, record)| Record {
                key: key::number(*id),
                stamp,
                value: record.to_vec(),
            })
            .collect();
        self.put(RecordKind::PreKey, records).await
    }

    async fn load_prekey(&self, id: u32) -> EngineResult<Option<Bytes>> {
        Ok(self
            .get(RecordKind::PreKey, &key::number(id))
            .await?
            .map(Bytes::from))
    }

    async fn load_prekeys_batch(&self, ids: &[u32]) -> EngineResult<Vec<(u32, Bytes)>> {
        let found = self.get_many(RecordKind::PreKey, &numbers(ids)).await?;
        let mut records = HashMap::with_capacity(found.len());
        for (key, record) in found {
            records.insert(id_of(&key)?, Bytes::from(record));
        }
        Ok(ids
            .iter()
            .filter_map(|id| Some((*id, records.get(id)?.clone())))
            .collect())
    }

    async fn mark_prekeys_uploaded(&self, ids: &[u32]) -> EngineResult<()> {
        self.set_stamps(RecordKind::PreKey, numbers(ids), 1).await
    }

    async fn remove_prekey(&self, id: u32) -> EngineResult<()> {
        self.delete(RecordKind::PreKey, vec![key::number(id)]).await
    }

    async fn get_max_prekey_id(&self) -> EngineResult<u32> {
        let last = self.last_key(RecordKind::PreKey).await?;
        Ok(last.map_or(Ok(0), |key| id_of(&key))?)
    }

    async fn store_signed_prekey(&self, id: u32, record: &[u8]) -> EngineResult<()> {
        self.put(
            RecordKind::SignedPreKey,
            vec![Record::new(key::number(id), record)],
        )
        .await
    }

    async fn load_signed_prekey(&self, id: u32) -> EngineResult<Option<Vec<u8>>> {
        self.get(RecordKind::SignedPreKey, &key::number(id)).await
    }

    async fn load_all_signed_prekeys(&self) -> EngineResult<Vec<(u32, Vec<u8>)>> {
        let found = self.list(RecordKind::SignedPreKey).await?;
        found
            .into_iter()
            .map(|(key, record)| Ok((id_of(&key)?, record)))
            .collect()
    }

    async fn remove_signed_prekey(&self, id: u32) -> EngineResult<()> {
        self.delete(RecordKind::SignedPreKey, vec![key::number(id)])
            .await
    }

    async fn put_sender_key(&self, address: &str, record: &[u8]) -> EngineResult<()> {
        self.put(RecordKind::SenderKey, vec![Record::new(address, record)])
            .await
    }

    async fn put_sender_keys_batch(&self, sender_keys: &[(Arc<str>, Bytes)]) -> EngineResult<()> {
        self.put(RecordKind::SenderKey, address_records(sender_keys))
            .await
    }

    async fn get_sender_key(&self, address: &str) -> EngineResult<Option<Vec<u8>>> {
        self.get(RecordKind::SenderKey, address.as_bytes()).await
    }

    async fn delete_sender_key(&self, address: &str) -> EngineResult<()> {
        self.delete(RecordKind::SenderKey, vec![address.into()])
            .await
    }
}
