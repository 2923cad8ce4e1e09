//! The way from callers to a session's sender: a short list in memory, the store behind it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use wagate_engine::Uploaded;
use wagate_model::{Jid, OutboxId, SendMode, SendTask, TargetMessage};
use wagate_store::DueOutbox;

use super::lanes::Queued;
use super::order::Order;

/// Messages that wait in memory for the sender; what is beyond is read from the store.
const MAX_INBOX: usize = 256;
/// Finished messages that are kept in mind: far more than can be handed over late.
const MAX_FINISHED: usize = 64;

/// A message on its way out.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) id: OutboxId,
    pub(crate) wa_message_id: String,
    pub(crate) chat: Arc<str>,
    pub(crate) mode: SendMode,
    pub(crate) order: Arc<Order>,
    /// From when on its age counts; none while the sending limits hold it, which says nothing
    /// of its worth.
    pub(crate) age_from_ms: Option<i64>,
    /// Attempts that were begun; an asynchronous message is counted in the sending limits
    /// when its first one begins.
    pub(crate) attempts: i64,
    /// Where its file is, once an attempt has brought it there.
    pub(crate) uploaded: Option<Arc<Uploaded>>,
}

impl Item {
    /// An entry of the store; as the error, one whose request cannot be read.
    pub(super) fn read(due: DueOutbox) -> Result<Self, Self> {
        let record = due.record;
        let order = due.request.and_then(|stored| Order::read(&stored));
        let is_readable = order.is_some();
        let item = Self {
            id: record.id,
            wa_message_id: record.wa_message_id,
            chat: record.chat_jid.into(),
            mode: record.mode,
            order: Arc::new(order.unwrap_or_else(unreadable)),
            age_from_ms: Some(record.created_at_ms.max(record.next_attempt_at_ms)),
            attempts: record.attempts,
            uploaded: None,
        };
        if is_readable { Ok(item) } else { Err(item) }
    }

    /// Whether the sending limits have counted it.
    pub(crate) fn is_counted(&self) -> bool {
        self.mode == SendMode::Sync || self.attempts > 0 || !self.order.is_counted()
    }
}

/// Stands in for an order that cannot be read: it is told as failed, and never sent.
fn unreadable() -> Order {
    let nobody: Jid = "0@s.whatsapp.net".parse().expect("it is an address");
    Order::new(SendTask::Revoke {
        target: TargetMessage {
            chat: nobody,
            id: String::new(),
            sender: None,
        },
    })
}

impl Queued for Item {
    fn id(&self) -> OutboxId {
        self.id
    }

    fn chat(&self) -> &Arc<str> {
        &self.chat
    }
}

struct State {
    inbox: Vec<Item>,
    /// The store holds messages that are not here.
    has_backlog: bool,
    /// It is worth reading them: something came, or a chat has nothing left here.
    needs_reload: bool,
    is_running: bool,
    /// Somebody woke the sender since it began its round.
    was_woken: bool,
    /// Messages that were finished lately.
    finished: VecDeque<OutboxId>,
}

impl State {
    fn leave_to_store(&mut self) {
        self.has_backlog = true;
        self.needs_reload = true;
        self.inbox.clear();
    }
}

/// The messages of a session that its sender has not taken yet.
pub(crate) struct SendQueue {
    state: Mutex<State>,
    woken: Notify,
    rested: Notify,
}

impl Default for SendQueue {
    fn default() -> Self {
        // What an earlier owner left is in the store.
        let state = State {
            inbox: Vec::new(),
            has_backlog: true,
            needs_reload: true,
            is_running: false,
            was_woken: false,
            finished: VecDeque::new(),
        };
        Self {
            state: Mutex::new(state),
            woken: Notify::new(),
            rested: Notify::new(),
        }
    }
}

impl SendQueue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over a message that is in the store already.
    pub(crate) fn push(&self, item: Item) {
        let mut state = self.state();
        // Read from the store and sent before it was handed over.
        if state.finished.contains(&item.id) {
            return;
        }
        // Behind a backlog it would overtake older messages of its chat.
        if state.has_backlog {
            state.needs_reload = true;
            return;
        }
        if state.inbox.len() < MAX_INBOX {
            state.inbox.push(item);
        } else {
            state.has_backlog = true;
            state.needs_reload = true;
        }
    }

    /// Whether the store holds messages that are not here.
    pub(crate) fn has_backlog(&self) -> bool {
        self.state().has_backlog
    }

    /// Whether it is worth reading what only the store holds.
    pub(super) fn needs_reload(&self) -> bool {
        let state = self.state();
        state.has_backlog && state.needs_reload
    }

    /// A chat has nothing left here; the store may have more of it.
    pub(super) fn note_empty_chat(&self) {
        self.state().needs_reload = true;
    }

    /// Keeps in mind that a message is finished, for who hands it over late.
    pub(super) fn note_finished(&self, id: OutboxId) {
        let mut state = self.state();
        if state.finished.len() >= MAX_FINISHED {
            state.finished.pop_front();
        }
        state.finished.push_back(id);
    }

    /// Wakes the sender; true when there is none and the caller has to start it.
    pub(crate) fn wake(&self) -> bool {
        let must_start = {
            let mut state = self.state();
            state.was_woken = true;
            !std::mem::replace(&mut state.is_running, true)
        };
        self.woken.notify_one();
        must_start
    }

    /// The sender looks at everything anew: whatever woke it before is dealt with by that.
    pub(super) fn begin_round(&self) {
        self.state().was_woken = false;
    }

    // For the sender.

    pub(super) async fn woken(&self) {
        self.woken.notified().await;
    }

    pub(super) fn take(&self) -> Vec<Item> {
        std::mem::take(&mut self.state().inbox)
    }

    /// Begins to read the backlog: what is pushed from now on is newer than the read.
    pub(super) fn begin_reload(&self) {
        let mut state = self.state();
        state.has_backlog = false;
        state.needs_reload = false;
    }

    /// Says that the store holds what was not read.
    pub(super) fn keep_backlog(&self) {
        self.state().leave_to_store();
    }

    /// Says that there is more in the store than was read, to be read once a chat is through.
    pub(super) fn keep_rest(&self) {
        let mut state = self.state();
        let came_meanwhile = !state.inbox.is_empty();
        state.leave_to_store();
        state.needs_reload = came_meanwhile;
    }

    /// The sender stops where nothing came meanwhile; whether it may.
    pub(super) fn rest(&self, leaves_backlog: bool) -> bool {
        let mut state = self.state();
        if leaves_backlog {
            state.leave_to_store();
            if state.was_woken {
                return false;
            }
        } else if !state.inbox.is_empty() || state.has_backlog {
            state.needs_reload = true;
            return false;
        }
        state.is_running = false;
        drop(state);
        self.rested.notify_waiters();
        true
    }

    /// The sender stops whatever comes: the session ends.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.leave_to_store();
        state.is_running = false;
        drop(state);
        self.rested.notify_waiters();
    }

    /// Waits until no sender runs.
    pub(crate) async fn rested(&self) {
        loop {
            let rested = self.rested.notified();
            tokio::pin!(rested);
            rested.as_mut().enable();
            if !self.state().is_running {
                return;
            }
            rested.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(number: u128) -> Item {
        Item {
            id: OutboxId::from_parts(1, number),
            wa_message_id: String::new(),
            chat: "a".into(),
            mode: SendMode::Sync,
            order: Arc::new(unreadable()),
            age_from_ms: None,
            attempts: 0,
            uploaded: None,
        }
    }

    #[test]
    fn nothing_overtakes_a_backlog() {
        let queue = SendQueue::default();
        queue.push(item(1));
        assert!(
            queue.take().is_empty(),
            "it is read from the store, after older ones"
        );
        queue.begin_reload();
        queue.push(item(2));
        assert_eq!(queue.take().len(), 1);
        queue.push(item(3));
        queue.keep_backlog();
        assert!(queue.take().is_empty() && queue.has_backlog());
    }

    #[test]
    fn more_than_fits_becomes_a_backlog() {
        let queue = SendQueue::default();
        queue.begin_reload();
        for number in 0..=MAX_INBOX {
            queue.push(item(number as u128));
        }
        assert!(queue.has_backlog());
        assert_eq!(queue.take().len(), MAX_INBOX);
    }

    #[test]
    fn a_sender_does_not_rest_on_what_came_meanwhile() {
        let queue = SendQueue::default();
        assert!(queue.wake(), "the first wake starts it");
        assert!(!queue.wake());
        queue.begin_reload();
        queue.push(item(1));
        assert!(!queue.rest(false));
        queue.take();
        assert!(queue.rest(false));
        assert!(queue.wake(), "and the next wake starts it again");
    }

    #[test]
    fn who_connects_while_the_sender_goes_to_rest_is_noticed() {
        let queue = SendQueue::default();
        queue.wake();
        queue.begin_round();
        assert!(!queue.wake(), "a connection, while a round finds none");
        assert!(!queue.rest(true));
        queue.begin_round();
        assert!(queue.rest(true));
    }
}
