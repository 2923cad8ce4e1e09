//! Accepting a message: checks, idempotency, limits, and the reserved id, in one transaction.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wagate_cluster::{CommandReply, CommandResult, Refusal, SendCommand};
use wagate_engine::new_message_id;
use wagate_model::{OrganizationId, OutboxId, SendMode, SessionStatus};
use wagate_store::{Enqueued, IdempotencyKey, StoreError};

use super::entry::{Accepted, Entry, Part};
use super::order::Order;
use super::outcome::{queued, stored_reply};
use super::queue::Item;
use super::waiters::Waiting;
use crate::context::Context;
use crate::session::{CommitError, STORE_PAUSE, Session};

/// How often the store is asked for an outcome that another gateway may write.
const POLL: Duration = Duration::from_secs(2);

/// Why a message was not accepted.
#[derive(Debug)]
pub(crate) enum NotAccepted {
    Refused(Refusal),
    Store(StoreError),
}

impl From<StoreError> for NotAccepted {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl CommitError for NotAccepted {
    fn as_store(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::Refused(_) => None,
        }
    }
}

impl NotAccepted {
    fn into_refusal(self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Store(error) => store_refusal(&error),
        }
    }
}

/// What a failure of the store means for who asks.
pub(crate) fn store_refusal(error: &StoreError) -> Refusal {
    match error {
        StoreError::Fenced => Refusal::NotOwner,
        error if error.is_retryable() => Refusal::Unavailable,
        StoreError::Closed => Refusal::Unavailable,
        error => {
            tracing::error!(error = %error, "a command failed in the store");
            Refusal::Internal
        }
    }
}

/// The key in the store's form.
fn stored_key(command: &SendCommand) -> Result<Option<IdempotencyKey>, Refusal> {
    let Some(idempotency) = &command.idempotency else {
        return Ok(None);
    };
    let mut body_hash = [0; 32];
    hex::decode_to_slice(&idempotency.body_hash, &mut body_hash).map_err(|_| Refusal::Internal)?;
    Ok(Some(IdempotencyKey {
        key: idempotency.key.clone(),
        body_hash,
    }))
}

/// Answers a repeated request with the outcome of the first; nothing where it is the first.
///
/// Works for sessions that run nowhere, and on any gateway.
pub(crate) async fn replay(
    cx: &Context,
    organization: OrganizationId,
    command: &SendCommand,
) -> Option<CommandResult> {
    let key = match stored_key(command) {
        Ok(key) => key?,
        Err(refusal) => return Some(Err(refusal)),
    };
    let found = async {
        cx.store
            .read()
            .await?
            .outbox_by_key(organization, &key)
            .await
    };
    match found.await {
        Ok(None | Some(Enqueued::New)) => None,
        Ok(Some(Enqueued::OtherRequest)) => Some(Err(Refusal::KeyReused)),
        Ok(Some(Enqueued::Replayed(id))) => {
            let deadline = Instant::now() + cx.config.outbox.sync_timeout;
            Some(replay_outcome(cx, organization, id, command.mode, deadline).await)
        }
        Err(error) => Some(Err(store_refusal(&error))),
    }
}

/// What became of the first request, for one who waits for it or not, whatever the first did.
async fn replay_outcome(
    cx: &Context,
    organization: OrganizationId,
    id: OutboxId,
    mode: SendMode,
    deadline: Instant,
) -> CommandResult {
    let found = async { cx.store.read().await?.outbox(organization, id).await };
    let record = match found.await {
        Ok(Some(record)) => record,
        Ok(None) => return Err(Refusal::Internal),
        Err(error) => return Err(store_refusal(&error)),
    };
    let wa_message_id = &record.wa_message_id;
    match (mode, record.mode, stored_reply(&record, true)) {
        (SendMode::Async, SendMode::Async, _) | (SendMode::Async, SendMode::Sync, None) => {
            Ok(queued(id, wa_message_id, None, true))
        }
        (SendMode::Async, SendMode::Sync, Some(reply)) => reply,
        (SendMode::Sync, _, Some(reply)) => waited_for(reply),
        (SendMode::Sync, _, None) => {
            let reply = outcome(cx, organization, id, wa_message_id, deadline, true);
            waited_for(reply.await)
        }
    }
}

/// The answer to one who waits, also where the first who asked did not.
fn waited_for(mut reply: CommandResult) -> CommandResult {
    if let Ok(CommandReply::Send(result)) = &mut reply {
        result.mode = SendMode::Sync;
    }
    reply
}

/// Waits for an outcome, at most until the deadline.
async fn outcome(
    cx: &Context,
    organization: OrganizationId,
    id: OutboxId,
    wa_message_id: &str,
    deadline: Instant,
    is_replay: bool,
) -> CommandResult {
    let mut waiting = cx.waiters.enter(id);
    loop {
        let found = async { cx.store.read().await?.outbox(organization, id).await };
        if let Ok(Some(record)) = found.await
            && let Some(reply) = stored_reply(&record, is_replay)
        {
            return reply;
        }
        tokio::select! {
            outcome = waiting.outcome() => return outcome.into_reply(is_replay),
            () = tokio::time::sleep(POLL) => {}
            () = tokio::time::sleep_until(deadline) => {
                return Ok(CommandReply::SendPending {
                    outbox_id: id,
                    wa_message_id: wa_message_id.to_owned(),
                    is_replay,
                });
            }
        }
    }
}

/// Accepts a message and, for a synchronous caller, waits for its outcome.
pub(crate) async fn accept(
    cx: &Arc<Context>,
    session: &Arc<Session>,
    command: SendCommand,
) -> CommandResult {
    let deadline = Instant::now() + cx.config.outbox.sync_timeout;
    let organization = session.organization;
    let key = stored_key(&command)?;
    check_status(session, command.mode)?;
    let chat = command.task.recipient().map_err(|faults| {
        let first = faults.into_vec().into_iter().next();
        first.map_or(Refusal::Internal, |fault| {
            invalid(&fault.field, &fault.message)
        })
    })?;
    let _permit = match command.mode {
        SendMode::Sync => Some(session.callers.try_acquire().map_err(|_| Refusal::Busy)?),
        SendMode::Async => None,
    };
    let now_ms = cx.now_ms();
    let (task, preview) = (command.task, command.preview);
    let parts = Order::all_of(task, command.attachments, preview, new_message_id);
    // Whoever made the request found it repeated; it was forgotten just now.
    let parts = parts.ok_or(Refusal::Unavailable)?.into_iter();
    let entry = Arc::new(Entry {
        parts: parts
            .map(|(wa_message_id, order)| Part {
                id: cx.outbox_ids.next(now_ms),
                wa_message_id,
                order: Arc::new(order),
            })
            .collect(),
        chat,
        mode: command.mode,
        key,
        is_scheduled: false,
        now_ms,
        checks_depth: session.sends.has_backlog(),
    });
    let mut waiting: Vec<_> = entry
        .parts
        .iter()
        .map(|part| cx.waiters.enter(part.id))
        .collect();
    let accepted = store(cx, session, &entry, deadline)
        .await
        .map_err(NotAccepted::into_refusal)?;
    let (chat_jid, timer): (Arc<str>, _) = match accepted {
        Accepted::New {
            chat_jid,
            disappearing_seconds,
        } => (chat_jid.into(), disappearing_seconds),
        Accepted::Replayed(id) => {
            return replay_outcome(cx, organization, id, entry.mode, deadline).await;
        }
        // Only what waited for its time can be taken back.
        Accepted::Withdrawn => return Err(Refusal::Missing),
    };
    hand_over(cx, session, &entry, &chat_jid, timer);
    if entry.mode == SendMode::Async {
        let first = entry.first();
        let files = first.order.files();
        return Ok(queued(first.id, &first.wa_message_id, files, false));
    }
    let mut first = None;
    for (part, waiting) in entry.parts.iter().zip(&mut waiting) {
        let reply = first_outcome(cx, organization, part, waiting, deadline).await?;
        // The first one's answer is the request's, unless one of them is not sent.
        if matches!(reply, CommandReply::SendPending { .. }) {
            return Ok(reply);
        }
        first.get_or_insert(reply);
    }
    first.ok_or(Refusal::Internal)
}

/// Gives what was accepted to the session's sender; `timer` is its chat's, in seconds.
pub(super) fn hand_over(
    cx: &Arc<Context>,
    session: &Arc<Session>,
    entry: &Entry,
    chat_jid: &Arc<str>,
    timer: Option<u32>,
) {
    metrics::counter!("wagate_gateway_sends_accepted_total").increment(1);
    for part in &entry.parts {
        let mut item = Item {
            id: part.id,
            wa_message_id: part.wa_message_id.clone(),
            chat: chat_jid.clone(),
            mode: entry.mode,
            order: part.order.in_chat(timer),
            age_from_ms: None,
            attempts: 0,
            uploaded: None,
        };
        item.age_from_ms = item.is_counted().then_some(entry.now_ms);
        session.sends.push(item);
    }
    super::wake(cx, session);
}

/// Waits for the outcome of a message that was just accepted.
async fn first_outcome(
    cx: &Context,
    organization: OrganizationId,
    part: &Part,
    waiting: &mut Waiting<'_>,
    deadline: Instant,
) -> CommandResult {
    // Mostly nobody has to look into the store.
    tokio::select! {
        outcome = waiting.outcome() => return outcome.into_reply(false),
        () = tokio::time::sleep(POLL) => {}
        () = tokio::time::sleep_until(deadline) => {}
    }
    let (id, wa_message_id) = (part.id, &part.wa_message_id);
    outcome(cx, organization, id, wa_message_id, deadline, false).await
}

/// Stores an entry.
///
/// A commit that failed may have stored it all the same: then it is tried again under the
/// same id, because "not accepted" would be a lie that makes callers send it once more.
pub(super) async fn store(
    cx: &Arc<Context>,
    session: &Arc<Session>,
    entry: &Arc<Entry>,
    deadline: Instant,
) -> Result<Accepted, NotAccepted> {
    let mut may_be_stored = false;
    loop {
        let (job_entry, job_session) = (entry.clone(), session.clone());
        let stored = session
            .commit(&cx.store, move |owned| {
                let (entry, session) = (job_entry.clone(), job_session.clone());
                Box::pin(async move { entry.store(owned, &session, may_be_stored).await })
            })
            .await;
        let Err(NotAccepted::Store(error)) = &stored else {
            return stored;
        };
        may_be_stored |= matches!(error, StoreError::NotCommitted(_));
        if !may_be_stored || !error.is_retryable() || Instant::now() >= deadline {
            if may_be_stored {
                session.sends.keep_backlog();
                super::wake(cx, session);
            }
            return stored;
        }
        tokio::time::sleep(STORE_PAUSE).await;
    }
}

/// The refusal of a request for one of its fields.
pub(super) fn invalid(field: &str, message: &str) -> Refusal {
    Refusal::Invalid {
        field: field.to_owned(),
        message: message.to_owned(),
    }
}

pub(super) fn check_status(session: &Session, mode: SendMode) -> Result<(), Refusal> {
    let standing = session.standing();
    let status = standing.status;
    let may_queue =
        mode == SendMode::Async && status == SessionStatus::Starting && session.is_paired();
    if status == SessionStatus::Working || may_queue {
        Ok(())
    } else {
        Err(standing.refusal())
    }
}
