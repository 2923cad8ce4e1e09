//! What a newly linked companion is given: the app state key, names and history.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use wacore::adv::decode_key_index_list;
use wacore_binary::{Jid, JidExt as _, Node};
use waproto::buffa::MessageField;
use waproto::whatsapp as wa;
use waproto::whatsapp::message::HistorySyncType;

use super::run::Actor;
use crate::phone::error::PhoneError;
use crate::phone::link::key_index_list;
use crate::phone::log::{MessageStatus, StoredMessage};
use crate::phone::nodes::child_bytes;

/// History that a companion gets when it is linked, newest first.
const HISTORY_MESSAGES: usize = 500;

impl Actor {
    /// Serves every companion that has logged in and has not been served; those who cannot be
    /// served now are when the phone connects again or the account's devices change.
    pub(super) async fn serve_companions(&mut self) {
        if !self.is_connected() {
            return;
        }
        let Some(account) = self.server.account(&self.shared.number) else {
            return;
        };
        let linked: BTreeSet<u32> = account.devices.iter().map(|d| d.key_index).collect();
        self.record
            .served_companions
            .retain(|key_index| linked.contains(key_index));
        for device in account.devices {
            if !device.has_logged_in || self.record.served_companions.contains(&device.key_index) {
                continue;
            }
            if let Err(error) = self.serve_companion(device.id).await {
                tracing::warn!(device.id = device.id, %error, "companion goes on waiting");
                continue;
            }
            self.record.served_companions.insert(device.key_index);
            if let Err(error) = self.commit_record() {
                tracing::error!(%error, "phone could not save its record");
            }
        }
    }

    /// Signs the list of companions anew when it names one that is not linked: it has logged out by
    /// itself.
    pub(super) fn renew_key_index_list(&self, notification: &Node) -> Result<(), PhoneError> {
        let published = notification
            .get_optional_child("devices")
            .and_then(|devices| child_bytes(devices, "key-index-list"));
        let (Some(published), Some(account)) =
            (published, self.server.account(&self.shared.number))
        else {
            return Ok(());
        };
        let companions = account.devices.iter().map(|device| device.key_index);
        let linked: Vec<u32> = std::iter::once(0).chain(companions).collect();
        let listed = decode_key_index_list(&published).map(|list| list.valid_indexes);
        if listed
            .iter()
            .flatten()
            .all(|key_index| linked.contains(key_index))
        {
            return Ok(());
        }
        let now_s = u64::try_from(self.server.clock().now_s()).unwrap_or_default();
        let identity = &self.shared.keys.identity;
        let list = key_index_list(identity, self.shared.raw_id, now_s, linked)?;
        Ok(self
            .server
            .replace_key_index_list(&self.shared.number, &published, list)?)
    }

    async fn serve_companion(&mut self, device_id: u16) -> Result<(), PhoneError> {
        let companion = self.shared.lid.with_device(device_id);
        let key = self.app_state_key_share();
        self.tell_companion(&companion, key).await?;
        let past = self.record.past;
        // What other clients have written may be beyond this phone; then nothing is starred.
        let starred = self.starred().await.unwrap_or_default();
        let history = wa::HistorySync {
            // With a past to come it is only the beginning.
            progress: Some(if past.is_some() { 0 } else { 100 }),
            ..self.history(&starred)
        };
        let names = self.push_names();
        self.send_inline(&companion, &history, HistorySyncType::INITIAL_BOOTSTRAP)
            .await?;
        self.send_inline(&companion, &names, HistorySyncType::PUSH_NAME)
            .await?;
        if let Some(past) = past {
            self.send_past(&companion, past).await?;
        } else {
            let recent = wa::HistorySync {
                progress: Some(100),
                ..empty(wa::history_sync::HistorySyncType::RECENT)
            };
            self.send_inline(&companion, &recent, HistorySyncType::RECENT)
                .await?;
        }
        let rest = empty(wa::history_sync::HistorySyncType::NON_BLOCKING_DATA);
        self.send_inline(&companion, &rest, HistorySyncType::NON_BLOCKING_DATA)
            .await
    }

    /// The key that the account's app state is encrypted with.
    pub(super) fn app_state_key_share(&self) -> wa::message::ProtocolMessage {
        let key = &self.record.app_state_key;
        let data = wa::message::AppStateSyncKeyData {
            key_data: Some(key.data.clone()),
            fingerprint: MessageField::some(wa::message::AppStateSyncKeyFingerprint {
                raw_id: Some(self.shared.raw_id),
                current_index: Some(0),
                device_indexes: vec![0],
            }),
            timestamp: Some(key.made_at_ms),
        };
        wa::message::ProtocolMessage {
            r#type: Some(wa::message::protocol_message::Type::APP_STATE_SYNC_KEY_SHARE),
            app_state_sync_key_share: MessageField::some(wa::message::AppStateSyncKeyShare {
                keys: vec![wa::message::AppStateSyncKey {
                    key_id: MessageField::some(wa::message::AppStateSyncKeyId {
                        key_id: Some(key.id.clone()),
                    }),
                    key_data: MessageField::some(data),
                }],
            }),
            ..Default::default()
        }
    }

    fn push_names(&self) -> wa::HistorySync {
        let push_name = self
            .server
            .account(&self.shared.number)
            .map(|account| account.push_name)
            .unwrap_or_default();
        wa::HistorySync {
            pushnames: [&self.shared.jid, &self.shared.lid]
                .into_iter()
                .map(|jid| wa::Pushname {
                    id: Some(jid.to_string()),
                    pushname: Some(push_name.clone()),
                })
                .collect(),
            ..empty(wa::history_sync::HistorySyncType::PUSH_NAME)
        }
    }

    /// What a group is called, as far as this phone knows.
    fn group_name(&self, chat_jid: &str) -> Option<String> {
        let jid: Jid = chat_jid.parse().ok().filter(Jid::is_group)?;
        let group = self.groups.get(jid.user.as_str())?;
        Some(group.subject.clone())
    }

    /// What names a message in history; in groups that takes its author.
    fn history_key(&self, message: &StoredMessage) -> wa::MessageKey {
        let mut key = message_key(&message.chat_jid, message.from_me, &message.id);
        let is_in_group = message
            .chat_jid
            .parse()
            .is_ok_and(|jid: Jid| jid.is_group());
        if is_in_group && !message.from_me {
            // By number where it is known, as in what was written before groups went by LID.
            let sender: Option<Jid> = message.sender_jid.parse().ok();
            let shown = sender.map(|sender| self.contacts.shown(&sender).to_string());
            key.participant = shown.or_else(|| Some(message.sender_jid.clone()));
        }
        key
    }

    /// The newest messages by conversation, and who is behind which address.
    fn history(&self, starred: &HashSet<String>) -> wa::HistorySync {
        let mut conversations: BTreeMap<String, wa::Conversation> = BTreeMap::new();
        for entry in self.shared.log().newest().take(HISTORY_MESSAGES) {
            let message = &entry.message;
            let Ok(decoded) = waproto::codec::message_decode(&entry.encoded) else {
                continue;
            };
            let seconds = u64::try_from(message.timestamp / 1_000).unwrap_or_default();
            let conversation = conversations
                .entry(message.chat_jid.clone())
                .or_insert_with(|| wa::Conversation {
                    id: message.chat_jid.clone(),
                    name: self.group_name(&message.chat_jid),
                    conversation_timestamp: Some(seconds),
                    last_msg_timestamp: Some(seconds),
                    unread_count: Some(0),
                    end_of_history_transfer: Some(true),
                    ..Default::default()
                });
            let is_unread = !message.from_me && message.status != MessageStatus::Read;
            if let Some(unread) = &mut conversation.unread_count {
                *unread += u32::from(is_unread);
            }
            let mut info = web_message(self.history_key(message), decoded, seconds);
            info.starred = starred.contains(&message.id).then_some(true);
            conversation.messages.push(wa::HistorySyncMsg {
                message: MessageField::some(info),
                msg_order_id: Some(conversation.messages.len() as u64 + 1),
            });
        }
        wa::HistorySync {
            conversations: conversations.into_values().collect(),
            phone_number_to_lid_mappings: self
                .contacts
                .all()
                .map(|(number, lid)| wa::PhoneNumberToLIDMapping {
                    pn_jid: Some(Jid::pn(number).to_string()),
                    lid_jid: Some(Jid::lid(lid).to_string()),
                })
                .collect(),
            ..empty(wa::history_sync::HistorySyncType::INITIAL_BOOTSTRAP)
        }
    }
}

/// A message as history and resends carry it.
pub(super) fn web_message(
    key: wa::MessageKey,
    message: wa::Message,
    timestamp_s: u64,
) -> wa::WebMessageInfo {
    wa::WebMessageInfo {
        key: MessageField::some(key),
        message: MessageField::some(message),
        message_timestamp: Some(timestamp_s),
        ..Default::default()
    }
}

/// What names a message in a direct chat.
pub(super) fn message_key(chat_jid: &str, from_me: bool, id: &str) -> wa::MessageKey {
    wa::MessageKey {
        remote_jid: Some(chat_jid.to_owned()),
        from_me: Some(from_me),
        id: Some(id.to_owned()),
        ..Default::default()
    }
}

fn empty(sync_type: wa::history_sync::HistorySyncType) -> wa::HistorySync {
    wa::HistorySync {
        sync_type,
        chunk_order: Some(0),
        ..Default::default()
    }
}
