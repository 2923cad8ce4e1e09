//! What a client says of itself in the handshake: who it is, or that it wants to be linked.

use waproto::buffa::Message;
use waproto::whatsapp::client_payload::DevicePairingRegistrationData;
use waproto::whatsapp::{ClientPayload, DeviceProps};

use crate::server::Registration;
use crate::server::stanza::{key32, uint_be};

/// A read `ClientPayload`.
#[derive(Debug)]
pub(crate) struct Introduction {
    /// The client's version: primary, secondary, tertiary.
    pub(crate) version: [u32; 3],
    pub(crate) intent: Intent,
}

#[derive(Debug)]
pub(crate) enum Intent {
    /// A linked device logs in.
    Login {
        number: String,
        device_id: u16,
        is_passive: bool,
    },
    /// An unlinked companion wants to be linked.
    Register(Box<Registration>),
}

/// Reads a payload; `None` when it is neither a login nor a registration.
pub(crate) fn read(payload: &[u8], client_static: [u8; 32]) -> Option<Introduction> {
    let payload = ClientPayload::decode_from_slice(payload).ok()?;
    let version = &payload.user_agent.app_version;
    let version = [
        version.primary.unwrap_or_default(),
        version.secondary.unwrap_or_default(),
        version.tertiary.unwrap_or_default(),
    ];
    let intent = if let Some(username) = payload.username {
        Intent::Login {
            number: username.to_string(),
            device_id: u16::try_from(payload.device.unwrap_or_default()).ok()?,
            is_passive: payload.passive.unwrap_or_default(),
        }
    } else {
        let pairing = payload.device_pairing_data.into_option()?;
        let registration = registration(pairing, client_static, payload.push_name)?;
        Intent::Register(Box::new(registration))
    };
    Some(Introduction { version, intent })
}

fn registration(
    data: DevicePairingRegistrationData,
    noise_key: [u8; 32],
    push_name: Option<String>,
) -> Option<Registration> {
    let device_props = data.device_props.unwrap_or_default();
    let props = DeviceProps::decode_from_slice(&device_props).ok()?;
    Some(Registration {
        noise_key,
        identity: key32(&data.e_ident?)?,
        registration_id: uint_be(&data.e_regid?)?,
        signed_prekey_id: uint_be(&data.e_skey_id?)?,
        signed_prekey: key32(&data.e_skey_val?)?.to_vec(),
        signed_prekey_signature: data.e_skey_sig.filter(|signature| signature.len() == 64)?,
        platform: props.os.unwrap_or_default(),
        device_props,
        push_name: push_name.filter(|name| !name.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use waproto::buffa::MessageField;

    use super::*;

    #[test]
    fn a_login_names_its_device() {
        let payload = ClientPayload {
            username: Some(15_550_001_111),
            device: Some(3),
            passive: Some(true),
            ..Default::default()
        };
        let read = read(&payload.encode_to_vec(), [0; 32]).unwrap();
        assert!(matches!(
            read.intent,
            Intent::Login { number, device_id: 3, is_passive: true } if number == "15550001111"
        ));
    }

    #[test]
    fn a_registration_needs_whole_keys() {
        let data = DevicePairingRegistrationData {
            e_regid: Some(vec![0, 0, 1, 2]),
            e_ident: Some(vec![7; 32]),
            e_skey_id: Some(vec![0, 0, 1]),
            e_skey_val: Some(vec![8; 32]),
            e_skey_sig: Some(vec![9; 64]),
            ..Default::default()
        };
        let payload = |data| ClientPayload {
            device_pairing_data: MessageField::some(data),
            ..Default::default()
        };
        let whole = payload(data.clone()).encode_to_vec();
        let read_whole = read(&whole, [1; 32]).unwrap();
        let Intent::Register(registration) = read_whole.intent else {
            panic!("not a registration");
        };
        assert_eq!(registration.registration_id, 258);
        assert_eq!(registration.noise_key, [1; 32]);
        let broken = payload(DevicePairingRegistrationData {
            e_ident: Some(vec![7; 30]),
            ..data
        });
        assert!(read(&broken.encode_to_vec(), [1; 32]).is_none());
        assert!(read(b"\xff\xff", [1; 32]).is_none());
        assert!(read(b"", [1; 32]).is_none());
    }

    proptest! {
        #[test]
        fn whatever_a_client_says_is_a_login_or_a_whole_registration(
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
            username in proptest::option::of(any::<u64>()),
            device in proptest::option::of(any::<u32>()),
            push_name in proptest::option::of("\\PC{0,5}"),
            key in proptest::collection::vec(any::<u8>(), 30..36),
            id in proptest::collection::vec(any::<u8>(), 0..6),
            signature in proptest::collection::vec(any::<u8>(), 63..66),
        ) {
            crate::fuzzing::client_payload(&bytes);
            let payload = ClientPayload {
                username,
                device,
                push_name,
                device_pairing_data: MessageField::some(DevicePairingRegistrationData {
                    e_regid: Some(id.clone()),
                    e_ident: Some(key.clone()),
                    e_skey_id: Some(id),
                    e_skey_val: Some(key),
                    e_skey_sig: Some(signature),
                    device_props: Some(bytes),
                    ..Default::default()
                }),
                ..Default::default()
            };
            crate::fuzzing::client_payload(&payload.encode_to_vec());
        }
    }
}
