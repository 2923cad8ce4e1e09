//! All Signal state of one phone, and how it gets into the journal and back.

use wacore::prekeys::PreKeyUtils;
use wacore::types::jid::JidExt as _;
use wacore_binary::{Jid, Node};
use wacore_libsignal::protocol::{
    GenericSignedPreKey as _, IdentityKey, PreKeyRecord, PublicKey, SenderKeyRecord, SessionRecord,
};

use super::groups::SenderKeys;
use super::keys::PhoneKeys;
use super::stores::{Identities, PreKeys, Sessions, SignedPreKey};
use crate::journal::{Batch, Journal};
use crate::phone::error::PhoneError;

const SESSIONS: &str = "phone-session";
const IDENTITIES: &str = "phone-identity";
const PREKEYS: &str = "phone-prekey";
const SENDER_KEYS: &str = "phone-sender-key";

/// One-time prekeys that a phone keeps on the server.
const PREKEY_BATCH: u32 = 100;

/// Prekey ids are three bytes on the wire; zero is not used.
const MAX_PREKEY_ID: u32 = 0x00ff_fffe;

/// Keys and sessions of one phone.
pub(crate) struct SignalState {
    pub(crate) keys: PhoneKeys,
    pub(super) sessions: Sessions,
    pub(super) identities: Identities,
    pub(super) prekeys: PreKeys,
    pub(super) sender_keys: SenderKeys,
    pub(super) signed_prekey: SignedPreKey,
    pub(super) rng: rand::rngs::StdRng,
    next_prekey_id: u32,
}

impl SignalState {
    /// The state of a phone that has not talked to anybody.
    pub(crate) fn new(keys: PhoneKeys) -> Result<Self, PhoneError> {
        Ok(Self {
            sessions: Sessions::default(),
            identities: Identities::new(&keys),
            prekeys: PreKeys::default(),
            sender_keys: SenderKeys::default(),
            signed_prekey: SignedPreKey {
                id: keys.signed_prekey.id()?,
                record: keys.signed_prekey.clone(),
            },
            rng: rand::make_rng(),
            next_prekey_id: 1,
            keys,
        })
    }

    /// Reads the sessions, identities and prekeys of `number`.
    pub(crate) fn restore(
        keys: PhoneKeys,
        next_prekey_id: u32,
        journal: &Journal,
        number: &str,
    ) -> Result<Self, PhoneError> {
        let mut state = Self::new(keys)?;
        state.next_prekey_id = next_prekey_id;
        let prefix = format!("{number}/");
        for (key, value) in journal.scan_prefix(SESSIONS, &prefix)? {
            if let Some(address) = suffix(&key, &prefix) {
                let mut record = SessionRecord::deserialize(&value)?;
                record.waive_counter_lease();
                state.sessions.records.insert(address, record);
            }
        }
        for (key, value) in journal.scan_prefix(IDENTITIES, &prefix)? {
            if let Some(address) = suffix(&key, &prefix) {
                let identity = IdentityKey::decode(&value)?;
                state.identities.known.insert(address, identity);
            }
        }
        for (key, value) in journal.scan_prefix(PREKEYS, &prefix)? {
            if let Some(id) = suffix(&key, &prefix).and_then(|id| id.parse().ok()) {
                let record = PreKeyRecord::deserialize(&value)?;
                state.prekeys.records.insert(id, record);
            }
        }
        for (key, value) in journal.scan_prefix(SENDER_KEYS, &prefix)? {
            if let Some(name) = suffix(&key, &prefix) {
                let mut record = SenderKeyRecord::deserialize(&value)?;
                record.waive_counter_lease()?;
                state.sender_keys.records.insert(name, record);
            }
        }
        Ok(state)
    }

    /// Adds everything that changed since the last call to `batch`.
    pub(crate) fn write_changes(
        &mut self,
        batch: &mut Batch<'_>,
        number: &str,
    ) -> Result<(), PhoneError> {
        for address in std::mem::take(&mut self.sessions.changed) {
            let key = format!("{number}/{address}");
            match self.sessions.records.get(&address) {
                Some(record) => batch.put(SESSIONS, key, record.serialize()?),
                None => batch.delete(SESSIONS, key),
            }
        }
        for address in std::mem::take(&mut self.identities.changed) {
            if let Some(identity) = self.identities.known.get(&address) {
                let key = format!("{number}/{address}");
                batch.put(IDENTITIES, key, identity.serialize().to_vec());
            }
        }
        for id in std::mem::take(&mut self.prekeys.changed) {
            let key = format!("{number}/{id}");
            match self.prekeys.records.get(&id) {
                Some(record) => batch.put(PREKEYS, key, record.serialize()?),
                None => batch.delete(PREKEYS, key),
            }
        }
        for name in std::mem::take(&mut self.sender_keys.changed) {
            let key = format!("{number}/{name}");
            match self.sender_keys.records.get(&name) {
                Some(record) => batch.put(SENDER_KEYS, key, record.serialize()?),
                None => batch.delete(SENDER_KEYS, key),
            }
        }
        Ok(())
    }

    /// Deletes every trace of `number`.
    pub(crate) fn erase(journal: &Journal, number: &str) -> Result<(), PhoneError> {
        let prefix = format!("{number}/");
        let mut batch = journal.batch();
        for namespace in [SESSIONS, IDENTITIES, PREKEYS, SENDER_KEYS] {
            for (key, _) in journal.scan_prefix(namespace, &prefix)? {
                batch.delete(namespace, key);
            }
        }
        Ok(batch.commit()?)
    }

    /// The id that the next one-time prekey gets; kept with the phone's record.
    pub(crate) fn next_prekey_id(&self) -> u32 {
        self.next_prekey_id
    }

    /// Makes a batch of one-time prekeys and the children of the upload request.
    ///
    /// Shape: wacore `iq::prekeys::PreKeyUploadSpec`. The keys must be in the
    /// journal before the request leaves.
    pub(crate) fn prekey_upload(&mut self) -> Result<Vec<Node>, PhoneError> {
        let fresh: Vec<(u32, PublicKey)> =
            (0..PREKEY_BATCH).map(|_| self.generate_prekey()).collect();
        let signed_public = self.keys.signed_prekey.public_key()?;
        let signature = self.keys.signed_prekey.signature()?;
        Ok(PreKeyUtils::build_upload_prekeys_request(
            self.keys.registration_id,
            self.keys.identity.public_key().public_key_bytes(),
            self.signed_prekey.id.into(),
            signed_public.public_key_bytes(),
            &signature,
            fresh
                .iter()
                .map(|(id, public)| (*id, public.public_key_bytes())),
        ))
    }

    /// Makes one prekey that goes to a peer directly, inside a retry receipt.
    pub(crate) fn generate_prekey(&mut self) -> (u32, PublicKey) {
        let id = self.next_prekey_id;
        self.next_prekey_id = if id >= MAX_PREKEY_ID { 1 } else { id + 1 };
        let pair = self.prekeys.generate(id, &mut self.rng);
        (id, pair.public_key)
    }

    /// Whether a message to `device` can be encrypted without asking for a bundle.
    pub(crate) fn has_session(&self, device: &Jid) -> bool {
        self.sessions
            .records
            .contains_key(device.to_protocol_address().as_str())
    }

    /// Forgets the session with `device`, so that the next message begins a new one.
    pub(crate) fn forget_session(&mut self, device: &Jid) {
        self.sessions.remove(device.to_protocol_address().as_str());
    }

    /// Forgets every session and sender key; what a damaged phone does to itself in a test.
    pub(crate) fn forget_all_sessions(&mut self) {
        let addresses: Vec<String> = self.sessions.records.keys().cloned().collect();
        for address in addresses {
            self.sessions.remove(&address);
        }
        self.forget_all_sender_keys();
    }

    /// The identity key that `device` last used.
    pub(crate) fn identity_of(&self, device: &Jid) -> Option<&IdentityKey> {
        self.identities
            .known
            .get(device.to_protocol_address().as_str())
    }

    /// The registration id that the session with `device` was made for.
    pub(crate) fn remote_registration_id(&self, device: &Jid) -> Option<u32> {
        self.sessions
            .records
            .get(device.to_protocol_address().as_str())?
            .remote_registration_id()
            .ok()
    }
}

/// The 32 bytes of an identity key without its type byte.
pub(crate) fn raw_identity(key: &IdentityKey) -> [u8; 32] {
    let tagged = key.serialize();
    let mut raw = [0; 32];
    raw.copy_from_slice(&tagged[1..]);
    raw
}

fn suffix(key: &[u8], prefix: &str) -> Option<String> {
    let rest = key.get(prefix.len()..)?;
    String::from_utf8(rest.to_vec()).ok()
}
