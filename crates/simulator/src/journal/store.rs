//! Namespaced keys and values over one of the two backings.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;

use super::disk::Disk;
use super::memory::Memory;

/// Why the journal could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The store under the data directory failed.
    #[error("the simulator's journal failed: {0}")]
    Store(#[from] fjall::Error),
    /// The data directory could not be made.
    #[error("the simulator's data directory cannot be made: {0}")]
    Directory(#[from] std::io::Error),
    /// The journal has been closed: the simulator is shutting down.
    #[error("the simulator's journal is closed")]
    Closed,
}

enum Backing {
    Memory(Memory),
    Disk(Disk),
}

/// Key/value persistence of the simulator; cheap to clone.
///
/// Keys live in namespaces (a short word without a zero byte). A write has been
/// handed to the operating system before the call returns, so it survives the
/// process being killed. Without a data directory everything is in memory.
#[derive(Clone)]
pub struct Journal(Arc<RwLock<Option<Backing>>>);

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("is_durable", &self.is_durable())
            .finish()
    }
}

impl Journal {
    /// A journal that ends with the process.
    pub fn memory() -> Self {
        Self::over(Backing::Memory(Memory::default()))
    }

    /// Opens, or makes, the journal in `data_dir`.
    pub fn open(data_dir: &Path) -> Result<Self, JournalError> {
        std::fs::create_dir_all(data_dir)?;
        let disk = Disk::open(&data_dir.join("journal"))?;
        Ok(Self::over(Backing::Disk(disk)))
    }

    fn over(backing: Backing) -> Self {
        Self(Arc::new(RwLock::new(Some(backing))))
    }

    fn read(&self) -> RwLockReadGuard<'_, Option<Backing>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of the data directory, for all clones: later reads and writes fail.
    pub fn close(&self) {
        let backing = self
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(backing);
    }

    /// Whether what is written outlives the process.
    pub fn is_durable(&self) -> bool {
        matches!(*self.read(), Some(Backing::Disk(_)))
    }

    /// Writes one value.
    pub fn put(
        &self,
        namespace: &str,
        key: impl AsRef<[u8]>,
        value: impl Into<Bytes>,
    ) -> Result<(), JournalError> {
        let mut batch = self.batch();
        batch.put(namespace, key, value);
        batch.commit()
    }

    /// Deletes one value; an absent one is no error.
    pub fn delete(&self, namespace: &str, key: impl AsRef<[u8]>) -> Result<(), JournalError> {
        let mut batch = self.batch();
        batch.delete(namespace, key);
        batch.commit()
    }

    /// Reads one value.
    pub fn get(
        &self,
        namespace: &str,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<Bytes>, JournalError> {
        let key = full_key(namespace, key.as_ref());
        match &*self.read() {
            Some(Backing::Memory(memory)) => Ok(memory.get(&key)),
            Some(Backing::Disk(disk)) => Ok(disk.get(&key)?),
            None => Err(JournalError::Closed),
        }
    }

    /// Every key and value of a namespace, in the order of the keys.
    pub fn scan(&self, namespace: &str) -> Result<Vec<(Vec<u8>, Bytes)>, JournalError> {
        self.scan_prefix(namespace, b"")
    }

    /// The keys and values of a namespace whose key starts with `prefix`.
    pub fn scan_prefix(
        &self,
        namespace: &str,
        prefix: impl AsRef<[u8]>,
    ) -> Result<Vec<(Vec<u8>, Bytes)>, JournalError> {
        let prefix = full_key(namespace, prefix.as_ref());
        let found = match &*self.read() {
            Some(Backing::Memory(memory)) => memory.prefix(&prefix),
            Some(Backing::Disk(disk)) => disk.prefix(&prefix)?,
            None => return Err(JournalError::Closed),
        };
        let skip = namespace.len() + 1;
        Ok(found
            .into_iter()
            .map(|(mut key, value)| (key.split_off(skip), value))
            .collect())
    }

    /// What was on a journal in memory after each of its writes, as a process that is killed then
    /// would leave it.
    #[cfg(test)]
    pub(crate) fn states(&self) -> Vec<Self> {
        let history = match &*self.read() {
            Some(Backing::Memory(memory)) => memory
                .history
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            _ => Vec::new(),
        };
        (1..=history.len())
            .map(|count| {
                let memory = Memory::default();
                for writes in &history[..count] {
                    memory.apply(writes.clone());
                }
                Self::over(Backing::Memory(memory))
            })
            .collect()
    }

    /// Several writes that happen together or not at all.
    pub fn batch(&self) -> Batch<'_> {
        Batch {
            journal: self,
            writes: Vec::new(),
        }
    }
}

/// Writes gathered for one atomic commit.
#[must_use = "a batch does nothing until it is committed"]
pub struct Batch<'a> {
    journal: &'a Journal,
    writes: Vec<(Vec<u8>, Option<Bytes>)>,
}

impl Batch<'_> {
    /// Adds a write.
    pub fn put(&mut self, namespace: &str, key: impl AsRef<[u8]>, value: impl Into<Bytes>) {
        self.writes
            .push((full_key(namespace, key.as_ref()), Some(value.into())));
    }

    /// Adds a deletion.
    pub fn delete(&mut self, namespace: &str, key: impl AsRef<[u8]>) {
        self.writes.push((full_key(namespace, key.as_ref()), None));
    }

    /// Hands everything to the operating system.
    pub fn commit(self) -> Result<(), JournalError> {
        if self.writes.is_empty() {
            return Ok(());
        }
        match &*self.journal.read() {
            Some(Backing::Memory(memory)) => memory.apply(self.writes),
            Some(Backing::Disk(disk)) => disk.apply(self.writes)?,
            None => return Err(JournalError::Closed),
        }
        Ok(())
    }
}

fn full_key(namespace: &str, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(namespace.len() + 1 + key.len());
    full.extend_from_slice(namespace.as_bytes());
    full.push(0);
    full.extend_from_slice(key);
    full
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exercise(journal: &Journal) {
        journal.put("a", "k1", "one").unwrap();
        journal.put("ab", "k1", "other namespace").unwrap();
        journal.put("a", "k2", "two").unwrap();
        journal.delete("a", "k1").unwrap();
        let mut batch = journal.batch();
        batch.put("a", "k3", "three");
        batch.delete("a", "absent");
        batch.commit().unwrap();
        let all = journal.scan("a").unwrap();
        assert_eq!(
            all,
            vec![
                (b"k2".to_vec(), Bytes::from("two")),
                (b"k3".to_vec(), Bytes::from("three"))
            ]
        );
        assert_eq!(journal.get("a", "k3").unwrap().unwrap(), "three");
        assert!(journal.get("a", "k1").unwrap().is_none());
    }

    #[test]
    fn memory_keeps_namespaces_apart() {
        exercise(&Journal::memory());
    }

    #[test]
    fn disk_keeps_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        exercise(&journal);
        journal.close();
        assert!(matches!(journal.get("a", "k2"), Err(JournalError::Closed)));
        let again = Journal::open(dir.path()).unwrap();
        assert!(again.is_durable());
        assert_eq!(again.get("a", "k2").unwrap().unwrap(), "two");
    }
}
