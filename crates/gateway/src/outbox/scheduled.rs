//! Messages whose time has come: accepted as if they were asked for just now.
//!
//! The row of a scheduled message goes in the transaction that accepts the message. A crash
//! before that leaves it to the next round, one after it to the outbox; and of an owner that
//! accepts and a caller who takes the message back at the same moment, one wins.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::time::Instant;
use wagate_cluster::{Refusal, SendCommand};
use wagate_engine::new_message_id;
use wagate_model::{EventKind, MessageStatus, MessageStatusPayload, OutboxId, SendMode, SessionId};
use wagate_store::{NewEvent, Owned, Result, ScheduledRecord, StoreError};

use super::accept::{NotAccepted, check_status, hand_over, store};
use super::entry::{Accepted, Entry, Part};
use super::order::Order;
use crate::context::{Context, millis};
use crate::rounds::in_rounds;
use crate::session::Session;

/// How often there is a look.
const EVERY: Duration = Duration::from_secs(1);
/// Messages that are looked at in one round.
const AT_ONCE: i64 = 500;
/// Sessions whose messages are accepted at the same time.
const SESSIONS_AT_ONCE: usize = 16;
/// When a message that cannot be accepted now is looked at again.
const AGAIN_MS: i64 = 15_000;
/// The longest wait that a refusal asks for.
const MAX_WAIT_MS: i64 = 3_600_000;

/// Accepts what is due until the gateway drains.
pub(crate) async fn accept_scheduled(cx: Arc<Context>) {
    in_rounds(
        cx,
        EVERY,
        "scheduled",
        |cx| async move { accept_due(&cx).await },
    )
    .await;
}

async fn accept_due(cx: &Arc<Context>) -> Result<()> {
    let now_ms = cx.store.now_ms();
    let due = {
        let mut tx = cx.store.read().await?;
        let mut admin = tx.admin();
        admin.due_scheduled(&cx.config.id, now_ms, AT_ONCE).await?
    };
    // Those of one session one after another, in their order.
    let mut by_session = BTreeMap::<SessionId, Vec<OutboxId>>::new();
    for message in due {
        let ids = by_session.entry(message.session_id).or_default();
        ids.push(message.id);
    }
    let sessions = futures::stream::iter(by_session);
    sessions
        .for_each_concurrent(SESSIONS_AT_ONCE, |(session, ids)| async move {
            // One that starts or ends just now has its turn in the next round.
            let Some(session) = cx.registry.get(session) else {
                return;
            };
            if let Err(error) = accept_all(cx, &session, ids).await
                && !matches!(error, StoreError::Fenced)
            {
                tracing::warn!(session.id = %session.id(), error = %error, "scheduled messages wait for the next round");
            }
        })
        .await;
    Ok(())
}

async fn accept_all(cx: &Arc<Context>, session: &Arc<Session>, ids: Vec<OutboxId>) -> Result<()> {
    if check_status(session, SendMode::Async).is_err() {
        let again_at_ms = cx.store.now_ms() + AGAIN_MS;
        return defer(cx, session, ids, again_at_ms).await;
    }
    for id in ids {
        accept_one(cx, session, id).await?;
    }
    Ok(())
}

async fn accept_one(cx: &Arc<Context>, session: &Arc<Session>, id: OutboxId) -> Result<()> {
    let (organization, session_id) = (session.organization, session.id());
    let row = {
        let mut tx = cx.store.read().await?;
        tx.scheduled_message(organization, session_id, id).await?
    };
    let Some(row) = row.filter(|row| row.failed_at_ms.is_none()) else {
        return Ok(());
    };
    let now_ms = cx.store.now_ms();
    if now_ms.saturating_sub(row.send_at_ms) > millis(cx.config.outbox.max_age) {
        return fail(cx, session, row, "expired").await;
    }
    let Some(entry) = entry_of(&row, now_ms, session.sends.has_backlog()) else {
        return fail(cx, session, row, "invalid_request").await;
    };
    let entry = Arc::new(entry);
    let deadline = Instant::now() + cx.config.outbox.sync_timeout;
    match store(cx, session, &entry, deadline).await {
        Ok(Accepted::New {
            chat_jid,
            disappearing_seconds,
        }) => {
            hand_over(cx, session, &entry, &chat_jid.into(), disappearing_seconds);
            Ok(())
        }
        Ok(Accepted::Withdrawn | Accepted::Replayed(_)) => Ok(()),
        Err(NotAccepted::Store(error)) => Err(error),
        Err(NotAccepted::Refused(refusal)) => match verdict(refusal) {
            Verdict::Later(wait_ms) => {
                defer(cx, session, vec![id], now_ms.saturating_add(wait_ms)).await
            }
            Verdict::Never(reason) => fail(cx, session, row, &reason).await,
        },
    }
}

/// The request with the ids that were reserved for it.
fn entry_of(row: &ScheduledRecord, now_ms: i64, checks_depth: bool) -> Option<Entry> {
    let command: SendCommand = serde_json::from_slice(row.request.as_deref()?).ok()?;
    let chat = command.task.recipient().ok()?;
    let mut reserved = Some(row.wa_message_id.clone());
    let new_id = || reserved.take().unwrap_or_else(new_message_id);
    let orders = Order::all_of(command.task, command.attachments, command.preview, new_id)?;
    // The messages of an album follow the one that begins it.
    let (time, first) = (row.id.ulid().timestamp_ms(), row.id.ulid().random());
    let parts = (first..)
        .zip(orders)
        .map(|(random, (wa_message_id, order))| Part {
            id: OutboxId::from_parts(time, random),
            wa_message_id,
            order: Arc::new(order),
        });
    Some(Entry {
        parts: parts.collect(),
        chat,
        mode: SendMode::Async,
        key: None,
        is_scheduled: true,
        now_ms,
        checks_depth,
    })
}

/// What a refusal means for a message that nobody waits for.
enum Verdict {
    /// It is tried again after some milliseconds.
    Later(i64),
    /// It cannot be sent, for this reason.
    Never(String),
}

fn verdict(refusal: Refusal) -> Verdict {
    match refusal {
        Refusal::RateLimited {
            retry_after_seconds,
        }
        | Refusal::ReachoutRestricted {
            retry_after_seconds,
        } => {
            let wait_ms = retry_after_seconds.saturating_mul(1_000);
            Verdict::Later(wait_ms.clamp(AGAIN_MS, MAX_WAIT_MS))
        }
        Refusal::NotOwner
        | Refusal::NotConnected { .. }
        | Refusal::Busy
        | Refusal::Unavailable
        | Refusal::Internal => Verdict::Later(AGAIN_MS),
        Refusal::Invalid { field, message } => Verdict::Never(format!("{field} {message}")),
        refusal => Verdict::Never(refusal.to_string()),
    }
}

async fn defer(
    cx: &Context,
    session: &Session,
    ids: Vec<OutboxId>,
    again_at_ms: i64,
) -> Result<()> {
    let ids: Arc<[OutboxId]> = ids.into();
    session
        .commit(&cx.store, move |owned| {
            let ids = Arc::clone(&ids);
            Box::pin(async move { owned.defer_scheduled(&ids, again_at_ms).await })
        })
        .await
}

async fn fail(cx: &Context, session: &Session, row: ScheduledRecord, reason: &str) -> Result<()> {
    let (row, reason): (Arc<ScheduledRecord>, Arc<str>) = (row.into(), reason.into());
    let now_ms = cx.store.now_ms();
    session
        .commit(&cx.store, move |owned| {
            let (row, reason) = (Arc::clone(&row), Arc::clone(&reason));
            Box::pin(async move { give_up(owned, &row, &reason, now_ms).await })
        })
        .await
}

/// Gives a scheduled message up, and tells so.
pub(super) async fn give_up(
    owned: &mut Owned<'_>,
    row: &ScheduledRecord,
    reason: &str,
    now_ms: i64,
) -> Result<()> {
    if !owned.fail_scheduled(row.id, reason, now_ms).await? {
        return Ok(());
    }
    let payload = MessageStatusPayload {
        chat_jid: row.chat_jid.clone(),
        message_ids: vec![row.wa_message_id.clone()],
        sender_jid: None,
        status: MessageStatus::Failed,
        timestamp: now_ms,
        error: Some(reason.to_owned()),
    };
    let (organization, session) = (owned.organization(), owned.session());
    let kind = EventKind::MessageStatus;
    let event = NewEvent::new(organization, session, kind, now_ms, &payload)?;
    owned.append_event(event.in_chat(row.chat_jid.clone()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use wagate_model::SendTask;

    use super::*;

    fn row(request: serde_json::Value) -> ScheduledRecord {
        let command = SendCommand {
            task: SendTask::Send(serde_json::from_value(request).unwrap()),
            mode: SendMode::Async,
            idempotency: None,
            attachments: Vec::new(),
            preview: None,
        };
        ScheduledRecord {
            id: OutboxId::from_parts(5, 7),
            wa_message_id: "3EB0".into(),
            chat_jid: "15551234567@s.whatsapp.net".into(),
            request: Some(serde_json::to_vec(&command).unwrap()),
            send_at_ms: 1,
            created_at_ms: 0,
            failed_at_ms: None,
            error: None,
        }
    }

    #[test]
    fn a_message_keeps_the_ids_that_were_reserved() {
        let text = serde_json::json!({"type": "text", "to": "15551234567", "text": "hi"});
        let entry = entry_of(&row(text), 9, false).unwrap();
        let part = entry.first();
        assert_eq!(part.id, OutboxId::from_parts(5, 7));
        assert_eq!(part.wa_message_id, "3EB0");
        let mut unreadable = row(serde_json::json!({"type": "text", "to": "15551234567"}));
        unreadable.request = None;
        assert!(entry_of(&unreadable, 9, false).is_none());
    }

    #[test]
    fn what_may_pass_is_waited_for_and_what_cannot_is_given_up() {
        for refusal in [Refusal::Busy, Refusal::Unavailable, Refusal::Internal] {
            assert!(matches!(verdict(refusal), Verdict::Later(AGAIN_MS)));
        }
        let restricted = Refusal::ReachoutRestricted {
            retry_after_seconds: 60,
        };
        assert!(matches!(verdict(restricted), Verdict::Later(60_000)));
        let invalid = Refusal::Invalid {
            field: "replyTo".into(),
            message: "is gone".into(),
        };
        assert!(matches!(verdict(invalid), Verdict::Never(reason) if reason == "replyTo is gone"));
    }
}
