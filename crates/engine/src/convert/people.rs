//! People: presence, names, pictures, addresses.

use wagate_model::Jid;
use whatsapp_rust::types::events::{
    ChatPresenceUpdate, ContactNumberChanged, ContactUpdate, PictureUpdate, PresenceUpdate,
    PushNameUpdate, UserAboutUpdate,
};
use whatsapp_rust::types::presence::{ChatPresence, ChatPresenceMedia};

use super::identity::{alias, model_jid, parsed_jid};
use super::text::{clean, present};
use crate::{ContactName, EngineEvent, Picture, Presence, Typing, TypingState};

pub(crate) fn presence(update: &PresenceUpdate) -> Option<Presence> {
    Some(Presence {
        person: model_jid(&update.from)?,
        is_online: !update.unavailable,
        last_seen_ms: update.last_seen.map(|seen| seen.timestamp_millis()),
    })
}

pub(crate) fn typing(update: &ChatPresenceUpdate) -> Option<Typing> {
    let state = match (update.state, update.media) {
        (ChatPresence::Composing, ChatPresenceMedia::Text) => TypingState::Composing,
        (ChatPresence::Composing, ChatPresenceMedia::Audio) => TypingState::Recording,
        (ChatPresence::Paused, _) => TypingState::Paused,
    };
    Some(Typing {
        chat: model_jid(&update.source.chat)?,
        person: model_jid(&update.source.sender)?,
        state,
    })
}

pub(crate) fn push_name(update: &PushNameUpdate) -> Option<EngineEvent> {
    let person = model_jid(&update.jid)?;
    let source = &update.message.source;
    let other = [Some(&source.sender), source.sender_alt.as_ref()]
        .into_iter()
        .flatten()
        .filter_map(model_jid)
        .find(|other| *other != person);
    Some(EngineEvent::PushName {
        alias: alias(&person, other),
        person,
        name: clean(&update.new_push_name),
    })
}

pub(crate) fn contact_name(update: &ContactUpdate) -> Option<ContactName> {
    let person = model_jid(&update.jid)?;
    let action = &update.action;
    let other = [action.lid_jid.as_deref(), action.pn_jid.as_deref()]
        .into_iter()
        .filter_map(parsed_jid)
        .find(|other| *other != person);
    Some(ContactName {
        alias: alias(&person, other),
        person,
        full_name: present(action.full_name.as_deref()),
        first_name: present(action.first_name.as_deref()),
        is_initial: update.from_full_sync,
    })
}

pub(crate) fn picture(update: &PictureUpdate) -> Option<Picture> {
    Some(Picture {
        of: model_jid(&update.jid)?,
        id: present(update.picture_id.as_deref()),
        is_removed: update.removed,
        timestamp_ms: update.timestamp.timestamp_millis(),
    })
}

pub(crate) fn about(update: &UserAboutUpdate) -> Option<(Jid, String)> {
    Some((model_jid(&update.jid)?, clean(&update.status)))
}

/// The new phone number of a person whose LID is known.
pub(crate) fn number_change(update: &ContactNumberChanged) -> Option<(Jid, Jid)> {
    let phone = model_jid(&update.new_jid)?;
    let lid = update.new_lid.as_ref().or(update.old_lid.as_ref())?;
    Some((phone, model_jid(lid)?))
}
