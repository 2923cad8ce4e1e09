//! App state collections as the server sees them: numbered, opaque patches.

use std::collections::BTreeMap;

use bytes::Bytes;

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

    pub(crate) fn clear(&mut self) {
        self.by_name.clear();
    }
}

#[cfg(test)]
mod tests {
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
}
