//! Counting messages between numbers, so that loss and duplication are seen and not felt.
//!
//! Counted are user messages from one person to another, and those to a group once for each other
//! member, in pairs of their own: not notes to oneself, not peer messages between an account's own
//! devices, not stories and channels, and not what a sender encrypts again for a device that asked
//! for a retry.
//!
//! - *accepted*: the server answers the sender with an acknowledgement; what there is for the
//!   recipient's devices has been queued durably. There is nothing when the sender is blocked or
//!   addressed devices that are not linked any more.
//! - *delivered*: at least one device of the recipient has taken the message over, with an `<ack>`
//!   or a receipt for it, so that the server need not keep it for that device.
//! - *acknowledged*: at least one device of the recipient has said that it could read the message,
//!   with a receipt that is not a request for a retry.
//! - *pending*: at least one device that the message was sent to has not taken it over, or has
//!   asked for it to be encrypted again and not taken that over.
//! - *refused*: at least one device has said with a nack that it cannot take the message.
//! - *duplicates*: further arrivals of an id from the same sender for the same recipient. They are
//!   delivered again: telling them apart is the recipient's business.
//!
//! The newest [`KEPT`] messages are known one by one, and so are those that are pending, however old
//! they are: there are no more of them than the queues hold. An older one that every device has
//! taken over or refused is *settled*: it is in the numbers of its pair, and its id is forgotten. An
//! id that arrives again after that counts as another message.

mod records;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

pub use self::records::{DeviceProgress, MessageRecord, Pair, Settled};
use crate::journal::{Batch, Journal, JournalError};
use crate::server::namespace::ACCOUNTING;

/// How many messages are known one by one.
pub const KEPT: usize = 100_000;

/// How many old messages are looked at for each new one; pending ones are passed over.
const LOOKS: usize = 4;

/// From whom, to whom, and the id of the group, which is empty where there is none.
type PairKey = (String, String, String);

/// Names a message in the books.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    /// The group's id, where it was sent to one.
    pub(crate) group: Option<&'a str>,
    pub(crate) id: &'a str,
}

impl Entry<'_> {
    fn pair(&self) -> PairKey {
        let group = self.group.unwrap_or_default();
        (self.from.to_owned(), self.to.to_owned(), group.to_owned())
    }
}

#[derive(Debug, Default)]
struct Books {
    pairs: BTreeMap<PairKey, Pair>,
    /// The messages that are known one by one, the oldest first.
    order: VecDeque<(PairKey, String)>,
}

/// The books; durable with the queues.
#[derive(Debug)]
pub struct Accounting {
    books: Mutex<Books>,
    kept: usize,
}

impl Default for Accounting {
    fn default() -> Self {
        Self::keeping(KEPT)
    }
}

impl Accounting {
    fn keeping(kept: usize) -> Self {
        Self {
            books: Mutex::default(),
            kept,
        }
    }

    /// Reads the books back from the journal.
    pub(crate) fn restore(journal: &Journal) -> Result<Self, JournalError> {
        let mut books = Books::default();
        for (key, value) in journal.scan(ACCOUNTING)? {
            let Some((pair, id)) = split_key(&key) else {
                continue;
            };
            let known = books.pair(&pair);
            if id.is_empty() {
                known.settled = serde_json::from_slice(&value).unwrap_or_default();
            } else if let Ok(record) = serde_json::from_slice(&value) {
                known.messages.insert(id.clone(), record);
                books.order.push_back((pair, id));
            }
        }
        Ok(Self {
            books: Mutex::new(books),
            kept: KEPT,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every pair that exchanged messages.
    pub fn pairs(&self) -> Vec<Pair> {
        self.lock().pairs.values().cloned().collect()
    }

    /// Looks at every pair.
    pub(crate) fn map_pairs<T>(&self, look: impl Fn(&Pair) -> T) -> Vec<T> {
        self.lock().pairs.values().map(look).collect()
    }

    /// The numbers that have exchanged messages with this one, in groups not counted.
    pub(crate) fn correspondents(&self, number: &str) -> BTreeSet<String> {
        self.lock()
            .pairs
            .keys()
            .filter(|(_, _, group)| group.is_empty())
            .filter_map(|(from, to, _)| {
                if from == number {
                    Some(to.clone())
                } else if to == number {
                    Some(from.clone())
                } else {
                    None
                }
            })
            .filter(|other| other != number)
            .collect()
    }

    /// What is known of one message from one number to another.
    pub fn message(&self, from: &str, to: &str, id: &str) -> Option<MessageRecord> {
        self.message_in(None, from, to, id)
    }

    /// What is known of one message of a group, by the group's id, and one of its members.
    pub fn message_in(
        &self,
        group: Option<&str>,
        from: &str,
        to: &str,
        id: &str,
    ) -> Option<MessageRecord> {
        let entry = Entry {
            from,
            to,
            group,
            id,
        };
        let books = self.lock();
        books.pairs.get(&entry.pair())?.messages.get(id).cloned()
    }

    /// Notes an accepted message in the journal write that queues it.
    pub(crate) fn accept(&self, batch: &mut Batch<'_>, entry: Entry<'_>, devices: &[u16]) {
        let key = entry.pair();
        let mut books = self.lock();
        let messages = &mut books.pair(&key).messages;
        let is_new = !messages.contains_key(entry.id);
        let record = messages.entry(entry.id.to_owned()).or_default();
        record.duplicates += u32::from(!is_new);
        for device in devices {
            record
                .devices
                .entry(*device)
                .or_insert(DeviceProgress::Pending);
        }
        batch.put(ACCOUNTING, journal_key(&key, entry.id), encode(record));
        if is_new {
            books.order.push_back((key, entry.id.to_owned()));
            books.settle(batch, self.kept);
        }
    }

    /// Notes that a device of the recipient has come further with a message.
    pub(crate) fn advance(
        &self,
        batch: &mut Batch<'_>,
        entry: Entry<'_>,
        device: u16,
        progress: DeviceProgress,
    ) {
        self.change(batch, entry, device, |known| {
            known
                .is_some_and(|known| known < progress)
                .then_some(progress)
        });
    }

    /// Notes that a message is on its way to a device once more: the device asked for it again, or
    /// the sender has encrypted it again.
    pub(crate) fn reopen(&self, batch: &mut Batch<'_>, entry: Entry<'_>, device: u16) {
        self.change(batch, entry, device, |known| {
            (known != Some(DeviceProgress::Acknowledged)).then_some(DeviceProgress::Pending)
        });
    }

    /// Changes the progress of one device with a message that was accepted before.
    fn change(
        &self,
        batch: &mut Batch<'_>,
        entry: Entry<'_>,
        device: u16,
        change: impl FnOnce(Option<DeviceProgress>) -> Option<DeviceProgress>,
    ) {
        let key = entry.pair();
        let mut books = self.lock();
        let Some(record) = books
            .pairs
            .get_mut(&key)
            .and_then(|pair| pair.messages.get_mut(entry.id))
        else {
            return;
        };
        let known = record.devices.get(&device).copied();
        if let Some(progress) = change(known).filter(|progress| known != Some(*progress)) {
            record.devices.insert(device, progress);
            batch.put(ACCOUNTING, journal_key(&key, entry.id), encode(record));
        }
    }

    /// Forgets what waits for a device that is no longer linked.
    pub(crate) fn forget_device(&self, batch: &mut Batch<'_>, to: &str, device: u16) {
        let mut books = self.lock();
        let pairs = books.pairs.iter_mut();
        for (key, pair) in pairs.filter(|((_, number, _), _)| number == to) {
            for (id, record) in &mut pair.messages {
                if record.devices.get(&device) == Some(&DeviceProgress::Pending) {
                    record.devices.remove(&device);
                    batch.put(ACCOUNTING, journal_key(key, id), encode(record));
                }
            }
        }
    }
}

impl Books {
    fn pair(&mut self, key: &PairKey) -> &mut Pair {
        self.pairs.entry(key.clone()).or_insert_with(|| Pair {
            from: key.0.clone(),
            to: key.1.clone(),
            group: Some(key.2.clone()).filter(|group| !group.is_empty()),
            ..Pair::default()
        })
    }

    /// Forgets the ids of old messages that nobody waits for, where there are too many.
    fn settle(&mut self, batch: &mut Batch<'_>, kept: usize) {
        for _ in 0..LOOKS {
            if self.order.len() <= kept {
                return;
            }
            let Some((key, id)) = self.order.pop_front() else {
                return;
            };
            let Some(pair) = self.pairs.get_mut(&key) else {
                continue;
            };
            match pair.messages.get(&id) {
                Some(record) if record.is_pending() => self.order.push_back((key, id)),
                Some(record) => {
                    pair.settled.add(record);
                    pair.messages.remove(&id);
                    batch.delete(ACCOUNTING, journal_key(&key, &id));
                    batch.put(ACCOUNTING, journal_key(&key, ""), encode(&pair.settled));
                }
                None => {}
            }
        }
    }
}

/// Without an id: what is known of a pair's older messages.
fn journal_key((from, to, group): &PairKey, id: &str) -> String {
    if group.is_empty() {
        format!("{from}\n{to}\n{id}")
    } else {
        format!("{from}\n{to}\n{id}\n{group}")
    }
}

fn split_key(key: &[u8]) -> Option<(PairKey, String)> {
    let mut parts = std::str::from_utf8(key).ok()?.splitn(4, '\n');
    let mut next = || parts.next().map(str::to_owned);
    let (from, to, id) = (next()?, next()?, next()?);
    Some(((from, to, next().unwrap_or_default()), id))
}

fn encode(record: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(record).expect("records have plain keys and serialize")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: Entry<'static> = direct("A");

    const fn direct(id: &str) -> Entry<'_> {
        Entry {
            from: "1",
            to: "2",
            group: None,
            id,
        }
    }

    /// Changes the books in a journal write of their own.
    fn write(journal: &Journal, change: impl FnOnce(&mut Batch<'_>)) {
        let mut batch = journal.batch();
        change(&mut batch);
        batch.commit().unwrap();
    }

    fn advance(books: &Accounting, journal: &Journal, device: u16, progress: DeviceProgress) {
        write(journal, |batch| {
            books.advance(batch, MESSAGE, device, progress);
        });
    }

    #[test]
    fn a_message_is_counted_through_its_life_and_after_a_restart() {
        let journal = Journal::memory();
        let books = Accounting::default();
        write(&journal, |batch| books.accept(batch, MESSAGE, &[0, 1]));
        assert!(books.message("1", "2", "A").unwrap().is_pending());

        advance(&books, &journal, 0, DeviceProgress::Acknowledged);
        advance(&books, &journal, 0, DeviceProgress::Delivered);
        advance(&books, &journal, 9, DeviceProgress::Delivered);
        let record = books.message("1", "2", "A").unwrap();
        assert!(record.is_acknowledged() && record.is_pending());

        let again = Accounting::restore(&journal).unwrap();
        advance(&again, &journal, 1, DeviceProgress::Delivered);
        let record = again.message("1", "2", "A").unwrap();
        assert!(record.is_delivered() && !record.is_pending());

        write(&journal, |batch| again.accept(batch, MESSAGE, &[0, 1]));
        assert_eq!(again.message("1", "2", "A").unwrap().duplicates, 1);
        assert_eq!(again.pairs().len(), 1);
    }

    #[test]
    fn what_is_asked_for_again_waits_again_and_what_is_refused_does_not() {
        let journal = Journal::memory();
        let books = Accounting::default();
        write(&journal, |batch| books.accept(batch, MESSAGE, &[0, 1]));
        advance(&books, &journal, 0, DeviceProgress::Delivered);
        advance(&books, &journal, 1, DeviceProgress::Refused);
        let record = books.message("1", "2", "A").unwrap();
        assert!(record.is_refused() && !record.is_pending());
        write(&journal, |batch| books.reopen(batch, MESSAGE, 0));
        let record = Accounting::restore(&journal)
            .unwrap()
            .message("1", "2", "A")
            .unwrap();
        assert!(record.is_pending() && !record.is_delivered());

        advance(&books, &journal, 0, DeviceProgress::Acknowledged);
        write(&journal, |batch| books.reopen(batch, MESSAGE, 0));
        assert!(books.message("1", "2", "A").unwrap().is_acknowledged());
    }

    #[test]
    fn an_unlinked_device_is_not_waited_for() {
        let journal = Journal::memory();
        let books = Accounting::default();
        write(&journal, |batch| books.accept(batch, MESSAGE, &[0, 1]));
        advance(&books, &journal, 0, DeviceProgress::Delivered);
        write(&journal, |batch| books.forget_device(batch, "2", 1));
        assert!(!books.message("1", "2", "A").unwrap().is_pending());
    }

    #[test]
    fn messages_of_a_group_are_counted_by_themselves() {
        let journal = Journal::memory();
        let books = Accounting::default();
        let grouped = Entry {
            group: Some("G"),
            ..MESSAGE
        };
        write(&journal, |batch| books.accept(batch, grouped, &[0]));
        write(&journal, |batch| {
            books.advance(batch, grouped, 0, DeviceProgress::Delivered);
        });
        assert!(books.message("1", "2", "A").is_none());
        assert!(books.correspondents("1").is_empty());
        let again = Accounting::restore(&journal).unwrap();
        let pair = again.pairs().remove(0);
        assert_eq!(pair.group.as_deref(), Some("G"));
        assert!(
            again
                .message_in(Some("G"), "1", "2", "A")
                .unwrap()
                .is_delivered()
        );
    }

    #[test]
    fn old_messages_are_only_counted_unless_somebody_waits_for_them() {
        let journal = Journal::memory();
        let books = Accounting::keeping(2);
        let ids: Vec<String> = (0..6).map(|number| format!("M{number}")).collect();
        for id in &ids {
            write(&journal, |batch| books.accept(batch, direct(id), &[0]));
            // The first is never taken over.
            if id != "M0" {
                write(&journal, |batch| {
                    books.advance(batch, direct(id), 0, DeviceProgress::Acknowledged);
                });
            }
        }
        for books in [&books, &Accounting::restore(&journal).unwrap()] {
            let pair = books.pairs().remove(0);
            assert!(pair.messages.len() <= 3 && pair.messages["M0"].is_pending());
            assert!(pair.messages.contains_key("M5"));
            let settled = pair.settled;
            assert_eq!(settled.accepted + pair.messages.len() as u64, 6);
            assert_eq!(settled.accepted, settled.acknowledged);
        }
    }
}
