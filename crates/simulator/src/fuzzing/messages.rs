//! What phones get inside of stanzas from other devices.

use wacore::messages::decode_plaintext;

use crate::phone::content::describe;
use crate::phone::link::verify_device_identity;
use crate::phone::signal::SignalState;

/// Decrypted messages are described or passed over, however they are nested.
pub fn phone_message(padded: &[u8]) {
    let unpadded = waproto::codec::message_decode(padded).ok();
    for message in [decode_plaintext(padded, 2).ok(), unpadded]
        .into_iter()
        .flatten()
    {
        if let Some(described) = describe(&message) {
            assert!(!described.kind.is_empty());
            let encoded = waproto::codec::message_to_vec(&message);
            let again = waproto::codec::message_decode(&encoded).expect("it is written to be read");
            assert_eq!(describe(&again), Some(described));
        }
    }
}

/// Nobody is vouched for by bytes that no account signed.
pub fn device_identity(bytes: &[u8]) {
    assert!(!verify_device_identity(bytes, &[7; 32], Some(&[9; 32])));
    // What begins a session is read before it is known who sends it.
    let _ = SignalState::identity_in(bytes);
}
