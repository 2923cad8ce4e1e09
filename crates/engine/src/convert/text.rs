//! Text from the network.

/// How much of a quoted message's text is kept.
pub(super) const QUOTED_MAX_BYTES: usize = 4_096;

/// A text without NUL characters.
pub(super) fn clean(text: &str) -> String {
    if text.contains('\0') {
        text.replace('\0', "")
    } else {
        text.to_owned()
    }
}

/// A text, if there is any.
pub(super) fn present(text: Option<&str>) -> Option<String> {
    text.map(clean).filter(|text| !text.is_empty())
}

/// The beginning of a text, cut at a character boundary.
pub(super) fn cut(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}

/// A message id, if it is one: ids are stored and compared, so they are short and printable.
pub(super) fn message_id(text: Option<&str>) -> Option<String> {
    let text = text?;
    let is_id =
        !text.is_empty() && text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_id.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_printable() {
        assert_eq!(message_id(Some("3EB0AB")).as_deref(), Some("3EB0AB"));
        for bad in ["", "a b", "a\0", "é", &"A".repeat(129)] {
            assert_eq!(message_id(Some(bad)), None);
        }
    }

    proptest! {
        #[test]
        fn a_cut_text_is_a_beginning_within_the_limit(text in "\\PC{0,40}", max in 0usize..80) {
            let beginning = cut(&text, max);
            prop_assert!(beginning.len() <= max && text.starts_with(beginning));
            prop_assert!(text.len() <= max || beginning.len() + 4 > max);
        }

        #[test]
        fn clean_text_keeps_all_but_nul(text in "[a\\x00é]{0,20}") {
            prop_assert_eq!(clean(&text), text.replace('\0', ""));
        }
    }
}
