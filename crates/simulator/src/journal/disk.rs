//! The journal on disk, on an embedded log-structured store.

use std::path::Path;

use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions};

/// Every write reaches the operating system before it returns (not the disk:
/// the simulator survives the end of its process, not the loss of power).
pub(super) struct Disk {
    database: Database,
    entries: Keyspace,
}

impl Disk {
    pub(super) fn open(path: &Path) -> fjall::Result<Self> {
        let database = Database::builder(path)
            .cache_size(16 * 1024 * 1024)
            .worker_threads(1)
            .open()?;
        let entries = database.keyspace("simulator", KeyspaceCreateOptions::default)?;
        Ok(Self { database, entries })
    }

    pub(super) fn apply(&self, writes: Vec<(Vec<u8>, Option<Bytes>)>) -> fjall::Result<()> {
        let mut batch = self.database.batch();
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(&self.entries, key, value.as_ref()),
                None => batch.remove(&self.entries, key),
            }
        }
        batch.commit()
    }

    pub(super) fn get(&self, key: &[u8]) -> fjall::Result<Option<Bytes>> {
        Ok(self
            .entries
            .get(key)?
            .map(|value| Bytes::copy_from_slice(&value)))
    }

    pub(super) fn prefix(&self, prefix: &[u8]) -> fjall::Result<Vec<(Vec<u8>, Bytes)>> {
        let mut found = Vec::new();
        for entry in self.entries.prefix(prefix) {
            let (key, value) = entry.into_inner()?;
            found.push((key.to_vec(), Bytes::copy_from_slice(&value)));
        }
        Ok(found)
    }
}
