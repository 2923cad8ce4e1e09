//! How other devices of the account keep its chats (application state).

use whatsapp_rust::Jid as LibraryJid;
use whatsapp_rust::types::events::{
    ArchiveUpdate, ClearChatUpdate, DeleteChatUpdate, DeleteMessageForMeUpdate,
    MarkChatAsReadUpdate, MuteUpdate, PinUpdate, StarUpdate,
};
use whatsapp_rust::wacore::chrono::{DateTime, Utc};

use super::identity::model_jid;
use super::text::message_id;
use crate::{ChatChange, ChatSetting};

fn change(
    chat: &LibraryJid,
    timestamp: &DateTime<Utc>,
    is_initial: bool,
    change: ChatSetting,
) -> Option<ChatChange> {
    Some(ChatChange {
        chat: model_jid(chat)?,
        change,
        is_initial,
        timestamp_ms: timestamp.timestamp_millis(),
    })
}

pub(crate) fn pinned(update: &PinUpdate) -> Option<ChatChange> {
    let setting = ChatSetting::Pinned(update.action.pinned == Some(true));
    change(
        &update.jid,
        &update.timestamp,
        update.from_full_sync,
        setting,
    )
}

pub(crate) fn muted(update: &MuteUpdate) -> Option<ChatChange> {
    let until_ms =
        (update.action.muted == Some(true)).then(|| update.action.mute_end_timestamp.unwrap_or(-1));
    let setting = ChatSetting::Muted(until_ms);
    change(
        &update.jid,
        &update.timestamp,
        update.from_full_sync,
        setting,
    )
}

pub(crate) fn archived(update: &ArchiveUpdate) -> Option<ChatChange> {
    let setting = ChatSetting::Archived(update.action.archived == Some(true));
    change(
        &update.jid,
        &update.timestamp,
        update.from_full_sync,
        setting,
    )
}

pub(crate) fn marked_read(update: &MarkChatAsReadUpdate) -> Option<ChatChange> {
    let setting = ChatSetting::Read(update.action.read == Some(true));
    change(
        &update.jid,
        &update.timestamp,
        update.from_full_sync,
        setting,
    )
}

pub(crate) fn deleted(update: &DeleteChatUpdate) -> Option<ChatChange> {
    let is_initial = update.from_full_sync;
    change(
        &update.jid,
        &update.timestamp,
        is_initial,
        ChatSetting::Deleted,
    )
}

pub(crate) fn cleared(update: &ClearChatUpdate) -> Option<ChatChange> {
    let is_initial = update.from_full_sync;
    change(
        &update.jid,
        &update.timestamp,
        is_initial,
        ChatSetting::Cleared,
    )
}

pub(crate) fn starred(update: &StarUpdate) -> Option<ChatChange> {
    let setting = ChatSetting::MessageStarred {
        id: message_id(Some(&update.message_id))?,
        is_from_me: update.from_me,
        sender: update.participant_jid.as_ref().and_then(model_jid),
        is_starred: update.action.starred == Some(true),
    };
    change(
        &update.chat_jid,
        &update.timestamp,
        update.from_full_sync,
        setting,
    )
}

pub(crate) fn deleted_for_me(update: &DeleteMessageForMeUpdate) -> Option<ChatChange> {
    let id = message_id(Some(&update.message_id))?;
    let setting = ChatSetting::MessageDeleted { id };
    change(
        &update.chat_jid,
        &update.timestamp,
        update.from_full_sync,
        setting,
    )
}
