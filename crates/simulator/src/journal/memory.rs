//! The journal of a simulator without a data directory.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// What is written at once: values, and deletions.
pub(super) type Writes = Vec<(Vec<u8>, Option<Bytes>)>;

/// An ordered map; values share their allocation with whoever wrote them.
#[derive(Debug, Default)]
pub(super) struct Memory {
    entries: Mutex<BTreeMap<Vec<u8>, Bytes>>,
    /// Every write, for tests of what a process that is killed leaves behind.
    #[cfg(test)]
    pub(super) history: Mutex<Vec<Writes>>,
}

impl Memory {
    pub(super) fn apply(&self, writes: Writes) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(test)]
        self.history
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(writes.clone());
        for (key, value) in writes {
            match value {
                Some(value) => entries.insert(key, value),
                None => entries.remove(&key),
            };
        }
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<Bytes> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).cloned()
    }

    pub(super) fn prefix(&self, prefix: &[u8]) -> Vec<(Vec<u8>, Bytes)> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries
            .range(prefix.to_vec()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}
