//! The way of events from a session to whoever reads them.
//!
//! The library tells events from its receive path and cannot wait there, so the
//! mailbox takes every event at once and keeps count. Two marks bound it:
//! above the first, presence and typing are dropped; above the second, the
//! session's transport stops reading from the socket until the reader has
//! caught up, so that the rest waits at WhatsApp and nothing but presence is
//! lost. A reader that stands still longer than the keepalive allows (20 to
//! 50 s) makes the session reconnect.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, mpsc};

use crate::EngineEvent;

/// Above this many waiting events presence is dropped.
const DROP_PRESENCE_ABOVE: usize = 256;
/// Above this many waiting events the socket is no longer read.
const STOP_READING_ABOVE: usize = 2_048;
/// Below this many waiting events the reader has nothing to do: of what could come at once, as
/// the pages of a history, no more is held in memory.
const CALM_BELOW: usize = 2;

#[derive(Debug, Default)]
struct Load {
    waiting: AtomicUsize,
    relieved: Notify,
    /// The account's own name was told.
    named: Notify,
}

/// The session's end.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox {
    sender: mpsc::UnboundedSender<EngineEvent>,
    load: Arc<Load>,
}

/// The events of one session, to be read continuously by a task of its own.
///
/// That task must not wait for the session's own answers (such as
/// [`crate::Connection::send`]) between two reads: when it is far behind, the
/// session does not read the socket that the answer would come from.
#[derive(Debug)]
pub struct Events {
    receiver: mpsc::UnboundedReceiver<EngineEvent>,
    load: Arc<Load>,
}

pub(crate) fn mailbox() -> (Mailbox, Events) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let load = Arc::new(Load::default());
    let mailbox = Mailbox {
        sender,
        load: Arc::clone(&load),
    };
    (mailbox, Events { receiver, load })
}

impl Mailbox {
    /// Puts an event in; presence may be dropped.
    pub(crate) fn tell(&self, event: EngineEvent) {
        if event.is_ephemeral() && self.waiting() >= DROP_PRESENCE_ABOVE {
            metrics::counter!("wagate_engine_presence_dropped_total").increment(1);
            return;
        }
        if matches!(event, EngineEvent::OwnPushName(_)) {
            self.load.named.notify_waiters();
        }
        self.load.waiting.fetch_add(1, Ordering::AcqRel);
        if self.sender.send(event).is_err() {
            // Nobody reads any more; the session is being closed.
            self.load.waiting.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn waiting(&self) -> usize {
        self.load.waiting.load(Ordering::Acquire)
    }

    /// Waits until the reader has caught up enough for the socket to be read.
    pub(crate) async fn wait_for_room(&self) {
        self.wait_until_below(STOP_READING_ABOVE).await;
    }

    /// Waits until hardly anything is waiting, for producers that have time.
    pub(crate) async fn wait_for_calm(&self) {
        self.wait_until_below(CALM_BELOW).await;
    }

    /// Waits until the account's own name is known, which is told when it is.
    pub(crate) async fn wait_for_name(&self, is_known: impl Fn() -> bool) {
        loop {
            let named = self.load.named.notified();
            tokio::pin!(named);
            // Registered before the check, so that no name is missed.
            named.as_mut().enable();
            if is_known() || self.sender.is_closed() {
                return;
            }
            named.await;
        }
    }

    async fn wait_until_below(&self, mark: usize) {
        loop {
            let relieved = self.load.relieved.notified();
            tokio::pin!(relieved);
            // Registered before the check, so that no relief is missed.
            relieved.as_mut().enable();
            if self.waiting() < mark || self.sender.is_closed() {
                return;
            }
            relieved.await;
        }
    }
}

impl Events {
    /// The next event; none after the last one of a closed session.
    pub async fn recv(&mut self) -> Option<EngineEvent> {
        let event = self.receiver.recv().await;
        if event.is_some() {
            self.count_taken();
        }
        event
    }

    /// The next event, if one is waiting.
    pub fn try_recv(&mut self) -> Option<EngineEvent> {
        let event = self.receiver.try_recv().ok();
        if event.is_some() {
            self.count_taken();
        }
        event
    }

    fn count_taken(&self) {
        self.load.waiting.fetch_sub(1, Ordering::AcqRel);
        self.load.relieved.notify_waiters();
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.receiver.close();
        self.load.relieved.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use wagate_model::Jid;

    use super::*;
    use crate::Presence;

    fn presence() -> EngineEvent {
        let person: Jid = "15551234567@s.whatsapp.net".parse().unwrap();
        EngineEvent::Presence(Presence {
            person,
            is_online: true,
            last_seen_ms: None,
        })
    }

    #[tokio::test]
    async fn only_presence_is_dropped_and_the_rest_keeps_its_order() {
        let (mailbox, mut events) = mailbox();
        for index in 0..DROP_PRESENCE_ABOVE {
            mailbox.tell(EngineEvent::OwnPushName(index.to_string()));
        }
        mailbox.tell(presence());
        mailbox.tell(EngineEvent::CaughtUp);
        for index in 0..DROP_PRESENCE_ABOVE {
            let Some(EngineEvent::OwnPushName(name)) = events.recv().await else {
                panic!("an event is missing");
            };
            assert_eq!(name, index.to_string());
        }
        assert!(matches!(events.recv().await, Some(EngineEvent::CaughtUp)));
        mailbox.tell(presence());
        assert!(matches!(
            events.recv().await,
            Some(EngineEvent::Presence(_))
        ));
    }

    #[tokio::test]
    async fn a_full_mailbox_stops_the_socket_until_it_is_read() {
        let (mailbox, mut events) = mailbox();
        for _ in 0..STOP_READING_ABOVE {
            mailbox.tell(EngineEvent::CaughtUp);
        }
        let room = mailbox.wait_for_room();
        tokio::pin!(room);
        assert!(room.as_mut().now_or_never().is_none());
        events.recv().await.unwrap();
        room.await;
    }

    #[tokio::test]
    async fn a_reader_that_is_gone_holds_nobody_up() {
        let (mailbox, events) = mailbox();
        for _ in 0..STOP_READING_ABOVE {
            mailbox.tell(EngineEvent::CaughtUp);
        }
        drop(events);
        mailbox.wait_for_room().await;
        mailbox.tell(EngineEvent::CaughtUp);
    }
}
