//! One attempt to send a message.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;

use wagate_engine::{
    Connection, Outgoing, OutgoingContent, Quoted, RejectReason, SendFailure, TypingState,
};
use wagate_model::{Jid, JidKind, MessageStatus, SendTask};
use wagate_store::{RateDecision, Result, StoreError, StoredMessage};

use super::entry::restricted_seconds;
use super::files::WaitingFile;
use super::finish::{finish_failed, finish_sent};
use super::outcome::{Failure, NOT_SENT};
use super::own::{AboutOthers, outgoing, present_raw, quoted_row, target_row};
use super::queue::Item;
use crate::backoff::random_backoff;
use crate::context::{Context, millis};
use crate::inbound::commit_news;
use crate::session::Session;
use crate::typing::typing_time;

/// The wait when there is no connection: the next one ends it.
const UNTIL_CONNECTED: Duration = Duration::from_secs(1);

/// How long a refusal waits for WhatsApp to say how long it holds.
const MAX_RESTRICTIONS_WAIT: Duration = Duration::from_secs(5);

/// A story comes before so many people at most.
const MAX_AUDIENCE: i64 = 5_000;

/// What became of an attempt.
#[derive(Debug, Clone, Copy)]
pub(super) enum Attempted {
    /// The outcome is in the store.
    Finished,
    /// It is to be tried again.
    Again(Duration),
    /// The sending limits do not let it through yet.
    Limited(Duration),
}

/// Tries to send a message, and stores the outcome where there is one.
pub(super) async fn attempt(
    cx: &Arc<Context>,
    session: &Arc<Session>,
    item: &mut Item,
) -> Attempted {
    let tried = AssertUnwindSafe(Box::pin(try_once(cx, session, item)))
        .catch_unwind()
        .await;
    let tried = if let Ok(tried) = tried {
        tried
    } else {
        tracing::error!(session.id = %session.id(), "an attempt to send panicked");
        metrics::counter!("wagate_gateway_panics_total", "task" => "attempt").increment(1);
        // The cause may be in the message itself: it is not tried for ever.
        after_failure(cx, session, item, SendFailure::Unconfirmed).await
    };
    match tried {
        Ok(attempted) => attempted,
        // Nothing is lost: it is in the store, and its id is kept.
        Err(error) => {
            tracing::warn!(session.id = %session.id(), error = %error, "a send was interrupted");
            Attempted::Again(failed_wait(cx, item))
        }
    }
}

fn failed_wait(cx: &Context, item: &Item) -> Duration {
    let config = &cx.config.outbox;
    let failures = u32::try_from(item.attempts.max(1)).unwrap_or(u32::MAX);
    random_backoff(failures, config.min_backoff, config.max_backoff)
}

async fn try_once(cx: &Arc<Context>, session: &Arc<Session>, item: &mut Item) -> Result<Attempted> {
    let config = &cx.config.outbox;
    let age = item
        .age_from_ms
        .map(|from| cx.now_ms().saturating_sub(from));
    if age.is_some_and(|age| age > millis(config.max_age)) {
        finish_failed(cx, session, item, Failure::new("expired")).await?;
        return Ok(Attempted::Finished);
    }
    let Some(connection) = session.working_connection() else {
        return Ok(Attempted::Again(UNTIL_CONNECTED));
    };
    let Ok(chat) = item.chat.parse::<Jid>() else {
        finish_failed(cx, session, item, Failure::new("invalid_request")).await?;
        return Ok(Attempted::Finished);
    };
    match begin(cx, session, item).await? {
        Begun::Yes => {}
        Begun::Limited(wait) => return Ok(Attempted::Limited(wait)),
        Begun::FinishedBefore => return Ok(Attempted::Finished),
    }
    if let Err(failure) = bring_file(cx, session, &connection, item, &chat).await {
        return after_failure(cx, session, item, failure).await;
    }
    let outgoing = match prepare(cx, session, item, chat).await? {
        Prepared::Ready(outgoing) => *outgoing,
        Prepared::Early => return Ok(Attempted::Again(UNTIL_CONNECTED)),
        Prepared::Pointless => {
            let item = &*item;
            session
                .persist(|| finish_failed(cx, session, item, Failure::new(NOT_SENT)))
                .await?;
            return Ok(Attempted::Finished);
        }
    };
    let is_chat = chat_shows_typing(&outgoing.chat);
    if session.settings().presence_typing
        && is_chat
        && let OutgoingContent::Text(text) = &outgoing.content
    {
        show_typing(cx, &connection, &outgoing.chat, text).await;
    }
    let started = tokio::time::Instant::now();
    let sent = if outgoing.chat.kind() == JidKind::Status {
        let audience = audience(cx, session).await?;
        connection.send_status(&outgoing, &audience).await
    } else {
        connection.send(&outgoing).await
    };
    metrics::histogram!("wagate_gateway_send_seconds").record(started.elapsed().as_secs_f64());
    match sent {
        Ok(sent) => {
            // However long the database is away: sending again would be harmless, but is not needed.
            let item = &*item;
            session
                .persist(|| finish_sent(cx, session, item, &sent))
                .await?;
            Ok(Attempted::Finished)
        }
        Err(failure) => after_failure(cx, session, item, failure).await,
    }
}

/// Whether there is anybody in a chat to be shown that something is typed.
fn chat_shows_typing(chat: &Jid) -> bool {
    chat.kind().is_person() || chat.kind() == JidKind::Group
}

/// Before whom the account's stories come: those in the phone's address book, and those with
/// whom there is a chat.
async fn audience(cx: &Context, session: &Session) -> Result<Vec<Jid>> {
    let mut tx = cx.store.read().await?;
    let people = tx
        .status_audience(session.organization, session.id(), MAX_AUDIENCE)
        .await?;
    Ok(people.iter().filter_map(|jid| jid.parse().ok()).collect())
}

async fn after_failure(
    cx: &Arc<Context>,
    session: &Arc<Session>,
    item: &mut Item,
    failure: SendFailure,
) -> Result<Attempted> {
    let is_final = match &failure {
        SendFailure::Permanent { .. } => true,
        SendFailure::Transient { .. } | SendFailure::Unconfirmed => {
            item.attempts >= cx.config.outbox.max_attempts
        }
        SendFailure::NotConnected => false,
    };
    // The texts name no person and no content.
    tracing::info!(session.id = %session.id(), error = %failure, is_final, "a send did not succeed");
    if is_final {
        let mut reason = Failure::of(&failure);
        if is_reachout_restricted(&failure) {
            Box::pin(learn_restrictions(cx, session)).await;
            reason.restricted_seconds = restricted_seconds(session, cx.now_ms());
        }
        let item = &*item;
        session
            .persist(|| finish_failed(cx, session, item, reason.clone()))
            .await?;
        return Ok(Attempted::Finished);
    }
    metrics::counter!("wagate_gateway_sends_total", "outcome" => "again").increment(1);
    Ok(Attempted::Again(match failure {
        SendFailure::NotConnected => UNTIL_CONNECTED,
        _ => failed_wait(cx, item),
    }))
}

const fn is_reachout_restricted(failure: &SendFailure) -> bool {
    matches!(
        failure,
        SendFailure::Permanent {
            reason: RejectReason::ReachoutRestricted,
            ..
        }
    )
}

/// Asks what WhatsApp forbids the account: it has just refused a message for that, and may not
/// have told it yet. What it does not say in time is told by a later refusal.
async fn learn_restrictions(cx: &Arc<Context>, session: &Arc<Session>) {
    let Some(connection) = session.working_connection() else {
        return;
    };
    let asking = tokio::time::timeout(MAX_RESTRICTIONS_WAIT, connection.restrictions());
    let Ok(restrictions) = asking.await else {
        return;
    };
    if let Err(error) = commit_news(cx, session, Arc::new(restrictions)).await {
        tracing::warn!(session.id = %session.id(), error = %error, "restrictions were not stored");
    }
}

enum Begun {
    Yes,
    Limited(Duration),
    /// Another owner has finished it.
    FinishedBefore,
}

/// Counts the attempt, and the message in the sending limits where it is not counted yet.
async fn begin(cx: &Context, session: &Session, item: &mut Item) -> Result<Begun> {
    // A synchronous message was counted when it was accepted; its first attempt needs no
    // commit of its own, because its id is in the store already.
    if item.attempts == 0 && item.is_counted() {
        item.attempts = 1;
        return Ok(Begun::Yes);
    }
    let (id, must_count, now_ms) = (item.id, !item.is_counted(), cx.now_ms());
    let limits = session.settings().limits;
    let begun = session
        .commit(&cx.store, move |owned| {
            Box::pin(async move {
                if must_count
                    && let RateDecision::Limited {
                        retry_after_seconds,
                    } = owned.take_rate(limits, now_ms).await?
                {
                    owned
                        .defer_send(id, now_ms + retry_after_seconds * 1_000)
                        .await?;
                    let seconds = u64::try_from(retry_after_seconds).unwrap_or(1).max(1);
                    return Ok::<_, StoreError>(Begun::Limited(Duration::from_secs(seconds)));
                }
                let is_open = owned.begin_send(id).await?;
                Ok(if is_open {
                    Begun::Yes
                } else {
                    Begun::FinishedBefore
                })
            })
        })
        .await?;
    if matches!(begun, Begun::Yes) {
        item.attempts += 1;
        item.age_from_ms.get_or_insert(now_ms);
    }
    Ok(begun)
}

/// Brings the message's file to WhatsApp, unless an earlier attempt has.
async fn bring_file(
    cx: &Context,
    session: &Session,
    connection: &Connection,
    item: &mut Item,
    chat: &Jid,
) -> std::result::Result<(), SendFailure> {
    let Some(attachment) = &item.order.attachment else {
        return Ok(());
    };
    if item.uploaded.is_some() {
        return Ok(());
    }
    let started = tokio::time::Instant::now();
    let mut file = WaitingFile::new(&cx.store, session.organization, attachment);
    let uploaded = if chat.kind() == JidKind::Newsletter {
        let uploading = connection.upload_for_channel(&mut file, attachment.kind);
        uploading.await?
    } else {
        let uploading = connection.upload(&mut file, attachment.kind, item.order.secret);
        uploading.await?
    };
    metrics::histogram!("wagate_gateway_upload_seconds").record(started.elapsed().as_secs_f64());
    item.uploaded = Some(Arc::new(uploaded));
    Ok(())
}

/// What is to become of a message now.
enum Prepared {
    Ready(Box<Outgoing>),
    /// What it is about is still to be sent.
    Early,
    /// What it is about could not be sent.
    Pointless,
}

impl Prepared {
    fn ready(outgoing: Outgoing) -> Self {
        Self::Ready(Box::new(outgoing))
    }

    /// Whether a task has to wait for the account's own message that it is about.
    ///
    /// Both are of one chat, and go in their order; but the chat may have got another address
    /// in between, and the first may have failed.
    fn held_back(task: &SendTask, target: &StoredMessage) -> Option<Self> {
        if !target.is_from_me || matches!(task, SendTask::Forward { .. }) {
            return None;
        }
        match target.status? {
            MessageStatus::Pending => Some(Self::Early),
            MessageStatus::Failed => Some(Self::Pointless),
            _ => None,
        }
    }
}

/// The message as the engine takes it, with what the store knows of those it is about.
async fn prepare(cx: &Context, session: &Session, item: &Item, chat: Jid) -> Result<Prepared> {
    let order = item.order.clone();
    let id = item.wa_message_id.clone();
    let reply_to = order
        .task
        .request()
        .and_then(|request| request.reply_to.clone());
    let uploaded = item.uploaded.clone();
    if order.task.target().is_none() && reply_to.is_none() {
        let nothing = AboutOthers {
            target: None,
            quoted: None,
        };
        let outgoing = outgoing(&order, &id, &chat, nothing, uploaded.as_deref());
        return Ok(Prepared::ready(outgoing));
    }
    session
        .commit(&cx.store, move |owned| {
            let (order, id, chat) = (order.clone(), id.clone(), chat.clone());
            let (reply_to, uploaded) = (reply_to.clone(), uploaded.clone());
            Box::pin(async move {
                let target = target_row(owned, &order.task).await?;
                let held_back = target
                    .as_ref()
                    .and_then(|target| Prepared::held_back(&order.task, target));
                if let Some(held_back) = held_back {
                    return Ok(held_back);
                }
                let quoted = match reply_to {
                    Some(id) => quoted_row(owned, &chat, &id)
                        .await?
                        .map(|stored| quoted(id, stored, &chat)),
                    None => None,
                };
                let about = AboutOthers {
                    target: target.as_ref(),
                    quoted,
                };
                let uploaded = uploaded.as_deref();
                let outgoing = outgoing(&order, &id, &chat, about, uploaded);
                Ok::<_, StoreError>(Prepared::ready(outgoing))
            })
        })
        .await
}

fn quoted(id: String, stored: StoredMessage, chat: &Jid) -> Quoted {
    let raw = present_raw(&stored);
    let sender = if stored.is_from_me {
        None
    } else {
        let address = stored.sender_lid.or(stored.sender_jid);
        address
            .and_then(|address| address.parse().ok())
            .or_else(|| Some(chat.clone()))
    };
    Quoted {
        id,
        sender,
        raw,
        body: stored.body,
    }
}

/// Shows typing for as long as a person would need; a failure of it fails nothing.
async fn show_typing(cx: &Context, connection: &Connection, chat: &Jid, text: &str) {
    if connection
        .set_typing(chat, TypingState::Composing)
        .await
        .is_ok()
    {
        let time = typing_time(text, cx.config.outbox.max_typing, rand::random::<f64>());
        tokio::time::sleep(time).await;
    }
}
