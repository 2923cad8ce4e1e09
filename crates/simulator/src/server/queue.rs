//! The durable queue of one device: what it has not acknowledged yet.

use std::collections::BTreeMap;

use bytes::Bytes;

/// What kind of stanza waits; each is acknowledged with its own class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Class {
    Message = 1,
    Receipt = 2,
    Notification = 3,
    Call = 4,
}

impl Class {
    /// The class whose stanzas have this tag.
    pub(crate) fn of_tag(tag: &str) -> Option<Self> {
        match tag {
            "message" => Some(Self::Message),
            "receipt" => Some(Self::Receipt),
            "notification" => Some(Self::Notification),
            "call" => Some(Self::Call),
            _ => None,
        }
    }

    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Receipt => "receipt",
            Self::Notification => "notification",
            Self::Call => "call",
        }
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Message),
            2 => Some(Self::Receipt),
            3 => Some(Self::Notification),
            4 => Some(Self::Call),
            _ => None,
        }
    }
}

/// A stanza that waits for its acknowledgement.
#[derive(Debug, Clone)]
pub(crate) struct Queued {
    pub(crate) class: Class,
    /// The stanza's `id`.
    pub(crate) id: Box<str>,
    /// The user part of the stanza's `from`, which an acknowledgement repeats in `to`.
    pub(crate) from_user: Box<str>,
    /// The stanza's `type`, when it has one.
    pub(crate) kind: Box<str>,
    /// The stanza, marshalled.
    pub(crate) stanza: Bytes,
    /// Whether it was handed to a connection before, so that the next time is a redelivery.
    pub(crate) was_sent: bool,
}

/// The number of waiting stanzas by class, for the offline preview.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) messages: usize,
    pub(crate) receipts: usize,
    pub(crate) notifications: usize,
    pub(crate) calls: usize,
}

impl Counts {
    pub(crate) fn total(self) -> usize {
        self.messages + self.receipts + self.notifications + self.calls
    }
}

/// Stanzas in the order in which they arrived.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: BTreeMap<u64, Queued>,
    next_seq: u64,
}

impl Queue {
    /// The number that the next stanza gets.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Adds a stanza under the number from [`Queue::next_seq`], or one read back from the journal.
    pub(crate) fn insert(&mut self, seq: u64, queued: Queued) {
        self.next_seq = self.next_seq.max(seq + 1);
        self.entries.insert(seq, queued);
    }

    /// Finds what an acknowledgement means: same class and id, then as close as the attributes tell.
    pub(crate) fn find(
        &self,
        class: Class,
        id: &str,
        from_user: Option<&str>,
        kind: Option<&str>,
    ) -> Option<u64> {
        let mut best: Option<(u8, u64)> = None;
        for (seq, entry) in &self.entries {
            if entry.class != class || &*entry.id != id {
                continue;
            }
            let has_same_user = from_user.is_none_or(|user| *entry.from_user == *user);
            let has_same_kind = *entry.kind == *kind.unwrap_or_default();
            let score = u8::from(has_same_user) * 2 + u8::from(has_same_kind);
            if best.is_none_or(|(best_score, _)| score > best_score) {
                best = Some((score, *seq));
            }
        }
        best.map(|(_, seq)| seq)
    }

    pub(crate) fn remove(&mut self, seq: u64) -> Option<Queued> {
        self.entries.remove(&seq)
    }

    /// Up to `limit` stanzas from `from_seq` on, marked as sent.
    pub(crate) fn take_batch(&mut self, from_seq: u64, limit: usize) -> Vec<(u64, Queued)> {
        self.entries
            .range_mut(from_seq..)
            .take(limit)
            .map(|(seq, entry)| {
                let taken = (*seq, entry.clone());
                entry.was_sent = true;
                taken
            })
            .collect()
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for entry in self.entries.values() {
            match entry.class {
                Class::Message => counts.messages += 1,
                Class::Receipt => counts.receipts += 1,
                Class::Notification => counts.notifications += 1,
                Class::Call => counts.calls += 1,
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queued(class: Class, id: &str, from_user: &str, kind: &str) -> Queued {
        Queued {
            class,
            id: id.into(),
            from_user: from_user.into(),
            kind: kind.into(),
            stanza: Bytes::new(),
            was_sent: false,
        }
    }

    #[test]
    fn an_acknowledgement_takes_the_closest_stanza() {
        let mut queue = Queue::default();
        for (index, kind) in ["", "read"].iter().enumerate() {
            let seq = queue.next_seq();
            assert_eq!(seq, index as u64);
            queue.insert(seq, queued(Class::Receipt, "A", "1", kind));
        }
        assert_eq!(
            queue.find(Class::Receipt, "A", Some("1"), Some("read")),
            Some(1)
        );
        assert_eq!(queue.find(Class::Receipt, "A", Some("1"), None), Some(0));
        assert_eq!(queue.find(Class::Message, "A", Some("1"), None), None);
        assert!(queue.remove(1).is_some());
        assert_eq!(queue.find(Class::Receipt, "A", None, Some("read")), Some(0));
    }

    #[test]
    fn a_second_batch_is_a_redelivery() {
        let mut queue = Queue::default();
        queue.insert(7, queued(Class::Message, "A", "1", ""));
        assert!(!queue.take_batch(0, 10)[0].1.was_sent);
        assert!(queue.take_batch(0, 10)[0].1.was_sent);
        assert_eq!(queue.next_seq(), 8);
        assert_eq!(queue.counts().total(), 1);
    }
}
