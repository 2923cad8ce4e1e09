//! What one stanza changes: written down all at once, and made known when it is.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use crate::journal::{Batch, JournalError};

use super::api::Server;
use super::deliver::Parcel;
use super::queue::{Acknowledged, MAX_QUEUED, Queued};
use super::record::{namespace, sequence_key};
use super::state::AccountCell;

/// Changes of queues and books that happen together or not at all, also for a process that is
/// killed in between.
///
/// There is one at a time, so that the journal gets changes in the order in which memory has them.
/// No account may be locked when one begins or is committed.
pub(super) struct Transaction<'a> {
    server: &'a Server,
    /// What else belongs to the change.
    pub(super) batch: Batch<'a>,
    arrivals: Vec<Arrival>,
    /// How many stanzas arrive at each device, by number.
    arriving: HashMap<(Box<str>, u16), u64>,
    departures: Vec<Departure>,
    _turn: MutexGuard<'a, ()>,
}

struct Arrival {
    account: Arc<AccountCell>,
    device_id: u16,
    seq: u64,
    queued: Arc<Queued>,
}

struct Departure {
    account: Arc<AccountCell>,
    device_id: u16,
    seq: u64,
}

fn is_departing(departures: &[Departure], account: &AccountCell, device_id: u16, seq: u64) -> bool {
    departures.iter().any(|gone| {
        gone.seq == seq && gone.device_id == device_id && gone.account.number == account.number
    })
}

impl Server {
    pub(super) fn begin(&self) -> Transaction<'_> {
        let turn = self
            .inner
            .turns
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Transaction {
            server: self,
            batch: self.inner.journal.batch(),
            arrivals: Vec::new(),
            arriving: HashMap::new(),
            departures: Vec::new(),
            _turn: turn,
        }
    }
}

impl Transaction<'_> {
    /// Queues stanzas for devices of one account; tells for which, as some may be linked no more.
    pub(super) fn deliver(
        &mut self,
        account: &Arc<AccountCell>,
        parcels: impl IntoIterator<Item = Parcel>,
    ) -> Vec<u16> {
        let state = account.lock();
        let mut device_ids = Vec::new();
        for Parcel { device_id, queued } in parcels {
            let Some(device) = state.devices.get(&device_id) else {
                continue;
            };
            let place = (account.number.clone(), device_id);
            let before = self.arriving.entry(place).or_default();
            let seq = device.queue.next_seq() + *before;
            *before += 1;
            if device.queue.len() + 1 > MAX_QUEUED {
                let is_there =
                    |seq: &u64| !is_departing(&self.departures, account, device_id, *seq);
                if let Some(oldest) = device.queue.seqs().find(is_there) {
                    self.batch.delete(
                        namespace::QUEUE,
                        sequence_key(&account.number, device_id, oldest),
                    );
                    self.departures.push(Departure {
                        account: account.clone(),
                        device_id,
                        seq: oldest,
                    });
                }
            }
            self.batch.put(
                namespace::QUEUE,
                sequence_key(&account.number, device_id, seq),
                queued.value.clone(),
            );
            device_ids.push(device_id);
            self.arrivals.push(Arrival {
                account: account.clone(),
                device_id,
                seq,
                queued,
            });
        }
        device_ids
    }

    /// Takes what a device acknowledged from its queue; false when it is not there.
    pub(super) fn take(
        &mut self,
        account: &Arc<AccountCell>,
        device_id: u16,
        found: &Acknowledged<'_>,
    ) -> bool {
        let seq = {
            let state = account.lock();
            let device = state.devices.get(&device_id);
            device.and_then(|device| device.queue.find(found))
        };
        let is_there = |seq: &u64| !is_departing(&self.departures, account, device_id, *seq);
        let Some(seq) = seq.filter(is_there) else {
            return false;
        };
        self.batch.delete(
            namespace::QUEUE,
            sequence_key(&account.number, device_id, seq),
        );
        self.departures.push(Departure {
            account: account.clone(),
            device_id,
            seq,
        });
        true
    }

    /// Writes everything down, and hands the stanzas to those devices that are connected.
    pub(super) fn commit(self) -> Result<(), JournalError> {
        self.commit_then(|| {})
    }

    /// Like [`Transaction::commit`]; what `then` does happens when everything is written down and
    /// before anybody is told.
    pub(super) fn commit_then(self, then: impl FnOnce()) -> Result<(), JournalError> {
        self.batch.commit()?;
        then();
        for gone in self.departures {
            if let Some(device) = gone.account.lock().devices.get_mut(&gone.device_id) {
                device.queue.remove(gone.seq);
            }
        }
        for arrival in self.arrivals {
            let mut state = arrival.account.lock();
            if let Some(device) = state.devices.get_mut(&arrival.device_id) {
                device.queue.insert(arrival.seq, arrival.queued.clone());
                self.server
                    .push_queued(&arrival.account, device, arrival.seq, &arrival.queued);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use wacore_binary::builder::NodeBuilder;
    use wacore_binary::{Jid, Node};

    use super::*;
    use crate::journal::Journal;
    use crate::server::ServerConfig;
    use crate::server::deliver::parcels;
    use crate::server::queue::Class;

    fn open(journal: &Journal) -> Server {
        Server::open(ServerConfig::default(), journal.clone()).unwrap()
    }

    fn account(server: &Server) -> Arc<AccountCell> {
        let account = server.create_account(None, None).unwrap();
        server.cell(&account.number).unwrap()
    }

    fn receipt(id: &str) -> Node {
        NodeBuilder::new("receipt").attr("id", id).build()
    }

    /// The ids in the queue of the account's primary.
    fn queued(account: &AccountCell) -> Vec<String> {
        let batch = account.lock().devices[&0].queue.batch(0, 100);
        batch
            .iter()
            .map(|(_, queued)| queued.id.to_string())
            .collect()
    }

    /// Takes `A` away and brings `B` and `C`.
    fn change<'a>(server: &'a Server, account: &Arc<AccountCell>) -> Transaction<'a> {
        let found = Acknowledged {
            class: Class::Receipt,
            id: "A",
            from_user: None,
            kind: None,
        };
        let mut transaction = server.begin();
        assert!(transaction.take(account, 0, &found));
        assert!(!transaction.take(account, 0, &found));
        let mut both = parcels(&receipt("B"), [0, 9]);
        both.extend(parcels(&receipt("C"), [0]));
        assert_eq!(transaction.deliver(account, both), [0, 0]);
        transaction
    }

    #[test]
    fn nothing_has_happened_before_the_commit_and_everything_after_it() {
        let journal = Journal::memory();
        let server = open(&journal);
        let cell = account(&server);
        server.deliver(&cell, parcels(&receipt("A"), [0])).unwrap();
        let restored = |server: &Server| queued(&server.cell(&cell.number).unwrap());
        drop(change(&server, &cell));
        assert_eq!(queued(&cell), ["A"]);
        assert_eq!(restored(&open(&journal)), ["A"]);
        change(&server, &cell).commit().unwrap();
        assert_eq!(queued(&cell), ["B", "C"]);
        assert_eq!(restored(&open(&journal)), ["B", "C"]);
    }

    #[test]
    fn of_a_full_queue_the_oldest_goes() {
        let journal = Journal::memory();
        let server = open(&journal);
        let cell = account(&server);
        server.deliver(&cell, parcels(&receipt("A"), [0])).unwrap();
        if let Some(device) = cell.lock().devices.get_mut(&0) {
            let queued = parcels(&receipt("B"), [0]).remove(0).queued;
            for seq in 1..MAX_QUEUED as u64 {
                device.queue.insert(seq, queued.clone());
            }
        }
        server.deliver(&cell, parcels(&receipt("C"), [0])).unwrap();
        let state = cell.lock();
        let queue = &state.devices[&0].queue;
        let (first, last) = (queue.seqs().next(), queue.seqs().last());
        assert_eq!((first, last), (Some(1), Some(MAX_QUEUED as u64)));
        assert_eq!(queue.len(), MAX_QUEUED);
        let written = journal.scan(namespace::QUEUE).unwrap();
        assert_eq!(written.len(), 1, "the first is not on the disk any more");
    }

    fn message(to: &AccountCell, id: &str) -> Node {
        let enc = NodeBuilder::new("enc").attr("type", "msg").bytes(vec![1]);
        NodeBuilder::new("message")
            .attr("to", Jid::pn(&*to.number))
            .attr("id", id)
            .children([enc.build()])
            .build()
    }

    /// Sends messages one way, each of which is read.
    fn talk(server: &Server, from: &AccountCell, to: &AccountCell) {
        let attach = |cell: &AccountCell| server.attach(&Jid::pn(&*cell.number)).unwrap();
        let (sender, receiver) = (attach(from), attach(to));
        for number in 0..10 {
            let id = format!("{}-{number}", from.number);
            sender.send(message(to, &id));
            let mut read = receipt(&id);
            read.attrs.insert("to", Jid::pn(&*from.number));
            read.attrs.insert("type", "read");
            receiver.send(read);
        }
    }

    /// Whenever the process is killed, books and queues tell the same of every message.
    #[test]
    fn books_and_queues_agree_after_every_write() {
        let journal = Journal::memory();
        let server = open(&journal);
        let (alice, bob) = (account(&server), account(&server));
        std::thread::scope(|scope| {
            scope.spawn(|| talk(&server, &alice, &bob));
            scope.spawn(|| talk(&server, &bob, &alice));
        });
        let (mut waited, mut read) = (0, 0);
        for state in journal.states() {
            let server = open(&state);
            for pair in server.accounting().pairs() {
                let cell = |number: &str| queued(&server.cell(number).unwrap());
                let (senders, recipients) = (cell(&pair.from), cell(&pair.to));
                for (id, record) in pair.messages {
                    // A message waits for the recipient, or its receipt for the sender.
                    assert_eq!(recipients.contains(&id), record.is_pending(), "{id}");
                    assert_eq!(senders.contains(&id), record.is_acknowledged(), "{id}");
                    waited += usize::from(record.is_pending());
                    read += usize::from(record.is_acknowledged());
                }
            }
        }
        assert!(waited >= 20 && read >= 20);
    }
}
