//! What goes around a message before it is encrypted.

use rand::Rng as _;
use wacore::messages::MessageUtils;
use waproto::buffa::MessageField;
use waproto::whatsapp as wa;

/// A new message id, in the form that phones make: 32 hexadecimal digits.
pub(crate) fn new_message_id() -> String {
    let mut bytes = [0_u8; 16];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode_upper(bytes)
}

/// Adds the secret that later additions (votes, edits, reactions) are encrypted with.
pub(crate) fn with_secret(mut message: wa::Message) -> wa::Message {
    let mut secret = vec![0_u8; 32];
    rand::rng().fill_bytes(&mut secret);
    message
        .message_context_info
        .get_or_insert_default()
        .message_secret = Some(secret);
    message
}

/// The copy of a sent message that the sender's own other devices get.
pub(crate) fn device_sent(destination_jid: &str, message: &wa::Message) -> wa::Message {
    let mut inner = message.clone();
    let context = inner.message_context_info.take();
    wa::Message {
        device_sent_message: MessageField::some(wa::message::DeviceSentMessage {
            destination_jid: Some(destination_jid.to_owned()),
            message: MessageField::some(inner),
            ..Default::default()
        }),
        message_context_info: context.into(),
        ..Default::default()
    }
}

/// The bytes to encrypt: the message and the random padding of protocol version 2.
pub(crate) fn encode_padded(message: &wa::Message) -> Vec<u8> {
    MessageUtils::encode_and_pad(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wacore::messages::{decode_plaintext, unwrap_device_sent};

    #[test]
    fn a_copy_for_own_devices_unwraps_to_the_message() {
        let message = with_secret(wa::Message {
            conversation: Some("hello".to_owned()),
            ..Default::default()
        });
        let padded = encode_padded(&device_sent("1@lid", &message));
        let copy = decode_plaintext(&padded, 2).unwrap();
        let destination = copy.device_sent_message.as_option().unwrap();
        assert_eq!(destination.destination_jid.as_deref(), Some("1@lid"));
        let inner = unwrap_device_sent(copy);
        assert_eq!(inner.conversation.as_deref(), Some("hello"));
        assert_eq!(
            inner
                .message_context_info
                .as_option()
                .unwrap()
                .message_secret,
            message
                .message_context_info
                .as_option()
                .unwrap()
                .message_secret
        );
    }

    #[test]
    fn ids_are_what_phones_make() {
        let id = new_message_id();
        assert_eq!(id.len(), 32);
        assert!(
            id.bytes()
                .all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b))
        );
    }
}
