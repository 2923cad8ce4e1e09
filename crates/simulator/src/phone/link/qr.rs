//! The text inside a pairing QR code.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wacore::companion_reg::NATIVE_CAMERA_DEEP_LINK_PREFIX;

use crate::phone::error::{FieldError, PhoneError};

/// A parsed QR code: `ref,noise,identity,advSecret[,platform]`, keys in base64.
///
/// Shape: wacore `pair::PairUtils::make_qr_data`; the deep link that phones'
/// cameras understand may come before it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct QrCode {
    pub(crate) pairing_ref: String,
    pub(crate) identity: [u8; 32],
    pub(crate) adv_secret: [u8; 32],
}

impl QrCode {
    /// Parses the text; says which part is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, PhoneError> {
        let text = text.trim();
        let body = text
            .strip_prefix(NATIVE_CAMERA_DEEP_LINK_PREFIX)
            .unwrap_or(text)
            .trim_start();
        let parts: Vec<&str> = body.split(',').collect();
        if !(4..=6).contains(&parts.len()) {
            return Err(PhoneError::invalid(
                "qr",
                "expected ref,noise key,identity key,secret and optionally the platform",
            ));
        }
        let mut faults = Vec::new();
        if parts[0].is_empty() {
            faults.push(FieldError::new("qr", "the pairing reference is empty"));
        }
        let mut keys = [[0; 32]; 3];
        let names = ["noise key", "identity key", "secret"];
        for ((key, name), part) in keys.iter_mut().zip(names).zip(&parts[1..4]) {
            match STANDARD.decode(part).map(<[u8; 32]>::try_from) {
                Ok(Ok(bytes)) => *key = bytes,
                _ => faults.push(FieldError::new(
                    "qr",
                    format!("the {name} is not 32 bytes of base64"),
                )),
            }
        }
        if !faults.is_empty() {
            return Err(PhoneError::Invalid(faults));
        }
        let [_, identity, adv_secret] = keys;
        Ok(Self {
            pairing_ref: parts[0].to_owned(),
            identity,
            adv_secret,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(suffix: &str) -> String {
        let key = |byte: u8| STANDARD.encode([byte; 32]);
        format!("2@ref,{},{},{}{suffix}", key(1), key(2), key(3))
    }

    #[test]
    fn reads_every_shape_that_clients_make() {
        for text in [
            code(""),
            code(",3"),
            format!("{NATIVE_CAMERA_DEEP_LINK_PREFIX}{}", code(",1")),
            format!(" {NATIVE_CAMERA_DEEP_LINK_PREFIX} {}\n", code("")),
        ] {
            let qr = QrCode::parse(&text).unwrap();
            assert_eq!(qr.pairing_ref, "2@ref");
            assert_eq!(qr.identity, [2; 32]);
            assert_eq!(qr.adv_secret, [3; 32]);
        }
    }

    #[test]
    fn names_every_fault_at_once() {
        let Err(PhoneError::Invalid(faults)) = QrCode::parse(",x,y,z") else {
            panic!("accepted nonsense");
        };
        assert_eq!(faults.len(), 4);
        assert!(QrCode::parse("hello").is_err());
    }

    proptest! {
        #[test]
        fn a_code_is_read_as_it_was_made(
            text in "\\PC{0,80}",
            pairing_ref in "[^,\\s][^,]{0,20}[^,\\s]",
            keys in any::<[[u8; 32]; 3]>(),
            suffix in "(,[0-9])?",
        ) {
            crate::fuzzing::qr_code(&text);
            let [noise, identity, secret] = keys.map(|key| STANDARD.encode(key));
            let made = format!("{pairing_ref},{noise},{identity},{secret}{suffix}");
            crate::fuzzing::qr_code(&made);
            let code = QrCode::parse(&made).unwrap();
            prop_assert_eq!(code.pairing_ref, pairing_ref);
            prop_assert_eq!([code.identity, code.adv_secret], [keys[1], keys[2]]);
        }
    }
}
