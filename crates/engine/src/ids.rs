//! Message ids.

use wagate_model::message_id;

/// Makes a fresh message id to reserve before the first attempt to send.
#[must_use]
pub fn new_message_id() -> String {
    message_id(rand::random())
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
