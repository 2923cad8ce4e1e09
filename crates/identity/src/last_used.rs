//! When keys were last used: noted at most once a minute each, written together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;
use wagate_model::ApiKeyId;
use wagate_store::{Lane, StoreError};

use crate::service::Identity;

const NOTED_EVERY_MS: i64 = 60_000;
const WRITTEN_EVERY: Duration = Duration::from_secs(10);

/// The times that are not written yet.
#[derive(Default)]
pub(crate) struct LastUsed(Mutex<HashMap<ApiKeyId, i64>>);

impl LastUsed {
    fn waiting_times(&self) -> MutexGuard<'_, HashMap<ApiKeyId, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a use, unless one was noted less than a minute ago.
    pub(crate) fn note(&self, id: ApiKeyId, last_noted_at_ms: &AtomicI64, now_ms: i64) {
        let last = last_noted_at_ms.load(Ordering::Relaxed);
        if now_ms.saturating_sub(last) < NOTED_EVERY_MS {
            return;
        }
        let is_first = last_noted_at_ms
            .compare_exchange(last, now_ms, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
        if is_first {
            self.waiting_times().insert(id, now_ms);
        }
    }

    /// The time of a key that is not written yet.
    pub(crate) fn waiting(&self, id: ApiKeyId) -> Option<i64> {
        self.waiting_times().get(&id).copied()
    }
}

impl Identity {
    /// Writes the noted times of use in one transaction; on failure they are kept for the next try.
    pub async fn write_last_used(&self) -> Result<(), StoreError> {
        let used: Vec<_> = std::mem::take(&mut *self.0.last_used.waiting_times())
            .into_iter()
            .collect();
        if used.is_empty() {
            return Ok(());
        }
        let rows = used.clone();
        let written = self
            .0
            .store
            .write(Lane::SHARED, move |tx| {
                async move { tx.admin().touch_api_keys(&rows).await }.boxed()
            })
            .await;
        if written.is_err() {
            let mut waiting = self.0.last_used.waiting_times();
            for (id, at_ms) in used {
                let kept = waiting.entry(id).or_insert(at_ms);
                *kept = at_ms.max(*kept);
            }
        }
        written
    }

    /// Does what is to be done all the time until stopped: writes times of use every few
    /// seconds, and a last time then; follows the keys of login tokens.
    pub async fn run(&self, stop: CancellationToken) {
        tokio::join!(self.write_times(stop.clone()), self.keep_token_keys(stop));
    }

    async fn write_times(&self, stop: CancellationToken) {
        loop {
            let is_stopped = stop
                .run_until_cancelled(tokio::time::sleep(WRITTEN_EVERY))
                .await
                .is_none();
            if let Err(error) = self.write_last_used().await {
                tracing::warn!(error = %error, "the times of use of api keys were not written");
            }
            if is_stopped {
                return;
            }
        }
    }
}
