//! Encrypting a message for every device that gets it, and sending it.

use wacore::send::{
    media_type_from_message, should_hide_decrypt_fail_for_send, stanza_type_from_message,
};
use wacore::types::message::EditAttribute;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};
use waproto::whatsapp as wa;

use super::mail::SendReply;
use super::run::Actor;
use crate::phone::content::{describe, device_sent, encode_padded, new_message_id, with_secret};
use crate::phone::error::PhoneError;
use crate::phone::handle::Sent;
use crate::phone::log::{LogEntry, MessageStatus, StoredMessage};
use crate::phone::media::MediaState;
use crate::phone::nodes::{jid_attr, number_attr, text_attr};
use crate::phone::signal::Ciphertext;

/// A message on its way to one person or group.
pub(super) struct Parcel<'a> {
    pub(super) id: &'a str,
    /// The recipient by LID, without a device, or a group.
    pub(super) to: &'a Jid,
    pub(super) message: &'a wa::Message,
}

impl Actor {
    /// Stores a message as pending, sends it and remembers who waits for the server's word.
    pub(super) async fn post(&mut self, to: Jid, message: wa::Message, reply: Option<SendReply>) {
        let message = with_secret(message);
        self.post_as(new_message_id(), to, message, reply).await;
    }

    /// Like [`Actor::post`], under an id that was given to it before.
    pub(super) async fn post_as(
        &mut self,
        id: String,
        to: Jid,
        message: wa::Message,
        reply: Option<SendReply>,
    ) {
        self.store_own(&id, &to, &message, MessageStatus::Pending);
        // What this phone sends it has.
        self.shared.log().note_file(&id, MediaState::Ready);
        let parcel = Parcel {
            id: &id,
            to: &to,
            message: &message,
        };
        let sent = match self.fan_out(&parcel).await {
            Ok(node) => {
                self.unacknowledged.insert(id.clone(), reply);
                self.commit().and_then(|()| self.transmit(node))
            }
            Err(error) => {
                self.unacknowledged.insert(id.clone(), reply);
                Err(error)
            }
        };
        if let Err(error) = sent {
            self.give_up(&id, error);
        }
    }

    /// Sends again what the server has not acknowledged, each under its own id.
    pub(super) async fn resend_unacknowledged(&mut self) {
        let pending: Vec<(String, String, Vec<u8>)> = self
            .shared
            .log()
            .newest()
            .filter(|entry| entry.message.status == MessageStatus::Pending)
            .map(|entry| {
                let message = &entry.message;
                (
                    message.id.clone(),
                    message.chat_jid.clone(),
                    entry.encoded.clone(),
                )
            })
            .collect();
        for (id, chat, encoded) in pending.into_iter().rev() {
            if let Err(error) = self.resend(&id, &chat, &encoded).await {
                tracing::warn!(%error, "phone could not send a waiting message");
            }
        }
    }

    async fn resend(&mut self, id: &str, chat: &str, encoded: &[u8]) -> Result<(), PhoneError> {
        let chat: Jid = chat
            .parse()
            .map_err(|_| PhoneError::internal("a stored chat is not a JID"))?;
        let to = self.chat_of(&chat).await?;
        let message = waproto::codec::message_decode(encoded)
            .map_err(|_| PhoneError::internal("a stored message is damaged"))?;
        let node = self
            .fan_out(&Parcel {
                id,
                to: &to,
                message: &message,
            })
            .await?;
        self.commit()?;
        self.transmit(node)
    }

    /// Encrypts a message for the recipient's devices and the account's other ones.
    ///
    /// Shape: wacore `send::prepare_dm_stanza`. A primary has no `<device-identity>`.
    async fn fan_out(&mut self, parcel: &Parcel<'_>) -> Result<Node, PhoneError> {
        if parcel.to.is_group() {
            return self.fan_out_to_group(parcel).await;
        }
        let own = self.shared.lid.clone();
        let devices = self.recipients(parcel.to).await?;
        if parcel.to.user != own.user && !devices.iter().any(|d| d.user == parcel.to.user) {
            return Err(PhoneError::NotFound(
                "the number is not registered".to_owned(),
            ));
        }
        let participants = self.copies(parcel, devices.clone()).await?;
        if participants.is_empty() && parcel.to.user != own.user {
            return Err(PhoneError::Conflict(
                "no device of the recipient has keys".to_owned(),
            ));
        }
        self.sent_to.insert(parcel.id.to_owned(), devices);
        Ok(addressed(parcel, participants))
    }

    /// The devices that a message to a user is for: the user's and this account's other ones.
    async fn recipients(&mut self, to: &Jid) -> Result<Vec<Jid>, PhoneError> {
        let own = self.shared.lid.clone();
        let mut devices = if to.user == own.user {
            self.devices_of(&[to]).await?
        } else {
            self.devices_of(&[to, &own]).await?
        };
        devices.retain(|device| device.user != own.user || device.device != 0);
        Ok(devices)
    }

    /// A message encrypted for each of these devices that has keys.
    async fn copies(
        &mut self,
        parcel: &Parcel<'_>,
        devices: Vec<Jid>,
    ) -> Result<Vec<Node>, PhoneError> {
        let own_user = self.shared.lid.user.clone();
        self.ensure_sessions(&devices).await?;
        let plain = encode_padded(parcel.message);
        let copy = encode_padded(&device_sent(&parcel.to.to_string(), parcel.message));
        let edit = EditAttribute::infer_from_message(parcel.message);
        let is_hidden = should_hide_decrypt_fail_for_send(edit.as_ref(), parcel.message);
        let mut participants = Vec::with_capacity(devices.len());
        for device in devices {
            if !self.signal.has_session(&device) {
                continue;
            }
            let padded = if device.user == own_user {
                &copy
            } else {
                &plain
            };
            let ciphertext = self.signal.encrypt(&device, padded).await?;
            let enc = enc_node(ciphertext, parcel.message, is_hidden, None);
            participants.push(
                NodeBuilder::new("to")
                    .attr("jid", device)
                    .children([enc])
                    .build(),
            );
        }
        Ok(participants)
    }

    /// The server knows of other devices than a message was for: those that it missed get it too.
    async fn reach_missed_devices(&mut self, id: &str, met: &[Jid]) -> Result<(), PhoneError> {
        let Some((chat, encoded)) = self.own_message(id) else {
            return Ok(());
        };
        let own = self.shared.lid.clone();
        let to = self.lid_of(&chat).await?.to_non_ad();
        self.forget_devices(&to);
        self.forget_devices(&own);
        let mut missed = self.recipients(&to).await?;
        missed.retain(|device| !met.contains(device));
        if missed.is_empty() {
            return Ok(());
        }
        let message = waproto::codec::message_decode(&encoded)
            .map_err(|_| PhoneError::internal("a stored message is damaged"))?;
        let parcel = Parcel {
            id,
            to: &to,
            message: &message,
        };
        let participants = self.copies(&parcel, missed).await?;
        let mut node = addressed(&parcel, participants);
        node.attrs.insert("device_fanout", "false");
        self.commit()?;
        self.transmit(node)
    }

    /// Begins sessions with those devices that have none yet and publish a bundle.
    pub(super) async fn ensure_sessions(&mut self, devices: &[Jid]) -> Result<(), PhoneError> {
        let missing: Vec<Jid> = devices
            .iter()
            .filter(|device| !self.signal.has_session(device))
            .cloned()
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        for (device, bundle) in self.bundles_of(missing).await? {
            let device = self.contacts.lid_of(&device).unwrap_or(device);
            self.signal.begin_session(&device, &bundle).await?;
        }
        Ok(())
    }

    /// Puts a message of this account into the log.
    pub(super) fn store_own(
        &mut self,
        id: &str,
        to: &Jid,
        message: &wa::Message,
        status: MessageStatus,
    ) {
        let now_ms = self.server.clock().now_ms();
        self.store_own_at(id, to, message, status, now_ms);
    }

    /// Like [`Actor::store_own`], for a message that another device of the account sent.
    pub(super) fn store_own_at(
        &mut self,
        id: &str,
        to: &Jid,
        message: &wa::Message,
        status: MessageStatus,
        timestamp: i64,
    ) -> bool {
        let Some(mut described) = describe(message) else {
            return false;
        };
        let own = self.shared.lid.clone();
        self.add_sealed(&mut described, &own, message);
        self.shared.log().store(LogEntry {
            message: StoredMessage {
                id: id.to_owned(),
                chat_jid: self.contacts.shown(to).to_string(),
                sender_jid: self.shared.jid.to_string(),
                from_me: true,
                kind: described.kind.to_owned(),
                body: described.body,
                timestamp,
                received_at: self.server.clock().now_ms(),
                status,
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

    /// The server's word on a message: taken, or refused.
    pub(super) async fn on_ack(&mut self, node: &Node) -> Result<(), PhoneError> {
        if text_attr(node, "class").as_deref() != Some("message") {
            return Ok(());
        }
        let Some(id) = text_attr(node, "id") else {
            return Ok(());
        };
        if let Some(code) = number_attr(node, "error") {
            let to = jid_attr(node, "from");
            let group = to.as_ref().filter(|to| to.is_group());
            let error = if let Some(group) = group {
                self.groups.remove(group.user.as_str());
                self.informed.remove(group.user.as_str());
                refused(code)
            } else if code == 404 {
                if let Some(to) = to {
                    self.forget_devices(&to);
                }
                PhoneError::NotFound("the number is not registered".to_owned())
            } else {
                refused(code)
            };
            self.give_up(&id, error);
            return Ok(());
        }
        let timestamp = number_attr(node, "t")
            .and_then(|seconds| i64::try_from(seconds).ok())
            .map_or_else(|| self.server.clock().now_ms(), |seconds| seconds * 1_000);
        self.shared.log().acknowledge(&id, timestamp);
        self.commit()?;
        if let Some(Some(reply)) = self.unacknowledged.remove(&id) {
            let sent = Sent {
                id: id.clone(),
                timestamp,
                items: Vec::new(),
            };
            let _ = reply.send(Ok(sent));
        }
        let drifted = node.attrs.contains_key("phash");
        if let Some(group) = jid_attr(node, "from").filter(|from| drifted && from.is_group()) {
            self.forget_group_devices(&group);
        }
        match self.sent_to.remove(&id) {
            Some(met) if drifted => self.reach_missed_devices(&id, &met).await,
            _ => Ok(()),
        }
    }

    fn give_up(&mut self, id: &str, error: PhoneError) {
        self.sent_to.remove(id);
        self.shared.log().advance(id, MessageStatus::Failed);
        if let Err(error) = self.commit() {
            tracing::error!(%error, "phone could not save a failed message");
        }
        if let Some(Some(reply)) = self.unacknowledged.remove(id) {
            let _ = reply.send(Err(error));
        }
    }
}

fn refused(code: u64) -> PhoneError {
    PhoneError::Refused {
        code: u16::try_from(code).unwrap_or(500),
        text: "nack".to_owned(),
    }
}

/// A message with its copies.
fn addressed(parcel: &Parcel<'_>, participants: Vec<Node>) -> Node {
    let edit = EditAttribute::infer_from_message(parcel.message);
    let participants = NodeBuilder::new("participants").children(participants);
    message_node(parcel, parcel.to, edit.as_ref())
        .children([participants.build()])
        .build()
}

/// `<enc>` with its attributes; `count` marks an answer to a retry receipt.
pub(super) fn enc_node(
    ciphertext: Ciphertext,
    message: &wa::Message,
    is_hidden: bool,
    retry_count: Option<u8>,
) -> Node {
    let mut enc = NodeBuilder::new("enc")
        .attr("v", "2")
        .attr("type", ciphertext.kind.as_str());
    if let Some(count) = retry_count {
        enc = enc.attr("count", count);
    }
    if let Some(media) = media_type_from_message(message) {
        enc = enc.attr("mediatype", media);
    }
    if is_hidden {
        enc = enc.attr("decrypt-fail", "hide");
    }
    enc.bytes(ciphertext.bytes).build()
}

/// `<message>` without its children.
pub(super) fn message_node(
    parcel: &Parcel<'_>,
    to: &Jid,
    edit: Option<&EditAttribute>,
) -> NodeBuilder {
    let mut node = NodeBuilder::new("message")
        .attr("to", to)
        .attr("id", parcel.id)
        .attr("type", stanza_type_from_message(parcel.message));
    if parcel.to.is_group() {
        node = node.attr("addressing_mode", "lid");
    }
    if let Some(edit) = edit.filter(|edit| **edit != EditAttribute::Empty) {
        node = node.attr("edit", edit.to_string_val());
    }
    node
}
