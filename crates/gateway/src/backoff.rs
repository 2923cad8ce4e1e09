//! How long to wait after failures, and how to spread what happens at once.

use std::time::Duration;

/// The wait after a number of failures in a row: `min` doubled each time, at most
/// `max`, of which the upper half is left to chance (`chance` in 0 to 1).
pub(crate) fn backoff(failures: u32, min: Duration, max: Duration, chance: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    let full = min.saturating_mul(1 << doublings).min(max);
    full.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
}

/// A part of `span`, drawn by chance.
pub(crate) fn jitter(span: Duration) -> Duration {
    span.mul_f64(rand::random::<f64>())
}

/// [`backoff`] with its chance drawn here.
pub(crate) fn random_backoff(failures: u32, min: Duration, max: Duration) -> Duration {
    backoff(failures, min, max, rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIN: Duration = Duration::from_secs(1);
    const MAX: Duration = Duration::from_mins(1);

    #[test]
    fn waits_double_until_the_limit() {
        let waits: Vec<_> = (1..9)
            .map(|n| backoff(n, MIN, MAX, 1.0).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    proptest! {
        #[test]
        fn a_wait_is_never_longer_than_the_limit_nor_shorter_than_half_the_first(
            failures: u32, chance in 0.0..=1.0
        ) {
            let wait = backoff(failures, MIN, MAX, chance);
            prop_assert!(wait <= MAX && wait >= MIN / 2);
        }
    }
}
