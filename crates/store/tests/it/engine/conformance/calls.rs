//! Making a call on either backend; the answer as text.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::store::traits::{
    AppStateSyncKey, Backend, DeviceInfo, DeviceListRecord, LidPnMappingEntry, MsgSecretEntry,
    PendingInboundKey, PendingInboundRow, TcTokenEntry,
};

use super::steps::Step;

pub(super) fn name(prefix: &str, key: u8) -> String {
    format!("{prefix}{key}@s.whatsapp.net")
}

pub(super) fn index_mac(key: u8) -> [u8; 32] {
    [key; 32]
}

/// What all or nothing is older than.
fn cutoff(is_all: bool) -> i64 {
    if is_all { i64::MAX } else { 0 }
}

/// LIDs 0 and 1 have two numbers each of their own, 2 and 3 share one: where LIDs both
/// move and share, wacore's in-memory backend loses the reverse entry of the other LID.
pub(super) fn phone(lid: u8, is_second: bool) -> String {
    if lid < 2 {
        format!("p{lid}{is_second}")
    } else {
        "shared".to_owned()
    }
}

fn arced(pairs: &[(u8, u8)], prefix: &str) -> Vec<(Arc<str>, Bytes)> {
    pairs
        .iter()
        .map(|(key, byte)| (name(prefix, *key).into(), Bytes::from(vec![*byte])))
        .collect()
}

pub(super) fn debug(value: impl Debug) -> String {
    format!("{value:?}")
}

async fn signal_step(backend: &dyn Backend, step: &Step) -> String {
    match step {
        Step::PutIdentities(pairs) => {
            let batch: Vec<(Arc<str>, [u8; 32])> = pairs
                .iter()
                .map(|(key, byte)| (name("i", *key).into(), [*byte; 32]))
                .collect();
            debug(backend.put_identities_batch(&batch).await)
        }
        Step::DeleteIdentity(key) => debug(backend.delete_identity(&name("i", *key)).await),
        Step::PutSessions(entries) => {
            let batch: Vec<_> = entries
                .iter()
                .map(|(key, bytes)| (name("s", *key).into(), Bytes::from(bytes.clone())))
                .collect();
            debug(backend.put_sessions_batch(&batch).await)
        }
        Step::DeleteSession(key) => debug(backend.delete_session(&name("s", *key)).await),
        Step::StorePreKeys(pairs, uploaded) => {
            let batch: Vec<_> = pairs
                .iter()
                .map(|(id, byte)| (u32::from(*id) * 300, Bytes::from(vec![*byte])))
                .collect();
            debug(backend.store_prekeys_batch(&batch, *uploaded).await)
        }
        Step::MarkUploaded(ids) => {
            let ids: Vec<_> = ids.iter().map(|id| u32::from(*id) * 300).collect();
            debug(backend.mark_prekeys_uploaded(&ids).await)
        }
        Step::RemovePreKey(id) => debug(backend.remove_prekey(u32::from(*id) * 300).await),
        Step::StoreSignedPreKey(id, byte) => {
            debug(backend.store_signed_prekey((*id).into(), &[*byte]).await)
        }
        Step::RemoveSignedPreKey(id) => debug(backend.remove_signed_prekey((*id).into()).await),
        Step::PutSenderKeys(pairs) => {
            debug(backend.put_sender_keys_batch(&arced(pairs, "k")).await)
        }
        Step::DeleteSenderKey(key) => debug(backend.delete_sender_key(&name("k", *key)).await),
        other => panic!("{other:?} is another part's"),
    }
}

async fn app_state_step(backend: &dyn Backend, step: &Step) -> String {
    match step {
        Step::SetSyncKey(id, byte) => {
            let key = AppStateSyncKey {
                key_data: vec![*byte],
                fingerprint: vec![*byte; 2],
                timestamp: (*byte).into(),
            };
            debug(backend.set_sync_key(&[*id], key).await)
        }
        Step::SetVersion(key, version) => {
            let state = HashState {
                version: *version,
                ..HashState::default()
            };
            debug(backend.set_version(&name("v", *key), state).await)
        }
        Step::PutMacs(key, pairs) => {
            let macs: Vec<_> = pairs
                .iter()
                .map(|(index, value)| AppStateMutationMAC {
                    index_mac: index_mac(*index).to_vec(),
                    value_mac: vec![*value],
                })
                .collect();
            debug(backend.put_mutation_macs(&name("v", *key), 1, &macs).await)
        }
        Step::DeleteMacs(key, indexes) => {
            let macs: Vec<_> = indexes
                .iter()
                .map(|index| index_mac(*index).to_vec())
                .collect();
            debug(backend.delete_mutation_macs(&name("v", *key), &macs).await)
        }
        Step::ClearMacs(key) => debug(backend.clear_mutation_macs(&name("v", *key)).await),
        other => panic!("{other:?} is another part's"),
    }
}

async fn device_step(backend: &dyn Backend, step: &Step, at: i64) -> String {
    match step {
        Step::SetKeyStatus(group, entries) => {
            let named: Vec<_> = entries
                .iter()
                .map(|(key, has)| (name("d", *key), *has))
                .collect();
            let entries: Vec<_> = named
                .iter()
                .map(|(key, has)| (key.as_str(), *has))
                .collect();
            debug(
                backend
                    .set_sender_key_status(&name("g", *group), &entries)
                    .await,
            )
        }
        Step::ClearKeyDevices(group) => {
            debug(backend.clear_sender_key_devices(&name("g", *group)).await)
        }
        Step::ForgetDevices(keys) => {
            let named: Vec<_> = keys.iter().map(|key| name("d", *key)).collect();
            let named: Vec<_> = named.iter().map(String::as_str).collect();
            debug(backend.delete_sender_key_device_rows(&named).await)
        }
        Step::ClearAllKeyDevices => debug(backend.clear_all_sender_key_devices().await),
        Step::PutMappings(entries) => {
            let entries: Vec<_> = (at..)
                .zip(entries)
                .map(|(updated_at, (lid, is_second))| LidPnMappingEntry {
                    lid: format!("l{lid}"),
                    phone_number: phone(*lid, *is_second),
                    created_at: at,
                    updated_at,
                    learning_source: "usync".to_owned(),
                })
                .collect();
            debug(backend.put_lid_mappings(&entries).await)
        }
        Step::SaveBaseKey(key, byte) => {
            debug(backend.save_base_key(&name("s", *key), "m", &[*byte]).await)
        }
        Step::DeleteBaseKey(key) => debug(backend.delete_base_key(&name("s", *key), "m").await),
        Step::UpdateDeviceLists(entries) => {
            let lists = entries
                .iter()
                .map(|(user, timestamp)| DeviceListRecord {
                    user: format!("u{user}"),
                    devices: vec![DeviceInfo::new(1, Some(2))],
                    timestamp: *timestamp,
                    phash: None,
                    raw_id: Some(3),
                })
                .collect();
            debug(backend.update_device_lists(lists).await)
        }
        Step::DeleteDevices(user) => debug(backend.delete_devices(&format!("u{user}")).await),
        Step::PutGroup(group, byte) => debug(
            backend
                .put_group_metadata(&name("g", *group), &[*byte])
                .await,
        ),
        Step::DeleteGroup(group) => debug(backend.delete_group_metadata(&name("g", *group)).await),
        other => panic!("{other:?} is another part's"),
    }
}

async fn token_step(backend: &dyn Backend, step: &Step) -> String {
    match step {
        Step::PutToken(jid, token, token_timestamp, sender_timestamp) => {
            let entry = TcTokenEntry {
                token: token.clone(),
                token_timestamp: *token_timestamp,
                sender_timestamp: *sender_timestamp,
            };
            debug(backend.put_tc_token(&name("t", *jid), &entry).await)
        }
        Step::TouchToken(jid, at) => debug(
            backend
                .touch_tc_token_sender_timestamp(&name("t", *jid), *at)
                .await,
        ),
        Step::ReceiveToken(jid, token, at) => debug(
            backend
                .store_received_tc_token(&name("t", *jid), token, *at)
                .await,
        ),
        Step::DeleteToken(jid) => debug(backend.delete_tc_token(&name("t", *jid)).await),
        Step::ExpireTokens(token, sender) => {
            debug(backend.delete_expired_tc_tokens(*token, *sender).await)
        }
        other => panic!("{other:?} is another part's"),
    }
}

async fn message_step(backend: &dyn Backend, step: &Step) -> String {
    match step {
        Step::StoreSent(id, byte) => debug(
            backend
                .store_sent_message("c", &id.to_string(), &[*byte])
                .await,
        ),
        Step::TakeSent(id) => debug(backend.take_sent_message("c", &id.to_string()).await),
        Step::ExpireSent(is_all) => {
            // Ours takes the base keys of the retries along.
            if *is_all {
                for key in 0..4 {
                    backend.delete_base_key(&name("s", key), "m").await.unwrap();
                }
            }
            debug(backend.delete_expired_sent_messages(cutoff(*is_all)).await)
        }
        Step::StorePending(pairs) => {
            let ids: Vec<_> = pairs
                .iter()
                .map(|(id, byte)| (id.to_string(), [*byte]))
                .collect();
            let rows: Vec<_> = ids
                .iter()
                .map(|(id, message)| PendingInboundRow {
                    chat: "c",
                    sender: "s",
                    id,
                    message,
                })
                .collect();
            debug(backend.store_pending_inbound_batch(&rows).await)
        }
        Step::DeletePending(ids) => {
            let ids: Vec<_> = ids.iter().map(u8::to_string).collect();
            let keys: Vec<_> = ids
                .iter()
                .map(|id| PendingInboundKey {
                    chat: "c",
                    sender: "s",
                    id,
                })
                .collect();
            debug(backend.delete_pending_inbound_batch(&keys).await)
        }
        Step::ExpirePending(is_all) => debug(
            backend
                .delete_expired_pending_inbound(cutoff(*is_all))
                .await,
        ),
        Step::PutSecrets(entries) => {
            let entries = entries
                .iter()
                .map(|(id, byte, expires_at, message_ts)| MsgSecretEntry {
                    chat: "c".into(),
                    sender: "s".into(),
                    msg_id: id.to_string().into(),
                    secret: [*byte; 32],
                    expires_at: *expires_at,
                    message_ts: *message_ts,
                })
                .collect();
            debug(backend.put_msg_secrets(entries).await)
        }
        Step::ExpireSecrets(at) => debug(backend.delete_expired_msg_secrets(*at).await),
        other => panic!("{other:?} is another part's"),
    }
}

pub(super) async fn apply(backend: &dyn Backend, step: &Step, at: i64) -> String {
    use Step as S;
    match step {
        S::PutIdentities(..)
        | S::DeleteIdentity(..)
        | S::PutSessions(..)
        | S::DeleteSession(..)
        | S::StorePreKeys(..)
        | S::MarkUploaded(..)
        | S::RemovePreKey(..)
        | S::StoreSignedPreKey(..)
        | S::RemoveSignedPreKey(..)
        | S::PutSenderKeys(..)
        | S::DeleteSenderKey(..) => signal_step(backend, step).await,
        S::SetSyncKey(..)
        | S::SetVersion(..)
        | S::PutMacs(..)
        | S::DeleteMacs(..)
        | S::ClearMacs(..) => app_state_step(backend, step).await,
        S::PutToken(..)
        | S::TouchToken(..)
        | S::ReceiveToken(..)
        | S::DeleteToken(..)
        | S::ExpireTokens(..) => token_step(backend, step).await,
        S::StoreSent(..)
        | S::TakeSent(..)
        | S::ExpireSent(..)
        | S::StorePending(..)
        | S::DeletePending(..)
        | S::ExpirePending(..)
        | S::PutSecrets(..)
        | S::ExpireSecrets(..) => message_step(backend, step).await,
        S::SaveDevice(_) => String::new(),
        _ => device_step(backend, step, at).await,
    }
}
