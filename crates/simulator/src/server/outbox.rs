//! What a connection is to write next: answers first, then the waiting queue, then live stanzas.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::journal::Journal;

use super::link::{LinkReceiver, Outgoing};
use super::queue::{Counts, Queued};
use super::record::{namespace, sequence_key};
use super::session::Session;
use super::stanza::{marshal, server_jid, unmarshal};

/// How many queued stanzas a connection takes at a time; the rest stays in the queue.
const BATCH_LEN: usize = 32;

/// How much of a backlog comes unasked; for more the client asks, batch by batch
/// (whatsapp-rust `client::offline_resume`).
const PRIMER_LEN: usize = 5;

/// The reading side of a session: a socket's task or a [`super::DevicePort`] drives it.
pub(crate) struct Outbox {
    session: Session,
    receiver: LinkReceiver,
    /// Long queues have their stanzas only there.
    journal: Journal,
    ready: VecDeque<Bytes>,
    /// How far the backlog has been announced and sent.
    progress: Progress,
    pace: Pace,
}

/// The offline delivery of a connection.
#[derive(Debug, Default)]
struct Progress {
    was_announced: bool,
    was_ended: bool,
    sent: usize,
}

/// Who sets the pace of the offline delivery.
#[derive(Debug)]
enum Pace {
    /// The client, by asking for batches; when it does not ask for this long, the server.
    Pulled {
        patience: Duration,
        /// When the patience that began with the last stanza of a batch is over.
        until: Option<Instant>,
    },
    /// The server: some clients never ask.
    Pushed,
}

/// What there was to take from the queue.
enum Filled {
    /// Something was made ready.
    Ready,
    /// Nothing: what comes is live.
    Idle,
    /// Nothing until the client asks for it.
    Unasked,
}

impl Outbox {
    /// For a client that asks for its backlog, or waits for so long and gets it all the same.
    pub(crate) fn pulled(
        session: Session,
        receiver: LinkReceiver,
        journal: Journal,
        patience: Duration,
    ) -> Self {
        let until = None;
        Self::new(session, receiver, journal, Pace::Pulled { patience, until })
    }

    /// For a device that gets its backlog as fast as it reads.
    pub(crate) fn pushed(session: Session, receiver: LinkReceiver, journal: Journal) -> Self {
        Self::new(session, receiver, journal, Pace::Pushed)
    }

    fn new(session: Session, receiver: LinkReceiver, journal: Journal, pace: Pace) -> Self {
        Self {
            session,
            receiver,
            journal,
            ready: VecDeque::new(),
            progress: Progress::default(),
            pace,
        }
    }

    /// The next thing to write; `None` when the connection is to end. May be dropped while it
    /// waits: nothing is lost.
    pub(crate) async fn next(&mut self) -> Option<Outgoing> {
        loop {
            if let Some(stanza) = self.ready.pop_front() {
                return Some(Outgoing::Stanza(stanza));
            }
            match self.receiver.try_recv() {
                Some(Outgoing::Wake) => continue,
                Some(outgoing) => return Some(outgoing),
                None => {}
            }
            let outgoing = match self.fill() {
                Filled::Ready => continue,
                Filled::Idle => self.receiver.recv().await?,
                Filled::Unasked => {
                    let over = self.pace.patience_over();
                    tokio::select! {
                        biased;
                        outgoing = self.receiver.recv() => outgoing?,
                        () = over => {
                            self.pace = Pace::Pushed;
                            continue;
                        }
                    }
                }
            };
            match outgoing {
                Outgoing::Wake => {}
                outgoing => return Some(outgoing),
            }
        }
    }

    /// Takes the next batch from the queue, or ends the offline delivery.
    fn fill(&mut self) -> Filled {
        let mut state = self.session.account.lock();
        let Some(device) = state.devices.get_mut(&self.session.device_id) else {
            return Filled::Idle;
        };
        let Some(live) = device
            .live
            .as_mut()
            .filter(|live| live.link.id == self.session.link.id && !live.is_passive)
        else {
            return Filled::Idle;
        };
        let Some(drain_from) = live.drain_from else {
            return Filled::Idle;
        };
        if !self.progress.was_announced {
            self.progress.was_announced = true;
            let counts = device.queue.counts();
            if counts.total() > 0 {
                self.ready.push_back(marshal(&preview(counts)));
            }
            return Filled::Ready;
        }
        let limit = match self.pace {
            Pace::Pulled { .. } if !self.progress.was_ended => PRIMER_LEN
                .saturating_add(live.asked_for)
                .saturating_sub(self.progress.sent)
                .min(BATCH_LEN),
            _ => BATCH_LEN,
        };
        let batch = device.queue.batch(drain_from, limit.max(1));
        let Some((last, _)) = batch.last() else {
            live.drain_from = None;
            if !self.progress.was_ended {
                self.progress.was_ended = true;
                self.ready
                    .push_back(marshal(&offline_end(self.progress.sent)));
            }
            return Filled::Ready;
        };
        if limit == 0 {
            return Filled::Unasked;
        }
        live.drain_from = Some(last + 1);
        drop(state);
        self.pace.restart();
        for (seq, queued) in batch {
            let Some(stanza) = self.stanza(seq, &queued) else {
                continue;
            };
            if self.progress.was_ended {
                // A slow reader, or one that was passive, catches up.
                self.ready.push_back(stanza);
                continue;
            }
            self.progress.sent += 1;
            if let Some(stanza) = as_offline(&stanza, self.progress.sent) {
                self.ready.push_back(stanza);
            }
        }
        Filled::Ready
    }

    /// A stanza of the queue; none where it was acknowledged meanwhile.
    fn stanza(&self, seq: u64, queued: &Queued) -> Option<Bytes> {
        if let Some(stanza) = queued.stanza() {
            return Some(stanza);
        }
        let (account, device_id) = (&self.session.account, self.session.device_id);
        let key = sequence_key(&account.number, device_id, seq);
        match self.journal.get(namespace::QUEUE, key) {
            Ok(value) => Queued::restore(&value?)?.stanza(),
            Err(error) => {
                tracing::error!(%error, "a queue cannot be read");
                None
            }
        }
    }
}

impl Pace {
    /// Something was sent: the client has its time anew.
    fn restart(&mut self) {
        if let Self::Pulled { until, .. } = self {
            *until = None;
        }
    }

    /// Resolves when the client has not asked for too long.
    fn patience_over(&mut self) -> impl Future<Output = ()> + use<> {
        let until = match self {
            Self::Pulled { patience, until } => {
                *until.get_or_insert_with(|| Instant::now() + *patience)
            }
            Self::Pushed => Instant::now(),
        };
        tokio::time::sleep_until(until)
    }
}

/// Stanzas that waited carry their position in `offline`.
fn as_offline(stanza: &Bytes, position: usize) -> Option<Bytes> {
    let mut node = unmarshal(stanza)?;
    node.attrs.insert("offline", position);
    Some(marshal(&node))
}

fn preview(counts: Counts) -> Node {
    NodeBuilder::new("ib")
        .attr("from", server_jid())
        .children([NodeBuilder::new("offline_preview")
            .attr("count", counts.total())
            .attr("message", counts.messages)
            .attr("receipt", counts.receipts)
            .attr("notification", counts.notifications)
            .attr("call", counts.calls)
            .attr("appdata", 0_u8)
            .build()])
        .build()
}

fn offline_end(count: usize) -> Node {
    NodeBuilder::new("ib")
        .attr("from", server_jid())
        .children([NodeBuilder::new("offline").attr("count", count).build()])
        .build()
}
