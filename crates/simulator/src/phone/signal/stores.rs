//! The library's storage traits over maps that remember what changed.
//!
//! Each store is a struct of its own because the library borrows several of them
//! mutably at the same time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use wacore_libsignal::protocol::error::Result;
use wacore_libsignal::protocol::{
    Direction, IdentityChange, IdentityKey, IdentityKeyPair, IdentityKeyStore, KeyPair, PreKeyId,
    PreKeyRecord, PreKeyStore, ProtocolAddress, SessionRecord, SessionStore, SignalProtocolError,
    SignedPreKeyId, SignedPreKeyRecord, SignedPreKeyStore,
};

use super::keys::PhoneKeys;

/// Sessions by protocol address.
#[derive(Default)]
pub(super) struct Sessions {
    pub(super) records: HashMap<String, SessionRecord>,
    pub(super) changed: BTreeSet<String>,
}

impl Sessions {
    pub(super) fn insert(&mut self, address: &str, mut record: SessionRecord) {
        // The record is in the journal before its ciphertext leaves the phone, which
        // is what the library asks for in return for exact counters.
        record.waive_counter_lease();
        self.records.insert(address.to_owned(), record);
        self.changed.insert(address.to_owned());
    }

    pub(super) fn remove(&mut self, address: &str) {
        if self.records.remove(address).is_some() {
            self.changed.insert(address.to_owned());
        }
    }
}

#[async_trait]
impl SessionStore for Sessions {
    async fn load_session(&self, address: &ProtocolAddress) -> Result<Option<SessionRecord>> {
        Ok(self.records.get(address.as_str()).cloned())
    }

    async fn has_session(&self, address: &ProtocolAddress) -> Result<bool> {
        Ok(self.records.contains_key(address.as_str()))
    }

    async fn store_session(
        &mut self,
        address: &ProtocolAddress,
        record: SessionRecord,
    ) -> Result<()> {
        self.insert(address.as_str(), record);
        Ok(())
    }
}

/// The phone's own identity and the identities it has seen.
pub(super) struct Identities {
    own: IdentityKeyPair,
    registration_id: u32,
    pub(super) known: HashMap<String, IdentityKey>,
    pub(super) changed: BTreeSet<String>,
}

impl Identities {
    pub(super) fn new(keys: &PhoneKeys) -> Self {
        Self {
            own: keys.identity.clone(),
            registration_id: keys.registration_id,
            known: HashMap::new(),
            changed: BTreeSet::new(),
        }
    }
}

#[async_trait]
impl IdentityKeyStore for Identities {
    async fn get_identity_key_pair(&self) -> Result<IdentityKeyPair> {
        Ok(self.own.clone())
    }

    async fn get_local_registration_id(&self) -> Result<u32> {
        Ok(self.registration_id)
    }

    async fn save_identity(
        &mut self,
        address: &ProtocolAddress,
        identity: &IdentityKey,
    ) -> Result<IdentityChange> {
        let before = self.known.get(address.as_str());
        if before == Some(identity) {
            return Ok(IdentityChange::NewOrUnchanged);
        }
        let is_replaced = before.is_some();
        self.known.insert(address.as_str().to_owned(), *identity);
        self.changed.insert(address.as_str().to_owned());
        Ok(IdentityChange::from_changed(is_replaced))
    }

    // A phone accepts the new key of a contact that reinstalled, as the official
    // clients do: they tell the user, and go on.
    async fn is_trusted_identity(
        &self,
        _address: &ProtocolAddress,
        _identity: &IdentityKey,
        _direction: Direction,
    ) -> Result<bool> {
        Ok(true)
    }

    async fn get_identity(&self, address: &ProtocolAddress) -> Result<Option<IdentityKey>> {
        Ok(self.known.get(address.as_str()).copied())
    }
}

/// One-time prekeys that a peer may still use.
#[derive(Default)]
pub(super) struct PreKeys {
    pub(super) records: BTreeMap<u32, PreKeyRecord>,
    pub(super) changed: BTreeSet<u32>,
}

impl PreKeys {
    pub(super) fn remove(&mut self, id: u32) {
        if self.records.remove(&id).is_some() {
            self.changed.insert(id);
        }
    }

    pub(super) fn generate(&mut self, id: u32, rng: &mut rand::rngs::StdRng) -> KeyPair {
        let pair = KeyPair::generate(rng);
        self.records.insert(id, PreKeyRecord::new(id.into(), &pair));
        self.changed.insert(id);
        pair
    }
}

#[async_trait]
impl PreKeyStore for PreKeys {
    async fn get_pre_key(&self, prekey_id: PreKeyId) -> Result<PreKeyRecord> {
        self.records
            .get(&prekey_id.into())
            .cloned()
            .ok_or(SignalProtocolError::InvalidPreKeyId)
    }

    async fn save_pre_key(&mut self, prekey_id: PreKeyId, record: &PreKeyRecord) -> Result<()> {
        self.records.insert(prekey_id.into(), record.clone());
        self.changed.insert(prekey_id.into());
        Ok(())
    }

    async fn remove_pre_key(&mut self, prekey_id: PreKeyId) -> Result<()> {
        self.remove(prekey_id.into());
        Ok(())
    }
}

/// The one signed prekey of a phone.
pub(super) struct SignedPreKey {
    pub(super) id: SignedPreKeyId,
    pub(super) record: SignedPreKeyRecord,
}

#[async_trait]
impl SignedPreKeyStore for SignedPreKey {
    async fn get_signed_pre_key(&self, id: SignedPreKeyId) -> Result<SignedPreKeyRecord> {
        if id == self.id {
            Ok(self.record.clone())
        } else {
            Err(SignalProtocolError::InvalidSignedPreKeyId)
        }
    }

    async fn save_signed_pre_key(
        &mut self,
        id: SignedPreKeyId,
        record: &SignedPreKeyRecord,
    ) -> Result<()> {
        self.id = id;
        self.record = record.clone();
        Ok(())
    }
}
