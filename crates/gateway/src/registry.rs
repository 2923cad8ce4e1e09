//! The sessions that this gateway owns now.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use wagate_model::SessionId;

use crate::session::Session;

/// The sessions that this gateway owns now.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    sessions: Mutex<HashMap<SessionId, Arc<Session>>>,
    count: watch::Sender<usize>,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are, now and whenever that changes.
    pub(crate) fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    /// The session, where it is owned here.
    pub(crate) fn get(&self, id: SessionId) -> Option<Arc<Session>> {
        self.lock().get(&id).cloned()
    }

    /// Enters a session; gives the one that it replaces.
    pub(crate) fn insert(&self, session: Arc<Session>) -> Option<Arc<Session>> {
        let mut sessions = self.lock();
        let earlier = sessions.insert(session.id(), session);
        self.count.send_replace(sessions.len());
        earlier
    }

    /// Removes a session, unless another claim of it has been entered meanwhile.
    pub(crate) fn remove(&self, session: &Arc<Session>) {
        let mut sessions = self.lock();
        if sessions
            .get(&session.id())
            .is_some_and(|held| Arc::ptr_eq(held, session))
        {
            sessions.remove(&session.id());
            self.count.send_replace(sessions.len());
        }
    }

    /// All sessions, in no particular order.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.lock().values().cloned().collect()
    }
}
