//! What a connection is to write next: answers first, then the waiting queue, then live stanzas.

use std::collections::VecDeque;

use bytes::Bytes;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::link::{LinkReceiver, Outgoing};
use super::queue::Counts;
use super::session::Session;
use super::stanza::{marshal, server_jid, unmarshal};

/// How many queued stanzas a connection takes at a time; the rest stays in the queue.
const BATCH_LEN: usize = 32;

/// The reading side of a session: a socket's task or a [`super::DevicePort`] drives it.
pub(crate) struct Outbox {
    session: Session,
    receiver: LinkReceiver,
    ready: VecDeque<Bytes>,
    /// How far the backlog has been announced and sent.
    progress: Progress,
}

/// The offline delivery of a connection.
#[derive(Debug, Default)]
struct Progress {
    was_announced: bool,
    was_ended: bool,
    sent: usize,
}

impl Outbox {
    pub(crate) fn new(session: Session, receiver: LinkReceiver) -> Self {
        Self {
            session,
            receiver,
            ready: VecDeque::new(),
            progress: Progress::default(),
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
            if self.fill() {
                continue;
            }
            match self.receiver.recv().await? {
                Outgoing::Wake => {}
                outgoing => return Some(outgoing),
            }
        }
    }

    /// Takes the next batch from the queue, or ends the offline delivery; false when there is
    /// nothing to do but wait.
    fn fill(&mut self) -> bool {
        let mut state = self.session.account.lock();
        let Some(device) = state.devices.get_mut(&self.session.device_id) else {
            return false;
        };
        let Some(live) = device
            .live
            .as_mut()
            .filter(|live| live.link.id == self.session.link.id && !live.is_passive)
        else {
            return false;
        };
        let Some(drain_from) = live.drain_from else {
            return false;
        };
        if !self.progress.was_announced {
            self.progress.was_announced = true;
            let counts = device.queue.counts();
            if counts.total() > 0 {
                self.ready.push_back(marshal(&preview(counts)));
            }
            return true;
        }
        let batch = device.queue.take_batch(drain_from, BATCH_LEN);
        let Some((last, _)) = batch.last() else {
            live.drain_from = None;
            if !self.progress.was_ended {
                self.progress.was_ended = true;
                self.ready
                    .push_back(marshal(&offline_end(self.progress.sent)));
            }
            return true;
        };
        live.drain_from = Some(last + 1);
        drop(state);
        for (_, queued) in batch {
            self.progress.sent += 1;
            if let Some(stanza) = as_offline(&queued.stanza, self.progress.sent) {
                self.ready.push_back(stanza);
            }
        }
        true
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
