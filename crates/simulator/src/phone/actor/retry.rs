//! Asking for what could not be decrypted, and answering those who ask.

use wacore::iq::prekeys::{OneTimePreKeyNode, SignedPreKeyNode};
use wacore::prekeys::PreKeyUtils;
use wacore::protocol::ProtocolNode as _;
use wacore::protocol::retry::{
    MAX_RETRY_COUNT, MIN_RETRY_COUNT_FOR_KEYS, RetryReason, extract_registration_id_from_node,
};
use wacore::send::should_hide_decrypt_fail_for_send;
use wacore::types::message::{EditAttribute, MessageCategory, MessageInfo};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};
use wacore_libsignal::protocol::{GenericSignedPreKey as _, PreKeyBundle, SignalProtocolError};

use super::outbound::{Parcel, enc_node, message_node};
use super::run::Actor;
use crate::phone::content::{device_sent, encode_padded};
use crate::phone::error::PhoneError;
use crate::phone::nodes::{jid_attr, number_attr, text_attr};

/// Undecryptable messages that are counted at a time; beyond it the counting starts anew.
const MAX_ASKED_AGAIN: usize = 4_096;

/// The reason that a retry receipt gives for a failure.
pub(super) fn reason_of(error: &SignalProtocolError) -> RetryReason {
    match error {
        SignalProtocolError::SessionNotFound(_) | SignalProtocolError::NoSenderKeyState(_) => {
            RetryReason::NoSession
        }
        SignalProtocolError::InvalidPreKeyId | SignalProtocolError::InvalidSignedPreKeyId => {
            RetryReason::InvalidKeyId
        }
        SignalProtocolError::BadMac(_) => RetryReason::BadMac,
        SignalProtocolError::SignatureValidationFailed => RetryReason::InvalidSignature,
        SignalProtocolError::InvalidSessionStructure(_) => RetryReason::InvalidSession,
        _ => RetryReason::InvalidMessage,
    }
}

impl Actor {
    /// Asks the sender to encrypt a message again; gives up after the fifth time.
    ///
    /// Shape: whatsapp-rust `retry::send_retry_receipt`. A primary's keys need no
    /// `<device-identity>`: its identity is the account's.
    pub(super) fn ask_again(
        &mut self,
        info: &MessageInfo,
        stanza: &Node,
        reason: RetryReason,
    ) -> Result<(), PhoneError> {
        if self.asked_again.len() >= MAX_ASKED_AGAIN {
            self.asked_again.clear();
        }
        let key = (info.source.sender.to_string(), info.id.clone());
        let count = self.asked_again.entry(key).or_default();
        if *count >= MAX_RETRY_COUNT {
            return self.acknowledge(stanza);
        }
        *count += 1;
        let count = *count;
        let mut retry = NodeBuilder::new("retry")
            .attr("v", "1")
            .attr("id", info.id.as_str())
            .attr("t", info.timestamp.timestamp())
            .attr("count", count);
        if reason != RetryReason::UnknownError {
            retry = retry.attr("error", reason as u8);
        }
        let registration = NodeBuilder::new("registration")
            .bytes(self.shared.keys.registration_id.to_be_bytes().to_vec())
            .build();
        let mut children = vec![retry.build(), registration];
        if count >= MIN_RETRY_COUNT_FOR_KEYS {
            children.push(self.retry_keys()?);
        }
        let to = if info.source.is_group {
            &info.source.chat
        } else {
            &info.source.sender
        };
        let mut receipt = NodeBuilder::new("receipt")
            .attr("to", to)
            .attr("id", info.id.as_str())
            .attr("type", "retry");
        if info.source.is_group {
            receipt = receipt.attr("participant", &info.source.sender);
        } else if info.category == MessageCategory::Peer {
            receipt = receipt.attr("category", "peer");
        } else if info.source.is_from_me {
            let recipient = info.source.recipient.as_ref().unwrap_or(&info.source.chat);
            receipt = receipt.attr("recipient", recipient);
        }
        self.commit()?;
        self.transmit(receipt.children(children).build())?;
        self.acknowledge(stanza)
    }

    fn retry_keys(&mut self) -> Result<Node, PhoneError> {
        let (id, public) = self.signal.generate_prekey();
        let signed = &self.shared.keys.signed_prekey;
        Ok(NodeBuilder::new("keys")
            .children([
                NodeBuilder::new("type").bytes(vec![5]).build(),
                NodeBuilder::new("identity")
                    .bytes(
                        self.shared
                            .keys
                            .identity
                            .public_key()
                            .public_key_bytes()
                            .to_vec(),
                    )
                    .build(),
                OneTimePreKeyNode::new(id, public.public_key_bytes().to_vec()).into_node(),
                SignedPreKeyNode::new(
                    signed.id()?.into(),
                    signed.public_key()?.public_key_bytes().to_vec(),
                    signed.signature()?,
                )
                .into_node(),
            ])
            .build())
    }

    /// A device could not decrypt a message of this phone: it gets it again, at most five times.
    pub(super) async fn on_retry(&mut self, receipt: &Node) -> Result<(), PhoneError> {
        let Some(retry) = receipt.get_optional_child("retry") else {
            return Ok(());
        };
        // In a group, the device that asks is the participant.
        let from = jid_attr(receipt, "participant").or_else(|| jid_attr(receipt, "from"));
        let (Some(from), Some(id)) = (from, text_attr(retry, "id")) else {
            return Ok(());
        };
        let count = number_attr(retry, "count")
            .and_then(|count| u8::try_from(count).ok())
            .unwrap_or(1);
        let Some((chat, encoded)) = self.own_message(&id) else {
            // The books show the message as pending for good.
            return Err(PhoneError::NotFound(
                "the message has been forgotten".to_owned(),
            ));
        };
        if count > MAX_RETRY_COUNT {
            return Ok(());
        }
        let device = self.lid_of(&from).await?;
        let chat = self.chat_of(&chat).await?;
        let is_own = device.user == self.shared.lid.user;
        let is_for_it = if chat.is_group() {
            let members = self.group(&chat).await?.members;
            members.iter().any(|member| member.user == device.user)
        } else {
            is_own || device.user == chat.user
        };
        if !is_for_it {
            return Ok(());
        }
        self.renew_session(&device, receipt, count).await?;
        let message = waproto::codec::message_decode(&encoded)
            .map_err(|_| PhoneError::internal("a stored message is damaged"))?;
        let padded = if is_own && !chat.is_group() {
            encode_padded(&device_sent(&chat.to_string(), &message))
        } else {
            encode_padded(&message)
        };
        let ciphertext = self.signal.encrypt(&device, &padded).await?;
        let edit = EditAttribute::infer_from_message(&message);
        let is_hidden = should_hide_decrypt_fail_for_send(edit.as_ref(), &message);
        let parcel = Parcel {
            id: &id,
            to: &chat,
            message: &message,
        };
        let to = if chat.is_group() { &chat } else { &from };
        let mut node = message_node(&parcel, to, edit.as_ref());
        if chat.is_group() {
            // It has no key either: it gets it with the next message.
            if let Some(informed) = self.informed.get_mut(chat.user.as_str()) {
                informed.remove(&device);
            }
            node = node.attr("participant", &device);
        } else if is_own {
            node = node.attr("recipient", &chat);
        }
        let enc = enc_node(ciphertext, &message, is_hidden, Some(count));
        self.commit()?;
        self.transmit(node.children([enc]).build())
    }

    pub(super) fn own_message(&self, id: &str) -> Option<(Jid, Vec<u8>)> {
        let log = self.shared.log();
        let entry = log.get(id).filter(|entry| entry.message.from_me)?;
        Some((entry.message.chat_jid.parse().ok()?, entry.encoded.clone()))
    }

    /// Begins a fresh session: from the keys in the receipt, or from the server's bundle when
    /// the device changed or has asked before.
    async fn renew_session(
        &mut self,
        device: &Jid,
        receipt: &Node,
        count: u8,
    ) -> Result<(), PhoneError> {
        if let Some(bundle) = self.bundle_in(device, receipt)? {
            self.signal.forget_session(device);
            self.signal.begin_session(device, &bundle).await?;
            return Ok(());
        }
        let has_changed = extract_registration_id_from_node(receipt)
            .is_some_and(|id| self.signal.remote_registration_id(device) != Some(id));
        if has_changed || count >= MIN_RETRY_COUNT_FOR_KEYS {
            self.signal.forget_session(device);
        }
        self.ensure_sessions(std::slice::from_ref(device)).await?;
        if self.signal.has_session(device) {
            Ok(())
        } else {
            Err(PhoneError::Conflict("the device has no keys".to_owned()))
        }
    }

    /// The bundle inside a retry receipt, in the shape of a fetched one, verified like one.
    fn bundle_in(&self, device: &Jid, receipt: &Node) -> Result<Option<PreKeyBundle>, PhoneError> {
        let (Some(keys), Some(registration)) = (
            receipt.get_optional_child("keys"),
            receipt.get_optional_child("registration"),
        ) else {
            return Ok(None);
        };
        let user = NodeBuilder::new("user")
            .attr("jid", device)
            .children([registration.clone(), keys.clone()])
            .build();
        let response = NodeBuilder::new("iq")
            .children([NodeBuilder::new("list").children([user]).build()])
            .build();
        let account = self.account_identity(device);
        let accounts = account
            .map(|account| (device.clone(), account))
            .into_iter()
            .collect();
        let mut outcome =
            PreKeyUtils::parse_prekeys_response(&response.as_node_ref(), &accounts)
                .map_err(|_| PhoneError::Conflict("the keys of a retry are damaged".to_owned()))?;
        Ok(outcome.bundles.remove(device))
    }
}
