//! What a phone keeps besides messages and Signal state.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::Rng as _;
use serde::{Deserialize, Serialize};

use crate::journal::{Batch, Journal};
use crate::phone::error::PhoneError;
use crate::phone::past::Past;
use crate::phone::signal::PhoneKeys;

const PHONES: &str = "phone";

/// What a phone does by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Behaviour {
    /// Whether it answers every text with the same text.
    #[serde(rename = "autoReply")]
    pub is_replying: bool,
    /// Whether it sends a read receipt for every message.
    #[serde(rename = "autoRead")]
    pub is_reading: bool,
}

/// The key that companions encrypt app state with; the primary makes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AppStateKey {
    #[serde(with = "hex::serde")]
    pub(crate) id: Vec<u8>,
    #[serde(with = "hex::serde")]
    pub(crate) data: Vec<u8>,
    pub(crate) made_at_ms: i64,
}

/// The record of one phone.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PhoneRecord {
    keys: String,
    /// The account's raw id in every signed identity.
    pub(crate) raw_id: u32,
    pub(crate) next_prekey_id: u32,
    pub(crate) has_uploaded_prekeys: bool,
    pub(crate) app_state_key: AppStateKey,
    pub(crate) is_offline: bool,
    pub(crate) behaviour: Behaviour,
    /// The key indexes of the companions that have been given keys and history.
    #[serde(default)]
    pub(crate) served_companions: BTreeSet<u32>,
    /// A made-up past that companions are sent beside what is in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) past: Option<Past>,
}

impl PhoneRecord {
    /// The record of a new phone.
    pub(crate) fn new(keys: &PhoneKeys, now_ms: i64) -> Result<Self, PhoneError> {
        let mut rng = rand::rng();
        let mut data = vec![0; 32];
        rng.fill_bytes(&mut data);
        // Two bytes of device (0) and four of epoch, as the official clients count keys.
        let mut id = vec![0, 0];
        id.extend_from_slice(&rng.next_u32().to_be_bytes());
        Ok(Self {
            keys: STANDARD.encode(keys.to_bytes()?),
            raw_id: rng.next_u32() >> 1,
            next_prekey_id: 1,
            has_uploaded_prekeys: false,
            app_state_key: AppStateKey {
                id,
                data,
                made_at_ms: now_ms,
            },
            is_offline: false,
            behaviour: Behaviour::default(),
            served_companions: BTreeSet::new(),
            past: None,
        })
    }

    /// The keys inside.
    pub(crate) fn keys(&self) -> Result<PhoneKeys, PhoneError> {
        let bytes = STANDARD
            .decode(&self.keys)
            .map_err(|_| PhoneError::internal("stored keys are not base64"))?;
        PhoneKeys::from_bytes(&bytes)
    }

    /// Adds the record to `batch`.
    pub(crate) fn write(&self, batch: &mut Batch<'_>, number: &str) -> Result<(), PhoneError> {
        batch.put(PHONES, number, serde_json::to_vec(self)?);
        Ok(())
    }

    /// Every number that has a record, with its record.
    pub(crate) fn all(journal: &Journal) -> Result<Vec<(String, Self)>, PhoneError> {
        let mut all = Vec::new();
        for (key, value) in journal.scan(PHONES)? {
            if let Ok(number) = String::from_utf8(key) {
                all.push((number, serde_json::from_slice(&value)?));
            }
        }
        Ok(all)
    }

    /// Deletes the record of `number`.
    pub(crate) fn erase(journal: &Journal, number: &str) -> Result<(), PhoneError> {
        Ok(journal.delete(PHONES, number)?)
    }
}
