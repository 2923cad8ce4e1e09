//! A value that is loaded from elsewhere, kept, and loaded anew.

use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use wagate_model::Clock;

use crate::remembered::is_within;

struct State<T, E> {
    current: Option<(Arc<T>, i64)>,
    failure: Option<E>,
    /// Tries that began.
    tries: u64,
    tried_at_ms: Option<i64>,
}

/// The last value that could be loaded. Callers that want a newer one at the same time wait
/// for one try; a try that fails leaves what was there.
pub(crate) struct Refreshed<T, E> {
    state: RwLock<State<T, E>>,
    turn: Mutex<()>,
    clock: Arc<dyn Clock>,
}

impl<T, E> Refreshed<T, E>
where
    T: PartialEq + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            state: RwLock::new(State {
                current: None,
                failure: None,
                tries: 0,
                tried_at_ms: None,
            }),
            turn: Mutex::default(),
            clock,
        })
    }

    fn state(&self) -> RwLockReadGuard<'_, State<T, E>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State<T, E>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value.
    pub(crate) fn get(&self) -> Option<Arc<T>> {
        let state = self.state();
        state.current.as_ref().map(|(value, _)| Arc::clone(value))
    }

    /// Whether there is a value that was loaded less than so long ago.
    pub(crate) fn is_loaded_within(&self, lifetime_ms: i64) -> bool {
        let state = self.state();
        state.current.as_ref().is_some_and(|(_, loaded_at_ms)| {
            is_within(self.clock.now_ms(), *loaded_at_ms, lifetime_ms)
        })
    }

    /// Loads the value, unless the last try ended less than a pause ago; gives how that one went.
    pub(crate) async fn refresh<F>(self: &Arc<Self>, pause_ms: i64, load: F) -> Result<(), E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        if self.is_paused(pause_ms) {
            return self.outcome();
        }
        // A task of its own: a caller that goes away does not end what others wait for.
        match self.start(pause_ms, load).await {
            Ok(outcome) => outcome,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is being shut down, and this task with it.
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// As [`Self::refresh`], but nobody waits for it.
    pub(crate) fn refresh_aside<F>(self: &Arc<Self>, pause_ms: i64, load: F)
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        if !self.is_paused(pause_ms) && self.turn.try_lock().is_ok() {
            drop(self.start(pause_ms, load));
        }
    }

    fn start<F>(self: &Arc<Self>, pause_ms: i64, load: F) -> JoinHandle<Result<(), E>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let (me, tries) = (Arc::clone(self), self.state().tries);
        tokio::spawn(async move {
            let _turn = me.turn.lock().await;
            // One that began before may not have seen what the caller wants to see.
            let has_begun_since = me.state().tries != tries;
            if !has_begun_since && !me.is_paused(pause_ms) {
                me.state_mut().tries += 1;
                let loaded = load.await;
                me.note(loaded);
            }
            me.outcome()
        })
    }

    fn is_paused(&self, pause_ms: i64) -> bool {
        let tried_at_ms = self.state().tried_at_ms;
        tried_at_ms.is_some_and(|at_ms| is_within(self.clock.now_ms(), at_ms, pause_ms))
    }

    fn outcome(&self) -> Result<(), E> {
        self.state().failure.clone().map_or(Ok(()), Err)
    }

    fn note(&self, loaded: Result<T, E>) {
        let now_ms = self.clock.now_ms();
        let mut state = self.state_mut();
        state.tried_at_ms = Some(now_ms);
        match loaded {
            Ok(value) => {
                state.failure = None;
                // What did not change stays the same value, for those that compare it.
                let value = match state.current.take() {
                    Some((same, _)) if *same == value => same,
                    _ => Arc::new(value),
                };
                state.current = Some((value, now_ms));
            }
            Err(error) => state.failure = Some(error),
        }
    }
}
