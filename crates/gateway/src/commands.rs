//! Commands from the bus: to the session's task, or to one that is made for it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;
use tokio::time::Instant;
use wagate_cluster::{
    BackfillRequest, CommandHandler, CommandReply, CommandResult, LiveReply, LiveRequest, Refusal,
    SendCommand, SessionAction, SessionCommand,
};
use wagate_engine::MediaOrigin;
use wagate_model::{EventKind, MediaId, OrganizationId, SessionId, SessionStatus};
use wagate_store::{NewEvent, SessionRecord, StoreError};

use crate::context::Context;
use crate::live;
use crate::outbox::{accept, replay, store_refusal};
use crate::ownership::claim_one;
use crate::session::{Ask, Command, Session, Standing};

/// Time beyond a task's own deadline, so that its answer comes through.
const GRACE: Duration = Duration::from_secs(3);

/// Answers commands under the gateway's name.
pub(crate) struct Commands {
    cx: Arc<Context>,
}

impl Commands {
    pub(crate) fn new(cx: Arc<Context>) -> Self {
        Self { cx }
    }

    async fn carry_out(&self, command: SessionCommand) -> CommandResult {
        let SessionCommand {
            organization_id,
            session_id,
            action,
        } = command;
        let target = Target {
            cx: &self.cx,
            organization: organization_id,
            id: session_id,
        };
        match action {
            SessionAction::Send(send) => target.send(*send).await,
            SessionAction::Live(request) => target.live(*request).await,
            SessionAction::Start => target.start_and(|| Ask::Start).await,
            SessionAction::Restart => target.start_and(|| Ask::Restart).await,
            SessionAction::ReadQr => {
                target.refuse_paired().await?;
                target.start_and(|| Ask::ReadQr).await
            }
            SessionAction::RequestPairingCode { phone } => {
                target.refuse_paired().await?;
                target.start_and(|| Ask::PairingCode(phone.clone())).await
            }
            SessionAction::AskForMedia { media } => target.ask_for_media(media).await,
            SessionAction::Logout => target.logout().await,
            SessionAction::Stop => target.stop().await,
            SessionAction::Delete => target
                .ask_running(|| Ask::Delete)
                .await?
                .unwrap_or(Ok(CommandReply::Done)),
            SessionAction::ApplySettings => target
                .ask_running(|| Ask::ApplySettings)
                .await?
                .unwrap_or(Ok(CommandReply::Done)),
        }
    }
}

#[async_trait]
impl CommandHandler for Commands {
    async fn handle(&self, command: SessionCommand, deadline: Instant) -> CommandResult {
        // Whoever asked has given up and may ask again: what is late must not be done too.
        if self.cx.draining.is_cancelled() || deadline <= Instant::now() {
            return Err(Refusal::Unavailable);
        }
        let (name, started) = (command.action.name(), Instant::now());
        let result = Box::pin(self.carry_out(command)).await;
        let outcome = if result.is_ok() { "done" } else { "refused" };
        metrics::histogram!("wagate_gateway_command_seconds", "command" => name, "outcome" => outcome)
            .record(started.elapsed().as_secs_f64());
        result
    }
}

/// The session that a command is about.
struct Target<'c> {
    cx: &'c Arc<Context>,
    organization: OrganizationId,
    id: SessionId,
}

impl Target<'_> {
    /// The session, where its task runs here.
    fn running(&self) -> Result<Option<Arc<Session>>, Refusal> {
        match self.cx.registry.get(self.id) {
            Some(session) if session.organization != self.organization => Err(Refusal::NotFound),
            found => Ok(found),
        }
    }

    async fn record(&self) -> Result<SessionRecord, Refusal> {
        let found = async {
            self.cx
                .store
                .read()
                .await?
                .session(self.organization, self.id)
                .await
        };
        found
            .await
            .map_err(|error| store_refusal(&error))?
            .ok_or(Refusal::NotFound)
    }

    async fn is_paired(&self) -> Result<bool, Refusal> {
        let found = async {
            self.cx
                .store
                .read()
                .await?
                .is_session_paired(self.organization, self.id)
                .await
        };
        found.await.map_err(|error| store_refusal(&error))
    }

    async fn refuse_paired(&self) -> Result<(), Refusal> {
        // Where it runs, its task knows better.
        if self.running()?.is_none() && self.is_paired().await? {
            return Err(Refusal::AlreadyPaired);
        }
        Ok(())
    }

    /// Asks the session's task; nothing where none runs here.
    async fn ask_running(&self, ask: impl Fn() -> Ask) -> Result<Option<CommandResult>, Refusal> {
        let Some(session) = self.running()? else {
            self.refuse_foreign().await?;
            return Ok(None);
        };
        if let Some(reply) = self.ask(&session, &ask).await {
            return Ok(Some(reply));
        }
        // It ended meanwhile, by itself.
        Ok(None)
    }

    /// Fails where another gateway owns the session, or there is no such session.
    async fn refuse_foreign(&self) -> Result<SessionRecord, Refusal> {
        let record = self.record().await?;
        let owner = async {
            self.cx
                .store
                .read()
                .await?
                .session_owner(self.organization, self.id)
                .await
        };
        match owner.await.map_err(|error| store_refusal(&error))? {
            Some(owner) if owner.gateway_id != self.cx.config.id => Err(Refusal::NotOwner),
            _ => Ok(record),
        }
    }

    /// Asks the session's task, and makes one first where none runs.
    async fn start_and(&self, ask: impl Fn() -> Ask) -> CommandResult {
        let deadline = Instant::now() + self.cx.config.sessions.command_timeout;
        while Instant::now() < deadline {
            let session = match self.running()? {
                Some(session) => session,
                None => self.claim().await?,
            };
            if let Some(reply) = self.ask(&session, &ask).await {
                return reply;
            }
        }
        Err(Refusal::Unavailable)
    }

    async fn claim(&self) -> Result<Arc<Session>, Refusal> {
        self.record().await?;
        claim_one(self.cx, self.organization, self.id)
            .await
            .map_err(|error| store_refusal(&error))?
            .ok_or(Refusal::NotOwner)
    }

    /// Gives the command to the task and waits; nothing where the task ended without an answer.
    async fn ask(&self, session: &Arc<Session>, ask: &impl Fn() -> Ask) -> Option<CommandResult> {
        let (reply, answer) = oneshot::channel();
        match session.tell(Command { ask: ask(), reply }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Some(Err(Refusal::Busy)),
            Err(TrySendError::Closed(_)) => {
                session.ended.cancelled().await;
                return None;
            }
        }
        let patience = self.cx.config.sessions.command_timeout + GRACE;
        match tokio::time::timeout(patience, answer).await {
            Ok(Ok(result)) => Some(result),
            Ok(Err(_)) => {
                // The task has ended, or its run failed and the next one knows nothing of it.
                tokio::select! {
                    () = session.ended.cancelled() => None,
                    () = tokio::time::sleep(GRACE) => Some(Err(Refusal::Unavailable)),
                }
            }
            Err(_) => Some(Err(Refusal::Unavailable)),
        }
    }

    async fn logout(&self) -> CommandResult {
        let mut was_stopped = false;
        if self.running()?.is_none() {
            let record = self.refuse_foreign().await?;
            if !self.is_paired().await? {
                return Ok(CommandReply::Done);
            }
            was_stopped = !record.is_wanted_running;
        }
        // Unlinking needs a connection, so a stopped session is started for it.
        let reply = self.start_and(|| Ask::Logout).await;
        if was_stopped && reply.is_err() {
            // Nobody wanted it to run.
            let stopped = self.stop().await;
            tracing::info!(session.id = %self.id, is_stopped = stopped.is_ok(), "the session stays linked");
        }
        reply
    }

    /// Stops the session where it runs; where it runs nowhere, that is only noted.
    async fn stop(&self) -> CommandResult {
        let deadline = Instant::now() + self.cx.config.sessions.command_timeout;
        while Instant::now() < deadline {
            if let Some(reply) = self.ask_running(|| Ask::Stop).await? {
                return reply;
            }
            if self.stop_unowned().await? {
                return Ok(CommandReply::Done);
            }
            // Somebody has claimed it in between.
        }
        Err(Refusal::Unavailable)
    }

    /// Notes that a session is to stay stopped; whether nobody owns it.
    async fn stop_unowned(&self) -> Result<bool, Refusal> {
        let (organization, id, now_ms) = (self.organization, self.id, self.cx.now_ms());
        // A claim of this gateway is in the registry or not yet in the store, never between.
        let _claiming = self.cx.claiming.lock().await;
        if self.running()?.is_some() {
            return Ok(false);
        }
        let stopped = self
            .cx
            .store
            .write(organization, move |tx| {
                Box::pin(async move { stop_in_store(tx, organization, id, now_ms).await })
            })
            .await;
        stopped.map_err(|error| store_refusal(&error))
    }

    /// Has the phone send a message's file again, and notes where it is then.
    async fn ask_for_media(&self, id: MediaId) -> CommandResult {
        let Some(session) = self.running()? else {
            self.refuse_foreign().await?;
            return Err(Refusal::Unavailable);
        };
        let connection = session.working_connection().ok_or(Refusal::Unavailable)?;
        let (store, organization) = (&self.cx.store, self.organization);
        let found = async { store.read().await?.media(organization, id).await };
        let found = found.await.map_err(|error| store_refusal(&error))?;
        let found = found.filter(|found| found.file.session_id == self.id);
        let source = found.and_then(|found| found.source);
        let origin = source.as_deref().and_then(MediaOrigin::from_bytes);
        let mut origin = origin.ok_or(Refusal::NotFound)?;
        let asked = connection.ask_for_media(&origin).await;
        let Some(path) = asked.map_err(|_| Refusal::Unavailable)? else {
            return Ok(CommandReply::Media { is_there: false });
        };
        origin.source.direct_path = path;
        let (bytes, now_ms) = (origin.to_bytes(), self.cx.now_ms());
        let noted = store.write(organization, move |tx| {
            Box::pin(async move { tx.set_media_source(organization, id, &bytes, now_ms).await })
        });
        let noted: Result<(), StoreError> = noted.await;
        noted.map_err(|error| store_refusal(&error))?;
        Ok(CommandReply::Media { is_there: true })
    }

    async fn send(&self, command: SendCommand) -> CommandResult {
        if command.idempotency.is_some()
            && let Some(reply) = replay(self.cx, self.organization, &command).await
        {
            return reply;
        }
        if let Some(session) = self.running()? {
            return Box::pin(accept(self.cx, &session, command)).await;
        }
        self.refuse_stopped().await
    }

    async fn live(&self, request: LiveRequest) -> CommandResult {
        if matches!(request, LiveRequest::Backfill(BackfillRequest::Read)) {
            let job = self.cx.backfills.of(self.organization, self.id);
            let reply = LiveReply::Backfill(job.ok_or(Refusal::Missing)?);
            return Ok(CommandReply::Live(Box::new(reply)));
        }
        match self.running()? {
            Some(session) => Box::pin(live::carry_out(self.cx, &session, request)).await,
            None => self.refuse_stopped().await,
        }
    }

    /// The answer to who needs a session that runs, where none does here.
    async fn refuse_stopped(&self) -> CommandResult {
        let record = self.refuse_foreign().await?;
        Err(Refusal::NotConnected {
            status: record.session.status,
            reason: record.session.status_reason,
            detail: record.session.status_detail,
        })
    }
}

/// Notes that a session is to stay stopped, unless somebody owns it; whether nobody does.
async fn stop_in_store(
    tx: &mut wagate_store::Tx,
    organization: OrganizationId,
    id: SessionId,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let Some(record) = tx.session(organization, id).await? else {
        return Ok(true);
    };
    tx.set_session_wanted(organization, id, false, now_ms)
        .await?;
    let status = SessionStatus::Stopped;
    // An unlinked session stays so: it cannot be started as it is.
    if matches!(
        record.stored_status,
        SessionStatus::Stopped | SessionStatus::LoggedOut
    ) {
        return Ok(true);
    }
    let is_free = tx
        .set_unowned_status(organization, id, status, now_ms)
        .await?;
    if is_free {
        let payload = Standing::new(status).payload();
        let kind = EventKind::SessionStatus;
        tx.append_event(NewEvent::new(organization, id, kind, now_ms, &payload)?);
    }
    Ok(is_free)
}
