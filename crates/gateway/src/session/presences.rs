//! What is known of other people's presence now: in memory only, as WhatsApp keeps it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use wagate_model::{Jid, PresenceState, PresenceStatus};

/// People of whom a session remembers the presence.
const MAX_PEOPLE: usize = 512;

/// The latest presence of the people that a session asked about.
#[derive(Default)]
pub(crate) struct Presences(Mutex<HashMap<Jid, PresenceStatus>>);

impl Presences {
    /// Notes what a person does now.
    pub(crate) fn note(&self, person: &Jid, status: &PresenceStatus) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_PEOPLE && !known.contains_key(person) {
            // Whoever still matters is heard of again.
            known.clear();
        }
        known.insert(person.clone(), status.clone());
    }

    /// What a person does now, as far as it is known.
    pub(crate) fn of(&self, person: &Jid) -> PresenceStatus {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(person).cloned().unwrap_or(PresenceStatus {
            chat_jid: None,
            from: person.to_string(),
            last_seen: None,
            media: None,
            state: PresenceState::Unknown,
            unavailable: None,
        })
    }

    /// Forgets everybody: what was heard on a connection that is gone may be wrong.
    pub(crate) fn clear(&self) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.clear();
    }
}
