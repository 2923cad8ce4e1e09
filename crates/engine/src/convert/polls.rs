//! Polls and votes.

use wagate_model::PollData;
use whatsapp_rust::wacore;
use whatsapp_rust::waproto::whatsapp as wa;

use super::text::clean;

/// WhatsApp allows 12 options; more is not kept.
const OPTIONS_MAX: usize = 64;

/// The hash by which a vote names an option: SHA-256 of its text.
#[must_use]
pub fn poll_option_hash(option: &str) -> [u8; 32] {
    wacore::poll::compute_option_hash(option)
}

/// The poll that a message creates; the versions differ in what they may have, not in shape.
pub(super) fn poll(message: &wa::Message) -> Option<PollData> {
    let poll = [
        &message.poll_creation_message,
        &message.poll_creation_message_v2,
        &message.poll_creation_message_v3,
        &message.poll_creation_message_v5,
        &message.poll_creation_message_v6,
    ]
    .into_iter()
    .find_map(|version| version.as_option())?;
    Some(PollData {
        end_time: poll.end_time.and_then(end_time_ms),
        hide_votes: poll.hide_participant_name,
        name: clean(poll.name.as_deref().unwrap_or_default()),
        options: poll
            .options
            .iter()
            .take(OPTIONS_MAX)
            .filter_map(|option| option.option_name.as_deref())
            .map(clean)
            .collect(),
        selectable_count: poll.selectable_options_count.unwrap_or(0).into(),
    })
}

/// Clients differ in whether they write seconds or milliseconds; nothing ends before 2001.
pub(super) fn end_time_ms(time: i64) -> Option<i64> {
    const YEAR_5138_IN_SECONDS: i64 = 100_000_000_000;
    match time {
        ..=0 => None,
        1..YEAR_5138_IN_SECONDS => Some(time.saturating_mul(1_000)),
        _ => Some(time),
    }
}

/// The 32-byte hashes of a decrypted vote; anything else is no option.
pub(crate) fn option_hashes(selected: Vec<Vec<u8>>) -> Vec<[u8; 32]> {
    selected
        .into_iter()
        .take(OPTIONS_MAX)
        .filter_map(|hash| hash.try_into().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_read_in_seconds_and_milliseconds() {
        assert_eq!(end_time_ms(1_700_000_000), Some(1_700_000_000_000));
        assert_eq!(end_time_ms(1_700_000_000_000), Some(1_700_000_000_000));
        assert_eq!(end_time_ms(0), None);
        assert_eq!(end_time_ms(i64::MAX), Some(i64::MAX));
    }

    #[test]
    fn options_are_named_by_sha_256() {
        let hash = poll_option_hash("Yes");
        assert_eq!(hash[..4], [0x85, 0xa3, 0x9a, 0xb3]);
        assert_eq!(option_hashes(vec![hash.to_vec(), vec![1, 2]]), [hash]);
    }
}
