//! Signal keys: upload, count, digest, bundles for others, rotation (`encrypt`; wacore `iq::prekeys`).

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use super::router::Request;
use crate::journal::JournalError;
use crate::server::api::{Server, to_json};
use crate::server::deliver::parcels;
use crate::server::jids::Addressing;
use crate::server::prekeys::{PreKeys, Taken, is_signed};
use crate::server::record::{SignedPreKey, device_key, namespace, sequence_key};
use crate::server::stanza::{child_bytes, content_bytes, jid_attr, key32, server_jid, uint_be};
use crate::server::state::{AccountCell, DeviceState};

/// Keys of Curve25519 have this type byte.
const KEY_TYPE: u8 = 5;

/// A bundle is asked for this many devices at most.
const MAX_BUNDLES: usize = 5_000;

/// So many one-time prekeys are kept for a device at most; clients keep less than a thousand.
const MAX_PREKEYS: usize = 10_000;

struct Upload {
    registration_id: u32,
    identity: [u8; 32],
    signed_prekey: SignedPreKey,
    prekeys: Vec<(u32, [u8; 32])>,
}

impl Server {
    pub(super) fn iq_encrypt(&self, request: &Request<'_>) -> Result<Node, JournalError> {
        if request.is_get {
            if request.child("count").is_some() {
                return Ok(Self::prekey_count(request));
            }
            if request.child("digest").is_some() {
                return Ok(Self::key_digest(request));
            }
            return match request.child("key") {
                Some(key) => self.key_bundles(request, key),
                None => Ok(request.bad_request()),
            };
        }
        if let Some(rotate) = request.child("rotate") {
            return self.rotate_signed_prekey(request, rotate);
        }
        let Some(upload) = upload(request.iq) else {
            return Ok(request.bad_request());
        };
        let signed = &upload.signed_prekey;
        if upload.prekeys.len() > MAX_PREKEYS
            || !is_signed(&upload.identity, &signed.public, &signed.signature)
        {
            return Ok(request.error(406, "not-acceptable"));
        }
        self.take_upload(request, upload)
    }

    fn prekey_count(request: &Request<'_>) -> Node {
        let count = with_device(request, |device| device.prekeys.count()).unwrap_or_default();
        request.result([NodeBuilder::new("count").attr("value", count).build()])
    }

    fn key_digest(request: &Request<'_>) -> Node {
        with_device(request, |device| {
            let signed = device.record.signed_prekey.as_ref()?;
            let keys: Vec<(u32, &[u8])> = device.prekeys.remaining().collect();
            let publics: Vec<&[u8]> = keys.iter().map(|(_, public)| *public).collect();
            let hash = wacore::prekeys::compute_key_bundle_digest(
                &device.record.identity,
                &signed.public,
                &signed.signature,
                &publics,
            );
            let ids = keys
                .iter()
                .map(|(id, _)| bytes_node("id", id.to_be_bytes()[1..].to_vec()));
            let digest = NodeBuilder::new("digest")
                .children([
                    bytes_node("registration", registration(device)),
                    bytes_node("type", vec![KEY_TYPE]),
                    bytes_node("identity", device.record.identity.clone()),
                    signed_prekey_node(signed),
                    NodeBuilder::new("list").children(ids).build(),
                    bytes_node("hash", hash),
                ])
                .build();
            Some(request.result([digest]))
        })
        .flatten()
        .unwrap_or_else(|| request.not_found())
    }

    fn rotate_signed_prekey(
        &self,
        request: &Request<'_>,
        rotate: &Node,
    ) -> Result<Node, JournalError> {
        let Some(signed) = rotate.get_optional_child("skey").and_then(signed_prekey) else {
            return Ok(request.bad_request());
        };
        let session = request.session;
        let mut state = session.account.lock();
        let Some(device) = state.devices.get_mut(&session.device_id) else {
            return Ok(request.not_found());
        };
        if !is_signed(&device.record.identity, &signed.public, &signed.signature) {
            return Ok(request.error(406, "not-acceptable"));
        }
        device.record.signed_prekey = Some(signed);
        self.save_device(&session.account.number, &device.record)?;
        Ok(request.result([]))
    }

    fn take_upload(&self, request: &Request<'_>, upload: Upload) -> Result<Node, JournalError> {
        let session = request.session;
        let number = &session.account.number;
        let is_new_identity = {
            let mut state = session.account.lock();
            let Some(device) = state.devices.get_mut(&session.device_id) else {
                return Ok(request.not_found());
            };
            let is_same_identity = device.record.identity == upload.identity;
            if is_same_identity && device.prekeys.count() + upload.prekeys.len() > MAX_PREKEYS {
                return Ok(request.error(406, "not-acceptable"));
            }
            let mut batch = self.inner.journal.batch();
            let had_identity = !device.record.identity.is_empty();
            let is_new_identity = !is_same_identity;
            if is_new_identity {
                // Keys of the identity before are of no use to anybody.
                for seq in device.prekeys.seqs() {
                    let key = sequence_key(number, session.device_id, seq);
                    batch.delete(namespace::PREKEYS, &key);
                    batch.delete(namespace::PREKEYS_USED, &key);
                }
                device.prekeys.clear();
            }
            device.record.identity = upload.identity.to_vec();
            device.record.registration_id = upload.registration_id;
            device.record.signed_prekey = Some(upload.signed_prekey);
            let known: BTreeSet<u32> = device.prekeys.ids().collect();
            let fresh = upload
                .prekeys
                .into_iter()
                .filter(|(id, _)| !known.contains(id));
            let packed = PreKeys::pack(fresh);
            if !packed.is_empty() {
                let seq = device.prekeys.add(packed.clone());
                let key = sequence_key(number, session.device_id, seq);
                batch.put(namespace::PREKEYS, key, packed);
            }
            batch.put(
                namespace::DEVICE,
                device_key(number, session.device_id),
                to_json(&device.record),
            );
            batch.commit()?;
            device.was_told_of_low_prekeys = false;
            had_identity && is_new_identity
        };
        if is_new_identity && session.device_id == 0 {
            self.announce_identity(&session.account)?;
        }
        Ok(request.result([]))
    }

    /// Correspondents learn that the account's identity has changed.
    fn announce_identity(&self, account: &AccountCell) -> Result<(), JournalError> {
        for number in self.inner.accounting.correspondents(&account.number) {
            if let Some(contact) = self.inner.directory.by_number(&number) {
                let node = NodeBuilder::new("notification")
                    .attr("from", account.jid(Addressing::Pn))
                    .attr("type", "encrypt")
                    .attr("id", self.inner.stanza_id())
                    .attr("t", self.inner.now_s())
                    .attr("lid", account.jid(Addressing::Lid))
                    .children([NodeBuilder::new("identity").build()])
                    .build();
                self.deliver_to_all(&contact, &node)?;
            }
        }
        Ok(())
    }

    fn key_bundles(&self, request: &Request<'_>, key: &Node) -> Result<Node, JournalError> {
        let mut users = Vec::new();
        for user in key.get_children_by_tag("user").take(MAX_BUNDLES) {
            if let Some(jid) = jid_attr(user, "jid") {
                users.push(self.key_bundle(&jid)?);
            }
        }
        if users.is_empty() {
            return Ok(request.bad_request());
        }
        Ok(request.result([NodeBuilder::new("list").children(users).build()]))
    }

    fn key_bundle(&self, jid: &Jid) -> Result<Node, JournalError> {
        let Some(account) = self.inner.directory.by_jid(jid) else {
            return Ok(user_error(jid, 404, "item-not-found"));
        };
        let mut state = account.lock();
        let Some(device) = state.devices.get_mut(&jid.device) else {
            return Ok(user_error(jid, 406, "not-acceptable"));
        };
        let Some(signed) = device.record.signed_prekey.clone() else {
            return Ok(user_error(jid, 404, "item-not-found"));
        };
        let mut children = vec![
            bytes_node("registration", registration(device)),
            bytes_node("type", vec![KEY_TYPE]),
            bytes_node("identity", device.record.identity.clone()),
        ];
        if let Some((id, public, taken)) = device.prekeys.take() {
            self.note_taken(&account.number, jid.device, taken)?;
            children.push(
                NodeBuilder::new("key")
                    .children([
                        bytes_node("id", id.to_be_bytes()[1..].to_vec()),
                        bytes_node("value", public),
                    ])
                    .build(),
            );
        }
        children.push(signed_prekey_node(&signed));
        if !device.record.device_identity.is_empty() {
            let identity = device.record.device_identity.clone();
            children.push(bytes_node("device-identity", identity));
        }
        let left = device.prekeys.count();
        let is_low = left < self.inner.config.low_prekeys && !device.was_told_of_low_prekeys;
        if is_low {
            device.was_told_of_low_prekeys = true;
        }
        drop(state);
        if is_low {
            self.tell_of_low_prekeys(&account, jid.device, left)?;
        }
        Ok(NodeBuilder::new("user")
            .attr("jid", jid.clone())
            .attr("t", self.inner.now_s())
            .children(children)
            .build())
    }

    fn note_taken(&self, number: &str, device_id: u16, taken: Taken) -> Result<(), JournalError> {
        let key = sequence_key(number, device_id, taken.chunk_seq);
        let mut batch = self.inner.journal.batch();
        if taken.is_chunk_empty {
            batch.delete(namespace::PREKEYS, &key);
            batch.delete(namespace::PREKEYS_USED, &key);
        } else {
            let used = Bytes::copy_from_slice(&(taken.used as u64).to_be_bytes());
            batch.put(namespace::PREKEYS_USED, &key, used);
        }
        batch.commit()
    }

    fn tell_of_low_prekeys(
        &self,
        account: &Arc<AccountCell>,
        device_id: u16,
        left: usize,
    ) -> Result<(), JournalError> {
        let node = NodeBuilder::new("notification")
            .attr("from", server_jid())
            .attr("type", "encrypt")
            .attr("id", self.inner.stanza_id())
            .attr("t", self.inner.now_s())
            .children([NodeBuilder::new("count").attr("value", left).build()])
            .build();
        self.deliver(account, parcels(&node, [device_id]))
    }
}

fn with_device<T>(request: &Request<'_>, read: impl FnOnce(&DeviceState) -> T) -> Option<T> {
    let state = request.session.account.lock();
    state.devices.get(&request.session.device_id).map(read)
}

fn registration(device: &DeviceState) -> Vec<u8> {
    device.record.registration_id.to_be_bytes().to_vec()
}

fn bytes_node(tag: &'static str, bytes: Vec<u8>) -> Node {
    NodeBuilder::new(tag).bytes(bytes).build()
}

fn signed_prekey_node(signed: &SignedPreKey) -> Node {
    NodeBuilder::new("skey")
        .children([
            bytes_node("id", signed.id.to_be_bytes()[1..].to_vec()),
            bytes_node("value", signed.public.clone()),
            bytes_node("signature", signed.signature.clone()),
        ])
        .build()
}

fn user_error(jid: &Jid, code: u16, text: &'static str) -> Node {
    let error = NodeBuilder::new("error")
        .attr("code", code)
        .attr("text", text)
        .build();
    NodeBuilder::new("user")
        .attr("jid", jid.clone())
        .children([error])
        .build()
}

fn signed_prekey(node: &Node) -> Option<SignedPreKey> {
    let signature = child_bytes(node, "signature")?;
    if signature.len() != 64 {
        return None;
    }
    Some(SignedPreKey {
        id: uint_be(&child_bytes(node, "id")?)?,
        public: key32(&child_bytes(node, "value")?)?.to_vec(),
        signature,
    })
}

fn prekey(node: &Node) -> Option<(u32, [u8; 32])> {
    let id = uint_be(&child_bytes(node, "id")?)?;
    (id < 1 << 24).then_some((id, key32(&child_bytes(node, "value")?)?))
}

fn upload(iq: &Node) -> Option<Upload> {
    let prekeys = match iq.get_optional_child("list") {
        Some(list) => list
            .get_children_by_tag("key")
            .map(prekey)
            .collect::<Option<Vec<_>>>()?,
        None => Vec::new(),
    };
    Some(Upload {
        registration_id: uint_be(&content_bytes(iq.get_optional_child("registration")?)?)?,
        identity: key32(&child_bytes(iq, "identity")?)?,
        signed_prekey: signed_prekey(iq.get_optional_child("skey")?)?,
        prekeys,
    })
}
