//! The long-lived keys of a phone, and what of them the server may know.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use wacore_libsignal::protocol::{
    GenericSignedPreKey as _, IdentityKeyPair, KeyPair, SignalProtocolError, SignedPreKeyRecord,
    Timestamp,
};

use crate::phone::error::PhoneError;

/// The first signed prekey of a phone has this id; a phone never rotates it.
const SIGNED_PREKEY_ID: u32 = 1;

/// Registration ids are 14 bits wide and never zero, as the official clients make them.
const REGISTRATION_ID_MASK: u32 = 0x3fff;

/// Identity, registration id and signed prekey of one phone.
#[derive(Clone)]
pub(crate) struct PhoneKeys {
    pub(crate) identity: IdentityKeyPair,
    pub(crate) registration_id: u32,
    pub(crate) signed_prekey: SignedPreKeyRecord,
}

/// The persisted form: every value in the library's own encoding, base64.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredKeys {
    identity: String,
    registration_id: u32,
    signed_prekey: String,
}

impl PhoneKeys {
    /// Makes the keys of a new phone.
    pub(crate) fn generate(now_ms: i64) -> Result<Self, PhoneError> {
        let mut rng = rand::make_rng::<rand::rngs::StdRng>();
        let identity = IdentityKeyPair::generate(&mut rng);
        let pair = KeyPair::generate(&mut rng);
        let signature = identity
            .private_key()
            .calculate_signature(&pair.public_key.serialize(), &mut rng)
            .map_err(SignalProtocolError::from)?;
        let registration_id = (rng.next_u32() & REGISTRATION_ID_MASK).max(1);
        let signed_prekey = SignedPreKeyRecord::new(
            SIGNED_PREKEY_ID.into(),
            Timestamp::from_epoch_millis(u64::try_from(now_ms).unwrap_or_default()),
            &pair,
            &signature,
        );
        Ok(Self {
            identity,
            registration_id,
            signed_prekey,
        })
    }

    /// The bytes to keep in the journal.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, PhoneError> {
        Ok(serde_json::to_vec(&StoredKeys {
            identity: STANDARD.encode(self.identity.serialize()),
            registration_id: self.registration_id,
            signed_prekey: STANDARD.encode(self.signed_prekey.serialize()?),
        })?)
    }

    /// Reads what [`PhoneKeys::to_bytes`] wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, PhoneError> {
        let stored: StoredKeys = serde_json::from_slice(bytes)?;
        let identity = decode(&stored.identity)?;
        let signed_prekey = decode(&stored.signed_prekey)?;
        Ok(Self {
            identity: IdentityKeyPair::try_from(identity.as_slice())?,
            registration_id: stored.registration_id,
            signed_prekey: SignedPreKeyRecord::deserialize(&signed_prekey)?,
        })
    }
}

fn decode(text: &str) -> Result<Vec<u8>, PhoneError> {
    STANDARD
        .decode(text)
        .map_err(|_| PhoneError::internal("a stored key is not base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_being_written_and_read() {
        let keys = PhoneKeys::generate(1_700_000_000_000).unwrap();
        let again = PhoneKeys::from_bytes(&keys.to_bytes().unwrap()).unwrap();
        assert_eq!(again.identity.serialize(), keys.identity.serialize());
        assert_eq!(again.registration_id, keys.registration_id);
        assert_eq!(
            again.signed_prekey.serialize().unwrap(),
            keys.signed_prekey.serialize().unwrap()
        );
    }

    #[test]
    fn the_signed_prekey_is_signed_by_the_identity() {
        let keys = PhoneKeys::generate(0).unwrap();
        let public = keys.signed_prekey.public_key().unwrap();
        let signature = keys.signed_prekey.signature().unwrap();
        assert!(
            keys.identity
                .public_key()
                .verify_signature(&public.serialize(), &signature)
        );
    }
}
