//! All groups, and who is in which.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use crate::journal::{Journal, JournalError};
use crate::server::record::namespace;

use super::record::GroupRecord;

#[derive(Debug, Default)]
struct Index {
    records: HashMap<String, Arc<GroupRecord>>,
    by_member: HashMap<String, BTreeSet<String>>,
    /// Also codes that have been reset.
    by_code: HashMap<String, String>,
}

/// The groups by id. Records are replaced as wholes, in the turn of a
/// [`Change`](super::Change).
#[derive(Debug, Default)]
pub(in crate::server) struct Groups(RwLock<Index>);

impl Groups {
    /// Reads the groups back from the journal.
    pub(in crate::server) fn restore(journal: &Journal) -> Result<Self, JournalError> {
        let groups = Self::default();
        for (_, value) in journal.scan(namespace::GROUP)? {
            if let Ok(record) = serde_json::from_slice::<GroupRecord>(&value) {
                groups.put(Arc::new(record));
            } else {
                tracing::warn!("skipped an unreadable group");
            }
        }
        Ok(groups)
    }

    pub(in crate::server) fn get(&self, id: &str) -> Option<Arc<GroupRecord>> {
        self.read(|index| index.records.get(id).cloned())
    }

    /// The group that an invitation's code leads to, or once led to.
    pub(in crate::server) fn by_code(&self, code: &str) -> Option<Arc<GroupRecord>> {
        self.read(|index| index.records.get(index.by_code.get(code)?).cloned())
    }

    /// The groups that a number is in, by id.
    pub(in crate::server) fn of_member(&self, number: &str) -> Vec<Arc<GroupRecord>> {
        self.read(|index| {
            let ids = index.by_member.get(number).into_iter().flatten();
            ids.filter_map(|id| index.records.get(id).cloned())
                .collect()
        })
    }

    /// The groups of a community, by id.
    pub(in crate::server) fn of_community(&self, parent: &str) -> Vec<Arc<GroupRecord>> {
        let mut groups = self.all();
        groups.retain(|group| {
            group
                .link
                .as_ref()
                .is_some_and(|link| link.parent == parent)
        });
        groups
    }

    pub(in crate::server) fn all(&self) -> Vec<Arc<GroupRecord>> {
        let mut all: Vec<_> = self.read(|index| index.records.values().cloned().collect());
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    pub(super) fn put(&self, record: Arc<GroupRecord>) {
        let mut index = self.0.write().unwrap_or_else(PoisonError::into_inner);
        index.forget(&record.id);
        for number in record.members.keys() {
            let ids = index.by_member.entry(number.clone()).or_default();
            ids.insert(record.id.clone());
        }
        for code in record.reset_codes.iter().chain([&record.invite_code]) {
            index.by_code.insert(code.clone(), record.id.clone());
        }
        index.records.insert(record.id.clone(), record);
    }

    pub(super) fn remove(&self, id: &str) {
        let mut index = self.0.write().unwrap_or_else(PoisonError::into_inner);
        index.forget(id);
    }

    fn read<T>(&self, look: impl FnOnce(&Index) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Index {
    fn forget(&mut self, id: &str) {
        let Some(before) = self.records.remove(id) else {
            return;
        };
        for number in before.members.keys() {
            if let Some(ids) = self.by_member.get_mut(number) {
                ids.remove(id);
                if ids.is_empty() {
                    self.by_member.remove(number);
                }
            }
        }
        for code in before.reset_codes.iter().chain([&before.invite_code]) {
            self.by_code.remove(code);
        }
    }
}
