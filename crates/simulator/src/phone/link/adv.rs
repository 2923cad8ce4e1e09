//! Signed device identities: how a primary vouches for its companions.
//!
//! Prefixes and layout: wacore `pair` and `adv`, which verify what is made here.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use wacore::adv::{AdvValidation, validate_adv_with_identity_key};
use wacore_libsignal::protocol::{IdentityKeyPair, SignalProtocolError};
use waproto::buffa::Message as _;
use waproto::whatsapp as wa;

use crate::phone::error::PhoneError;

const ACCOUNT_SIGNATURE_PREFIX: [u8; 2] = [6, 0];
const KEY_INDEX_LIST_PREFIX: [u8; 2] = [6, 2];

/// What a companion is vouched for with.
pub(crate) struct CompanionIdentity<'a> {
    /// The companion's identity key, 32 bytes.
    pub(crate) identity: &'a [u8; 32],
    /// The secret that only the companion and the primary know.
    pub(crate) adv_secret: &'a [u8; 32],
    /// The companion's index in the account's key index list.
    pub(crate) key_index: u32,
    /// The account's raw id, the same in every one of its identities.
    pub(crate) raw_id: u32,
    /// When the link was made, in seconds since the Unix epoch.
    pub(crate) timestamp_s: u64,
}

/// The `ADVSignedDeviceIdentityHMAC` that the server carries to the companion.
pub(crate) fn sign_companion(
    account: &IdentityKeyPair,
    companion: &CompanionIdentity<'_>,
) -> Result<Vec<u8>, PhoneError> {
    let details = wa::ADVDeviceIdentity {
        raw_id: Some(companion.raw_id),
        timestamp: Some(companion.timestamp_s),
        key_index: Some(companion.key_index),
        account_type: Some(wa::ADVEncryptionType::E2EE),
        device_type: Some(wa::ADVEncryptionType::E2EE),
    }
    .encode_to_vec();
    let signed = wa::ADVSignedDeviceIdentity {
        account_signature: Some(sign(
            account,
            &[&ACCOUNT_SIGNATURE_PREFIX, &details, companion.identity],
        )?),
        account_signature_key: Some(account.public_key().public_key_bytes().to_vec()),
        details: Some(details),
        ..Default::default()
    }
    .encode_to_vec();
    let mut mac = Hmac::<Sha256>::new_from_slice(companion.adv_secret)
        .map_err(|_| PhoneError::internal("the secret is not a valid key"))?;
    mac.update(&signed);
    Ok(wa::ADVSignedDeviceIdentityHMAC {
        details: Some(signed),
        hmac: Some(mac.finalize().into_bytes().to_vec()),
        account_type: Some(wa::ADVEncryptionType::E2EE),
    }
    .encode_to_vec())
}

/// The `ADVSignedKeyIndexList` that names the companions which are still linked.
pub(crate) fn key_index_list(
    account: &IdentityKeyPair,
    raw_id: u32,
    timestamp_s: u64,
    valid_indexes: Vec<u32>,
) -> Result<Vec<u8>, PhoneError> {
    let details = wa::ADVKeyIndexList {
        raw_id: Some(raw_id),
        timestamp: Some(timestamp_s),
        current_index: Some(valid_indexes.iter().copied().max().unwrap_or_default()),
        valid_indexes,
        account_type: Some(wa::ADVEncryptionType::E2EE),
    }
    .encode_to_vec();
    Ok(wa::ADVSignedKeyIndexList {
        account_signature: Some(sign(account, &[&KEY_INDEX_LIST_PREFIX, &details])?),
        account_signature_key: Some(account.public_key().public_key_bytes().to_vec()),
        details: Some(details),
    }
    .encode_to_vec())
}

/// Whether a companion's `<device-identity>` binds `identity` to its account.
///
/// `account` is the primary's identity key when it is known; an identity signed by
/// any other account is then refused even if its own chain holds.
pub(crate) fn verify_device_identity(
    device_identity: &[u8],
    identity: &[u8; 32],
    account: Option<&[u8; 32]>,
) -> bool {
    let Ok(signed) = wa::ADVSignedDeviceIdentity::decode_from_slice(device_identity) else {
        return false;
    };
    let named = signed
        .account_signature_key
        .as_deref()
        .filter(|key| !key.is_empty());
    if let (Some(named), Some(account)) = (named, account)
        && named != account.as_slice()
    {
        return false;
    }
    validate_adv_with_identity_key(device_identity, identity, account) != AdvValidation::Invalid
}

fn sign(account: &IdentityKeyPair, parts: &[&[u8]]) -> Result<Vec<u8>, PhoneError> {
    let signature = account
        .private_key()
        .calculate_signature(&parts.concat(), &mut rand::make_rng::<rand::rngs::StdRng>())
        .map_err(SignalProtocolError::from)?;
    Ok(signature.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wacore::adv::decode_key_index_list;
    use wacore::pair::{DeviceState, PairUtils};
    use wacore_libsignal::protocol::KeyPair;

    fn raw(pair: &KeyPair) -> [u8; 32] {
        pair.public_key.public_key_bytes().try_into().unwrap()
    }

    #[test]
    fn a_companion_accepts_the_identity_and_others_verify_it() {
        let mut rng = rand::make_rng::<rand::rngs::StdRng>();
        let account = IdentityKeyPair::generate(&mut rng);
        let companion = DeviceState {
            identity_key: KeyPair::generate(&mut rng),
            noise_key: KeyPair::generate(&mut rng),
            adv_secret_key: [9; 32],
        };
        let identity = raw(&companion.identity_key);
        let bytes = sign_companion(
            &account,
            &CompanionIdentity {
                identity: &identity,
                adv_secret: &[9; 32],
                key_index: 3,
                raw_id: 77,
                timestamp_s: 1_700_000_000,
            },
        )
        .unwrap();
        let (self_signed, key_index) = PairUtils::do_pair_crypto(&companion, &bytes).unwrap();
        assert_eq!(key_index, 3);
        let account_key: [u8; 32] = account.public_key().public_key_bytes().try_into().unwrap();
        assert!(verify_device_identity(
            &self_signed,
            &identity,
            Some(&account_key)
        ));
        assert!(!verify_device_identity(
            &self_signed,
            &[5; 32],
            Some(&account_key)
        ));
        let stranger = raw(&KeyPair::generate(&mut rng));
        assert!(!verify_device_identity(
            &self_signed,
            &identity,
            Some(&stranger)
        ));
    }

    #[test]
    fn the_key_index_list_says_who_is_linked() {
        let account = IdentityKeyPair::generate(&mut rand::make_rng::<rand::rngs::StdRng>());
        let bytes = key_index_list(&account, 77, 5, vec![2, 4]).unwrap();
        let decoded = decode_key_index_list(&bytes).unwrap();
        assert_eq!(decoded.raw_id, 77);
        assert_eq!(decoded.current_index, 4);
        assert_eq!(decoded.valid_indexes, vec![2, 4]);
    }

    proptest! {
        #[test]
        fn no_foreign_bytes_vouch(
            bytes in proptest::collection::vec(any::<u8>(), 0..120),
            details in proptest::collection::vec(any::<u8>(), 0..40),
            key in any::<[u8; 32]>(),
            signature in proptest::collection::vec(any::<u8>(), 60..66),
        ) {
            crate::fuzzing::device_identity(&bytes);
            let signed = wa::ADVSignedDeviceIdentity {
                details: Some(details),
                account_signature_key: Some(key.to_vec()),
                account_signature: Some(signature.clone()),
                device_signature: Some(signature),
            };
            crate::fuzzing::device_identity(&signed.encode_to_vec());
        }
    }
}
