//! Callers that wait for the outcome of a send on this gateway.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use wagate_model::OutboxId;

/// Callers that wait, by the message that they wait for.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Mutex<HashMap<OutboxId, watch::Sender<bool>>>);

/// One caller's place; it leaves when dropped.
pub(crate) struct Waiting<'w> {
    waiters: &'w Waiters,
    id: OutboxId,
    finished: watch::Receiver<bool>,
}

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, HashMap<OutboxId, watch::Sender<bool>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to wait; look into the store after this, so that no outcome is missed.
    pub(crate) fn enter(&self, id: OutboxId) -> Waiting<'_> {
        let finished = self
            .lock()
            .entry(id)
            .or_insert_with(|| watch::Sender::new(false))
            .subscribe();
        Waiting {
            waiters: self,
            id,
            finished,
        }
    }

    /// Wakes everybody who waits for the message: its outcome is in the store.
    pub(crate) fn finish(&self, id: OutboxId) {
        if let Some(waiting) = self.lock().get(&id) {
            waiting.send_replace(true);
        }
    }
}

impl Waiting<'_> {
    /// Waits until the outcome is in the store.
    pub(crate) async fn finished(&mut self) {
        // The sender stays in the table as long as anybody waits.
        let _ = self.finished.wait_for(|is_finished| *is_finished).await;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiters = self.waiters.lock();
        if waiters
            .get(&self.id)
            .is_some_and(|sender| sender.receiver_count() <= 1)
        {
            waiters.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_hears_of_the_outcome_and_nothing_is_left() {
        let waiters = Waiters::default();
        let id = OutboxId::from_parts(1, 1);
        let mut first = waiters.enter(id);
        let mut second = waiters.enter(id);
        waiters.finish(id);
        first.finished().await;
        second.finished().await;
        drop(first);
        assert_eq!(waiters.lock().len(), 1);
        drop(second);
        assert_eq!(waiters.lock().len(), 0);
    }
}
