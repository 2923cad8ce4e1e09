//! Accepting a message: checks, idempotency, limits, and the reserved id, in one transaction.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wagate_cluster::{CommandReply, CommandResult, Refusal, SendCommand};
use wagate_engine::{InboundMessage, new_message_id};
use wagate_model::{
    ChatType, Jid, MessageStatus, OrganizationId, OutboxId, SendMode, SessionStatus,
};
use wagate_store::{
    ChatFacts, ChatRef, Enqueued, IdempotencyKey, NewMessage, NewOutbox, Owned, RateDecision,
    StoreError,
};

use super::order::Order;
use super::outcome::{queued, stored_reply};
use super::own::{Author, check_target, own_message};
use super::queue::Item;
use crate::context::Context;
use crate::inbound::row_of;
use crate::session::{CommitError, STORE_PAUSE, Session};

/// How often the store is asked for an outcome that another gateway may write.
const POLL: Duration = Duration::from_secs(2);
/// Messages of one session that may wait in the outbox.
const MAX_WAITING: i64 = 10_000;

/// When to try again what WhatsApp forbids for a time that it does not tell.
const UNKNOWN_WAIT_MS: i64 = 3_600_000;

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
            Some(replay_outcome(cx, organization, id, deadline).await)
        }
        Err(error) => Some(Err(store_refusal(&error))),
    }
}

async fn replay_outcome(
    cx: &Context,
    organization: OrganizationId,
    id: OutboxId,
    deadline: Instant,
) -> CommandResult {
    let found = async { cx.store.read().await?.outbox(organization, id).await };
    match found.await {
        Ok(Some(record)) if record.mode == SendMode::Async => Ok(queued(id, true)),
        Ok(Some(record)) => match stored_reply(&record, true) {
            Some(reply) => reply,
            None => outcome(cx, organization, id, &record.wa_message_id, deadline, true).await,
        },
        Ok(None) => Err(Refusal::Internal),
        Err(error) => Err(store_refusal(&error)),
    }
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
    let entry = Arc::new(Entry {
        id: cx.outbox_ids.next(now_ms),
        wa_message_id: new_message_id(),
        chat,
        mode: command.mode,
        order: Arc::new(Order::new(command.task)),
        key,
        now_ms,
        checks_depth: session.sends.has_backlog(),
    });
    let mut waiting = cx.waiters.enter(entry.id);
    let accepted = store(cx, session, &entry, deadline)
        .await
        .map_err(NotAccepted::into_refusal)?;
    let chat_jid = match accepted {
        Accepted::New { chat_jid } => chat_jid,
        Accepted::Replayed(id) => return replay_outcome(cx, organization, id, deadline).await,
    };
    metrics::counter!("wagate_gateway_sends_accepted_total").increment(1);
    session.sends.push(Item {
        id: entry.id,
        wa_message_id: entry.wa_message_id.clone(),
        chat: chat_jid.into(),
        mode: entry.mode,
        order: entry.order.clone(),
        created_at_ms: now_ms,
        attempts: 0,
    });
    super::wake(cx, session);
    if entry.mode == SendMode::Async {
        return Ok(queued(entry.id, false));
    }
    // Mostly nobody has to look into the store.
    tokio::select! {
        outcome = waiting.outcome() => return outcome.into_reply(false),
        () = tokio::time::sleep(POLL) => {}
        () = tokio::time::sleep_until(deadline) => {}
    }
    outcome(
        cx,
        organization,
        entry.id,
        &entry.wa_message_id,
        deadline,
        false,
    )
    .await
}

/// Stores an entry.
///
/// A commit that failed may have stored it all the same: then it is tried again under the
/// same id, because "not accepted" would be a lie that makes callers send it once more.
async fn store(
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

fn check_status(session: &Session, mode: SendMode) -> Result<(), Refusal> {
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

enum Accepted {
    New { chat_jid: String },
    Replayed(OutboxId),
}

/// A message with all that its transaction needs.
struct Entry {
    id: OutboxId,
    wa_message_id: String,
    chat: Jid,
    mode: SendMode,
    order: Arc<Order>,
    key: Option<IdempotencyKey>,
    now_ms: i64,
    checks_depth: bool,
}

impl Entry {
    async fn store(
        &self,
        owned: &mut Owned<'_>,
        session: &Session,
        may_be_stored: bool,
    ) -> Result<Accepted, NotAccepted> {
        let (organization, session_id) = (owned.organization(), owned.session());
        if may_be_stored && let Some(stored) = owned.outbox(organization, self.id).await? {
            let chat_jid = stored.chat_jid;
            return Ok(Accepted::New { chat_jid });
        }
        let facts = ChatFacts {
            jid: self.chat.to_string(),
            alias_jid: None,
            kind: ChatType::from(self.chat.kind()),
            name: None,
        };
        let ChatRef {
            id: row,
            jid: chat_jid,
        } = owned.upsert_chat(&facts, self.now_ms).await?;
        let request = serde_json::to_vec(&*self.order).map_err(StoreError::from)?;
        let new = NewOutbox {
            id: self.id,
            session_id,
            wa_message_id: self.wa_message_id.clone(),
            chat_jid: chat_jid.clone(),
            mode: self.mode,
            request,
            idempotency: self.key.clone(),
            next_attempt_at_ms: self.now_ms,
        };
        match owned.enqueue(organization, &new, self.now_ms).await? {
            Enqueued::New => {}
            Enqueued::Replayed(id) => return Ok(Accepted::Replayed(id)),
            Enqueued::OtherRequest => return Err(NotAccepted::Refused(Refusal::KeyReused)),
        }
        // From here on a refusal undoes all of it, the key included.
        self.check(owned, session, row).await?;
        let message = self.message(owned, session).await?;
        let row = NewMessage {
            status: Some(MessageStatus::Pending),
            ..row_of(&message, row)
        };
        owned.defer_own_message(row, self.now_ms)?;
        Ok(Accepted::New { chat_jid })
    }

    async fn check(
        &self,
        owned: &mut Owned<'_>,
        session: &Session,
        chat_id: i64,
    ) -> Result<(), NotAccepted> {
        let refuse = |refusal| Err(NotAccepted::Refused(refusal));
        // The account may have gone while this waited for its turn; what it had to send has
        // been given up then, and the next account must not send this.
        if let Err(refusal) = check_status(session, self.mode) {
            return refuse(refusal);
        }
        let request = self.order.task.request();
        if let Some(id) = request.and_then(|request| request.reply_to.as_ref())
            && owned.stored_message(chat_id, id, None).await?.is_none()
        {
            return refuse(invalid(
                "replyTo",
                "must be the id of a message in this chat",
            ));
        }
        if let Err(refusal) = check_target(owned, &self.order.task).await? {
            return refuse(refusal);
        }
        if let Some(refusal) = self.check_new_chat(owned, session, chat_id).await? {
            return refuse(refusal);
        }
        if self.checks_depth {
            let (organization, session_id) = (owned.organization(), owned.session());
            if owned.outbox_depth(organization, session_id).await? > MAX_WAITING {
                return refuse(Refusal::Busy);
            }
        }
        if self.mode == SendMode::Sync && self.order.task.is_counted() {
            let limits = session.settings().limits;
            match owned.take_rate(limits, self.now_ms).await? {
                RateDecision::Allowed => {}
                RateDecision::Limited {
                    retry_after_seconds,
                } => {
                    return refuse(Refusal::RateLimited {
                        retry_after_seconds,
                    });
                }
            }
        }
        Ok(())
    }

    /// Refuses what begins a chat while WhatsApp lets the account begin none.
    async fn check_new_chat(
        &self,
        owned: &mut Owned<'_>,
        session: &Session,
        chat_id: i64,
    ) -> Result<Option<Refusal>, StoreError> {
        let mut restrictions = session.restrictions();
        restrictions.retain(|restriction| restriction.holds_at(self.now_ms));
        let is_new_message = self.order.task.is_counted() && self.chat.kind().is_person();
        if restrictions.is_empty() || !is_new_message || owned.has_exchanged(chat_id).await? {
            return Ok(None);
        }
        // The last one to end decides; where WhatsApp does not say, it may be asked in an hour.
        let ends = restrictions.iter().map(|restriction| restriction.until);
        let until = ends
            .collect::<Option<Vec<_>>>()
            .and_then(|ends| ends.into_iter().max());
        let wait_ms = until.map_or(UNKNOWN_WAIT_MS, |until| until - self.now_ms);
        Ok(Some(Refusal::ReachoutRestricted {
            retry_after_seconds: wait_ms.saturating_add(999) / 1_000,
        }))
    }

    /// The message as it would come in from another device of the account.
    async fn message(
        &self,
        owned: &mut Owned<'_>,
        session: &Session,
    ) -> Result<InboundMessage, NotAccepted> {
        let account = session.account();
        let author = Author {
            account: account.as_ref(),
            at_ms: self.now_ms,
        };
        Ok(own_message(owned, &self.order, &self.wa_message_id, &self.chat, author).await?)
    }
}
