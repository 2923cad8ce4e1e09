//! App state: keys, versions and mutation MACs of the synchronized collections.

use std::collections::HashMap;

use async_trait::async_trait;
use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::store::error::Result as EngineResult;
use wacore::store::traits::{AppStateSyncKey, AppSyncStore};

use super::backend::EngineBackend;
use super::kind::RecordKind;
use super::records::Record;
use super::{codec, key};

fn mac_key(name: &str, index_mac: &[u8]) -> Vec<u8> {
    key::composite(&[name.as_bytes()], index_mac)
}

#[async_trait]
impl AppSyncStore for EngineBackend {
    async fn get_sync_key(&self, key_id: &[u8]) -> EngineResult<Option<AppStateSyncKey>> {
        let found = self.get(RecordKind::AppStateKey, key_id).await?;
        Ok(found.map(|bytes| codec::decode(&bytes)).transpose()?)
    }

    async fn set_sync_key(&self, key_id: &[u8], key: AppStateSyncKey) -> EngineResult<()> {
        self.put_mixed([
            (
                RecordKind::AppStateKey,
                Record::new(key_id, codec::encode(&key)?),
            ),
            (RecordKind::AppStateKeyLatest, Record::new([], key_id)),
        ])
        .await
    }

    async fn get_version(&self, name: &str) -> EngineResult<HashState> {
        let found = self
            .get(RecordKind::AppStateVersion, name.as_bytes())
            .await?;
        Ok(found
            .map(|bytes| codec::decode(&bytes))
            .transpose()?
            .unwrap_or_default())
    }

    async fn set_version(&self, name: &str, state: HashState) -> EngineResult<()> {
        self.put(
            RecordKind::AppStateVersion,
            vec![Record::new(name, codec::encode(&state)?)],
        )
        .await
    }

    async fn put_mutation_macs(
        &self,
        name: &str,
        _version: u64,
        mutations: &[AppStateMutationMAC],
    ) -> EngineResult<()> {
        let records = mutations
            .iter()
            .map(|mac| Record::new(mac_key(name, &mac.index_mac), mac.value_mac.as_slice()))
            .collect();
        self.put(RecordKind::AppStateMac, records).await
    }

    async fn get_mutation_mac(
        &self,
        name: &str,
        index_mac: &[u8],
    ) -> EngineResult<Option<Vec<u8>>> {
        self.get(RecordKind::AppStateMac, &mac_key(name, index_mac))
            .await
    }

    async fn get_mutation_macs(
        &self,
        name: &str,
        index_macs: &[[u8; 32]],
    ) -> EngineResult<HashMap<[u8; 32], Vec<u8>>> {
        let keys: Vec<_> = index_macs.iter().map(|mac| mac_key(name, mac)).collect();
        let found = self.get_many(RecordKind::AppStateMac, &keys).await?;
        // The index MAC is the last part of the key.
        Ok(found
            .into_iter()
            .filter_map(|(key, value)| Some((*key.last_chunk::<32>()?, value)))
            .collect())
    }

    async fn delete_mutation_macs(&self, name: &str, index_macs: &[Vec<u8>]) -> EngineResult<()> {
        let keys = index_macs.iter().map(|mac| mac_key(name, mac)).collect();
        self.delete(RecordKind::AppStateMac, keys).await
    }

    async fn clear_mutation_macs(&self, name: &str) -> EngineResult<()> {
        self.delete_range(RecordKind::AppStateMac, key::range(mac_key(name, &[])))
            .await
    }

    async fn get_latest_sync_key_id(&self) -> EngineResult<Option<Vec<u8>>> {
        self.get(RecordKind::AppStateKeyLatest, &[]).await
    }
}
