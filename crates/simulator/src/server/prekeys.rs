//! One-time prekeys of a device, handed out once each.

use std::collections::VecDeque;

use bytes::Bytes;
use wacore_libsignal::protocol::PublicKey;

/// A prekey's id takes three bytes on the wire and its public key thirty-two.
const ENTRY_LEN: usize = 35;

/// Whether a signed prekey is signed by the identity that it comes with.
pub(crate) fn is_signed(identity: &[u8], prekey: &[u8], signature: &[u8]) -> bool {
    let (Ok(identity), Ok(prekey)) = (
        PublicKey::from_djb_public_key_bytes(identity),
        PublicKey::from_djb_public_key_bytes(prekey),
    ) else {
        return false;
    };
    identity.verify_signature(&prekey.serialize(), signature)
}

/// An uploaded list of prekeys, kept as one allocation.
#[derive(Debug, Clone)]
struct Chunk {
    seq: u64,
    entries: Bytes,
    used: usize,
}

/// What taking a prekey changed, for the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) chunk_seq: u64,
    pub(crate) used: usize,
    pub(crate) is_chunk_empty: bool,
}

/// The prekeys of one device, in the order of upload.
#[derive(Debug, Clone, Default)]
pub(crate) struct PreKeys {
    chunks: VecDeque<Chunk>,
    next_seq: u64,
}

impl PreKeys {
    /// Packs prekeys into the form that a chunk and the journal keep.
    pub(crate) fn pack(keys: impl Iterator<Item = (u32, [u8; 32])>) -> Bytes {
        let mut packed = Vec::new();
        for (id, public) in keys {
            packed.extend_from_slice(&id.to_be_bytes()[1..]);
            packed.extend_from_slice(&public);
        }
        packed.into()
    }

    /// Adds an upload; the number is its key in the journal.
    pub(crate) fn add(&mut self, entries: Bytes) -> u64 {
        let seq = self.next_seq;
        self.restore(seq, entries, 0);
        seq
    }

    /// Adds a chunk read back from the journal.
    pub(crate) fn restore(&mut self, seq: u64, entries: Bytes, used: usize) {
        self.next_seq = self.next_seq.max(seq + 1);
        self.chunks.push_back(Chunk { seq, entries, used });
    }

    /// The chunks' numbers.
    pub(crate) fn seqs(&self) -> impl Iterator<Item = u64> + '_ {
        self.chunks.iter().map(|chunk| chunk.seq)
    }

    /// Forgets everything, as a fresh registration does.
    pub(crate) fn clear(&mut self) {
        self.chunks.clear();
    }

    /// How many are left.
    pub(crate) fn count(&self) -> usize {
        self.chunks
            .iter()
            .map(|chunk| chunk.entries.len() / ENTRY_LEN - chunk.used)
            .sum()
    }

    /// The ids of those that are left.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        self.remaining().map(|(id, _)| id)
    }

    /// Those that are left.
    pub(crate) fn remaining(&self) -> impl Iterator<Item = (u32, &[u8])> + '_ {
        self.chunks.iter().flat_map(|chunk| {
            chunk
                .entries
                .chunks_exact(ENTRY_LEN)
                .skip(chunk.used)
                .map(|entry| {
                    (
                        u32::from_be_bytes([0, entry[0], entry[1], entry[2]]),
                        &entry[3..],
                    )
                })
        })
    }

    /// Takes the oldest one.
    pub(crate) fn take(&mut self) -> Option<(u32, Vec<u8>, Taken)> {
        let chunk = self.chunks.front_mut()?;
        let start = chunk.used * ENTRY_LEN;
        let entry = chunk.entries.get(start..start + ENTRY_LEN)?;
        let id = u32::from_be_bytes([0, entry[0], entry[1], entry[2]]);
        let public = entry[3..].to_vec();
        chunk.used += 1;
        let taken = Taken {
            chunk_seq: chunk.seq,
            used: chunk.used,
            is_chunk_empty: chunk.used * ENTRY_LEN >= chunk.entries.len(),
        };
        if taken.is_chunk_empty {
            self.chunks.pop_front();
        }
        Some((id, public, taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prekeys_are_handed_out_once_in_order() {
        let mut prekeys = PreKeys::default();
        prekeys.add(PreKeys::pack([(1, [1; 32]), (2, [2; 32])].into_iter()));
        prekeys.add(PreKeys::pack([(0x00ab_cdef, [3; 32])].into_iter()));
        assert_eq!(prekeys.count(), 3);
        let (id, public, taken) = prekeys.take().unwrap();
        assert_eq!((id, public), (1, vec![1; 32]));
        assert!(!taken.is_chunk_empty);
        assert!(prekeys.take().unwrap().2.is_chunk_empty);
        assert_eq!(prekeys.ids().collect::<Vec<_>>(), vec![0x00ab_cdef]);
        assert_eq!(prekeys.take().unwrap().0, 0x00ab_cdef);
        assert!(prekeys.take().is_none());
        assert_eq!(prekeys.count(), 0);
    }
}
