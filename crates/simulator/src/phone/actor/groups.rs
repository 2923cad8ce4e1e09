//! Groups as a phone knows them, and encrypting for all their devices at once.

use wacore::iq::groups::{GroupInfoOutcome, GroupQueryIq};
use wacore::send::should_hide_decrypt_fail_for_send;
use wacore::types::message::EditAttribute;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};
use waproto::buffa::MessageField;
use waproto::whatsapp as wa;

use super::outbound::{Parcel, enc_node, message_node};
use super::run::Actor;
use crate::phone::content::encode_padded;
use crate::phone::error::PhoneError;
use crate::phone::nodes::jid_attr;
use crate::phone::signal::{Ciphertext, EncKind};
use crate::server::phash::phash;

/// A group as the server described it last.
#[derive(Debug, Clone)]
pub(super) struct KnownGroup {
    pub(super) subject: String,
    /// By LID, without devices.
    pub(super) members: Vec<Jid>,
}

impl Actor {
    /// A group; asks the server when it is not known or has changed.
    pub(super) async fn group(&mut self, jid: &Jid) -> Result<KnownGroup, PhoneError> {
        let key = jid.user.to_string();
        if let Some(group) = self.groups.get(&key) {
            return Ok(group.clone());
        }
        let GroupInfoOutcome::Full(info) = self.ask_typed(&GroupQueryIq::new(jid)).await? else {
            return Err(PhoneError::internal("the server did not describe a group"));
        };
        let mut members = Vec::with_capacity(info.participants.len());
        for participant in &info.participants {
            if let Some(number) = &participant.phone_number {
                self.contacts.learn(number, &participant.jid);
            }
            members.push(participant.jid.to_non_ad());
        }
        let group = KnownGroup {
            subject: info.subject.as_str().to_owned(),
            members,
        };
        self.groups.insert(key, group.clone());
        Ok(group)
    }

    /// Something in a group has changed: it is asked for when it is needed again. Whoever has
    /// gone is not to read what comes, so the key is made anew.
    pub(super) fn on_group_change(&mut self, notification: &Node) -> Result<(), PhoneError> {
        let Some(group) = jid_attr(notification, "from").filter(Jid::is_group) else {
            return Ok(());
        };
        self.groups.remove(group.user.as_str());
        if notification.get_optional_child("remove").is_some() {
            self.forget_own_sender_key(&group);
            self.commit()?;
        }
        Ok(())
    }

    pub(super) fn forget_own_sender_key(&mut self, group: &Jid) {
        self.informed.remove(group.user.as_str());
        let own = self.shared.lid.clone();
        self.signal.forget_sender_key(group, &own);
    }

    /// Somebody to whom a chat belongs: a person by LID, or a group.
    pub(super) async fn chat_of(&mut self, jid: &Jid) -> Result<Jid, PhoneError> {
        if jid.is_group() {
            Ok(jid.clone())
        } else {
            Ok(self.lid_of(jid).await?.to_non_ad())
        }
    }

    /// Encrypts a message once for the group, and the key to it for those devices that have not
    /// got it.
    ///
    /// Shape: wacore `send::prepare_group_stanza`. A primary has no `<device-identity>`.
    pub(super) async fn fan_out_to_group(
        &mut self,
        parcel: &Parcel<'_>,
    ) -> Result<Node, PhoneError> {
        let own = self.shared.lid.clone();
        let group = parcel.to;
        let members = self.group(group).await?.members;
        let mut devices = self.devices_of(&members.iter().collect::<Vec<_>>()).await?;
        let list_hash = phash(&devices);
        devices.retain(|device| device.user != own.user || device.device != 0);
        let informed = self.informed.get(group.user.as_str());
        devices.retain(|device| !informed.is_some_and(|known| known.contains(device)));
        let key = self.signal.sender_key_for(group, &own).await?;
        let edit = EditAttribute::infer_from_message(parcel.message);
        let is_hidden = should_hide_decrypt_fail_for_send(edit.as_ref(), parcel.message);
        let participants = self.key_copies(group, key, devices, is_hidden).await?;
        let padded = encode_padded(parcel.message);
        let bytes = self.signal.encrypt_for_group(group, &own, &padded).await?;
        let ciphertext = Ciphertext {
            kind: EncKind::SenderKey,
            bytes,
        };
        let mut children = Vec::with_capacity(2);
        if !participants.is_empty() {
            let list = NodeBuilder::new("participants").children(participants);
            children.push(list.build());
        }
        children.push(enc_node(ciphertext, parcel.message, is_hidden, None));
        Ok(message_node(parcel, group, edit.as_ref())
            .attr("phash", list_hash)
            .children(children)
            .build())
    }

    /// The phone's sender key, encrypted for each of these devices that has keys.
    async fn key_copies(
        &mut self,
        group: &Jid,
        key: Vec<u8>,
        devices: Vec<Jid>,
        is_hidden: bool,
    ) -> Result<Vec<Node>, PhoneError> {
        if devices.is_empty() {
            return Ok(Vec::new());
        }
        self.ensure_sessions(&devices).await?;
        let message = wa::Message {
            sender_key_distribution_message: MessageField::some(
                wa::message::SenderKeyDistributionMessage {
                    group_id: Some(group.to_string()),
                    axolotl_sender_key_distribution_message: Some(key),
                },
            ),
            ..Default::default()
        };
        let padded = encode_padded(&message);
        let mut participants = Vec::with_capacity(devices.len());
        for device in devices {
            if !self.signal.has_session(&device) {
                continue;
            }
            let ciphertext = self.signal.encrypt(&device, &padded).await?;
            let enc = enc_node(ciphertext, &message, is_hidden, None);
            let to = NodeBuilder::new("to").attr("jid", &device);
            participants.push(to.children([enc]).build());
            // One that does not get it asks for the message again.
            let known = self.informed.entry(group.user.to_string()).or_default();
            known.insert(device);
        }
        Ok(participants)
    }

    /// The server has other devices in a group than this phone: they are asked for the next time.
    /// They got the message, and ask for it again when they lack the key.
    pub(super) fn forget_group_devices(&mut self, group: &Jid) {
        if let Some(known) = self.groups.remove(group.user.as_str()) {
            for member in &known.members {
                self.forget_devices(member);
            }
        }
    }
}
