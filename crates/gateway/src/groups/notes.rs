//! What a session remembers of its groups while it runs: which are out of date, and which have
//! changed since WhatsApp was asked about them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wagate_model::Jid;

/// Groups whose last change is remembered.
const MAX_CHANGED: usize = 1_024;
/// Groups of which is remembered that they were not told.
const MAX_UNTOLD: usize = 4_096;
/// Beyond this many groups that are out of date, all are asked for at once.
const MAX_STALE: usize = 16;

/// What a session remembers of its groups.
#[derive(Default)]
pub(crate) struct GroupNotes(Mutex<Notes>);

#[derive(Default)]
struct Notes {
    /// Grows with every change.
    turn: u64,
    /// The turn of each group's last change.
    changed: HashMap<Jid, u64>,
    /// Up to this turn, any group may have changed.
    forgotten: u64,
    /// Groups that were stored without telling that the account is in them.
    untold: HashSet<Jid>,
    stale: BTreeSet<Jid>,
    is_all_stale: bool,
    /// The session has connected: it may be time to ask for all groups.
    has_connected: bool,
    is_tended: bool,
}

/// What is to be done about a session's groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Work {
    /// Ask for all groups where that was not done for long.
    Look,
    /// Ask for all groups.
    All,
    /// Ask for one.
    One(Jid),
}

impl GroupNotes {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present turn: what is learned from a question asked now is older than later ones.
    pub(crate) fn turn(&self) -> u64 {
        self.notes().turn
    }

    /// A group changes.
    pub(crate) fn note_change(&self, group: &Jid) {
        let mut notes = self.notes();
        notes.turn += 1;
        if notes.changed.len() >= MAX_CHANGED && !notes.changed.contains_key(group) {
            notes.changed.clear();
            notes.forgotten = notes.turn;
        }
        let turn = notes.turn;
        notes.changed.insert(group.clone(), turn);
    }

    /// Whether a group has changed, or may have, since a turn.
    pub(crate) fn has_changed_since(&self, group: &Jid, turn: u64) -> bool {
        let notes = self.notes();
        notes.forgotten > turn || notes.changed.get(group).is_some_and(|at| *at > turn)
    }

    /// A group is stored without telling that the account is in it: WhatsApp may still say that
    /// it has just come in.
    pub(crate) fn note_untold(&self, group: &Jid) {
        let mut notes = self.notes();
        if notes.untold.len() < MAX_UNTOLD {
            notes.untold.insert(group.clone());
        }
    }

    /// Whether a group was stored without telling that the account is in it.
    pub(crate) fn is_untold(&self, group: &Jid) -> bool {
        self.notes().untold.contains(group)
    }

    /// It is told that the account is in a group.
    pub(crate) fn note_told(&self, group: &Jid) {
        self.notes().untold.remove(group);
    }

    /// What is known of a group is out of date, or of all where none is named.
    pub(crate) fn note_stale(&self, group: Option<&Jid>) {
        let mut notes = self.notes();
        match group {
            Some(group) if notes.stale.len() < MAX_STALE => {
                notes.stale.insert(group.clone());
            }
            _ => notes.is_all_stale = true,
        }
    }

    /// The session has connected.
    pub(crate) fn note_connected(&self) {
        self.notes().has_connected = true;
    }

    /// Takes on what is to be done, where there is something and nobody is at it.
    pub(super) fn begin(notes: &Arc<Self>) -> Option<Tending> {
        let mut inner = notes.notes();
        if inner.is_tended || !inner.has_work() {
            return None;
        }
        inner.is_tended = true;
        drop(inner);
        Some(Tending(notes.clone()))
    }
}

impl Notes {
    fn has_work(&self) -> bool {
        self.has_connected || self.is_all_stale || !self.stale.is_empty()
    }

    fn next(&mut self) -> Option<Work> {
        if std::mem::take(&mut self.is_all_stale) {
            self.has_connected = false;
            self.stale.clear();
            return Some(Work::All);
        }
        if std::mem::take(&mut self.has_connected) {
            return Some(Work::Look);
        }
        self.stale.pop_first().map(Work::One)
    }
}

/// Somebody is at what is to be done, for as long as this lives.
pub(super) struct Tending(Arc<GroupNotes>);

impl Tending {
    /// What is to be done next; where there is nothing, nobody is at it from now on.
    pub(super) fn next(&self) -> Option<Work> {
        let mut notes = self.0.notes();
        let work = notes.next();
        if work.is_none() {
            notes.is_tended = false;
        }
        work
    }

    /// It could not be done: it stays to be done.
    pub(super) fn give_back(&self, work: &Work) {
        match work {
            Work::Look => self.0.note_connected(),
            Work::All => self.0.note_stale(None),
            Work::One(group) => self.0.note_stale(Some(group)),
        }
    }
}

impl Drop for Tending {
    fn drop(&mut self) {
        self.0.notes().is_tended = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(number: usize) -> Jid {
        format!("{number}@g.us").parse().unwrap()
    }

    #[test]
    fn changes_are_younger_than_the_questions_before_them() {
        let notes = GroupNotes::default();
        let (one, two) = (group(1), group(2));
        let asked = notes.turn();
        assert!(!notes.has_changed_since(&one, asked));
        notes.note_change(&one);
        assert!(notes.has_changed_since(&one, asked));
        assert!(!notes.has_changed_since(&two, asked));
        assert!(!notes.has_changed_since(&one, notes.turn()));
        for number in 0..=MAX_CHANGED {
            notes.note_change(&group(number));
        }
        // Too many to remember: any of them may have changed.
        assert!(notes.has_changed_since(&group(usize::MAX >> 8), asked));
        assert!(!notes.has_changed_since(&one, notes.turn()));
    }

    #[test]
    fn one_is_at_it_and_much_to_do_becomes_one_question() {
        let notes = Arc::new(GroupNotes::default());
        assert!(GroupNotes::begin(&notes).is_none());
        notes.note_stale(Some(&group(1)));
        notes.note_connected();
        let tending = GroupNotes::begin(&notes).unwrap();
        assert!(GroupNotes::begin(&notes).is_none());
        assert_eq!(tending.next(), Some(Work::Look));
        assert_eq!(tending.next(), Some(Work::One(group(1))));
        for number in 0..=MAX_STALE {
            notes.note_stale(Some(&group(number)));
        }
        assert_eq!(tending.next(), Some(Work::All));
        tending.give_back(&Work::All);
        assert_eq!(tending.next(), Some(Work::All));
        assert_eq!(tending.next(), None);
        notes.note_stale(None);
        let again = GroupNotes::begin(&notes);
        assert!(again.is_some());
        drop(again);
        assert!(GroupNotes::begin(&notes).is_some());
    }
}
