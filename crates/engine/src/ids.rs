//! Message ids.

use rand::Rng;

/// Makes a fresh message id to reserve before the first attempt to send.
///
/// The form is WhatsApp Web's: `3EB0` and 18 hexadecimal digits (source:
/// wacore's `RequestUtils::generate_message_id`); 72 random bits keep ids of
/// many senders apart.
#[must_use]
pub fn new_message_id() -> String {
    let mut random = [0u8; 9];
    rand::rng().fill_bytes(&mut random);
    random.iter().fold(String::from("3EB0"), |mut id, byte| {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        id.push(char::from(DIGITS[usize::from(byte >> 4)]));
        id.push(char::from(DIGITS[usize::from(byte & 0x0F)]));
        id
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn ids_have_whatsapp_webs_form_and_differ() {
        let ids: HashSet<_> = (0..1_000).map(|_| super::new_message_id()).collect();
        assert_eq!(ids.len(), 1_000);
        for id in ids {
            assert_eq!(id.len(), 22);
            assert!(id.starts_with("3EB0"));
            assert!(
                id.bytes()
                    .all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b))
            );
        }
    }
}
