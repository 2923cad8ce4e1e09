//! The linked device as bytes, and its storage.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use wacore::stats::StorageResourceReport;
use wacore::store::Device;
use wacore::store::error::Result as EngineResult;
use wacore::store::traits::DeviceStore;
use waproto::buffa::Message as _;
use waproto::whatsapp::DeviceProps;

use super::backend::EngineBackend;
use super::codec;
use super::kind::RecordKind;
use super::records::Record;
use crate::error::{Result, StoreError};

/// A session has one device, so its number says nothing.
const DEVICE_ID: i32 = 1;

/// A device with what its own serialization leaves out. The client profile is
/// not kept: the engine sets it before each connection.
#[derive(Serialize)]
struct Writing<'a> {
    device: &'a Device,
    device_props: Vec<u8>,
    nct_salt_sync_seen: bool,
}

#[derive(Deserialize)]
struct Reading {
    device: Device,
    device_props: Vec<u8>,
    nct_salt_sync_seen: bool,
}

/// Writes a device.
pub(crate) fn encode(device: &Device) -> Result<Vec<u8>> {
    codec::encode(&Writing {
        device,
        device_props: device.device_props.encode_to_vec(),
        nct_salt_sync_seen: device.nct_salt_sync_seen,
    })
}

/// Reads a device.
pub(crate) fn decode(bytes: &[u8]) -> Result<Device> {
    let Reading {
        mut device,
        device_props,
        nct_salt_sync_seen,
    } = codec::decode(bytes)?;
    let props = DeviceProps::decode_from_slice(&device_props)
        .map_err(|_| StoreError::Corrupt("device properties".to_owned()))?;
    device.device_props = Arc::new(props);
    device.nct_salt_sync_seen = nct_salt_sync_seen;
    Ok(device)
}

fn record(device: &Device) -> Result<Record> {
    Ok(Record {
        key: Vec::new(),
        stamp: i64::from(device.is_registered()),
        value: encode(device)?,
    })
}

#[async_trait]
impl DeviceStore for EngineBackend {
    async fn save(&self, device: &Device) -> EngineResult<()> {
        self.put(RecordKind::Device, vec![record(device)?]).await
    }

    async fn load(&self) -> EngineResult<Option<Device>> {
        let found = self.get(RecordKind::Device, &[]).await?;
        Ok(found.map(|bytes| decode(&bytes)).transpose()?)
    }

    async fn exists(&self) -> EngineResult<bool> {
        self.has(RecordKind::Device, &[]).await
    }

    async fn create(&self) -> EngineResult<i32> {
        self.insert_missing(RecordKind::Device, record(&Device::new())?)
            .await?;
        Ok(DEVICE_ID)
    }

    async fn resource_report(&self) -> StorageResourceReport {
        // Connections and their caches are the process's, shared by all sessions.
        StorageResourceReport {
            memory_bytes: Some(0),
            ..StorageResourceReport::default()
        }
    }
}
