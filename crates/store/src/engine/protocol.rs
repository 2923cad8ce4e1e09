//! What the protocol needs besides Signal: devices, mappings, tokens, and messages in flight.

use async_trait::async_trait;
use wacore::store::error::Result as EngineResult;
use wacore::store::traits::{
    DeviceListRecord, LidPnMappingEntry, PendingInboundKey, PendingInboundRow, ProtocolStore,
    TcTokenEntry,
};

use super::backend::EngineBackend;
use super::kind::RecordKind;
use super::pending_inbound::message_key;
use super::records::Record;
use super::{codec, key};

fn base_key(address: &str, message_id: &str) -> Vec<u8> {
    key::message(&[address, message_id])
}

fn device_list(record: &DeviceListRecord) -> EngineResult<Record> {
    Ok(Record::new(record.user.as_str(), codec::encode(record)?))
}

#[async_trait]
impl ProtocolStore for EngineBackend {
    async fn get_sender_key_devices(&self, group_jid: &str) -> EngineResult<Vec<(String, bool)>> {
        self.list_key_devices(group_jid).await
    }

    async fn set_sender_key_status(
        &self,
        group_jid: &str,
        entries: &[(&str, bool)],
    ) -> EngineResult<()> {
        self.put_key_devices(group_jid, entries).await
    }

    async fn clear_sender_key_devices(&self, group_jid: &str) -> EngineResult<()> {
        self.clear_key_devices(group_jid).await
    }

    async fn delete_sender_key_device_rows(&self, device_jids: &[&str]) -> EngineResult<()> {
        self.forget_key_devices(device_jids).await
    }

    async fn clear_all_sender_key_devices(&self) -> EngineResult<()> {
        self.clear_all_key_devices().await
    }

    async fn get_lid_mapping(&self, lid: &str) -> EngineResult<Option<LidPnMappingEntry>> {
        self.mapping_of_lid(lid).await
    }

    async fn get_pn_mapping(&self, phone: &str) -> EngineResult<Option<LidPnMappingEntry>> {
        self.mapping_of_phone(phone).await
    }

    async fn put_lid_mapping(&self, entry: &LidPnMappingEntry) -> EngineResult<()> {
        self.put_mappings(std::slice::from_ref(entry)).await
    }

    async fn put_lid_mappings(&self, entries: &[LidPnMappingEntry]) -> EngineResult<()> {
        self.put_mappings(entries).await
    }

    async fn get_all_lid_mappings(&self) -> EngineResult<Vec<LidPnMappingEntry>> {
        self.list_mappings().await
    }

    async fn save_base_key(
        &self,
        address: &str,
        message_id: &str,
        base_key_bytes: &[u8],
    ) -> EngineResult<()> {
        let record = Record {
            key: base_key(address, message_id),
            stamp: wacore::time::now_secs(),
            value: base_key_bytes.to_vec(),
        };
        self.put(RecordKind::BaseKey, vec![record]).await
    }

    async fn has_same_base_key(
        &self,
        address: &str,
        message_id: &str,
        current_base_key: &[u8],
    ) -> EngineResult<bool> {
        let saved = self
            .get(RecordKind::BaseKey, &base_key(address, message_id))
            .await?;
        Ok(saved.is_some_and(|saved| saved == current_base_key))
    }

    async fn delete_base_key(&self, address: &str, message_id: &str) -> EngineResult<()> {
        self.delete(RecordKind::BaseKey, vec![base_key(address, message_id)])
            .await
    }

    async fn update_device_list(&self, record: DeviceListRecord) -> EngineResult<()> {
        self.put(RecordKind::DeviceList, vec![device_list(&record)?])
            .await
    }

    async fn update_device_lists(&self, records: Vec<DeviceListRecord>) -> EngineResult<()> {
        let records = records
            .iter()
            .map(device_list)
            .collect::<EngineResult<_>>()?;
        self.put(RecordKind::DeviceList, records).await
    }

    async fn get_devices(&self, user: &str) -> EngineResult<Option<DeviceListRecord>> {
        let found = self.get(RecordKind::DeviceList, user.as_bytes()).await?;
        Ok(found.map(|bytes| codec::decode(&bytes)).transpose()?)
    }

    async fn delete_devices(&self, user: &str) -> EngineResult<()> {
        self.delete(RecordKind::DeviceList, vec![user.into()]).await
    }

    async fn get_group_metadata(&self, group_jid: &str) -> EngineResult<Option<Vec<u8>>> {
        self.get(RecordKind::GroupMetadata, group_jid.as_bytes())
            .await
    }

    async fn put_group_metadata(&self, group_jid: &str, blob: &[u8]) -> EngineResult<()> {
        self.put(
            RecordKind::GroupMetadata,
            vec![Record::new(group_jid, blob)],
        )
        .await
    }

    async fn delete_group_metadata(&self, group_jid: &str) -> EngineResult<()> {
        self.delete(RecordKind::GroupMetadata, vec![group_jid.into()])
            .await
    }

    async fn get_tc_token(&self, jid: &str) -> EngineResult<Option<TcTokenEntry>> {
        self.token(jid).await
    }

    async fn put_tc_token(&self, jid: &str, entry: &TcTokenEntry) -> EngineResult<()> {
        self.put_token(jid, entry).await
    }

    async fn delete_tc_token(&self, jid: &str) -> EngineResult<()> {
        self.delete_token(jid).await
    }

    async fn get_all_tc_token_jids(&self) -> EngineResult<Vec<String>> {
        self.token_jids().await
    }

    async fn delete_expired_tc_tokens(
        &self,
        token_cutoff: i64,
        sender_cutoff: i64,
    ) -> EngineResult<u32> {
        self.expire_tokens(token_cutoff, sender_cutoff).await
    }

    async fn touch_tc_token_sender_timestamp(
        &self,
        jid: &str,
        sender_timestamp: i64,
    ) -> EngineResult<()> {
        self.touch_token(jid, sender_timestamp).await
    }

    async fn store_received_tc_token(
        &self,
        jid: &str,
        token: &[u8],
        token_timestamp: i64,
    ) -> EngineResult<()> {
        self.receive_token(jid, token, token_timestamp).await
    }

    async fn store_sent_message(
        &self,
        chat_jid: &str,
        message_id: &str,
        payload: &[u8],
    ) -> EngineResult<()> {
        self.hold_sent(chat_jid, message_id, payload)
    }

    async fn take_sent_message(
        &self,
        chat_jid: &str,
        message_id: &str,
    ) -> EngineResult<Option<Vec<u8>>> {
        self.take_sent(chat_jid, message_id).await
    }

    async fn delete_expired_sent_messages(&self, cutoff_timestamp: i64) -> EngineResult<u32> {
        self.expire_sent(cutoff_timestamp).await
    }

    async fn store_pending_inbound(
        &self,
        chat: &str,
        sender: &str,
        id: &str,
        message: &[u8],
    ) -> EngineResult<()> {
        self.hold_pending(&[PendingInboundRow {
            chat,
            sender,
            id,
            message,
        }])
    }

    async fn get_pending_inbound(
        &self,
        chat: &str,
        sender: &str,
        id: &str,
    ) -> EngineResult<Option<Vec<u8>>> {
        self.pending_message(&PendingInboundKey { chat, sender, id })
            .await
    }

    async fn delete_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> EngineResult<()> {
        self.delete_pending(vec![message_key(&PendingInboundKey { chat, sender, id })])
            .await
    }

    async fn delete_expired_pending_inbound(&self, cutoff_timestamp: i64) -> EngineResult<u32> {
        self.expire_pending(cutoff_timestamp).await
    }

    async fn store_pending_inbound_batch(
        &self,
        rows: &[PendingInboundRow<'_>],
    ) -> EngineResult<()> {
        self.hold_pending(rows)
    }

    async fn delete_pending_inbound_batch(
        &self,
        keys: &[PendingInboundKey<'_>],
    ) -> EngineResult<()> {
        self.delete_pending(keys.iter().map(message_key).collect())
            .await
    }
}
