//! How long a person would type a text.

use std::time::Duration;

/// What somebody types per minute on a phone, quick rather than slow.
const CHARS_PER_SECOND: u32 = 14;
/// Shorter than this, nobody sees the indicator.
const SHORTEST: Duration = Duration::from_millis(600);

/// For how long typing is shown before a text: by its length, within limits, and
/// varied by a quarter (`chance` in 0 to 1).
pub(crate) fn typing_time(text: &str, longest: Duration, chance: f64) -> Duration {
    let chars = u32::try_from(text.chars().take(100_000).count()).unwrap_or(u32::MAX);
    let plain = Duration::from_secs(u64::from(chars)) / CHARS_PER_SECOND;
    plain
        .mul_f64(0.75 + 0.5 * chance.clamp(0.0, 1.0))
        .max(SHORTEST)
        .min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(5);

    #[test]
    fn a_longer_text_takes_longer_up_to_the_limit() {
        let short = typing_time("hi", LONGEST, 0.5);
        let medium = typing_time(&"a".repeat(40), LONGEST, 0.5);
        let long = typing_time(&"a".repeat(4_000), LONGEST, 0.5);
        assert_eq!(short, SHORTEST);
        assert!(medium > short && medium < LONGEST);
        assert_eq!(long, LONGEST);
    }

    #[test]
    fn the_limit_wins_over_the_shortest_time() {
        assert_eq!(
            typing_time("hi", Duration::from_millis(10), 1.0),
            Duration::from_millis(10)
        );
    }
}
