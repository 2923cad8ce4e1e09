//! Structures as bytes: one byte that names the form, then the value.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Result, StoreError};

/// JSON, so that fields can be added: what an older version wrote lacks them and gets defaults.
const FORM_JSON: u8 = 1;

/// Writes a structure.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    let mut bytes = vec![FORM_JSON];
    serde_json::to_writer(&mut bytes, value)?;
    Ok(bytes)
}

/// Reads a structure.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    match bytes.split_first() {
        Some((&FORM_JSON, json)) => Ok(serde_json::from_slice(json)?),
        Some((form, _)) => Err(StoreError::Corrupt(format!("engine record of form {form}"))),
        None => Err(StoreError::Corrupt("empty engine record".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_structure_comes_back() {
        let value = vec![Some(1_u32), None];
        assert_eq!(
            decode::<Vec<Option<u32>>>(&encode(&value).unwrap()).unwrap(),
            value
        );
    }

    #[test]
    fn another_form_is_refused() {
        assert!(matches!(
            decode::<u32>(&[9, b'1']),
            Err(StoreError::Corrupt(_))
        ));
        assert!(matches!(decode::<u32>(&[]), Err(StoreError::Corrupt(_))));
        assert!(matches!(
            decode::<u32>(&[FORM_JSON, b'x']),
            Err(StoreError::Corrupt(_))
        ));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_again(
            form in 0_u8..3,
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
            json in "\\{(\"(key_data|fingerprint|timestamp|version|hash|user|devices|device_id|key_index|phash|raw_id)\":(0|-1|\"a\"|null|\\[\\]|\\[1\\]),?){0,6}\\}",
        ) {
            for content in [bytes, json.into_bytes()] {
                crate::fuzzing::engine_record(&[&[form], &content[..]].concat());
            }
        }
    }
}
