//! Where a stream stands in the logs that it reads.

use std::collections::{HashMap, HashSet, VecDeque};

use wagate_cluster::EventCopy;
use wagate_model::{EventId, EventKind, OrganizationId};

use crate::events::{BATCH, View};

/// Presence copies that wait for the log at most; more are dropped, as they may.
const MAX_UNLOGGED: usize = 256;

/// Where a stream stands in one organization's log.
#[derive(Debug, Default)]
struct Tail {
    /// The last event that was read from the log.
    position: Option<EventId>,
    /// Whether it waits to be read on.
    is_due: bool,
    /// Copies that the log did not show yet.
    unlogged: Vec<EventCopy>,
}

/// The logs that a stream reads: one organization's, or every one's.
///
/// An organization that is not among them yet has no event before the stream began, so its
/// log is read from its beginning.
#[derive(Debug, Default)]
pub(super) struct Tails {
    tails: HashMap<OrganizationId, Tail>,
    /// Those that may hold events after their position; each has its turn.
    due: VecDeque<OrganizationId>,
}

impl Tails {
    /// Logs whose events after the given ones are wanted.
    pub(super) fn after(
        positions: impl IntoIterator<Item = (OrganizationId, Option<EventId>)>,
    ) -> Self {
        let tail = |position| Tail {
            position,
            ..Tail::default()
        };
        let positions = positions.into_iter();
        Self {
            tails: positions
                .map(|(id, position)| (id, tail(position)))
                .collect(),
            due: VecDeque::new(),
        }
    }

    /// Has a log read on.
    pub(super) fn wake(&mut self, organization: OrganizationId) {
        let tail = self.tails.entry(organization).or_default();
        if !tail.is_due {
            tail.is_due = true;
            self.due.push_back(organization);
        }
    }

    /// Has the logs read on that have events after where the stream is, and forgets those of
    /// organizations that have none any more.
    pub(super) fn wake_behind(&mut self, newest: &[(OrganizationId, EventId)]) {
        for &(organization, newest) in newest {
            let tail = self.tails.entry(organization).or_default();
            if tail.position.is_none_or(|position| position < newest) {
                self.wake(organization);
            }
        }
        let known: HashSet<_> = newest
            .iter()
            .map(|(organization, _)| organization)
            .collect();
        self.tails
            .retain(|organization, tail| tail.is_due || known.contains(organization));
    }

    /// The log whose turn it is, and the position to read on from.
    pub(super) fn next_due(&self) -> Option<(OrganizationId, Option<EventId>)> {
        let organization = *self.due.front()?;
        let tail = self.tails.get(&organization);
        Some((organization, tail.and_then(|tail| tail.position)))
    }

    /// Notes copies of events that were committed.
    pub(super) fn note(&mut self, organization: OrganizationId, copies: &[EventCopy], view: &View) {
        for copy in copies {
            if !view.shows(copy.session_id, copy.kind) {
                continue;
            }
            self.wake(organization);
            let tail = self.tails.entry(organization).or_default();
            // An older one was read from the log, or came too late to be worth telling.
            if copy.kind == EventKind::PresenceUpdate
                && tail.position.is_none_or(|position| copy.id > position)
                && tail.unlogged.len() < MAX_UNLOGGED
            {
                tail.unlogged.push(copy.clone());
            }
        }
    }

    /// Takes what was read of the log whose turn it was, up to [`BATCH`] rows, and the newest
    /// event before that; gives what is to be told.
    pub(super) fn take(
        &mut self,
        newest: Option<EventId>,
        rows: Vec<(EventId, String)>,
        view: &View,
    ) -> Vec<String> {
        let Some(organization) = self.due.pop_front() else {
            return Vec::new();
        };
        let tail = self.tails.entry(organization).or_default();
        let may_have_more = i64::try_from(rows.len()).unwrap_or(BATCH) >= BATCH;
        tail.is_due = may_have_more;
        if may_have_more {
            self.due.push_back(organization);
        } else {
            // Ids sort as commits do, so the read has seen everything up to what was the
            // newest before it: the next read need not pass over others' events again.
            tail.position = tail.position.max(newest);
        }
        let mut told = Vec::with_capacity(rows.len());
        for (id, envelope) in rows {
            tail.position = tail.position.max(Some(id));
            tail.unlogged.retain(|copy| copy.id != id);
            if view.permits(&envelope) {
                told.push(envelope);
            }
        }
        if !may_have_more {
            let unlogged = tail.unlogged.drain(..);
            told.extend(unlogged.map(|copy| copy.json.to_string()));
        }
        told
    }
}
