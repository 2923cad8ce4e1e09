//! Receipts, names, groups, settings: everything but the messages themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use wagate_engine::{ChannelChange, ChannelNews, EngineEvent, Receipt};
use wagate_model::{ChatType, EventKind, Jid, MessageStatusPayload, NewsletterPayload};
use wagate_store::{Account, ChatChange, ChatFacts, NewEvent, Owned, Result, StoreError};

use super::batch::Batch;
use super::unreadable::unreadable;
use super::{chats, history, marks, people, signs, sink};
use crate::context::Context;
use crate::groups::{self, Arrival, GroupNotes};
use crate::session::Session;

/// Whether an event is to be committed, and does not concern the connection itself.
pub(crate) fn is_news(event: &EngineEvent) -> bool {
    !matches!(
        event,
        EngineEvent::Qr(_)
            | EngineEvent::QrExhausted
            | EngineEvent::PairingCodeExpired
            | EngineEvent::Paired(_)
            | EngineEvent::Connected
            | EngineEvent::Disconnected(_)
            | EngineEvent::Ended(_)
            | EngineEvent::CaughtUp
    )
}

/// Commits events in their order, in one transaction; messages among them like a sink's batch.
pub(crate) async fn commit_news(
    cx: &Arc<Context>,
    session: &Arc<Session>,
    events: Arc<Vec<EngineEvent>>,
) -> Result<()> {
    if let [EngineEvent::Messages(messages)] = events.as_slice() {
        return sink::commit_messages(cx, session, Arc::new(messages.clone()), None).await;
    }
    for event in events.iter() {
        signs::note_presence(session, event);
    }
    if events.iter().any(may_be_known) {
        return commit_unknown(cx, session, &events).await;
    }
    commit_all(cx, session, events).await
}

/// Whether an event may say what was told before.
const fn may_be_known(event: &EngineEvent) -> bool {
    matches!(
        event,
        EngineEvent::Channel(_) | EngineEvent::Restriction { .. }
    )
}

/// Commits events without those that say nothing new.
///
/// What is done here in a channel and WhatsApp's news of it are one event, and what restricts
/// the account is asked for at every connection.
async fn commit_unknown(
    cx: &Arc<Context>,
    session: &Arc<Session>,
    events: &[EngineEvent],
) -> Result<()> {
    let mut told = session.told_channels.lock().await;
    let (mut channels, mut restrictions) = (told.clone(), session.restrictions());
    let news = events.iter().filter(|event| match event {
        EngineEvent::Channel(change) => channels.note(change),
        EngineEvent::Restriction { kind, restriction } => {
            let before = restrictions.iter().find(|known| known.kind == *kind);
            let is_new = before != restriction.as_ref();
            restrictions.retain(|known| known.kind != *kind);
            restrictions.extend(restriction.clone());
            is_new
        }
        _ => true,
    });
    let news = Arc::new(news.cloned().collect());
    commit_all(cx, session, news).await?;
    session.set_restrictions(restrictions);
    *told = channels;
    Ok(())
}

async fn commit_all(
    cx: &Arc<Context>,
    session: &Arc<Session>,
    events: Arc<Vec<EngineEvent>>,
) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let (now_ms, account) = (cx.store.now_ms(), Arc::new(session.account()));
    let notes = session.groups.clone();
    let all = events.clone();
    session
        .commit::<_, StoreError, _>(&cx.store, move |owned| {
            let (events, account, notes) = (all.clone(), account.clone(), notes.clone());
            Box::pin(async move {
                let account = account.as_ref().as_ref();
                for event in events.iter() {
                    if is_about_groups(event) {
                        group(owned, event, account, &notes, now_ms).await?;
                    } else {
                        commit_one(owned, event, account, now_ms).await?;
                    }
                }
                Ok(())
            })
        })
        .await?;
    for event in events.iter() {
        if let EngineEvent::GroupEntered(entry) = event {
            session.groups.note_told(&entry.snapshot.group);
        }
    }
    groups::tend(cx, session);
    Ok(())
}

const fn is_about_groups(event: &EngineEvent) -> bool {
    matches!(
        event,
        EngineEvent::Group(_) | EngineEvent::GroupEntered(_) | EngineEvent::GroupsStale(_)
    )
}

async fn group(
    owned: &mut Owned<'_>,
    event: &EngineEvent,
    account: Option<&Account>,
    notes: &GroupNotes,
    now_ms: i64,
) -> Result<()> {
    match event {
        EngineEvent::Group(change) => {
            notes.note_change(&change.group);
            if groups::store_change(owned, change, account, now_ms).await? {
                notes.note_stale(Some(&change.group));
            }
        }
        EngineEvent::GroupEntered(entry) => {
            let snapshot = &entry.snapshot;
            notes.note_change(&snapshot.group);
            let arrival = Arrival {
                tells_entry: true,
                is_new: notes.is_untold(&snapshot.group),
                sender: entry.by.as_ref().map(Jid::to_string),
                timestamp_ms: Some(entry.timestamp_ms),
            };
            groups::store_snapshot(owned, snapshot, &arrival, account, now_ms).await?;
            if !snapshot.is_complete {
                notes.note_stale(Some(&snapshot.group));
            }
        }
        EngineEvent::GroupsStale(group) => notes.note_stale(group.as_ref()),
        _ => {}
    }
    Ok(())
}

pub(super) async fn commit_one(
    owned: &mut Owned<'_>,
    event: &EngineEvent,
    account: Option<&Account>,
    now_ms: i64,
) -> Result<()> {
    match event {
        EngineEvent::Messages(messages) => {
            Batch::new(owned, now_ms).write(messages).await.map(drop)
        }
        EngineEvent::Receipt(event) => receipt(owned, event, now_ms).await,
        EngineEvent::Unreadable(message) => unreadable(owned, message, now_ms).await,
        EngineEvent::Presence(event) => signs::presence(owned, event, now_ms),
        EngineEvent::Typing(event) => signs::typing(owned, event, now_ms).await,
        EngineEvent::PushName {
            person,
            alias,
            name,
        } => people::push_name(owned, person, alias.as_ref(), name, now_ms).await,
        EngineEvent::OwnPushName(name) => people::own_push_name(owned, account, name, now_ms).await,
        EngineEvent::DefaultTimer(seconds) => owned.set_default_timer(*seconds, now_ms).await,
        EngineEvent::ContactName(name) => people::contact_name(owned, name, now_ms).await,
        EngineEvent::Alias { phone, lid } => people::alias(owned, phone, lid, now_ms).await,
        EngineEvent::Picture(event) => signs::picture(owned, event, now_ms).await,
        EngineEvent::Chat(change) => chats::news(owned, change, now_ms).await,
        EngineEvent::StatusMuted { person, is_muted } => {
            people::status_muted(owned, person, *is_muted, now_ms).await
        }
        EngineEvent::Label(change) => marks::label(owned, change, now_ms).await,
        EngineEvent::Channel(change) => channel(owned, change, now_ms).await,
        EngineEvent::Restriction { kind, restriction } => {
            let restriction = restriction.as_ref();
            owned.set_restriction(*kind, restriction, now_ms).await
        }
        EngineEvent::Call(event) => signs::call(owned, event, now_ms).await,
        EngineEvent::History(page) => history::commit_page(owned, page, now_ms).await,
        _ => Ok(()),
    }
}

/// Adds an event to the log.
pub(crate) fn tell<P: Serialize>(
    owned: &mut Owned<'_>,
    kind: EventKind,
    payload: &P,
    chat: Option<&Jid>,
    now_ms: i64,
) -> Result<()> {
    let (organization, session) = (owned.organization(), owned.session());
    let mut event = NewEvent::new(organization, session, kind, now_ms, payload)?;
    if let Some(chat) = chat {
        event = event.in_chat(chat.as_str());
    }
    owned.append_event(event);
    Ok(())
}

async fn receipt(owned: &mut Owned<'_>, receipt: &Receipt, now_ms: i64) -> Result<()> {
    if receipt.is_own {
        let (organization, session) = (owned.organization(), owned.session());
        let chat = owned
            .chat(organization, session, receipt.chat.as_str())
            .await?;
        return match chat {
            Some(chat) if chat.unread_count > 0 => {
                // The receipt may come behind messages that nobody has read yet.
                let newer = owned.incoming_after(chat.id, &receipt.message_ids).await?;
                let unread = chat.unread_count.min(newer.unwrap_or(0));
                chats::set_unread(owned, &chat, unread, now_ms).await
            }
            _ => Ok(()),
        };
    }
    let advanced = owned
        .advance_messages(&receipt.message_ids, receipt.status, None, now_ms)
        .await?;
    // One event per chat with all that really went on; WhatsApp repeats receipts.
    let mut chats: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in advanced {
        chats
            .entry(message.chat_jid)
            .or_default()
            .push(message.wa_message_id);
    }
    for (chat_jid, mut message_ids) in chats {
        message_ids.sort_by_key(|id| receipt.message_ids.iter().position(|other| other == id));
        let payload = MessageStatusPayload {
            chat_jid: chat_jid.clone(),
            message_ids,
            sender_jid: Some(receipt.sender.to_string()),
            status: receipt.status,
            timestamp: receipt.timestamp_ms,
            error: None,
        };
        let (organization, session) = (owned.organization(), owned.session());
        let event = NewEvent::new(
            organization,
            session,
            EventKind::MessageStatus,
            now_ms,
            &payload,
        )?;
        owned.append_event(event.in_chat(chat_jid));
    }
    Ok(())
}

/// The account follows a channel, left or muted it.
async fn channel(owned: &mut Owned<'_>, change: &ChannelChange, now_ms: i64) -> Result<()> {
    let (organization, session) = (owned.organization(), owned.session());
    let (action, name, is_muted) = match &change.news {
        ChannelNews::Joined { name } => ("join", name.clone(), None),
        ChannelNews::Left => ("leave", None, None),
        ChannelNews::Muted(is_muted) => ("mute", None, Some(*is_muted)),
        ChannelNews::Updated { name, .. } => ("update", name.clone(), None),
        ChannelNews::Deleted => ("delete", None, None),
    };
    if !matches!(change.news, ChannelNews::Left | ChannelNews::Deleted) {
        let facts = ChatFacts {
            jid: change.channel.to_string(),
            alias_jid: None,
            kind: ChatType::Newsletter,
            name,
        };
        let chat = owned.upsert_chat(&facts, now_ms).await?;
        if let Some(is_muted) = is_muted {
            let settings = ChatChange {
                muted_until: Some(if is_muted { -1 } else { 0 }),
                ..ChatChange::default()
            };
            owned
                .update_chat(organization, session, chat.id, &settings, now_ms)
                .await?;
        }
    }
    let payload = NewsletterPayload {
        action: action.to_owned(),
        jid: change.channel.to_string(),
        muted: is_muted,
    };
    let about = Some(&change.channel);
    tell(owned, EventKind::NewsletterUpdate, &payload, about, now_ms)
}
