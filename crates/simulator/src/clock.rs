//! The only place that reads the machine's time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the simulator takes the time from: the machine, or a test.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    fixed_ms: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// A clock that follows the machine's time.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still at `now_ms` until [`Clock::advance_ms`] moves it.
    pub fn fixed(now_ms: i64) -> Self {
        Self {
            fixed_ms: Some(Arc::new(AtomicI64::new(now_ms))),
        }
    }

    /// Moves a fixed clock forward; a system clock is not affected.
    pub fn advance_ms(&self, by_ms: i64) {
        if let Some(fixed) = &self.fixed_ms {
            fixed.fetch_add(by_ms, Ordering::SeqCst);
        }
    }

    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        match &self.fixed_ms {
            Some(fixed) => fixed.load(Ordering::SeqCst),
            None => machine_now_ms(),
        }
    }

    /// Seconds since the Unix epoch, the unit of every `t` attribute on the wire.
    pub fn now_s(&self) -> i64 {
        self.now_ms() / 1_000
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the simulator reads the machine's time"
)]
fn machine_now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| {
            i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_moves_only_when_told() {
        let clock = Clock::fixed(5_000);
        assert_eq!(clock.now_ms(), 5_000);
        clock.advance_ms(1_500);
        assert_eq!(clock.now_ms(), 6_500);
        assert_eq!(clock.now_s(), 6);
    }
}
