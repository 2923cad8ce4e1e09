//! App state collections as the server sees them: numbered patches, whose contents it cannot
//! read.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use waproto::buffa::MessageField;
use waproto::whatsapp::syncd_mutation::SyncdOperation;
use waproto::whatsapp::{SyncdPatch, SyncdRecord, SyncdSnapshot, SyncdVersion};

/// One collection: patches from version 1 on, without gaps.
#[derive(Debug, Default)]
pub(crate) struct Collection {
    patches: Vec<Bytes>,
}

impl Collection {
    pub(crate) fn version(&self) -> u64 {
        self.patches.len() as u64
    }

    /// Appends the patch that makes the next version.
    pub(crate) fn push(&mut self, patch: Bytes) -> u64 {
        self.patches.push(patch);
        self.version()
    }

    /// Up to `limit` patches after `version`, each with the version that it makes.
    pub(crate) fn after(&self, version: u64, limit: usize) -> impl Iterator<Item = (u64, &Bytes)> {
        let start = usize::try_from(version).unwrap_or(usize::MAX);
        self.patches
            .iter()
            .enumerate()
            .skip(start)
            .take(limit)
            .map(|(index, patch)| (index as u64 + 1, patch))
    }

    /// All patches summed up: the last record of each index, under the codes of the last patch;
    /// `None` where there is no patch, or one that cannot be read or keeps its records elsewhere.
    ///
    /// Which records have the same index is seen without a key: an index is told by its MAC.
    pub(crate) fn snapshot(&self) -> Option<SyncdSnapshot> {
        let mut records: Vec<Option<SyncdRecord>> = Vec::new();
        let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut last = None;
        for bytes in &self.patches {
            let patch = waproto::codec::syncd_patch_decode(bytes).ok()?;
            if patch.external_mutations.is_set() {
                return None;
            }
            for mutation in &patch.mutations {
                let record = mutation.record.as_option()?;
                let index = record.index.as_option()?.blob.clone()?;
                if let Some(before) = places.remove(&index) {
                    records[before] = None;
                }
                let operation = mutation.operation.as_ref();
                if operation.is_none_or(|kind| *kind != SyncdOperation::REMOVE) {
                    places.insert(index, records.len());
                    records.push(Some(record.clone()));
                }
            }
            last = Some(patch);
        }
        let SyncdPatch {
            snapshot_mac,
            key_id,
            ..
        } = last?;
        Some(SyncdSnapshot {
            version: MessageField::some(SyncdVersion {
                version: Some(self.version()),
            }),
            records: records.into_iter().flatten().collect(),
            mac: snapshot_mac,
            key_id,
        })
    }
}

/// The collections of an account, by name.
#[derive(Debug, Default)]
pub(crate) struct Collections {
    by_name: BTreeMap<String, Collection>,
}

impl Collections {
    pub(crate) fn entry(&mut self, name: &str) -> &mut Collection {
        self.by_name.entry(name.to_owned()).or_default()
    }

    /// The names of those that hold more than one change.
    pub(crate) fn kept(&self) -> Vec<String> {
        let kept = self.by_name.iter().filter(|(_, kept)| kept.version() > 1);
        kept.map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn clear(&mut self) {
        self.by_name.clear();
    }
}

#[cfg(test)]
mod tests {
    use waproto::whatsapp::{SyncdIndex, SyncdMutation, SyncdValue};

    use super::*;

    #[test]
    fn patches_are_numbered_from_one() {
        let mut collections = Collections::default();
        let regular = collections.entry("regular");
        assert_eq!(regular.push(Bytes::from("a")), 1);
        assert_eq!(regular.push(Bytes::from("b")), 2);
        let after: Vec<_> = regular.after(1, 10).collect();
        assert_eq!(after, vec![(2, &Bytes::from("b"))]);
        assert_eq!(regular.after(7, 10).count(), 0);
    }

    fn patch(mutations: &[(SyncdOperation, &str, &str)], mac: &str) -> Bytes {
        let mutations = mutations.iter().map(|(operation, index, value)| {
            let record = SyncdRecord {
                index: MessageField::some(SyncdIndex {
                    blob: Some(index.as_bytes().to_vec()),
                }),
                value: MessageField::some(SyncdValue {
                    blob: Some(value.as_bytes().to_vec()),
                }),
                ..Default::default()
            };
            SyncdMutation {
                operation: Some((*operation).into()),
                record: MessageField::some(record),
            }
        });
        let patch = SyncdPatch {
            mutations: mutations.collect(),
            snapshot_mac: Some(mac.as_bytes().to_vec()),
            ..Default::default()
        };
        waproto::codec::syncd_patch_to_vec(&patch).into()
    }

    #[test]
    fn a_snapshot_has_the_last_of_each_index() {
        let mut collection = Collection::default();
        assert!(collection.snapshot().is_none());
        let (set, remove) = (SyncdOperation::SET, SyncdOperation::REMOVE);
        collection.push(patch(&[(set, "a", "1"), (set, "b", "2")], "first"));
        collection.push(patch(&[(set, "a", "3"), (remove, "b", "2")], "second"));
        collection.push(patch(&[(set, "c", "4")], "third"));
        let snapshot = collection.snapshot().unwrap();
        let values = snapshot.records.iter().map(|record| {
            let value = record.value.blob.clone().unwrap();
            String::from_utf8(value).unwrap()
        });
        assert_eq!(values.collect::<Vec<_>>(), ["3", "4"]);
        assert_eq!(snapshot.version.version, Some(3));
        assert_eq!(snapshot.mac.as_deref(), Some(b"third".as_slice()));
    }

    #[test]
    fn what_cannot_be_read_is_not_summed_up() {
        let mut collection = Collection::default();
        collection.push(Bytes::from_static(&[0xff; 3]));
        assert!(collection.snapshot().is_none());
    }
}
