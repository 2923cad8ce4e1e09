//! The bytes in `engine_record.key`, and digests that stand for message keys.

use sha2::{Digest, Sha256};

/// Length of a digest that stands for a message's identifiers.
const MESSAGE_KEY_LEN: usize = 16;

/// A key of several parts: all but the last are preceded by their length, so
/// that no two lists of parts give the same key, and that those that begin
/// alike are neighbours.
pub(crate) fn composite(leading: &[&[u8]], last: &[u8]) -> Vec<u8> {
    let len = leading.iter().map(|part| part.len() + 2).sum::<usize>() + last.len();
    let mut key = Vec::with_capacity(len);
    for part in leading {
        // Longer parts cannot come from WhatsApp: a stanza's strings end far below.
        let part_len = u16::try_from(part.len()).unwrap_or(u16::MAX);
        key.extend_from_slice(&part_len.to_be_bytes());
        key.extend_from_slice(part);
    }
    key.extend_from_slice(last);
    key
}

/// The keys that begin with `prefix`: from itself up to the second value, which is excluded.
///
/// The prefix must not be all `0xff`.
pub(crate) fn range(prefix: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    let mut end = prefix.clone();
    while end.last() == Some(&0xff) {
        end.pop();
    }
    let last = end
        .last_mut()
        .expect("prefixes begin with the length of a short text");
    *last += 1;
    (prefix, end)
}

/// The key of a numbered record; sorts like the numbers.
pub(crate) fn number(id: u32) -> Vec<u8> {
    id.to_be_bytes().to_vec()
}

/// Reads what [`number`] wrote.
pub(crate) fn parse_number(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(key.try_into().ok()?))
}

/// A short key for what is only ever looked up by all of its parts: it keeps
/// the identifiers of messages out of the database, and the index small.
pub(crate) fn message(parts: &[&str]) -> Vec<u8> {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    digest.finalize()[..MESSAGE_KEY_LEN].to_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_range_of_a_prefix_ends_after_its_last_key() {
        assert_eq!(
            range(vec![0, 1, b'a']),
            (vec![0, 1, b'a'], vec![0, 1, b'b'])
        );
        assert_eq!(range(vec![0, 1, 0xff]), (vec![0, 1, 0xff], vec![0, 2]));
    }

    proptest! {
        #[test]
        fn numbers_sort_and_come_back(a: u32, b: u32) {
            prop_assert_eq!(parse_number(&number(a)), Some(a));
            prop_assert_eq!(number(a).cmp(&number(b)), a.cmp(&b));
        }

        #[test]
        fn a_composite_key_is_in_the_range_of_its_own_first_part_only(
            a in "[a-c]{0,3}", b in "[a-c]{0,3}", last in proptest::collection::vec(any::<u8>(), 0..4)
        ) {
            let (start, end) = range(composite(&[a.as_bytes()], b""));
            let key = composite(&[b.as_bytes()], &last);
            prop_assert_eq!(start <= key && key < end, a == b);
        }

        #[test]
        fn a_composite_key_says_what_its_parts_were(
            leading in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..4),
            last in proptest::collection::vec(any::<u8>(), 0..8),
        ) {
            let leading: Vec<_> = leading.iter().map(Vec::as_slice).collect();
            crate::fuzzing::composite_key(&leading, &last);
        }

        #[test]
        fn moving_a_border_between_parts_changes_a_message_key(a in "[a-b]{1,4}", b in "[a-b]{1,4}") {
            let joined = format!("{a}{b}");
            prop_assert_ne!(message(&[&a, &b]), message(&[&joined, ""]));
        }
    }
}
