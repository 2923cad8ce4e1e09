//! The `Range` header of downloads.

use std::ops::Range;

/// The bytes that are asked for: all, without a header or with one that cannot be read; `None`
/// when there are no such bytes.
pub(super) fn requested(header: Option<&str>, len: u64) -> Option<Range<u64>> {
    let Some((first, last)) = header
        .and_then(|header| header.strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
    else {
        return Some(0..len);
    };
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) => first..last.saturating_add(1).min(len),
        (Ok(first), Err(_)) if last.is_empty() => first..len,
        (Err(_), Ok(count)) if first.is_empty() => len.saturating_sub(count)..len,
        _ => return Some(0..len),
    };
    (!range.is_empty()).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_what_is_there() {
        for (header, expected) in [
            (None, Some(0..10)),
            (Some("bytes=2-4"), Some(2..5)),
            (Some("bytes=2-"), Some(2..10)),
            (Some("bytes=-3"), Some(7..10)),
            (Some("bytes=5-18446744073709551615"), Some(5..10)),
            (Some("bytes=10-"), None),
            (Some("bytes=4-2"), None),
            (Some("lines=1-2"), Some(0..10)),
            (Some("bytes=x-y"), Some(0..10)),
        ] {
            assert_eq!(requested(header, 10), expected, "{header:?}");
        }
    }
}
