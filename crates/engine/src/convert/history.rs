//! History, page by page.

use std::collections::HashSet;

use wagate_model::Jid;
use whatsapp_rust::types::events::LazyHistorySync;
use whatsapp_rust::waproto::whatsapp as wa;

use super::identity::{Own, alias, both, parsed_jid};
use super::messages::{Converted, Origin, converted};
use super::polls::end_time_ms;
use super::text::{message_id, present};
use crate::{HistoryChat, HistoryChunk, InboundMessage};

/// Messages on one page: what is committed together, and others wait for.
const PAGE_MESSAGES: usize = 100;
/// Chats on one page.
const PAGE_CHATS: usize = 50;
/// Names and address pairs on one page.
const PAGE_PEOPLE: usize = 500;

/// Unpacks one part; `give` takes a page and says whether to go on.
pub(crate) fn unpack_into(
    history: &LazyHistorySync,
    own: &Own,
    give: &dyn Fn(HistoryChunk) -> bool,
) {
    let is_beginning =
        history.sync_type() == wa::message::HistorySyncType::INITIAL_BOOTSTRAP as i32;
    let empty = |index| HistoryChunk {
        index,
        is_beginning,
        progress: history.progress(),
        ..HistoryChunk::default()
    };
    let mut index = 0;
    let mut next = || {
        index += 1;
        empty(index)
    };
    let mut page = empty(0);
    let mut messages_on_page = 0;
    let mut stream = history.stream();
    let mut conversation = wa::Conversation::default();
    while let Ok(true) = stream.next_conversation_into(&mut conversation) {
        for chat in chat_pages(&conversation, own) {
            let is_full = page.chats.len() >= PAGE_CHATS
                || messages_on_page + chat.messages.len() > PAGE_MESSAGES;
            if is_full && !page.chats.is_empty() {
                messages_on_page = 0;
                if !give(std::mem::replace(&mut page, next())) {
                    return;
                }
            }
            messages_on_page += chat.messages.len();
            page.chats.push(chat);
        }
    }
    let rest = stream.remainder().unwrap_or_default();
    let mut names = rest.pushnames.iter().filter_map(name).peekable();
    let mut aliases = rest
        .phone_number_to_lid_mappings
        .iter()
        .filter_map(address_pair)
        .peekable();
    loop {
        page.push_names.extend(names.by_ref().take(PAGE_PEOPLE));
        page.aliases.extend(aliases.by_ref().take(PAGE_PEOPLE));
        page.is_last = names.peek().is_none() && aliases.peek().is_none();
        let is_last = page.is_last;
        if !give(std::mem::replace(&mut page, next())) || is_last {
            return;
        }
    }
}

fn name(entry: &wa::Pushname) -> Option<(Jid, String)> {
    let jid = parsed_jid(entry.id.as_deref())?;
    Some((jid, present(entry.pushname.as_deref())?))
}

fn address_pair(pair: &wa::PhoneNumberToLIDMapping) -> Option<(Jid, Jid)> {
    let pn = parsed_jid(pair.pn_jid.as_deref());
    match both(pn, parsed_jid(pair.lid_jid.as_deref())) {
        (Some(phone), Some(lid)) => Some((phone, lid)),
        _ => None,
    }
}

/// One chat in pieces, of which only the first says how the chat is kept.
fn chat_pages(conversation: &wa::Conversation, own: &Own) -> Vec<HistoryChat> {
    let Some(chat) = parsed_jid(Some(&conversation.id)) else {
        return Vec::new();
    };
    let other = [
        conversation.lid_jid.as_deref(),
        conversation.pn_jid.as_deref(),
    ]
    .into_iter()
    .filter_map(parsed_jid)
    .find(|other| *other != chat);
    let alias = alias(&chat, other);
    let messages: Vec<InboundMessage> = conversation
        .messages
        .iter()
        .filter_map(|entry| entry.message.as_option())
        .filter_map(|entry| history_message(entry, &chat, alias.as_ref(), own))
        .collect();
    let starred: HashSet<String> = conversation
        .messages
        .iter()
        .filter_map(|entry| entry.message.as_option())
        .filter(|entry| entry.starred == Some(true))
        .filter_map(|entry| message_id(entry.key.as_option()?.id.as_deref()))
        .collect();
    let last_activity_s = conversation
        .conversation_timestamp
        .or(conversation.last_msg_timestamp);
    let first = HistoryChat {
        name: present(conversation.name.as_deref())
            .or_else(|| present(conversation.display_name.as_deref())),
        unread_count: conversation.unread_count,
        is_archived: conversation.archived,
        is_pinned: conversation.pinned.map(|pinned| pinned > 0),
        muted_until_ms: conversation.mute_end_time.and_then(mute_end_ms),
        disappearing_seconds: conversation.ephemeral_expiration,
        last_activity_ms: last_activity_s.map(seconds_to_ms),
        messages: Vec::new(),
        starred: Vec::new(),
        chat,
        is_first: true,
        alias,
    };
    let mut pieces = vec![first];
    for (index, message) in messages.into_iter().enumerate() {
        if index > 0 && index % PAGE_MESSAGES == 0 {
            let first = &pieces[0];
            pieces.push(HistoryChat {
                chat: first.chat.clone(),
                is_first: false,
                alias: first.alias.clone(),
                name: None,
                unread_count: None,
                is_archived: None,
                is_pinned: None,
                muted_until_ms: None,
                disappearing_seconds: None,
                last_activity_ms: None,
                messages: Vec::new(),
                starred: Vec::new(),
            });
        }
        if let Some(piece) = pieces.last_mut() {
            if starred.contains(&message.id) {
                piece.starred.push(message.id.clone());
            }
            piece.messages.push(message);
        }
    }
    pieces
}

fn mute_end_ms(end: u64) -> Option<i64> {
    match i64::try_from(end) {
        Ok(end) => end_time_ms(end),
        // -1, for ever, in an unsigned field.
        Err(_) => Some(-1),
    }
}

fn seconds_to_ms(seconds: u64) -> i64 {
    i64::try_from(seconds)
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000)
}

fn history_message(
    entry: &wa::WebMessageInfo,
    chat: &Jid,
    chat_alias: Option<&Jid>,
    own: &Own,
) -> Option<InboundMessage> {
    let key = entry.key.as_option()?;
    let from_me = key.from_me == Some(true);
    let participant =
        parsed_jid(entry.participant.as_deref()).or_else(|| parsed_jid(key.participant.as_deref()));
    let sender = match participant {
        Some(participant) => Some(participant),
        None if from_me => own.phone.clone().or_else(|| own.lid.clone()),
        None => Some(chat.clone()).filter(|chat| chat.kind().is_person()),
    };
    let is_other_side = sender.as_ref() == Some(chat);
    let origin = Origin {
        id: message_id(key.id.as_deref())?,
        chat: chat.clone(),
        chat_alias: chat_alias.cloned(),
        sender,
        sender_alias: chat_alias.filter(|_| is_other_side).cloned(),
        from_me,
        push_name: present(entry.push_name.as_deref()),
        business_name: present(entry.verified_biz_name.as_deref()),
        timestamp_ms: seconds_to_ms(entry.message_timestamp.unwrap_or(0)),
        expires_after_s: entry.ephemeral_duration,
        is_offline: true,
    };
    let Converted { message, .. } = converted(origin, entry.message.as_option()?, own)?;
    Some(message)
}
