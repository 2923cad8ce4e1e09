//! Encryption of columns at rest.
//!
//! A sealed value is `version | key id | nonce | ciphertext with tag`:
//! AES-256-GCM, with the table and the row's key as associated data, so that a
//! value cannot be moved to another row. Each row has a key of its own, derived
//! from the master key, so that random nonces stay far from their limit of
//! 2³² messages a key (NIST SP 800-38D, 8.3) however busy the installation is.

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 8;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
const HEADER_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;

/// Length of a master key in bytes.
pub const MASTER_KEY_LEN: usize = 32;

/// Why a value was not sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The value is too short or of an unknown version.
    #[error("a sealed value has an unknown form")]
    Form,
    /// The value was sealed with a key that is not configured.
    #[error("a sealed value needs a master key that is not configured")]
    UnknownKey,
    /// The value was changed, or belongs to another row.
    #[error("a sealed value does not belong to its row or was changed")]
    Forged,
}

/// Names a master key without revealing it.
pub type KeyId = [u8; KEY_ID_LEN];

struct MasterKey {
    id: KeyId,
    secret: Zeroizing<[u8; MASTER_KEY_LEN]>,
}

impl MasterKey {
    fn new(secret: Zeroizing<[u8; MASTER_KEY_LEN]>) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"wagate master key id\0");
        digest.update(secret.as_slice());
        let mut id = KeyId::default();
        id.copy_from_slice(&digest.finalize()[..KEY_ID_LEN]);
        Self { id, secret }
    }

    /// A key of its own for one use.
    fn derive(&self, label: &[u8], context: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut mac = hmac(self.secret.as_slice());
        mac.update(label);
        mac.update(context);
        Zeroizing::new(mac.finalize().into_bytes().into())
    }

    fn cipher(&self, associated: &[u8]) -> Aes256Gcm {
        let row_key = self.derive(b"wagate row key\0", associated);
        Aes256Gcm::new_from_slice(row_key.as_slice()).expect("SHA-256 gives 32 bytes")
    }
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length")
}

/// The key that new values are sealed with, and older ones that still open.
pub struct MasterKeys {
    current: MasterKey,
    older: Vec<MasterKey>,
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKeys(1 current, {} older)", self.older.len())
    }
}

fn associated_data(table: &str, row: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(table.len() + 1 + row.len());
    // Table names hold no NUL, so the pair can be read in one way only.
    data.extend_from_slice(table.as_bytes());
    data.push(0);
    data.extend_from_slice(row);
    data
}

impl MasterKeys {
    /// Takes the keys as they are.
    #[must_use]
    pub fn new(
        current: Zeroizing<[u8; MASTER_KEY_LEN]>,
        older: Vec<Zeroizing<[u8; MASTER_KEY_LEN]>>,
    ) -> Self {
        Self {
            current: MasterKey::new(current),
            older: older.into_iter().map(MasterKey::new).collect(),
        }
    }

    /// Draws a new key.
    #[must_use]
    pub fn generate() -> Self {
        Self::new(Zeroizing::new(rand::random()), Vec::new())
    }

    /// The id of the key that new values are sealed with.
    #[must_use]
    pub fn current_id(&self) -> KeyId {
        self.current.id
    }

    /// Encrypts a value for one row of one table.
    #[must_use]
    pub fn seal(&self, table: &str, row: &[u8], plain: &[u8]) -> Vec<u8> {
        let associated = associated_data(table, row);
        let nonce: [u8; NONCE_LEN] = rand::random();
        let ciphertext = self
            .current
            .cipher(&associated)
            .encrypt(
                &Nonce::from(nonce),
                Payload {
                    msg: plain,
                    aad: &associated,
                },
            )
            .expect("stored values are far below the 64 GiB that AES-GCM takes");
        let mut sealed = Vec::with_capacity(HEADER_LEN + ciphertext.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.current.id);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        sealed
    }

    /// Decrypts a value of one row of one table.
    pub fn open(&self, table: &str, row: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let id = key_id(sealed)?;
        let key = std::iter::once(&self.current)
            .chain(&self.older)
            .find(|key| key.id == id)
            .ok_or(SealError::UnknownKey)?;
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&sealed[1 + KEY_ID_LEN..HEADER_LEN]);
        let associated = associated_data(table, row);
        key.cipher(&associated)
            .decrypt(
                &Nonce::from(nonce),
                Payload {
                    msg: &sealed[HEADER_LEN..],
                    aad: &associated,
                },
            )
            .map_err(|_| SealError::Forged)
    }

    /// Whether a value was sealed with another key than the current one.
    pub fn is_outdated(&self, sealed: &[u8]) -> Result<bool, SealError> {
        Ok(key_id(sealed)? != self.current.id)
    }
}

fn key_id(sealed: &[u8]) -> Result<KeyId, SealError> {
    if sealed.len() < HEADER_LEN + TAG_LEN || sealed[0] != VERSION {
        return Err(SealError::Form);
    }
    let mut id = KeyId::default();
    id.copy_from_slice(&sealed[1..=KEY_ID_LEN]);
    Ok(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(current: u8, older: &[u8]) -> MasterKeys {
        let key = |byte| Zeroizing::new([byte; MASTER_KEY_LEN]);
        MasterKeys::new(key(current), older.iter().copied().map(key).collect())
    }

    #[test]
    fn a_value_opens_in_its_own_row_only() {
        let keys = keys(1, &[]);
        let sealed = keys.seal("webhook", b"wh_1", b"secret");
        assert_eq!(keys.open("webhook", b"wh_1", &sealed).unwrap(), b"secret");
        assert_eq!(
            keys.open("webhook", b"wh_2", &sealed),
            Err(SealError::Forged)
        );
        assert_eq!(
            keys.open("outbox", b"wh_1", &sealed),
            Err(SealError::Forged)
        );
    }

    #[test]
    fn equal_values_are_sealed_differently() {
        let keys = keys(1, &[]);
        assert_ne!(keys.seal("t", b"r", b"same"), keys.seal("t", b"r", b"same"));
    }

    #[test]
    fn older_keys_open_and_are_reported_as_outdated() {
        let old = keys(1, &[]);
        let sealed = old.seal("t", b"r", b"value");
        let rotated = keys(2, &[1]);
        assert_eq!(rotated.open("t", b"r", &sealed).unwrap(), b"value");
        assert!(rotated.is_outdated(&sealed).unwrap());
        assert!(!old.is_outdated(&sealed).unwrap());
        assert_eq!(
            keys(2, &[]).open("t", b"r", &sealed),
            Err(SealError::UnknownKey)
        );
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(
            format!("{:?}", keys(1, &[2])),
            "MasterKeys(1 current, 1 older)"
        );
    }

    proptest! {
        #[test]
        fn a_value_opens_as_it_was_sealed_and_not_when_it_was_changed(
            table in "[a-z_]{0,12}",
            row in proptest::collection::vec(any::<u8>(), 0..20),
            value in proptest::collection::vec(any::<u8>(), 0..200),
            changed_bit in any::<u16>(),
        ) {
            crate::fuzzing::sealed_value(&table, &row, &value, changed_bit);
        }
    }
}
