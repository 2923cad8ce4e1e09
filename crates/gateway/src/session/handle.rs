//! What the rest of the gateway knows of a session, and how it reaches its task.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wagate_cluster::CommandResult;
use wagate_engine::Connection;
use wagate_model::{OrganizationId, Restriction, SessionId, SessionStatus, StatusReason};
use wagate_store::{
    Account, EngineBackend, Fence, HeldSentMessages, Owned, RateLimits, Result, SessionRecord,
    Store, StoreError,
};

use super::channels::ToldChannels;
use super::presences::Presences;
use super::standing::Standing;
use crate::groups::GroupNotes;
use crate::inbound::ToRead;
use crate::live;
use crate::outbox::SendQueue;

/// How often a transaction is repeated when the database ends it to resolve a conflict.
const MAX_REPETITIONS: u32 = 5;
/// The wait between attempts to write to a database that is away.
pub(crate) const STORE_PAUSE: Duration = Duration::from_millis(500);
/// Messages that wait to be marked read; beyond that the oldest are left unread on WhatsApp.
const MAX_READS: usize = 256;

/// The error of a job that may fail for other reasons than the store.
pub(crate) trait CommitError: From<StoreError> + Send + 'static {
    /// The store's own failure, where it is one.
    fn as_store(&self) -> Option<&StoreError>;
}

impl CommitError for StoreError {
    fn as_store(&self) -> Option<&StoreError> {
        Some(self)
    }
}

/// A command to a session's task.
pub(crate) struct Command {
    pub(crate) ask: Ask,
    pub(crate) reply: oneshot::Sender<CommandResult>,
}

/// What a session's task is asked to do.
pub(crate) enum Ask {
    /// Go on running.
    Start,
    /// Disconnect and stay so.
    Stop,
    /// Connect afresh.
    Restart,
    /// Unlink the device.
    Logout,
    /// Disconnect for good.
    Delete,
    /// Give the QR code to show now.
    ReadQr,
    /// Get a pairing code for this number.
    PairingCode(String),
    /// Read the settings again.
    ApplySettings,
}

/// The settings of a session that matter while it runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) auto_read: bool,
    pub(crate) presence_typing: bool,
    pub(crate) limits: RateLimits,
}

impl From<&SessionRecord> for Settings {
    fn from(record: &SessionRecord) -> Self {
        let session = &record.session;
        Self {
            auto_read: session.auto_read,
            presence_typing: session.presence_typing,
            limits: RateLimits {
                per_minute: session.rate_per_min,
                per_hour: session.rate_per_hour,
            },
        }
    }
}

/// What changes while a session runs.
struct State {
    lease_ends_at: Instant,
    standing: Standing,
    is_paired: bool,
    settings: Settings,
    account: Option<Account>,
    restrictions: Vec<Restriction>,
    connection: Option<Connection>,
    backend: Option<EngineBackend>,
    reads: Vec<ToRead>,
    has_failed_commit: bool,
    is_deaf: bool,
    is_probed: bool,
}

/// A session that this gateway owns, for as long as one lease of it lasts.
pub(crate) struct Session {
    pub(crate) organization: OrganizationId,
    pub(crate) fence: Fence,
    /// The lease is gone: stop at once and write nothing more.
    pub(crate) lost: CancellationToken,
    /// The task has ended; the session is no longer here.
    pub(crate) ended: CancellationToken,
    /// The task is about to end: begin nothing new.
    pub(crate) closing: CancellationToken,
    /// Something for the task to look at: reads, a failed commit, a failed probe.
    pub(crate) nudge: Notify,
    pub(crate) sends: SendQueue,
    /// Callers that wait for the outcome of a send hold a permit each.
    pub(crate) callers: Semaphore,
    /// Live requests hold a permit each.
    pub(crate) requests: Semaphore,
    pub(crate) presences: Presences,
    /// Held while news of channels are committed, so that each is told once.
    pub(crate) told_channels: tokio::sync::Mutex<ToldChannels>,
    pub(crate) groups: Arc<GroupNotes>,
    mailbox: mpsc::Sender<Command>,
    state: Mutex<State>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("fence", &self.fence)
            .finish_non_exhaustive()
    }
}

/// What the task is to look at after a nudge.
#[derive(Default)]
pub(crate) struct Nudges {
    pub(crate) reads: Vec<ToRead>,
    pub(crate) has_failed_commit: bool,
    pub(crate) is_deaf: bool,
}

impl Session {
    pub(crate) fn new(
        organization: OrganizationId,
        fence: Fence,
        lease_ends_at: Instant,
        mailbox: mpsc::Sender<Command>,
        max_callers: usize,
    ) -> Self {
        Self {
            organization,
            fence,
            lost: CancellationToken::new(),
            ended: CancellationToken::new(),
            closing: CancellationToken::new(),
            nudge: Notify::new(),
            sends: SendQueue::default(),
            callers: Semaphore::new(max_callers),
            requests: Semaphore::new(live::MAX_AT_ONCE),
            presences: Presences::default(),
            told_channels: tokio::sync::Mutex::default(),
            groups: Arc::default(),
            mailbox,
            state: Mutex::new(State {
                lease_ends_at,
                standing: Standing::new(SessionStatus::Starting),
                is_paired: false,
                settings: Settings {
                    auto_read: false,
                    presence_typing: false,
                    limits: RateLimits {
                        per_minute: 0,
                        per_hour: 0,
                    },
                },
                account: None,
                restrictions: Vec::new(),
                connection: None,
                backend: None,
                reads: Vec::new(),
                has_failed_commit: false,
                is_deaf: false,
                is_probed: false,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn id(&self) -> SessionId {
        self.fence.session_id
    }

    /// Gives the command to the task; the command comes back where the task has ended or
    /// too many wait already.
    pub(crate) fn tell(
        &self,
        command: Command,
    ) -> std::result::Result<(), mpsc::error::TrySendError<Command>> {
        self.mailbox.try_send(command)
    }

    // The lease.

    pub(crate) fn lease_ends_at(&self) -> Instant {
        self.state().lease_ends_at
    }

    pub(crate) fn extend_lease(&self, ends_at: Instant) {
        self.state().lease_ends_at = ends_at;
    }

    /// The lease is gone, or may be: the client is stopped at once.
    pub(crate) fn lose(&self, why: &'static str) {
        if !self.lost.is_cancelled() {
            tracing::warn!(session.id = %self.id(), reason = why, "the session is given up");
            metrics::counter!("wagate_gateway_sessions_lost_total").increment(1);
            self.lost.cancel();
        }
    }

    /// Runs a job in a transaction that holds only while the lease does.
    ///
    /// Where the lease is gone, the session is stopped. What the job reads or writes
    /// beside the database must bear a repetition.
    pub(crate) async fn commit<T, E, F>(&self, store: &Store, job: F) -> Result<T, E>
    where
        F: for<'a, 't> Fn(&'a mut Owned<'t>) -> BoxFuture<'a, Result<T, E>>
            + Clone
            + Send
            + Sync
            + 'static,
        T: Send + 'static,
        E: CommitError,
    {
        let mut repetitions = 0;
        loop {
            if self.lost.is_cancelled() {
                return Err(StoreError::Fenced.into());
            }
            let (fence, job) = (self.fence.clone(), job.clone());
            let outcome = store
                .write_owned(self.organization, fence, move |owned| job(owned))
                .await;
            match outcome.as_ref().err().and_then(CommitError::as_store) {
                Some(StoreError::Conflicted(_)) if repetitions < MAX_REPETITIONS => {
                    repetitions += 1;
                }
                Some(StoreError::Fenced) => {
                    self.lose("a write was fenced off");
                    return outcome;
                }
                _ => return outcome,
            }
        }
    }

    /// Repeats a job while the database is away and the lease may still hold.
    pub(crate) async fn persist<T, F, O>(&self, mut job: F) -> Result<T>
    where
        F: FnMut() -> O,
        O: Future<Output = Result<T>>,
    {
        loop {
            match self.while_held(job()).await? {
                Err(error) if error.is_retryable() => {
                    self.while_held(tokio::time::sleep(STORE_PAUSE)).await?;
                }
                outcome => return outcome,
            }
        }
    }

    /// Waits for something that the database may hold up, but not beyond the loss of the
    /// lease: the client must have stopped before another gateway takes the session.
    pub(crate) async fn while_held<T>(&self, awaited: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.lost.cancelled() => Err(StoreError::Fenced),
            done = awaited => Ok(done),
        }
    }

    // What the session is now.

    pub(crate) fn standing(&self) -> Standing {
        self.state().standing
    }

    pub(crate) fn set_standing(&self, standing: Standing) {
        let mut state = self.state();
        if state.standing.status != standing.status {
            count_status(state.standing.status, -1.0);
            count_status(standing.status, 1.0);
        }
        state.standing = standing;
    }

    pub(crate) fn is_paired(&self) -> bool {
        self.state().is_paired
    }

    pub(crate) fn set_paired(&self, is_paired: bool) {
        self.state().is_paired = is_paired;
    }

    pub(crate) fn settings(&self) -> Settings {
        self.state().settings
    }

    pub(crate) fn set_settings(&self, settings: Settings) {
        self.state().settings = settings;
    }

    pub(crate) fn account(&self) -> Option<Account> {
        self.state().account.clone()
    }

    pub(crate) fn set_account(&self, account: Option<Account>) {
        self.state().account = account;
    }

    /// What WhatsApp forbids the account, as it was told last.
    pub(crate) fn restrictions(&self) -> Vec<Restriction> {
        self.state().restrictions.clone()
    }

    pub(crate) fn set_restrictions(&self, restrictions: Vec<Restriction>) {
        self.state().restrictions = restrictions;
    }

    /// The connection of a session that works.
    pub(crate) fn working_connection(&self) -> Option<Connection> {
        let state = self.state();
        let is_working = state.standing.status == SessionStatus::Working;
        is_working.then(|| state.connection.clone()).flatten()
    }

    /// The task is interrupted: nothing can be sent until its next run has connected.
    pub(crate) fn interrupt(&self) {
        self.set_standing(Standing::because(
            SessionStatus::Starting,
            StatusReason::ConnectionLost,
        ));
    }

    pub(crate) fn take_connection(&self) -> Option<Connection> {
        self.state().connection.take()
    }

    pub(crate) fn set_connection(&self, connection: Option<Connection>) {
        self.presences.clear();
        self.state().connection = connection;
    }

    /// Makes the engine's storage known to those who commit what the engine did.
    pub(crate) fn set_backend(&self, backend: EngineBackend) {
        self.state().backend = Some(backend);
    }

    /// What the engine has sent and its storage still holds in memory.
    pub(crate) fn held_sent_messages(&self) -> Option<HeldSentMessages> {
        let state = self.state();
        state
            .backend
            .as_ref()
            .map(EngineBackend::held_sent_messages)
    }

    // What the task is told from outside.

    /// Has messages marked read on WhatsApp.
    pub(crate) fn mark_read(&self, reads: Vec<ToRead>) {
        if !reads.is_empty() {
            self.keep_reads(reads);
            self.nudge.notify_one();
        }
    }

    /// Keeps messages that are to be marked read, for the next look.
    pub(crate) fn keep_reads(&self, reads: Vec<ToRead>) {
        let mut state = self.state();
        for read in reads {
            let same = |other: &&mut ToRead| other.chat == read.chat && other.sender == read.sender;
            match state.reads.iter_mut().find(same) {
                Some(other) => other.ids.extend(read.ids),
                None => state.reads.push(read),
            }
        }
        let excess = state.reads.len().saturating_sub(MAX_READS);
        if excess > 0 {
            state.reads.drain(..excess);
            metrics::counter!("wagate_gateway_read_receipts_skipped_total").increment(1);
        }
    }

    /// A batch was not committed: WhatsApp delivers it again on the next connection.
    pub(crate) fn note_failed_commit(&self) {
        self.state().has_failed_commit = true;
        self.nudge.notify_one();
    }

    /// A probe was not answered.
    pub(crate) fn note_deaf(&self) {
        self.state().is_deaf = true;
        self.nudge.notify_one();
    }

    /// The turn of a probe, where none is under way.
    pub(crate) fn begin_probe(session: &Arc<Self>) -> Option<ProbeTurn> {
        let was_probed = std::mem::replace(&mut session.state().is_probed, true);
        (!was_probed).then(|| ProbeTurn(session.clone()))
    }

    pub(crate) fn take_nudges(&self) -> Nudges {
        let mut state = self.state();
        Nudges {
            reads: std::mem::take(&mut state.reads),
            has_failed_commit: std::mem::take(&mut state.has_failed_commit),
            is_deaf: std::mem::take(&mut state.is_deaf),
        }
    }

    /// The task begins: the session counts among those that this gateway runs.
    pub(crate) fn count_in(&self) {
        count_status(self.standing().status, 1.0);
    }

    /// The task has ended: lets go of the connection and wakes everybody who waits for it.
    pub(crate) fn end(&self) {
        count_status(self.standing().status, -1.0);
        let (connection, backend) = {
            let mut state = self.state();
            (state.connection.take(), state.backend.take())
        };
        drop((connection, backend));
        self.ended.cancel();
    }
}

/// A probe is under way for as long as this lives.
pub(crate) struct ProbeTurn(Arc<Session>);

impl Drop for ProbeTurn {
    fn drop(&mut self) {
        self.0.state().is_probed = false;
    }
}

fn count_status(status: SessionStatus, by: f64) {
    metrics::gauge!("wagate_gateway_sessions", "status" => status.as_str()).increment(by);
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    fn session() -> Session {
        let fence = Fence {
            session_id: SessionId::from_parts(1, 1),
            gateway_id: "gw-1".parse().unwrap(),
            epoch: 1,
        };
        let (mailbox, _) = mpsc::channel(1);
        let organization = OrganizationId::from_parts(1, 1);
        Session::new(organization, fence, Instant::now(), mailbox, 1)
    }

    #[tokio::test]
    async fn who_has_lost_the_lease_waits_for_nothing() {
        let session = session();
        assert_eq!(session.while_held(async { 7 }).await.unwrap(), 7);
        let never = std::future::pending::<()>;
        let mut waiting = pin!(session.while_held(never()));
        let mut storing = pin!(session.persist(|| async {
            never().await;
            Ok(())
        }));
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        assert!(futures::poll!(storing.as_mut()).is_pending());
        session.lose("for the test");
        assert!(matches!(waiting.await, Err(StoreError::Fenced)));
        assert!(matches!(storing.await, Err(StoreError::Fenced)));
    }
}
