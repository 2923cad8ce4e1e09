//! Sending limits that hold over restarts: two fixed windows a session.

use sqlx::FromRow;

use crate::error::Result;
use crate::leases::Owned;
use crate::text::Text;
use crate::tx::on;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;

/// How many sends are allowed; 0 or less: unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// A minute.
    pub per_minute: i64,
    /// An hour.
    pub per_hour: i64,
}

/// Whether a send may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateDecision {
    /// It may, and has been counted.
    Allowed,
    /// It may not, and has not been counted.
    Limited {
        /// When it may be tried again.
        retry_after_seconds: i64,
    },
}

#[derive(Debug, Clone, Copy, Default, FromRow)]
struct Windows {
    minute_start: i64,
    minute_count: i64,
    hour_start: i64,
    hour_count: i64,
}

impl Windows {
    /// Begins new windows where the stored ones are over (or in the future: the clock went back).
    fn at(self, now_ms: i64) -> Self {
        let minute_start = now_ms - now_ms.rem_euclid(MINUTE_MS);
        let hour_start = now_ms - now_ms.rem_euclid(HOUR_MS);
        Self {
            minute_start,
            minute_count: if self.minute_start == minute_start {
                self.minute_count
            } else {
                0
            },
            hour_start,
            hour_count: if self.hour_start == hour_start {
                self.hour_count
            } else {
                0
            },
        }
    }

    /// How long to wait until both windows have room; 0: they have.
    fn wait_ms(self, limits: RateLimits, now_ms: i64) -> i64 {
        let is_over = |limit: i64, count: i64| limit > 0 && count >= limit;
        let minute = if is_over(limits.per_minute, self.minute_count) {
            self.minute_start + MINUTE_MS - now_ms
        } else {
            0
        };
        let hour = if is_over(limits.per_hour, self.hour_count) {
            self.hour_start + HOUR_MS - now_ms
        } else {
            0
        };
        minute.max(hour)
    }
}

impl Owned<'_> {
    /// Counts a send in both windows, or in neither where one of them is full.
    pub async fn take_rate(&mut self, limits: RateLimits, now_ms: i64) -> Result<RateDecision> {
        let fresh = Windows::default().at(now_ms);
        // Counts from 1 where a stored window is over (or in the future: the clock went back),
        // and changes nothing where one of them is full.
        let has_counted = on!(self.tx, |conn| sqlx::query(
            "INSERT INTO rate_window AS w \
             (session_id, minute_start, minute_count, hour_start, hour_count) \
             VALUES ($1, $2, 1, $3, 1) ON CONFLICT (session_id) DO UPDATE SET \
             minute_start = excluded.minute_start, \
             minute_count = CASE WHEN w.minute_start = excluded.minute_start \
             THEN w.minute_count + 1 ELSE 1 END, \
             hour_start = excluded.hour_start, \
             hour_count = CASE WHEN w.hour_start = excluded.hour_start \
             THEN w.hour_count + 1 ELSE 1 END \
             WHERE ($4 <= 0 OR w.minute_start <> excluded.minute_start OR w.minute_count < $4) \
             AND ($5 <= 0 OR w.hour_start <> excluded.hour_start OR w.hour_count < $5)"
        )
        .bind(Text(self.session))
        .bind(fresh.minute_start)
        .bind(fresh.hour_start)
        .bind(limits.per_minute)
        .bind(limits.per_hour)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() > 0))?;
        if has_counted {
            return Ok(RateDecision::Allowed);
        }
        let stored: Windows = on!(self.tx, |conn| sqlx::query_as(
            "SELECT minute_start, minute_count, hour_start, hour_count FROM rate_window \
             WHERE session_id = $1"
        )
        .bind(Text(self.session))
        .fetch_one(conn)
        .await)?;
        let wait_ms = stored.at(now_ms).wait_ms(limits, now_ms).max(1);
        Ok(RateDecision::Limited {
            retry_after_seconds: (wait_ms + 999) / 1000,
        })
    }
}

impl Owned<'_> {
    /// When a send was last counted, in milliseconds since 1970, to the minute.
    pub async fn last_counted_at(&mut self) -> Result<Option<i64>> {
        Ok(on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT minute_start FROM rate_window WHERE session_id = $1"
        )
        .bind(Text(self.session))
        .fetch_optional(conn)
        .await)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RateLimits = RateLimits {
        per_minute: 2,
        per_hour: 3,
    };

    fn after(counts: (i64, i64), now_ms: i64) -> i64 {
        let windows = Windows {
            minute_start: now_ms - now_ms.rem_euclid(MINUTE_MS),
            minute_count: counts.0,
            hour_start: now_ms - now_ms.rem_euclid(HOUR_MS),
            hour_count: counts.1,
        };
        windows.wait_ms(LIMITS, now_ms)
    }

    #[test]
    fn the_longer_wait_counts() {
        let now = 10 * HOUR_MS + 5 * MINUTE_MS + 1_000;
        assert_eq!(after((1, 2), now), 0);
        assert_eq!(after((2, 2), now), MINUTE_MS - 1_000);
        assert_eq!(after((2, 3), now), HOUR_MS - 5 * MINUTE_MS - 1_000);
    }

    #[test]
    fn windows_begin_anew_also_when_the_clock_goes_back() {
        let full = Windows {
            minute_start: HOUR_MS,
            minute_count: 9,
            hour_start: HOUR_MS,
            hour_count: 9,
        };
        assert_eq!(full.at(HOUR_MS + 1).minute_count, 9);
        assert_eq!(full.at(HOUR_MS + MINUTE_MS).minute_count, 0);
        assert_eq!(full.at(HOUR_MS + MINUTE_MS).hour_count, 9);
        assert_eq!(full.at(5).hour_count, 0);
    }

    #[test]
    fn no_limit_never_waits() {
        let limits = RateLimits {
            per_minute: 0,
            per_hour: -1,
        };
        let windows = Windows {
            minute_count: 1_000_000,
            hour_count: 1_000_000,
            ..Windows::default()
        };
        assert_eq!(windows.wait_ms(limits, 1), 0);
    }
}
