//! The durable queue of one device: what it has not acknowledged yet.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use wacore_binary::Node;

use super::stanza::{jid_attr, marshal, text_attr, unmarshal};

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

/// A stanza that waits for its acknowledgement; several devices may share it.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) class: Class,
    /// The stanza's `id`.
    pub(crate) id: Box<str>,
    /// The user part of the stanza's `from`, which an acknowledgement repeats in `to`.
    pub(crate) from_user: Box<str>,
    /// The stanza's `type`, when it has one.
    pub(crate) kind: Box<str>,
    /// The journal's value: the class, one byte, and the marshalled stanza. Empty in long queues,
    /// whose stanzas are read from the journal when their turn comes.
    pub(crate) value: Bytes,
}

impl Queued {
    /// A stanza on its way into queues; `None` when stanzas of its tag are not kept, or when it
    /// has no id that an acknowledgement could name.
    pub(crate) fn new(node: &Node) -> Option<Self> {
        let class = Class::of_tag(&node.tag)?;
        let stanza = marshal(node);
        let mut value = BytesMut::with_capacity(1 + stanza.len());
        value.put_u8(class as u8);
        value.put_slice(&stanza);
        Self::over(class, node, value.freeze())
    }

    /// A stanza read back from the journal.
    pub(crate) fn restore(value: &Bytes) -> Option<Self> {
        let class = Class::from_byte(*value.first()?)?;
        let node = unmarshal(&value[1..])?;
        Self::over(class, &node, value.clone())
    }

    fn over(class: Class, node: &Node, value: Bytes) -> Option<Self> {
        Some(Self {
            class,
            id: text_attr(node, "id").filter(|id| !id.is_empty())?.into(),
            from_user: jid_attr(node, "from")
                .map(|jid| jid.user.as_str().into())
                .unwrap_or_default(),
            kind: text_attr(node, "type").unwrap_or_default().into(),
            value,
        })
    }

    /// The stanza, marshalled; none where only the journal has it.
    pub(crate) fn stanza(&self) -> Option<Bytes> {
        (!self.value.is_empty()).then(|| self.value.slice(1..))
    }

    /// What is needed of it while it waits.
    fn without_stanza(&self) -> Self {
        Self {
            class: self.class,
            id: self.id.clone(),
            from_user: self.from_user.clone(),
            kind: self.kind.clone(),
            value: Bytes::new(),
        }
    }
}

/// What an acknowledgement says about the stanza that it means.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Acknowledged<'a> {
    pub(crate) class: Class,
    pub(crate) id: &'a str,
    pub(crate) from_user: Option<&'a str>,
    pub(crate) kind: Option<&'a str>,
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

/// How many stanzas of a queue are in memory as a whole.
const WHOLE: usize = 64;

/// How many stanzas a queue holds; of more, the oldest go, as they do at WhatsApp after some weeks.
pub(crate) const MAX_QUEUED: usize = 100_000;

/// Stanzas in the order in which they arrived.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: BTreeMap<u64, Arc<Queued>>,
    /// The numbers of the stanzas with an id, so that a long queue is not searched.
    by_id: HashMap<Box<str>, Vec<u64>>,
    next_seq: u64,
}

impl Queue {
    /// The number that the next stanza gets.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Adds a stanza under the number from [`Queue::next_seq`], or one read back from the journal.
    pub(crate) fn insert(&mut self, seq: u64, queued: Arc<Queued>) {
        self.next_seq = self.next_seq.max(seq + 1);
        match self.by_id.get_mut(&queued.id) {
            Some(seqs) => seqs.push(seq),
            None => {
                self.by_id.insert(queued.id.clone(), vec![seq]);
            }
        }
        let queued = if self.entries.len() < WHOLE {
            queued
        } else {
            Arc::new(queued.without_stanza())
        };
        self.entries.insert(seq, queued);
    }

    /// How many stanzas there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The numbers of the stanzas, oldest first.
    pub(crate) fn seqs(&self) -> impl Iterator<Item = u64> {
        self.entries.keys().copied()
    }

    /// Finds what an acknowledgement means: same class and id, then as close as the attributes tell.
    pub(crate) fn find(&self, found: &Acknowledged<'_>) -> Option<u64> {
        let mut best: Option<(u8, u64)> = None;
        for seq in self.by_id.get(found.id)? {
            let Some(entry) = self.entries.get(seq).filter(|e| e.class == found.class) else {
                continue;
            };
            let has_same_user = found.from_user.is_none_or(|user| *entry.from_user == *user);
            let has_same_kind = *entry.kind == *found.kind.unwrap_or_default();
            let score = u8::from(has_same_user) * 2 + u8::from(has_same_kind);
            if best.is_none_or(|(best_score, _)| score > best_score) {
                best = Some((score, *seq));
            }
        }
        best.map(|(_, seq)| seq)
    }

    pub(crate) fn remove(&mut self, seq: u64) -> Option<Arc<Queued>> {
        let removed = self.entries.remove(&seq)?;
        if let Some(seqs) = self.by_id.get_mut(&removed.id) {
            seqs.retain(|other| *other != seq);
            if seqs.is_empty() {
                self.by_id.remove(&removed.id);
            }
        }
        Some(removed)
    }

    /// Up to `limit` stanzas from `from_seq` on.
    pub(crate) fn batch(&self, from_seq: u64, limit: usize) -> Vec<(u64, Arc<Queued>)> {
        self.entries
            .range(from_seq..)
            .take(limit)
            .map(|(seq, entry)| (*seq, entry.clone()))
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

    fn queued(class: Class, id: &str, from_user: &str, kind: &str) -> Arc<Queued> {
        Arc::new(Queued {
            class,
            id: id.into(),
            from_user: from_user.into(),
            kind: kind.into(),
            value: Bytes::from_static(b"\x01"),
        })
    }

    fn about<'a>(
        class: Class,
        from_user: Option<&'a str>,
        kind: Option<&'a str>,
    ) -> Acknowledged<'a> {
        Acknowledged {
            class,
            id: "A",
            from_user,
            kind,
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
        queue.insert(queue.next_seq(), queued(Class::Receipt, "B", "1", "read"));
        let find = |queue: &Queue, class, user, kind| queue.find(&about(class, user, kind));
        assert_eq!(
            find(&queue, Class::Receipt, Some("1"), Some("read")),
            Some(1)
        );
        assert_eq!(find(&queue, Class::Receipt, Some("1"), None), Some(0));
        assert_eq!(find(&queue, Class::Message, Some("1"), None), None);
        assert!(queue.remove(1).is_some());
        assert_eq!(find(&queue, Class::Receipt, None, Some("read")), Some(0));
        assert!(queue.remove(0).is_some());
        assert_eq!(find(&queue, Class::Receipt, None, None), None);
        assert!(queue.by_id.len() == 1 && queue.counts().total() == 1);
    }

    #[test]
    fn a_long_queue_holds_no_stanzas() {
        let mut queue = Queue::default();
        for _ in 0..=WHOLE {
            let seq = queue.next_seq();
            let mut receipt = Arc::into_inner(queued(Class::Receipt, "A", "1", "")).unwrap();
            receipt.value = Bytes::from_static(b"\x02x");
            queue.insert(seq, Arc::new(receipt));
        }
        assert_eq!(
            (queue.len(), queue.seqs().last()),
            (WHOLE + 1, Some(WHOLE as u64))
        );
        let batch = queue.batch(0, WHOLE + 1);
        assert!(
            batch[..WHOLE]
                .iter()
                .all(|(_, queued)| queued.stanza().is_some())
        );
        assert!(batch[WHOLE].1.stanza().is_none());
    }

    #[test]
    fn a_restored_stanza_is_the_one_that_was_written() {
        let node = wacore_binary::builder::NodeBuilder::new("receipt")
            .attr("from", wacore_binary::Jid::pn_device("1555", 3))
            .attr("id", "A")
            .attr("type", "read")
            .build();
        let written = Queued::new(&node).unwrap();
        let restored = Queued::restore(&written.value).unwrap();
        for queued in [written, restored] {
            assert_eq!(queued.class, Class::Receipt);
            assert_eq!(
                (&*queued.id, &*queued.from_user, &*queued.kind),
                ("A", "1555", "read")
            );
            let stanza = queued.stanza().unwrap();
            assert_eq!(unmarshal(&stanza).unwrap().tag, "receipt");
        }
        let nameless = wacore_binary::builder::NodeBuilder::new("receipt").build();
        assert!(Queued::new(&nameless).is_none());
    }
}
