//! Which message is next: in order within each chat, several chats at a time. No I/O in here.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;
use wagate_model::OutboxId;

/// A message in a lane.
pub(crate) trait Queued {
    /// Its place in the order.
    fn id(&self) -> OutboxId;
    /// The chat whose order it keeps.
    fn chat(&self) -> &Arc<str>;
}

struct Lane<T> {
    queue: VecDeque<T>,
    is_busy: bool,
    not_before: Option<Instant>,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            is_busy: false,
            not_before: None,
        }
    }
}

/// The messages of one session that wait to be sent, one lane per chat.
pub(crate) struct Lanes<T> {
    chats: HashMap<Arc<str>, Lane<T>>,
    /// Chats in the order in which their turn comes.
    turns: VecDeque<Arc<str>>,
    known: HashSet<OutboxId>,
    busy: usize,
    max_busy: usize,
}

impl<T: Queued> Lanes<T> {
    pub(crate) fn new(max_busy: usize) -> Self {
        Self {
            chats: HashMap::new(),
            turns: VecDeque::new(),
            known: HashSet::new(),
            busy: 0,
            max_busy: max_busy.max(1),
        }
    }

    /// Adds a message in the order of its id; one that is here already is left out.
    pub(crate) fn push(&mut self, item: T) {
        if !self.known.insert(item.id()) {
            return;
        }
        let chat = item.chat().clone();
        let lane = self.chats.entry(chat.clone()).or_insert_with(|| {
            self.turns.push_back(chat);
            Lane::default()
        });
        let place = lane.queue.partition_point(|other| other.id() < item.id());
        lane.queue.insert(place, item);
    }

    /// Whether the message is here, waiting or being sent.
    pub(crate) fn contains(&self, id: OutboxId) -> bool {
        self.known.contains(&id)
    }

    /// How many messages are here, waiting or being sent.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Takes the next message to attempt; its chat is busy until [`Self::done`] or
    /// [`Self::put_back`].
    pub(crate) fn next(&mut self, now: Instant) -> Option<T> {
        if self.busy >= self.max_busy {
            return None;
        }
        for _ in 0..self.turns.len() {
            let chat = self.turns.pop_front()?;
            self.turns.push_back(chat.clone());
            let Some(lane) = self.chats.get_mut(&chat) else {
                continue;
            };
            if lane.is_busy || lane.not_before.is_some_and(|time| time > now) {
                continue;
            }
            if let Some(item) = lane.queue.pop_front() {
                lane.is_busy = true;
                lane.not_before = None;
                self.busy += 1;
                return Some(item);
            }
        }
        None
    }

    /// The message is finished and its chat goes on; whether nothing of the chat is left here.
    pub(crate) fn done(&mut self, id: OutboxId, chat: &Arc<str>) -> bool {
        self.known.remove(&id);
        self.release(chat, None);
        let is_empty = self
            .chats
            .get(chat)
            .is_none_or(|lane| lane.queue.is_empty());
        if is_empty {
            self.chats.remove(chat);
            self.turns.retain(|other| other != chat);
        }
        is_empty
    }

    /// The message is to be attempted again, before all others of its chat, not before a time.
    pub(crate) fn put_back(&mut self, item: T, not_before: Option<Instant>) {
        let chat = item.chat().clone();
        if let Some(lane) = self.chats.get_mut(&chat) {
            lane.queue.push_front(item);
        }
        self.release(&chat, not_before);
    }

    fn release(&mut self, chat: &Arc<str>, not_before: Option<Instant>) {
        if let Some(lane) = self.chats.get_mut(chat) {
            if lane.is_busy {
                self.busy -= 1;
            }
            lane.is_busy = false;
            lane.not_before = not_before;
        }
    }

    /// When the earliest delayed chat may go on.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let waiting = self
            .chats
            .values()
            .filter(|lane| !lane.is_busy && !lane.queue.is_empty());
        waiting.filter_map(|lane| lane.not_before).min()
    }

    /// Lets delayed chats go on at once, as after a change of the limits.
    pub(crate) fn forget_delays(&mut self) {
        for lane in self.chats.values_mut() {
            lane.not_before = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[derive(Debug, PartialEq, Clone)]
    struct Item(OutboxId, Arc<str>);

    impl Queued for Item {
        fn id(&self) -> OutboxId {
            self.0
        }
        fn chat(&self) -> &Arc<str> {
            &self.1
        }
    }

    fn item(number: u128, chat: &str) -> Item {
        Item(OutboxId::from_parts(1, number), chat.into())
    }

    fn finish(lanes: &mut Lanes<Item>, item: &Item) {
        lanes.done(item.0, &item.1);
    }

    #[tokio::test]
    async fn a_chat_keeps_the_order_of_the_ids_whatever_the_order_of_arrival() {
        let mut lanes = Lanes::new(4);
        for number in [3, 1, 2, 1] {
            lanes.push(item(number, "a"));
        }
        assert_eq!(lanes.len(), 3);
        for number in [1, 2, 3] {
            let next = lanes.next(Instant::now()).unwrap();
            assert_eq!(next, item(number, "a"));
            assert_eq!(lanes.next(Instant::now()), None, "one at a time");
            finish(&mut lanes, &next);
        }
        assert_eq!(lanes.len(), 0);
    }

    #[tokio::test]
    async fn chats_do_not_wait_for_each_other() {
        let mut lanes = Lanes::new(2);
        for (number, chat) in [(1, "a"), (2, "a"), (3, "b"), (4, "c")] {
            lanes.push(item(number, chat));
        }
        let now = Instant::now();
        let first = lanes.next(now).unwrap();
        let second = lanes.next(now).unwrap();
        assert_eq!((&first, &second), (&item(1, "a"), &item(3, "b")));
        assert_eq!(lanes.next(now), None, "no more than two at a time");
        finish(&mut lanes, &second);
        assert_eq!(lanes.next(now), Some(item(4, "c")));
    }

    #[tokio::test]
    async fn a_message_to_try_again_holds_up_its_own_chat_only() {
        let mut lanes = Lanes::new(1);
        for (number, chat) in [(1, "a"), (2, "a"), (3, "b")] {
            lanes.push(item(number, chat));
        }
        let now = Instant::now();
        let later = now + Duration::from_secs(5);
        let first = lanes.next(now).unwrap();
        lanes.put_back(first.clone(), Some(later));
        let other = lanes.next(now).unwrap();
        assert_eq!(other, item(3, "b"));
        finish(&mut lanes, &other);
        assert_eq!(lanes.next(now), None);
        assert_eq!(lanes.next_due(), Some(later));
        assert_eq!(lanes.next(later), Some(first));
    }

    #[tokio::test]
    async fn other_limits_end_all_delays() {
        let mut lanes = Lanes::new(1);
        lanes.push(item(1, "a"));
        let now = Instant::now();
        let first = lanes.next(now).unwrap();
        lanes.put_back(first.clone(), Some(now + Duration::from_mins(1)));
        lanes.forget_delays();
        assert_eq!(lanes.next(now), Some(first));
        assert!(lanes.contains(OutboxId::from_parts(1, 1)));
    }
}
