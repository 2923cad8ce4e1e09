//! How the account keeps its chats: stored, and told where it is news.
//!
//! A change that was made here comes back from WhatsApp as news. Whichever is stored first tells
//! it; the other changes nothing.

use wagate_engine::{ChatChange as EngineChatChange, ChatSetting};
use wagate_model::{Chat, ChatUpdatePayload, EventKind, Jid, TargetMessage};
use wagate_store::{ChatChange, Owned, Result};

use super::marks;
use super::news::tell;

/// A device of the account changed how a chat is kept; one that is not stored is left alone.
pub(super) async fn news(
    owned: &mut Owned<'_>,
    news: &EngineChatChange,
    now_ms: i64,
) -> Result<()> {
    let (organization, session) = (owned.organization(), owned.session());
    let address = news.chat.as_str();
    let Some(chat) = owned.chat(organization, session, address).await? else {
        return Ok(());
    };
    let is_told = !news.is_initial;
    let mut change = ChatChange::default();
    match &news.change {
        ChatSetting::Pinned(is_pinned) => change.is_pinned = Some(*is_pinned),
        ChatSetting::Archived(is_archived) => change.is_archived = Some(*is_archived),
        ChatSetting::Muted(until) => change.muted_until = Some(until.unwrap_or(0)),
        ChatSetting::Read(is_read) => {
            let unread = if *is_read {
                0
            } else {
                chat.unread_count.max(1)
            };
            return store_unread(owned, &chat, unread, is_told, now_ms).await;
        }
        ChatSetting::MessageStarred {
            id,
            is_from_me,
            sender,
            is_starred,
        } => {
            let target = TargetMessage {
                chat: news.chat.clone(),
                id: id.clone(),
                sender: sender.clone(),
            };
            return marks::star(owned, &target, *is_from_me, *is_starred, now_ms).await;
        }
        ChatSetting::Deleted => return tidied(owned, &chat, "deleted", is_told, now_ms).await,
        ChatSetting::Cleared => return tidied(owned, &chat, "cleared", is_told, now_ms).await,
        ChatSetting::MessageDeleted { id } if is_told => {
            let payload = ChatUpdatePayload {
                message_id: Some(id.clone()),
                ..update(&chat, "message_deleted")
            };
            return tell_of(owned, &payload, now_ms);
        }
        ChatSetting::MessageDeleted { .. } => return Ok(()),
    }
    store(owned, &chat, &change, is_told, now_ms).await
}

/// Stores what WhatsApp has taken of a change, and tells what of it is news.
pub(crate) async fn change(
    owned: &mut Owned<'_>,
    chat: &Chat,
    change: &ChatChange,
    now_ms: i64,
) -> Result<()> {
    store(owned, chat, change, true, now_ms).await
}

/// Stores how many messages of a chat are unread, and tells it where it is news.
pub(crate) async fn set_unread(
    owned: &mut Owned<'_>,
    chat: &Chat,
    unread: i64,
    now_ms: i64,
) -> Result<()> {
    store_unread(owned, chat, unread, true, now_ms).await
}

async fn store(
    owned: &mut Owned<'_>,
    chat: &Chat,
    change: &ChatChange,
    is_told: bool,
    now_ms: i64,
) -> Result<()> {
    let (organization, session) = (owned.organization(), owned.session());
    let muted_until = chat.muted_until.unwrap_or(0);
    let payload = ChatUpdatePayload {
        archived: change.is_archived.filter(|new| *new != chat.archived),
        pinned: change.is_pinned.filter(|new| *new != chat.pinned),
        muted_until: change.muted_until.filter(|new| *new != muted_until),
        ..update(chat, "settings")
    };
    let is_news = payload != update(chat, "settings");
    if !is_news {
        return Ok(());
    }
    owned
        .update_chat(organization, session, chat.id, change, now_ms)
        .await?;
    if is_told {
        tell_of(owned, &payload, now_ms)?;
    }
    Ok(())
}

async fn store_unread(
    owned: &mut Owned<'_>,
    chat: &Chat,
    unread: i64,
    is_told: bool,
    now_ms: i64,
) -> Result<()> {
    if unread == chat.unread_count {
        return Ok(());
    }
    owned.set_unread(chat.id, unread, now_ms).await?;
    if is_told {
        let payload = ChatUpdatePayload {
            unread_count: Some(unread),
            ..update(chat, "unread")
        };
        tell_of(owned, &payload, now_ms)?;
    }
    Ok(())
}

/// A chat was deleted or cleared on WhatsApp.
///
/// What somebody tidies up on the phone stays in the organization's record; nothing of it is left
/// to be read.
async fn tidied(
    owned: &mut Owned<'_>,
    chat: &Chat,
    change: &str,
    is_told: bool,
    now_ms: i64,
) -> Result<()> {
    owned.set_unread(chat.id, 0, now_ms).await?;
    if is_told {
        tell_of(owned, &update(chat, change), now_ms)?;
    }
    Ok(())
}

fn update(chat: &Chat, change: &str) -> ChatUpdatePayload {
    ChatUpdatePayload {
        change: change.to_owned(),
        chat_jid: chat.jid.clone(),
        ..ChatUpdatePayload::default()
    }
}

fn tell_of(owned: &mut Owned<'_>, payload: &ChatUpdatePayload, now_ms: i64) -> Result<()> {
    let chat = payload.chat_jid.parse::<Jid>().ok();
    tell(owned, EventKind::ChatUpdate, payload, chat.as_ref(), now_ms)
}
