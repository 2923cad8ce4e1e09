//! How long a start may take. No I/O in here.

use tokio::time::Instant;

/// How often a login that WhatsApp still answers is given more time.
const MAX_EXTENSIONS: u32 = 10;

/// When a start, or a wait for the next connection, counts as failed.
#[derive(Debug, Default)]
pub(super) struct Patience {
    ends_at: Option<Instant>,
    extensions: u32,
    seen_traffic_ms: Option<i64>,
}

impl Patience {
    /// Waits until then; the last traffic so far is no sign of life.
    pub(super) fn until(ends_at: Instant, last_traffic_ms: Option<i64>) -> Self {
        Self {
            ends_at: Some(ends_at),
            extensions: 0,
            seen_traffic_ms: last_traffic_ms,
        }
    }

    /// When it is over; never where nothing is waited for.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        self.ends_at
    }

    /// Waits longer for a login that WhatsApp has sent something to since the last look, as
    /// when a long backlog comes in; whether it does.
    ///
    /// Not for ever: answers to keepalives are traffic too.
    pub(super) fn extend(&mut self, ends_at: Instant, last_traffic_ms: Option<i64>) -> bool {
        let has_moved = last_traffic_ms != self.seen_traffic_ms;
        if !has_moved || self.extensions >= MAX_EXTENSIONS {
            return false;
        }
        self.extensions += 1;
        self.seen_traffic_ms = last_traffic_ms;
        self.ends_at = Some(ends_at);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_login_gets_more_time_while_something_comes_but_not_for_ever() {
        let now = Instant::now();
        let mut patience = Patience::until(now, Some(4));
        assert!(!patience.extend(now, Some(4)), "nothing has come");
        assert!(patience.extend(now + Duration::from_secs(1), Some(5)));
        assert_eq!(patience.ends_at(), Some(now + Duration::from_secs(1)));
        assert!(!patience.extend(now, Some(5)), "nothing has come since");
        let extended = (6..100).take_while(|ms| patience.extend(now, Some(*ms)));
        assert!(extended.count() < 20);
    }
}
