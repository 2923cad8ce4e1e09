//! Outbox ids that sort in the order in which they were drawn.

use std::sync::{Mutex, PoisonError};

use ulid::Ulid;
use wagate_model::OutboxId;

/// Draws ids that only grow, also within one millisecond and when the clock goes back.
#[derive(Debug, Default)]
pub(crate) struct OrderedIds(Mutex<Option<Ulid>>);

impl OrderedIds {
    /// The next id.
    pub(crate) fn next(&self, now_ms: i64) -> OutboxId {
        let now_ms = u64::try_from(now_ms).unwrap_or(0);
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match *last {
            // The random part overflows once in 2^80 steps: then the next millisecond begins.
            Some(last) if last.timestamp_ms() >= now_ms => last
                .increment()
                .unwrap_or_else(|_| Ulid::from_parts(last.timestamp_ms() + 1, 0)),
            _ => Ulid::from_parts(now_ms, rand::random::<u128>() >> 48),
        };
        *last = Some(next);
        OutboxId::new(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_within_a_millisecond_and_when_the_clock_goes_back() {
        let ids = OrderedIds::default();
        let drawn: Vec<_> = [5, 5, 5, 3, 6]
            .into_iter()
            .map(|now| ids.next(now))
            .collect();
        assert!(drawn.is_sorted());
        assert!(drawn.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
