//! The persisted form of accounts and devices, and where each thing lies in the journal.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::restrictions::Restriction;

/// Namespaces of the journal that the server half owns.
pub(crate) mod namespace {
    /// One [`super::AccountRecord`] per number.
    pub(crate) const ACCOUNT: &str = "account";
    /// One [`super::DeviceRecord`] per number and device.
    pub(crate) const DEVICE: &str = "device";
    /// Chunks of one-time prekeys per device.
    pub(crate) const PREKEYS: &str = "prekeys";
    /// How far each chunk has been used.
    pub(crate) const PREKEYS_USED: &str = "prekeys-used";
    /// Stanzas waiting per device.
    pub(crate) const QUEUE: &str = "queue";
    /// App state patches per account and collection.
    pub(crate) const APP_STATE: &str = "app-state";
    /// What is known of each file of the media host.
    pub(crate) const MEDIA: &str = "media";
    /// The chunks of those files.
    pub(crate) const MEDIA_CHUNK: &str = "media-chunk";
    /// One [`super::super::groups::GroupRecord`] per group.
    pub(crate) const GROUP: &str = "group";
    /// Profile pictures per number, and per group after `group:`.
    pub(crate) const PICTURE: &str = "picture";
    /// One record per newsletter.
    pub(crate) const NEWSLETTER: &str = "newsletter";
    /// Posts per newsletter and number.
    pub(crate) const NEWSLETTER_POST: &str = "newsletter-post";
    /// The keys of the Noise handshake.
    pub(crate) const NOISE: &str = "noise";
    /// One record per pair of numbers and message id.
    pub(crate) const ACCOUNTING: &str = "accounting";
}

/// Who sees an account's stories: `contacts`, `whitelist` or `blacklist`, with those listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StatusPrivacy {
    pub(crate) list: String,
    /// Addresses.
    pub(crate) users: Vec<String>,
}

impl Default for StatusPrivacy {
    fn default() -> Self {
        Self {
            list: "contacts".to_owned(),
            users: Vec::new(),
        }
    }
}

/// What an account keeps beyond its devices.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct AccountRecord {
    pub(crate) number: String,
    pub(crate) lid: String,
    pub(crate) push_name: String,
    pub(crate) about: String,
    pub(crate) about_set_at_s: i64,
    /// Where the search for a free device id begins, so that a freed one is not used again soon.
    pub(crate) next_device_id: u16,
    /// Key indexes are never used twice in an account.
    pub(crate) next_key_index: u32,
    /// The `ADVSignedKeyIndexList` that the primary last signed.
    #[serde(with = "hex::serde")]
    pub(crate) key_index_list: Vec<u8>,
    pub(crate) key_index_list_at_s: i64,
    pub(crate) privacy: BTreeMap<String, String>,
    /// Blocked users, as JIDs.
    pub(crate) blocklist: BTreeSet<String>,
    pub(crate) picture_id: Option<u64>,
    pub(crate) last_seen_at_s: i64,
    pub(crate) disappearing_mode_s: u32,
    pub(crate) disappearing_mode_set_at_s: i64,
    /// Who sees the account's stories.
    #[serde(default)]
    pub(crate) status_privacy: StatusPrivacy,
    /// What the account may not do for a while.
    #[serde(default)]
    pub(crate) restriction: Restriction,
}

/// A signed prekey as the device uploaded it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SignedPreKey {
    pub(crate) id: u32,
    #[serde(with = "hex::serde")]
    pub(crate) public: Vec<u8>,
    #[serde(with = "hex::serde")]
    pub(crate) signature: Vec<u8>,
}

/// What a device keeps; the primary is device 0.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct DeviceRecord {
    pub(crate) id: u16,
    pub(crate) key_index: u32,
    /// The static Noise key that the device logs in with; empty for the in-process primary.
    #[serde(with = "hex::serde")]
    pub(crate) noise_key: Vec<u8>,
    pub(crate) platform: String,
    pub(crate) linked_at_ms: i64,
    pub(crate) registration_id: u32,
    #[serde(with = "hex::serde")]
    pub(crate) identity: Vec<u8>,
    pub(crate) signed_prekey: Option<SignedPreKey>,
    /// The `ADVSignedDeviceIdentity` that the companion countersigned.
    #[serde(with = "hex::serde")]
    pub(crate) device_identity: Vec<u8>,
    /// Whether everybody concerned has been told of the device, at its first login.
    #[serde(default)]
    pub(crate) has_logged_in: bool,
    /// The collections of app state that held more than one change when the device was linked:
    /// these it gets summed up.
    #[serde(default)]
    pub(crate) kept_before: Vec<String>,
}

/// The journal key of something that belongs to a device.
pub(crate) fn device_key(number: &str, device_id: u16) -> Vec<u8> {
    format!("{number}:{device_id:05}:").into_bytes()
}

/// The journal key of one of a device's numbered things, in numerical order.
pub(crate) fn sequence_key(number: &str, device_id: u16, seq: u64) -> Vec<u8> {
    let mut key = device_key(number, device_id);
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

/// Takes a [`sequence_key`] or [`device_key`] apart.
pub(crate) fn split_device_key(key: &[u8]) -> Option<(&str, u16, &[u8])> {
    let first = key.iter().position(|byte| *byte == b':')?;
    let rest = key.get(first + 1..)?;
    let second = rest.iter().position(|byte| *byte == b':')?;
    let number = std::str::from_utf8(&key[..first]).ok()?;
    let device_id = std::str::from_utf8(&rest[..second]).ok()?.parse().ok()?;
    Some((number, device_id, &rest[second + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_keys_come_apart_again() {
        let key = sequence_key("15550001111", 7, 0x3a3a);
        let (number, device_id, rest) = split_device_key(&key).unwrap();
        assert_eq!((number, device_id), ("15550001111", 7));
        assert_eq!(rest, 0x3a3a_u64.to_be_bytes());
        assert!(split_device_key(b"15550001111").is_none());
    }
}
