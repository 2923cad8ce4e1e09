//! What must hold of values that are read back, for property tests and fuzz targets alike.
//!
//! Each function takes an input, reads it, and panics when a property does not hold.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wacore::appstate::hash::HashState;
use wacore::store::traits::{AppStateSyncKey, DeviceListRecord};
use zeroize::Zeroizing;

use crate::engine::{codec, device, key};
use crate::seal::{MASTER_KEY_LEN, MasterKeys, SealError};

fn keys(current: u8, older: &[u8]) -> MasterKeys {
    let key = |byte| Zeroizing::new([byte; MASTER_KEY_LEN]);
    MasterKeys::new(key(current), older.iter().copied().map(key).collect())
}

/// A value opens as it was sealed in its own row, and not when anything was changed.
pub fn sealed_value(table: &str, row: &[u8], value: &[u8], changed_bit: u16) {
    if table.contains('\0') {
        // Tables have names of ours.
        return;
    }
    let keys = keys(1, &[2]);
    assert!(keys.open(table, row, value).is_err());
    let mut headed = keys.seal(table, row, b"");
    headed.truncate(9);
    headed.extend_from_slice(value);
    assert!(keys.open(table, row, &headed).is_err());

    let mut sealed = keys.seal(table, row, value);
    assert_eq!(keys.open(table, row, &sealed).as_deref(), Ok(value));
    assert_eq!(keys.is_outdated(&sealed), Ok(false));
    let rotated = self::keys(3, &[1]);
    assert_eq!(rotated.open(table, row, &sealed).as_deref(), Ok(value));
    assert_eq!(rotated.is_outdated(&sealed), Ok(true));
    let stranger = self::keys(3, &[]);
    assert_eq!(
        stranger.open(table, row, &sealed),
        Err(SealError::UnknownKey)
    );

    let another_row = [row, b"x"].concat();
    assert!(keys.open(table, &another_row, &sealed).is_err());
    assert!(keys.open(&format!("{table}x"), row, &sealed).is_err());
    assert!(keys.open(table, row, &sealed[..sealed.len() - 1]).is_err());
    let bit = usize::from(changed_bit) % (sealed.len() * 8);
    sealed[bit / 8] ^= 1 << (bit % 8);
    assert!(keys.open(table, row, &sealed).is_err());
}

/// Keys in base64 are those keys, or are refused.
pub fn master_keys(text: &str) {
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    if let Ok(keys) = MasterKeys::from_base64(lines()) {
        for line in lines() {
            let single = MasterKeys::from_base64([line]).expect("it was a key before");
            let sealed = single.seal("table", b"row", b"value");
            assert_eq!(
                keys.open("table", b"row", &sealed).as_deref(),
                Ok(&b"value"[..])
            );
        }
    }
}

/// What is read from the engine's records is written again as the same.
pub fn engine_record(bytes: &[u8]) {
    structure::<AppStateSyncKey>(bytes);
    structure::<HashState>(bytes);
    structure::<DeviceListRecord>(bytes);
    if let Ok(read) = device::decode(bytes) {
        let written = device::encode(&read).expect("it was one before");
        let again = device::decode(&written).expect("it is written to be read");
        let anew = device::encode(&again).expect("it was one before");
        assert_eq!(json(&anew), json(&written));
    }
}

fn structure<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    if let Ok(read) = codec::decode::<T>(bytes) {
        let written = codec::encode(&read).expect("it was one before");
        let again: T = codec::decode(&written).expect("it is written to be read");
        let anew = codec::encode(&again).expect("it was one before");
        assert_eq!(json(&anew), json(&written));
    }
}

fn json(record: &[u8]) -> Value {
    codec::decode(record).expect("records are JSON")
}

/// A key of several parts says what its parts were, and lies in the range of its first one.
pub fn composite_key(leading: &[&[u8]], last: &[u8]) {
    let parts = leading.iter().map(|part| part.len());
    if parts.max().unwrap_or_default() >= usize::from(u16::MAX) {
        return;
    }
    let key = key::composite(leading, last);
    let mut rest = &key[..];
    for part in leading {
        let (len, tail) = rest.split_first_chunk().expect("a part has a length");
        let (read, tail) = tail.split_at(usize::from(u16::from_be_bytes(*len)));
        assert_eq!(read, *part);
        rest = tail;
    }
    assert_eq!(rest, last);
    if let Some(first) = leading.first() {
        let (start, end) = key::range(key::composite(&[first], b""));
        assert!(start <= key && key < end);
        let another = key::composite(&[&[first, &b"x"[..]].concat()], last);
        assert!(!(start <= another && another < end));
    }
    match key::parse_number(last) {
        Some(number) => assert_eq!(key::number(number), last),
        None => assert_ne!(last.len(), 4),
    }
}
