//! Stanzas that come in, and the messages inside.

use wacore::messages::{decode_plaintext, parse_message_info, unwrap_device_sent};
use wacore::protocol::retry::RetryReason;
use wacore::types::message::MessageInfo;
use wacore_binary::{Jid, JidExt as _, Node};
use wacore_libsignal::protocol::SignalProtocolError;
use waproto::whatsapp as wa;

use super::retry::reason_of;
use super::run::Actor;
use crate::phone::content::{Content, Quoted, build, describe};
use crate::phone::error::PhoneError;
use crate::phone::link::{CompanionFinish, verify_device_identity};
use crate::phone::log::{LogEntry, MessageStatus, StoredMessage};
use crate::phone::nodes::{bytes, child_bytes, jid_attr, number_attr, text_attr};
use crate::phone::signal::{EncKind, SignalState, raw_identity};
use wacore_binary::builder::NodeBuilder;

/// What became of a payload.
enum Opened {
    Message(Box<wa::Message>),
    /// It was decrypted before.
    Again,
    /// It holds nothing that a phone understands.
    Nothing,
    Failed(RetryReason),
}

fn payload_of(enc: &Node) -> Option<(EncKind, Vec<u8>)> {
    let kind = text_attr(enc, "type").and_then(|kind| EncKind::parse(&kind))?;
    Some((kind, bytes(enc)?))
}

/// What became of a payload that was decrypted, or could not be.
fn opened(enc: &Node, decrypted: Result<Vec<u8>, SignalProtocolError>) -> Opened {
    let padding = number_attr(enc, "v").and_then(|v| u8::try_from(v).ok());
    match decrypted {
        Ok(padded) => match decode_plaintext(&padded, padding.unwrap_or(2)) {
            Ok(message) => Opened::Message(Box::new(message)),
            Err(_) => Opened::Nothing,
        },
        Err(SignalProtocolError::DuplicatedMessage(..)) => Opened::Again,
        Err(error) => Opened::Failed(reason_of(&error)),
    }
}

impl Actor {
    /// Handles whatever the server sends.
    pub(super) async fn on_stanza(&mut self, node: Node) -> Result<(), PhoneError> {
        match node.tag.as_ref() {
            "message" => self.on_message(&node).await,
            "receipt" => self.on_receipt(&node).await,
            "notification" => self.on_notification(&node).await,
            "ack" => self.on_ack(&node).await,
            "call" => {
                self.on_call(&node).await?;
                self.acknowledge(&node)
            }
            "iq" => self.on_query(&node),
            _ => Ok(()),
        }
    }

    async fn on_message(&mut self, node: &Node) -> Result<(), PhoneError> {
        let own = (&self.shared.jid, &self.shared.lid);
        let Ok(info) = parse_message_info(&node.as_node_ref(), own.0, Some(own.1)) else {
            return self.acknowledge(node);
        };
        if info.source.chat.is_newsletter() {
            self.store_post(&info, node)?;
            return self.acknowledge(node);
        }
        let is_status = info.source.chat.is_status_broadcast();
        if info.source.is_group && !info.source.chat.is_group() && !is_status {
            return self.acknowledge(node);
        }
        self.learn_from(&info);
        let sender = info.source.sender.clone();
        let device = self.lid_of(&sender).await.unwrap_or(sender);
        let opened = if info.source.is_group {
            self.open_from_group(node, &info.source.chat, &device).await
        } else {
            self.open(node, &device).await
        };
        match opened {
            Opened::Failed(reason) => self.ask_again(&info, node, reason),
            Opened::Nothing => {
                self.commit()?;
                self.confirm(&info, node)
            }
            Opened::Again => {
                let author = self.contacts.shown(&device).to_string();
                self.shared.log().count_duplicate(&info.id, &author);
                self.commit()?;
                self.confirm(&info, node)
            }
            Opened::Message(message) => {
                let key = (info.source.sender.to_string(), info.id.clone());
                self.asked_again.remove(&key);
                self.on_plaintext(*message, &info, &device, node).await
            }
        }
    }

    fn learn_from(&mut self, info: &MessageInfo) {
        if let Some(other) = &info.source.sender_alt {
            self.contacts.learn(&info.source.sender, other);
        }
        if let (Some(number), Some(recipient)) = (&info.peer_recipient_pn, &info.source.recipient) {
            self.contacts.learn(number, recipient);
        }
    }

    async fn open(&mut self, node: &Node, device: &Jid) -> Opened {
        for enc in node.get_children_by_tag("enc") {
            match payload_of(enc) {
                Some((EncKind::SenderKey, _)) | None => {}
                Some((kind, payload)) => {
                    return self
                        .open_pairwise(node, device, enc, (kind, &payload))
                        .await;
                }
            }
        }
        Opened::Nothing
    }

    async fn open_pairwise(
        &mut self,
        node: &Node,
        device: &Jid,
        enc: &Node,
        (kind, payload): (EncKind, &[u8]),
    ) -> Opened {
        if kind == EncKind::PreKey
            && device.device != 0
            && !self.is_vouched_for(device, node, payload)
        {
            return Opened::Failed(RetryReason::AdvFailure);
        }
        opened(enc, self.signal.decrypt(device, kind, payload).await)
    }

    /// Opens what came to a group: first the sender's key, when it is there, then the message.
    /// One that was asked for again comes as a whole in place of the key.
    async fn open_from_group(&mut self, node: &Node, group: &Jid, device: &Jid) -> Opened {
        let mut found = Opened::Nothing;
        for enc in node.get_children_by_tag("enc") {
            let Some((kind, payload)) = payload_of(enc) else {
                continue;
            };
            if kind == EncKind::SenderKey {
                let read = self
                    .signal
                    .decrypt_from_group(group, device, &payload)
                    .await;
                return opened(enc, read);
            }
            match self
                .open_pairwise(node, device, enc, (kind, &payload))
                .await
            {
                Opened::Message(message) => {
                    if let Err(error) = self.learn_key(&message, group, device).await {
                        tracing::debug!(%error, "a sender key is damaged");
                    }
                    found = Opened::Message(message);
                }
                // What comes with it cannot be read without the key.
                Opened::Failed(reason) => return Opened::Failed(reason),
                other => found = other,
            }
        }
        found
    }

    /// Takes the sender's key out of a message that brings one.
    async fn learn_key(
        &mut self,
        message: &wa::Message,
        group: &Jid,
        device: &Jid,
    ) -> Result<(), SignalProtocolError> {
        let Some(brought) = message.sender_key_distribution_message.as_option() else {
            return Ok(());
        };
        let is_for_group = brought.group_id.as_deref() == Some(&*group.to_string());
        match &brought.axolotl_sender_key_distribution_message {
            Some(key) if is_for_group => self.signal.learn_sender_key(group, device, key).await,
            _ => Ok(()),
        }
    }

    /// Whether the account of a companion vouches for the key that it begins a session with.
    fn is_vouched_for(&self, device: &Jid, node: &Node, payload: &[u8]) -> bool {
        let Some(device_identity) = child_bytes(node, "device-identity") else {
            return false;
        };
        let account = self.account_identity(device);
        SignalState::identity_in(payload).is_ok_and(|identity| {
            verify_device_identity(&device_identity, &identity, account.as_ref())
        })
    }

    /// The identity key of the primary of a device's account, when it is known.
    pub(super) fn account_identity(&self, device: &Jid) -> Option<[u8; 32]> {
        if device.user == self.shared.lid.user {
            return Some(raw_identity(self.shared.keys.identity.identity_key()));
        }
        self.signal
            .identity_of(&device.to_non_ad())
            .map(raw_identity)
    }

    async fn on_plaintext(
        &mut self,
        message: wa::Message,
        info: &MessageInfo,
        device: &Jid,
        stanza: &Node,
    ) -> Result<(), PhoneError> {
        let is_own = info.source.is_from_me;
        let destination = message.device_sent_message.as_option().map(|copy| {
            copy.destination_jid
                .as_deref()
                .and_then(|jid| jid.parse().ok())
        });
        if destination.is_some() && !is_own {
            // Only the account's own devices may say what the account has sent.
            self.commit()?;
            return self.confirm(info, stanza);
        }
        let chat: Jid = match destination {
            _ if info.source.is_group => info.source.chat.clone(),
            Some(Some(destination)) => destination,
            _ if is_own => info.source.chat.clone(),
            _ => device.to_non_ad(),
        };
        let message = unwrap_device_sent(message);
        self.know_number(if info.source.is_group { device } else { &chat })
            .await;
        let is_new = if is_own {
            let timestamp = info.timestamp.timestamp_millis();
            self.store_own_at(&info.id, &chat, &message, MessageStatus::Sent, timestamp)
        } else {
            self.store_received(info, (&chat, device), &message)
        };
        self.commit()?;
        if is_new {
            self.fetch_file(&info.id, &message);
        }
        self.confirm(info, stanza)?;
        if is_own {
            self.on_companion_request(device, &message, &info.id).await
        } else if is_new {
            self.behave(info, (&chat, device), &message).await
        } else {
            Ok(())
        }
    }

    fn store_received(
        &mut self,
        info: &MessageInfo,
        (chat, sender): (&Jid, &Jid),
        message: &wa::Message,
    ) -> bool {
        let Some(mut described) = describe(message) else {
            return false;
        };
        self.add_sealed(&mut described, sender, message);
        self.shared.log().store(LogEntry {
            message: StoredMessage {
                id: info.id.clone(),
                chat_jid: self.contacts.shown(chat).to_string(),
                sender_jid: self.contacts.shown(sender).to_string(),
                from_me: false,
                kind: described.kind.to_owned(),
                body: described.body,
                timestamp: info.timestamp.timestamp_millis(),
                received_at: self.server.clock().now_ms(),
                status: MessageStatus::Received,
                duplicates: 0,
                target_id: described.target_id,
                quoted_id: described.quoted_id,
                link_preview: described.link_preview,
                mentions: described.mentions,
                media: described.media,
                details: described.details,
            },
            encoded: waproto::codec::message_to_vec(message),
        })
    }

    /// Stores a post of a newsletter, which is not encrypted.
    fn store_post(&mut self, info: &MessageInfo, node: &Node) -> Result<(), PhoneError> {
        let plaintext = child_bytes(node, "plaintext").unwrap_or_default();
        let Ok(message) = waproto::codec::message_decode(&plaintext) else {
            return Ok(());
        };
        let newsletter = info.source.chat.to_string();
        let Some(described) = describe(&message).filter(|_| !plaintext.is_empty()) else {
            return Ok(());
        };
        let from_me = text_attr(node, "is_sender").as_deref() == Some("true");
        let status = if from_me {
            MessageStatus::Sent
        } else {
            MessageStatus::Received
        };
        self.shared.log().store(LogEntry {
            message: StoredMessage {
                id: info.id.clone(),
                chat_jid: newsletter.clone(),
                sender_jid: newsletter,
                from_me,
                kind: described.kind.to_owned(),
                body: described.body,
                timestamp: info.timestamp.timestamp_millis(),
                received_at: self.server.clock().now_ms(),
                status,
                duplicates: 0,
                target_id: described.target_id,
                quoted_id: described.quoted_id,
                link_preview: described.link_preview,
                mentions: described.mentions,
                // Files of channels are not encrypted, and phones here do not fetch them.
                media: None,
                details: described.details,
            },
            encoded: plaintext,
        });
        self.commit()
    }

    /// What the phone does by itself with a new message.
    async fn behave(
        &mut self,
        info: &MessageInfo,
        (chat, sender): (&Jid, &Jid),
        message: &wa::Message,
    ) -> Result<(), PhoneError> {
        if chat.is_status_broadcast() {
            // A story is looked at when somebody says so.
            return Ok(());
        }
        let behaviour = self.record.behaviour;
        let Some(described) = describe(message) else {
            return Ok(());
        };
        if behaviour.is_reading {
            self.send_read(&info.id).await?;
        }
        // An answer is not answered, or two phones would never stop.
        if behaviour.is_replying && described.kind == "text" && described.quoted_id.is_none() {
            let to = self.chat_of(chat).await?;
            let quoted = Quoted {
                id: info.id.clone(),
                sender_jid: self.contacts.shown(sender).to_string(),
                message: message.clone(),
            };
            let reply = build(&Content::Text(described.body), Some(quoted), Vec::new());
            self.post(to, reply, None).await;
        }
        Ok(())
    }

    async fn on_notification(&mut self, node: &Node) -> Result<(), PhoneError> {
        match text_attr(node, "type").as_deref() {
            Some("encrypt") if node.get_optional_child("count").is_some() => {
                self.acknowledge(node)?;
                return self.upload_prekeys().await;
            }
            Some("account_sync") if node.get_optional_child("devices").is_some() => {
                self.forget_devices(&self.shared.lid.clone());
                self.acknowledge(node)?;
                self.renew_key_index_list(node)?;
                self.serve_companions().await;
                return Ok(());
            }
            Some("devices") => {
                for user in ["from", "lid"] {
                    if let Some(user) = jid_attr(node, user) {
                        self.forget_devices(&user);
                    }
                }
            }
            Some("w:gp2") => self.on_group_change(node)?,
            Some("link_code_companion_reg") => {
                if let Some(stage) = node.get_optional_child("link_code_companion_reg") {
                    self.on_link_code(stage);
                }
            }
            _ => {}
        }
        self.acknowledge(node)
    }

    /// A companion answered the code that was typed into this phone.
    fn on_link_code(&mut self, stage: &Node) {
        if text_attr(stage, "stage").as_deref() != Some("companion_finish") {
            return;
        }
        let (Some(pairing_ref), Some(wrapped_bundle), Some(identity)) = (
            child_bytes(stage, "link_code_pairing_ref"),
            child_bytes(stage, "link_code_pairing_wrapped_key_bundle"),
            child_bytes(stage, "companion_identity_public"),
        ) else {
            return;
        };
        let Ok(identity) = <[u8; 32]>::try_from(identity) else {
            return;
        };
        if let Some((_, finish)) = self
            .awaited_finish
            .take_if(|(awaited, _)| *awaited == pairing_ref)
        {
            let _ = finish.send(CompanionFinish {
                wrapped_bundle,
                identity,
            });
        }
    }

    /// The server asks whether the phone is there.
    fn on_query(&self, node: &Node) -> Result<(), PhoneError> {
        if text_attr(node, "type").as_deref() != Some("get") {
            return Ok(());
        }
        let (Some(id), Some(from)) = (text_attr(node, "id"), node.attrs.get("from")) else {
            return Ok(());
        };
        let answer = NodeBuilder::new("iq")
            .attr("id", id)
            .attr("to", from.clone())
            .attr("type", "result")
            .build();
        self.transmit(answer)
    }
}
