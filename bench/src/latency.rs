//! Percentiles of durations.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Collected durations.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn add(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    pub(crate) fn absorb(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The duration that a share (in per mille) of all stays below.
    fn at(&self, per_mille: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let index = (sorted.len() * per_mille / 1_000).min(sorted.len().saturating_sub(1));
        sorted.get(index).copied().unwrap_or_default()
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |per_mille| self.at(per_mille).as_secs_f64() * 1_000.0;
        write!(
            f,
            "p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
            ms(500),
            ms(900),
            ms(990),
            ms(1_000)
        )
    }
}

/// Asks for something over and over until something else is over.
pub(crate) async fn watch<F: Future>(is_over: &AtomicBool, ask: impl Fn() -> F) -> Latencies {
    let mut latencies = Latencies::default();
    while !is_over.load(Ordering::Acquire) {
        let asked = Instant::now();
        ask().await;
        latencies.add(asked.elapsed());
    }
    latencies
}
