//! How long to wait before the next attempt.

use std::time::Duration;

use crate::DropReason;

/// A connection that lasted this long was a good one.
const STABLE_AFTER: Duration = Duration::from_secs(30);
const FIRST_MS: u64 = 500;
const CAP_MS: u64 = 60_000;
/// The least wait after WhatsApp limited the connections.
const RATE_LIMITED_MS: u64 = 60_000;

/// Doubling waits with jitter: 0.5 s, 1 s, 2 s … 60 s, each up to a quarter
/// shorter or longer, so that thousands of sessions do not come back at once.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// The wait after a lost connection that had lasted for `connected_for`.
    pub(super) fn next(
        &mut self,
        reason: DropReason,
        connected_for: Option<Duration>,
        jitter: f64,
    ) -> Duration {
        if connected_for.is_some_and(|lasted| lasted >= STABLE_AFTER) {
            self.failures = 0;
        }
        let doublings = self.failures.min(16);
        self.failures = self.failures.saturating_add(1);
        let wait_ms = (FIRST_MS << doublings).min(CAP_MS);
        let least_ms = match reason {
            DropReason::RateLimited => RATE_LIMITED_MS,
            _ => 0,
        };
        let factor = 0.75 + jitter.clamp(0.0, 1.0) / 2.0;
        Duration::from_millis(wait_ms.max(least_ms)).mul_f64(factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute() {
        let mut backoff = Backoff::default();
        let mut waits = Vec::new();
        for _ in 0..9 {
            waits.push(
                backoff
                    .next(DropReason::NetworkError, None, 0.5)
                    .as_millis(),
            );
        }
        assert_eq!(
            waits,
            [
                500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000
            ]
        );
    }

    #[test]
    fn a_stable_connection_starts_over_and_a_short_one_does_not() {
        let mut backoff = Backoff::default();
        for _ in 0..5 {
            backoff.next(
                DropReason::ClosedByServer,
                Some(Duration::from_secs(1)),
                0.5,
            );
        }
        assert_eq!(backoff.failures(), 5);
        let wait = backoff.next(DropReason::ClosedByServer, Some(STABLE_AFTER), 0.5);
        assert_eq!(wait, Duration::from_millis(FIRST_MS));
    }

    #[test]
    fn limits_are_respected_and_jitter_is_bounded() {
        let mut backoff = Backoff::default();
        let wait = backoff.next(DropReason::RateLimited, None, 0.0);
        assert_eq!(wait, Duration::from_secs(45));
        for jitter in [0.0, 0.3, 1.0, f64::MAX] {
            let wait = Backoff::default().next(DropReason::NetworkError, None, jitter);
            assert!((375..=625).contains(&wait.as_millis()));
        }
    }
}
