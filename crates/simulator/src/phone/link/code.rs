//! The primary's side of linking by an eight-character code.
//!
//! The companion's side, and the layout of every message: wacore `pair_code`.

use hkdf::Hkdf;
use sha2::Sha256;
use wacore::pair_code::PairCodeUtils;
use wacore_libsignal::crypto::aes_256_gcm_decrypt;
use wacore_libsignal::protocol::{IdentityKeyPair, KeyPair, PublicKey, SignalProtocolError};

use crate::phone::error::PhoneError;

const BUNDLE_KEY_INFO: &[u8] = b"link_code_pairing_key_bundle_encryption_key";
const ADV_SECRET_INFO: &[u8] = b"adv_secret";
const SALT_LEN: usize = 32;
const NONCE_LEN: usize = 12;

/// What the companion sent after the phone's hello.
#[derive(Debug, Clone)]
pub(crate) struct CompanionFinish {
    pub(crate) wrapped_bundle: Vec<u8>,
    pub(crate) identity: [u8; 32],
}

/// A code that was typed in and is waiting for the companion's answer.
pub(crate) struct PendingCode {
    /// The phone's ephemeral key, encrypted with the code: 80 bytes.
    pub(crate) wrapped_ephemeral: [u8; 80],
    ephemeral_shared: [u8; 32],
}

/// Brings a typed code to the form it is derived from: no separators, capitals.
pub(crate) fn normalize(code: &str) -> Result<String, PhoneError> {
    let code: String = code
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .collect::<String>()
        .to_ascii_uppercase();
    if PairCodeUtils::validate_code(&code) {
        Ok(code)
    } else {
        Err(PhoneError::invalid(
            "code",
            "expected eight characters out of 1-9 and A-Z without I, O, U",
        ))
    }
}

/// The answer to a code that does not open what the companion sent.
pub(crate) fn wrong_code() -> PhoneError {
    PhoneError::invalid("code", "the code is wrong")
}

impl PendingCode {
    /// A code whose slow derivation both sides have behind them.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn agreed(ephemeral_shared: [u8; 32]) -> Self {
        Self {
            wrapped_ephemeral: [0; 80],
            ephemeral_shared,
        }
    }

    /// Opens the companion's ephemeral key with the code and makes the phone's own.
    ///
    /// Slow on purpose (131,072 rounds of PBKDF2, twice): run it off the async threads.
    /// A wrong code cannot be told here; it shows when the bundle does not open.
    pub(crate) fn enter(wrapped_companion: &[u8], code: &str) -> Result<Self, PhoneError> {
        let companion = PairCodeUtils::decrypt_primary_ephemeral_pub(wrapped_companion, code)
            .map_err(|_| PhoneError::Conflict("the companion's hello is damaged".to_owned()))?;
        let ephemeral = KeyPair::generate(&mut rand::make_rng::<rand::rngs::StdRng>());
        let ephemeral_shared = agree(&ephemeral, &companion).map_err(|_| wrong_code())?;
        let public: [u8; 32] = ephemeral
            .public_key
            .public_key_bytes()
            .try_into()
            .map_err(|_| PhoneError::internal("a public key is not 32 bytes"))?;
        Ok(Self {
            wrapped_ephemeral: PairCodeUtils::encrypt_ephemeral_pub(&public, code),
            ephemeral_shared,
        })
    }

    /// Opens the companion's key bundle and derives the secret that its link is sealed with.
    pub(crate) fn finish(
        &self,
        finish: &CompanionFinish,
        account: &IdentityKeyPair,
    ) -> Result<[u8; 32], PhoneError> {
        let bundle = self.open_bundle(&finish.wrapped_bundle)?;
        let (companion_identity, rest) = bundle.split_at(32);
        let (primary_identity, random) = rest.split_at(32);
        if companion_identity != finish.identity.as_slice()
            || primary_identity != account.public_key().public_key_bytes()
        {
            return Err(PhoneError::Conflict(
                "the companion's key bundle names other keys".to_owned(),
            ));
        }
        let pair = KeyPair::from(account.clone());
        let identity_shared = agree(&pair, &finish.identity)?;
        let secret = [&self.ephemeral_shared[..], &identity_shared, random].concat();
        expand(&secret, None, ADV_SECRET_INFO)
    }

    fn open_bundle(&self, wrapped: &[u8]) -> Result<Vec<u8>, PhoneError> {
        if wrapped.len() <= SALT_LEN + NONCE_LEN {
            return Err(wrong_code());
        }
        let (salt, rest) = wrapped.split_at(SALT_LEN);
        let (nonce, sealed) = rest.split_at(NONCE_LEN);
        let key = expand(&self.ephemeral_shared, Some(salt), BUNDLE_KEY_INFO)?;
        let nonce: &[u8; NONCE_LEN] = nonce.try_into().map_err(|_| wrong_code())?;
        let mut bundle = Vec::with_capacity(sealed.len());
        aes_256_gcm_decrypt(&key, nonce, b"", sealed, &mut bundle).map_err(|_| wrong_code())?;
        if bundle.len() == 96 {
            Ok(bundle)
        } else {
            Err(wrong_code())
        }
    }
}

fn agree(own: &KeyPair, theirs: &[u8; 32]) -> Result<[u8; 32], PhoneError> {
    let public = PublicKey::from_djb_public_key_bytes(theirs).map_err(SignalProtocolError::from)?;
    Ok(own
        .private_key
        .calculate_agreement(&public)
        .map_err(SignalProtocolError::from)?)
}

fn expand(secret: &[u8], salt: Option<&[u8]>, info: &[u8]) -> Result<[u8; 32], PhoneError> {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(salt, secret)
        .expand(info, &mut key)
        .map_err(|_| PhoneError::internal("a key of 32 bytes cannot be derived"))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn raw(pair: &KeyPair) -> [u8; 32] {
        pair.public_key.public_key_bytes().try_into().unwrap()
    }

    /// Plays the companion with the client library's own functions.
    fn round(shown: &str, typed: &str) -> Result<([u8; 32], [u8; 32]), PhoneError> {
        let mut rng = rand::make_rng::<rand::rngs::StdRng>();
        let account = IdentityKeyPair::generate(&mut rng);
        let (ephemeral, identity) = (KeyPair::generate(&mut rng), KeyPair::generate(&mut rng));
        let hello = PairCodeUtils::encrypt_ephemeral_pub(&raw(&ephemeral), shown);
        let pending = PendingCode::enter(&hello, typed)?;
        let phone_ephemeral =
            PairCodeUtils::decrypt_primary_ephemeral_pub(&pending.wrapped_ephemeral, shown)
                .unwrap();
        let account_key: [u8; 32] = account.public_key().public_key_bytes().try_into().unwrap();
        let (wrapped_bundle, companion_secret) = PairCodeUtils::prepare_key_bundle(
            &ephemeral,
            &phone_ephemeral,
            &account_key,
            &identity,
        )
        .unwrap();
        let finish = CompanionFinish {
            wrapped_bundle,
            identity: raw(&identity),
        };
        Ok((pending.finish(&finish, &account)?, companion_secret))
    }

    #[test]
    fn both_sides_derive_the_same_secret() {
        let (ours, theirs) = round("ABCD1234", "ABCD1234").unwrap();
        assert_eq!(ours, theirs);
    }

    #[test]
    fn a_wrong_code_is_found_out() {
        assert!(matches!(
            round("ABCD1234", "ABCD1235"),
            Err(PhoneError::Invalid(_))
        ));
    }

    #[test]
    fn a_code_may_be_typed_as_it_is_shown() {
        assert_eq!(normalize(" abcd-1234 ").unwrap(), "ABCD1234");
        assert!(normalize("ABCD-123O").is_err());
    }

    proptest! {
        #[test]
        fn a_typed_code_has_one_form(
            text in "\\PC{0,16}",
            typed in "[1-9A-HJ-NP-TV-Za-hj-np-tv-z]{4}[ -]{0,2}[1-9A-HJ-NP-TV-Za-hj-np-tv-z]{4}",
        ) {
            crate::fuzzing::link_code(&text);
            crate::fuzzing::link_code(&typed);
            prop_assert!(normalize(&typed).is_ok());
        }

        #[test]
        fn no_foreign_bundle_opens(wrapped in proptest::collection::vec(any::<u8>(), 0..160)) {
            crate::fuzzing::key_bundle(&wrapped);
        }
    }
}
