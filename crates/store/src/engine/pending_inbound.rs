//! Decrypted messages that wait to be committed, and how their commit clears them.
//!
//! The engine buffers each decrypted message before it calls the durability hook: a
//! message whose decryption is remembered (the ratchet has moved on in the database)
//! and whose text is not would be lost, because a second delivery of it cannot be
//! decrypted any more. The two must therefore be durable *together*, which is not to say
//! that the text must be durable at once: it is held in memory until the first write of
//! Signal state takes it along, in the same transaction. Mostly the hook has committed
//! the message before that, and the text is never written here at all.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::future::BoxFuture;
use wacore::store::error::Result as EngineResult;
use wacore::store::traits::{PendingInboundKey, PendingInboundRow};

use super::backend::EngineBackend;
use super::key;
use super::kind::RecordKind;
use super::records::{Record, delete_keys};
use crate::error::Result;
use crate::tx::Tx;

pub(crate) fn message_key(key: &PendingInboundKey<'_>) -> Vec<u8> {
    key::message(&[key.chat, key.sender, key.id])
}

/// A message that waits for its commit.
struct Held {
    record: Record,
    /// A transaction has written it, and that transaction was committed.
    is_durable: bool,
    /// A transaction has written it, whatever became of that transaction.
    may_be_stored: bool,
}

/// What waits to be committed in one session.
#[derive(Default)]
pub(crate) struct PendingInbound {
    held: HashMap<Vec<u8>, Held>,
    /// Messages whose commit left nothing to delete, until the engine asks to delete them.
    cleared: HashSet<Vec<u8>>,
}

impl PendingInbound {
    fn hold(&mut self, record: Record) {
        self.cleared.remove(&record.key);
        let held = self.held.entry(record.key.clone()).or_insert(Held {
            record: record.clone(),
            is_durable: false,
            may_be_stored: false,
        });
        if held.record.value != record.value {
            held.record = record;
            held.is_durable = false;
        }
    }

    /// What the next write of Signal state must take along.
    fn take_unstored(&mut self) -> Vec<Record> {
        let waiting = self.held.values_mut().filter(|held| !held.is_durable);
        waiting
            .map(|held| {
                held.may_be_stored = true;
                held.record.clone()
            })
            .collect()
    }

    fn stored(&mut self, records: &[Record]) {
        for record in records {
            if let Some(held) = self.held.get_mut(&record.key)
                && held.record.value == record.value
            {
                held.is_durable = true;
            }
        }
    }

    /// Those of the keys that may have a row.
    fn with_rows(&mut self, keys: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let has_row = |key: &&Vec<u8>| match self.held.get_mut(*key) {
            // What is written from here on comes after the deletion.
            Some(held) => std::mem::take(&mut held.may_be_stored),
            // From before this lease.
            None => true,
        };
        keys.iter().filter(has_row).cloned().collect()
    }

    fn committed(&mut self, keys: &[Vec<u8>]) {
        for key in keys {
            // A row that came after the deletion is left to the engine's own delete.
            if !self.held.get(key).is_some_and(|held| held.may_be_stored) {
                self.held.remove(key);
                self.cleared.insert(key.clone());
            }
        }
    }

    /// Forgets messages and gives those of the keys whose rows are still to be deleted.
    fn forget(&mut self, keys: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let left = keys
            .into_iter()
            .filter(|key| {
                let is_cleared = self.cleared.remove(key);
                match self.held.remove(key) {
                    Some(held) => held.may_be_stored,
                    None => !is_cleared,
                }
            })
            .collect();
        // Sessions are many and mostly idle: what a burst needed is given back.
        if self.held.is_empty() {
            self.held.shrink_to_fit();
        }
        if self.cleared.is_empty() {
            self.cleared.shrink_to_fit();
        }
        left
    }
}

/// The pending rows of messages that the caller's own transaction commits.
///
/// Call [`apply`](Self::apply) in the transaction that commits the messages and
/// [`committed`](Self::committed) after it: the engine's own delete then costs nothing.
#[derive(Clone)]
pub struct PendingInboundClear {
    backend: EngineBackend,
    keys: Arc<[Vec<u8>]>,
}

impl std::fmt::Debug for PendingInboundClear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingInboundClear")
            .field("messages", &self.keys.len())
            .finish_non_exhaustive()
    }
}

impl PendingInboundClear {
    /// Deletes the pending rows, where there are any, in a transaction that has checked the lease.
    pub async fn apply(&self, tx: &mut Tx) -> Result<()> {
        let keys = self.backend.pending().with_rows(&self.keys);
        let session = self.backend.session_id();
        delete_keys(tx, session, RecordKind::PendingInbound, &keys).await
    }

    /// Says that the transaction was committed.
    pub fn committed(self) {
        self.backend.pending().committed(&self.keys);
    }
}

impl EngineBackend {
    /// Prepares the deletion of pending rows in a transaction of the caller.
    ///
    /// Each key is chat, sender and id, as the engine uses them: chat and sender as the
    /// message's source shows them, and the stanza's id.
    #[must_use]
    pub fn clear_pending_inbound<'k>(
        &self,
        keys: impl IntoIterator<Item = [&'k str; 3]>,
    ) -> PendingInboundClear {
        let keys = keys.into_iter().map(|key| key::message(&key)).collect();
        PendingInboundClear {
            backend: self.clone(),
            keys,
        }
    }

    /// Holds messages until their commit, or until Signal state is written.
    pub(crate) fn hold_pending(&self, rows: &[PendingInboundRow<'_>]) -> EngineResult<()> {
        self.check_not_fenced()?;
        // The engine computes its cutoffs with this clock.
        let stamp = wacore::time::now_secs();
        let mut pending = self.pending();
        for row in rows {
            pending.hold(Record {
                key: key::message(&[row.chat, row.sender, row.id]),
                stamp,
                value: row.message.to_vec(),
            });
        }
        Ok(())
    }

    pub(crate) async fn pending_message(
        &self,
        key: &PendingInboundKey<'_>,
    ) -> EngineResult<Option<Vec<u8>>> {
        let key = message_key(key);
        let held = {
            let pending = self.pending();
            pending.held.get(&key).map(|held| held.record.value.clone())
        };
        match held {
            Some(message) => Ok(Some(message)),
            None => self.get(RecordKind::PendingInbound, &key).await,
        }
    }

    pub(crate) async fn delete_pending(&self, keys: Vec<Vec<u8>>) -> EngineResult<()> {
        let left = self.pending().forget(keys);
        self.delete(RecordKind::PendingInbound, left).await
    }

    /// Deletes messages that came before a time, in seconds since 1970, and counts them.
    pub(crate) async fn expire_pending(&self, cutoff: i64) -> EngineResult<u32> {
        let only_held = {
            let mut pending = self.pending();
            let old = pending
                .held
                .extract_if(|_, held| held.record.stamp < cutoff);
            old.filter(|(_, held)| !held.may_be_stored).count()
        };
        let deleted = self
            .delete_older(RecordKind::PendingInbound, cutoff)
            .await?;
        Ok(deleted.saturating_add(u32::try_from(only_held).unwrap_or(u32::MAX)))
    }

    /// Runs a job that writes the engine's state; where that is Signal state, stores all
    /// messages that are held along with it.
    pub(crate) async fn write_state<F>(&self, is_signal_state: bool, job: F) -> EngineResult<()>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<()>> + Clone + Send + 'static,
    {
        if !is_signal_state {
            return self.write(job).await;
        }
        let backend = self.clone();
        let sent = self.held_sent_messages();
        let stored_sent = sent.clone();
        let stored = self
            .write(move |tx| {
                Box::pin(async move {
                    // Only now, so that a message that an earlier job has committed is not
                    // stored once more.
                    let waiting = backend.pending().take_unstored();
                    if !waiting.is_empty() {
                        backend.defer_pending(tx, &waiting);
                    }
                    sent.apply(tx);
                    job(tx).await?;
                    Ok(waiting)
                })
            })
            .await?;
        self.pending().stored(&stored);
        stored_sent.committed();
        Ok(())
    }
}
