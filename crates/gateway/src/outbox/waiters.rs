//! Callers that wait for the outcome of a send on this gateway.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use wagate_model::OutboxId;

use super::outcome::Outcome;

/// Callers that wait, by the message that they wait for.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Mutex<Table>);

type Table = HashMap<OutboxId, watch::Sender<Option<Outcome>>>;

/// One caller's place; it leaves when dropped.
pub(crate) struct Waiting<'w> {
    waiters: &'w Waiters,
    id: OutboxId,
    outcome: watch::Receiver<Option<Outcome>>,
}

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to wait; look into the store after this for a message that is not new, so that
    /// no outcome is missed.
    pub(crate) fn enter(&self, id: OutboxId) -> Waiting<'_> {
        let outcome = self
            .lock()
            .entry(id)
            .or_insert_with(|| watch::Sender::new(None))
            .subscribe();
        Waiting {
            waiters: self,
            id,
            outcome,
        }
    }

    /// Tells everybody who waits for the message its outcome, which is in the store.
    pub(crate) fn finish(&self, id: OutboxId, outcome: Outcome) {
        if let Some(waiting) = self.lock().get(&id) {
            waiting.send_replace(Some(outcome));
        }
    }
}

impl Waiting<'_> {
    /// Waits until the outcome is in the store, and gives it.
    pub(crate) async fn outcome(&mut self) -> Outcome {
        let found = {
            let found = self.outcome.wait_for(Option::is_some).await;
            found.ok().and_then(|outcome| outcome.clone())
        };
        match found {
            Some(outcome) => outcome,
            // The sender stays in the table as long as anybody waits.
            None => std::future::pending().await,
        }
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
    use wagate_model::{MessageStatus, SendMode};

    use super::*;

    #[tokio::test]
    async fn everybody_hears_of_the_outcome_and_nothing_is_left() {
        let waiters = Waiters::default();
        let id = OutboxId::from_parts(1, 1);
        let mut first = waiters.enter(id);
        let mut second = waiters.enter(id);
        let outcome = Outcome::sent(SendMode::Sync, "3EB0", MessageStatus::Sent, 5);
        waiters.finish(id, outcome.clone());
        assert_eq!(first.outcome().await, outcome);
        assert_eq!(second.outcome().await, outcome);
        drop(first);
        assert_eq!(waiters.lock().len(), 1);
        drop(second);
        assert_eq!(waiters.lock().len(), 0);
    }
}
