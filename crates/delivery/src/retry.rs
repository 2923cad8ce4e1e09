//! When a failed delivery is tried again: pure rules, with time and chance as parameters.

use std::time::{Duration, UNIX_EPOCH};

use wagate_model::RetryPolicy;

/// The longest wait between two attempts: 12 hours.
pub const MAX_WAIT_MS: i64 = 12 * 3600 * 1000;
/// The shortest wait that a receiver can ask for.
const MIN_ASKED_WAIT_MS: i64 = 1000;
/// How much of a wait chance may add, so that failures together do not come back together.
const JITTER: f64 = 0.2;

/// What a receiver answered, as far as it decides what comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reply {
    /// The status code of the answer; absent when there was none.
    pub status: Option<u16>,
    /// How long the receiver asks to wait, from its `Retry-After` header.
    pub retry_after_ms: Option<i64>,
}

/// What comes after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver has the event.
    Delivered,
    /// Try again after a wait.
    Retry {
        /// How long to wait.
        wait_ms: i64,
    },
    /// That was the last attempt.
    Dead,
    /// The receiver is gone for good (410): its webhook is to be disabled.
    Gone,
}

/// Judges an attempt: its number (1 for the first), its answer, and a number from 0 up to 1 drawn by chance.
#[must_use]
pub fn judge(policy: &RetryPolicy, attempt: u32, reply: Reply, chance: f64) -> Verdict {
    match reply.status {
        Some(200..=299) => Verdict::Delivered,
        Some(410) => Verdict::Gone,
        _ if i64::from(attempt) >= policy.attempts => Verdict::Dead,
        _ => {
            let wait_ms = match asked_wait_ms(reply) {
                Some(asked) => with_jitter(asked, chance),
                None => scheduled_wait_ms(policy, attempt, chance),
            };
            Verdict::Retry { wait_ms }
        }
    }
}

/// For how long the receiver asks to be left alone, with this and every other delivery.
#[must_use]
pub(crate) fn asked_wait_ms(reply: Reply) -> Option<i64> {
    let asked = reply
        .retry_after_ms
        .filter(|_| matches!(reply.status, Some(429 | 503)));
    asked.map(|asked| asked.clamp(MIN_ASKED_WAIT_MS, MAX_WAIT_MS))
}

/// The wait after a failed attempt (1 for the first) by the policy alone.
#[must_use]
pub fn scheduled_wait_ms(policy: &RetryPolicy, attempt: u32, chance: f64) -> i64 {
    let base = policy
        .delay_seconds
        .max(0)
        .saturating_mul(1000)
        .min(MAX_WAIT_MS);
    if policy.policy != "exponential" {
        return base;
    }
    // 2^16 times the shortest delay is beyond the longest wait already.
    let doublings = attempt.saturating_sub(1).min(16);
    with_jitter(base.saturating_mul(1 << doublings).min(MAX_WAIT_MS), chance)
}

/// Lengthens a wait by chance; near the longest wait, shortens it instead.
fn with_jitter(wait_ms: i64, chance: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "waits are at most 12 hours, which both types hold exactly"
    )]
    let extra = (wait_ms as f64 * JITTER * chance.clamp(0.0, 1.0)) as i64;
    if wait_ms + extra > MAX_WAIT_MS {
        wait_ms - extra
    } else {
        wait_ms + extra
    }
}

/// Reads a `Retry-After` header (RFC 9110, section 10.2.3): seconds, or a date.
#[must_use]
pub fn parse_retry_after(value: &str, now_ms: i64) -> Option<i64> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit stand for a very long wait, which is cut later.
        return Some(
            value
                .parse::<i64>()
                .unwrap_or(i64::MAX)
                .saturating_mul(1000),
        );
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let since_epoch: Duration = date.duration_since(UNIX_EPOCH).ok()?;
    let date_ms = i64::try_from(since_epoch.as_millis()).ok()?;
    Some(date_ms.saturating_sub(now_ms).max(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn status(status: u16) -> Reply {
        Reply {
            status: Some(status),
            retry_after_ms: None,
        }
    }

    #[test]
    fn the_default_policy_doubles_from_two_seconds_to_twelve_hours() {
        let policy = RetryPolicy::default();
        let waits: Vec<_> = (1..15)
            .map(|attempt| scheduled_wait_ms(&policy, attempt, 0.0) / 1000)
            .collect();
        assert_eq!(
            waits,
            [
                2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384
            ]
        );
        assert_eq!(scheduled_wait_ms(&policy, 40, 0.0), MAX_WAIT_MS);
    }

    #[test]
    fn any_other_policy_is_constant() {
        let policy = RetryPolicy {
            attempts: 9,
            delay_seconds: 7,
            policy: "linear".into(),
        };
        for attempt in 1..9 {
            assert_eq!(scheduled_wait_ms(&policy, attempt, 0.9), 7000);
        }
    }

    #[test]
    fn answers_decide() {
        let policy = RetryPolicy::default();
        let of = |reply| judge(&policy, 1, reply, 0.0);
        for accepted in [200, 201, 202, 204, 299] {
            assert_eq!(of(status(accepted)), Verdict::Delivered);
        }
        assert_eq!(of(status(410)), Verdict::Gone);
        for failed in [
            100, 199, 300, 301, 302, 304, 307, 308, 400, 401, 404, 429, 500, 503, 599,
        ] {
            assert_eq!(
                of(status(failed)),
                Verdict::Retry { wait_ms: 2000 },
                "{failed}"
            );
        }
        assert_eq!(of(Reply::default()), Verdict::Retry { wait_ms: 2000 });
    }

    #[test]
    fn the_last_attempt_buries_but_may_still_deliver() {
        let policy = RetryPolicy {
            attempts: 3,
            ..RetryPolicy::default()
        };
        assert_eq!(judge(&policy, 3, status(500), 0.0), Verdict::Dead);
        assert_eq!(judge(&policy, 3, status(200), 0.0), Verdict::Delivered);
        assert_eq!(judge(&policy, 3, status(410), 0.0), Verdict::Gone);
    }

    #[test]
    fn retry_after_counts_for_429_and_503_only_and_within_bounds() {
        let policy = RetryPolicy::default();
        let of = |code, retry_after_ms| {
            judge(
                &policy,
                1,
                Reply {
                    status: Some(code),
                    retry_after_ms: Some(retry_after_ms),
                },
                0.0,
            )
        };
        assert_eq!(of(429, 90_000), Verdict::Retry { wait_ms: 90_000 });
        assert_eq!(of(503, 90_000), Verdict::Retry { wait_ms: 90_000 });
        assert_eq!(of(500, 90_000), Verdict::Retry { wait_ms: 2000 });
        assert_eq!(of(429, 0), Verdict::Retry { wait_ms: 1000 });
        assert_eq!(
            of(429, i64::MAX),
            Verdict::Retry {
                wait_ms: MAX_WAIT_MS
            }
        );
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        let now_ms = 784_111_777_000; // Sun, 06 Nov 1994 08:49:37 GMT
        assert_eq!(parse_retry_after("120", now_ms), Some(120_000));
        assert_eq!(parse_retry_after(" 5 ", now_ms), Some(5000));
        assert_eq!(
            parse_retry_after("99999999999999999999", now_ms),
            Some(i64::MAX)
        );
        for date in [
            "Sun, 06 Nov 1994 08:50:37 GMT",
            "Sunday, 06-Nov-94 08:50:37 GMT",
            "Sun Nov  6 08:50:37 1994",
        ] {
            assert_eq!(parse_retry_after(date, now_ms), Some(60_000), "{date}");
        }
        assert_eq!(
            parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now_ms),
            Some(0)
        );
        for wrong in ["", "soon", "-1", "1.5", "Sun, 06 Nov 1994"] {
            assert_eq!(parse_retry_after(wrong, now_ms), None, "{wrong}");
        }
    }

    fn policies() -> impl Strategy<Value = RetryPolicy> {
        (
            any::<i64>(),
            any::<i64>(),
            prop_oneof!["exponential", "constant"],
        )
            .prop_map(|(attempts, delay_seconds, policy)| RetryPolicy {
                attempts,
                delay_seconds,
                policy,
            })
    }

    proptest! {
        #[test]
        fn waits_stay_within_bounds(
            policy in policies(),
            attempt in any::<u32>(),
            code in proptest::option::of(any::<u16>()),
            retry_after_ms in proptest::option::of(any::<i64>()),
            chance in any::<f64>(),
        ) {
            let reply = Reply { status: code, retry_after_ms };
            match judge(&policy, attempt, reply, chance) {
                Verdict::Retry { wait_ms } => {
                    prop_assert!((0..=MAX_WAIT_MS).contains(&wait_ms));
                    prop_assert!(i64::from(attempt) < policy.attempts);
                }
                Verdict::Delivered => prop_assert!(matches!(code, Some(200..=299))),
                Verdict::Gone => prop_assert_eq!(code, Some(410)),
                Verdict::Dead => prop_assert!(i64::from(attempt) >= policy.attempts),
            }
        }

        #[test]
        fn jitter_stays_within_a_fifth(
            delay_seconds in 0..=43_200_i64,
            attempt in 1..60_u32,
            chance in 0.0..1.0_f64,
        ) {
            let policy = RetryPolicy { delay_seconds, ..RetryPolicy::default() };
            let plain = scheduled_wait_ms(&policy, attempt, 0.0);
            let spread = (scheduled_wait_ms(&policy, attempt, chance) - plain).abs();
            prop_assert!(spread * 5 <= plain);
            prop_assert!(scheduled_wait_ms(&policy, attempt + 1, 0.0) >= plain);
        }

        #[test]
        fn no_header_makes_a_wait_without_bounds(
            value in ".{0,40}|[0-9]{1,25}|[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:00:00 GMT",
            now_ms in any::<i64>(),
        ) {
            crate::fuzzing::retry_after(&value, now_ms);
        }
    }
}
