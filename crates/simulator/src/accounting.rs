//! Counting messages between numbers, so that loss and duplication are seen and not felt.
//!
//! Counted are user messages from one person to another: not messages to groups, not notes to oneself, not peer
//! messages between an account's own devices, and not what a sender encrypts again for a device that asked for a
//! retry.
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

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::journal::{Batch, Journal, JournalError};
use crate::server::namespace::ACCOUNTING;

/// How far a message has come with one device of the recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeviceProgress {
    /// Queued by the server, or asked for again.
    Pending,
    /// Taken from the queue by the device with a nack: it will not read it.
    Refused,
    /// Taken over by the device.
    Delivered,
    /// Read with success by the device.
    Acknowledged,
}

/// What is known of one message.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct MessageRecord {
    /// Arrivals of the id after the first.
    pub duplicates: u32,
    /// The devices of the recipient that the message was sent to.
    pub devices: BTreeMap<u16, DeviceProgress>,
}

impl MessageRecord {
    /// Whether a device of the recipient has taken the message over.
    pub fn is_delivered(&self) -> bool {
        self.devices
            .values()
            .any(|progress| *progress >= DeviceProgress::Delivered)
    }

    /// Whether a device of the recipient could read the message.
    pub fn is_acknowledged(&self) -> bool {
        self.devices
            .values()
            .any(|progress| *progress == DeviceProgress::Acknowledged)
    }

    /// Whether a device has said that it cannot take the message.
    pub fn is_refused(&self) -> bool {
        self.devices
            .values()
            .any(|progress| *progress == DeviceProgress::Refused)
    }

    /// Whether a device has not taken the message over.
    pub fn is_pending(&self) -> bool {
        self.devices
            .values()
            .any(|progress| *progress == DeviceProgress::Pending)
    }
}

/// The messages from one number to another, by id.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The sender's number.
    pub from: String,
    /// The recipient's number.
    pub to: String,
    /// What is known of each message.
    pub messages: BTreeMap<String, MessageRecord>,
}

type Pairs = BTreeMap<(String, String), BTreeMap<String, MessageRecord>>;

/// The books; durable with the queues.
#[derive(Debug, Default)]
pub struct Accounting {
    pairs: Mutex<Pairs>,
}

impl Accounting {
    /// Reads the books back from the journal.
    pub(crate) fn restore(journal: &Journal) -> Result<Self, JournalError> {
        let mut pairs = Pairs::new();
        for (key, value) in journal.scan(ACCOUNTING)? {
            let Ok(key) = String::from_utf8(key) else {
                continue;
            };
            let mut parts = key.splitn(3, '\n');
            let (Some(from), Some(to), Some(id)) = (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            if let Ok(record) = serde_json::from_slice(&value) {
                pairs
                    .entry((from.to_owned(), to.to_owned()))
                    .or_default()
                    .insert(id.to_owned(), record);
            }
        }
        Ok(Self {
            pairs: Mutex::new(pairs),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Pairs> {
        self.pairs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every pair that exchanged messages.
    pub fn pairs(&self) -> Vec<Pair> {
        self.lock()
            .iter()
            .map(|((from, to), messages)| Pair {
                from: from.clone(),
                to: to.clone(),
                messages: messages.clone(),
            })
            .collect()
    }

    /// Looks at every pair's messages by id, from whom and to whom.
    pub(crate) fn map_pairs<T>(
        &self,
        look: impl Fn(&str, &str, &BTreeMap<String, MessageRecord>) -> T,
    ) -> Vec<T> {
        self.lock()
            .iter()
            .map(|((from, to), messages)| look(from, to, messages))
            .collect()
    }

    /// The numbers that have exchanged messages with this one.
    pub(crate) fn correspondents(&self, number: &str) -> BTreeSet<String> {
        self.lock()
            .keys()
            .filter_map(|(from, to)| {
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

    /// What is known of one message.
    pub fn message(&self, from: &str, to: &str, id: &str) -> Option<MessageRecord> {
        let key = (from.to_owned(), to.to_owned());
        self.lock().get(&key)?.get(id).cloned()
    }

    /// Notes an accepted message in the journal write that queues it.
    pub(crate) fn accept(
        &self,
        batch: &mut Batch<'_>,
        (from, to, id): (&str, &str, &str),
        devices: &[u16],
    ) {
        let mut pairs = self.lock();
        let messages = pairs.entry((from.to_owned(), to.to_owned())).or_default();
        let record = match messages.get_mut(id) {
            Some(record) => {
                record.duplicates += 1;
                record
            }
            None => messages.entry(id.to_owned()).or_default(),
        };
        for device in devices {
            record
                .devices
                .entry(*device)
                .or_insert(DeviceProgress::Pending);
        }
        batch.put(ACCOUNTING, journal_key(from, to, id), encode(record));
    }

    /// Notes that a device of the recipient has come further with a message.
    pub(crate) fn advance(
        &self,
        batch: &mut Batch<'_>,
        message: (&str, &str, &str),
        device: u16,
        progress: DeviceProgress,
    ) {
        self.change(batch, message, device, |known| {
            known
                .is_some_and(|known| known < progress)
                .then_some(progress)
        });
    }

    /// Notes that a message is on its way to a device once more: the device asked for it again, or
    /// the sender has encrypted it again.
    pub(crate) fn reopen(&self, batch: &mut Batch<'_>, message: (&str, &str, &str), device: u16) {
        self.change(batch, message, device, |known| {
            (known != Some(DeviceProgress::Acknowledged)).then_some(DeviceProgress::Pending)
        });
    }

    /// Changes the progress of one device with a message that was accepted before.
    fn change(
        &self,
        batch: &mut Batch<'_>,
        (from, to, id): (&str, &str, &str),
        device: u16,
        change: impl FnOnce(Option<DeviceProgress>) -> Option<DeviceProgress>,
    ) {
        let mut pairs = self.lock();
        let key = (from.to_owned(), to.to_owned());
        let Some(record) = pairs
            .get_mut(&key)
            .and_then(|messages| messages.get_mut(id))
        else {
            return;
        };
        let known = record.devices.get(&device).copied();
        if let Some(progress) = change(known).filter(|progress| known != Some(*progress)) {
            record.devices.insert(device, progress);
            batch.put(ACCOUNTING, journal_key(from, to, id), encode(record));
        }
    }

    /// Forgets what waits for a device that is no longer linked.
    pub(crate) fn forget_device(&self, batch: &mut Batch<'_>, to: &str, device: u16) {
        let mut pairs = self.lock();
        for ((from, _), messages) in pairs.iter_mut().filter(|((_, number), _)| number == to) {
            for (id, record) in messages {
                if record.devices.get(&device) == Some(&DeviceProgress::Pending) {
                    record.devices.remove(&device);
                    batch.put(ACCOUNTING, journal_key(from, to, id), encode(record));
                }
            }
        }
    }
}

fn journal_key(from: &str, to: &str, id: &str) -> String {
    format!("{from}\n{to}\n{id}")
}

fn encode(record: &MessageRecord) -> Vec<u8> {
    serde_json::to_vec(record).expect("records have plain keys and serialize")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: (&str, &str, &str) = ("1", "2", "A");

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
}
