//! What is told of people and chats and stored nowhere: presence, typing, pictures, calls.

use wagate_engine::{Call, CallStage, EngineEvent, Picture, Presence, Typing, TypingState};
use wagate_model::{CallPayload, ChatUpdatePayload, EventKind, Jid, PresenceState, PresenceStatus};
use wagate_store::{Owned, Result};

use super::news::tell;
use crate::session::Session;

/// The address that clients know a chat by; messages of it are told under the same.
async fn stored_jid(owned: &mut Owned<'_>, chat: &Jid) -> Result<Jid> {
    let (organization, session) = (owned.organization(), owned.session());
    let stored = owned.chat(organization, session, chat.as_str()).await?;
    let jid = stored.and_then(|stored| stored.jid.parse().ok());
    Ok(jid.unwrap_or_else(|| chat.clone()))
}

/// Remembers what people do now, for who asks.
pub(super) fn note_presence(session: &Session, event: &EngineEvent) {
    match event {
        EngineEvent::Presence(event) => {
            session
                .presences
                .note(&event.person, &presence_status(event));
        }
        EngineEvent::Typing(event) if event.chat == event.person => {
            session.presences.note(&event.person, &typing_status(event));
        }
        _ => {}
    }
}

fn presence_status(presence: &Presence) -> PresenceStatus {
    let state = if presence.is_online {
        PresenceState::Available
    } else {
        PresenceState::Unavailable
    };
    PresenceStatus {
        chat_jid: None,
        from: presence.person.to_string(),
        last_seen: presence.last_seen_ms,
        media: None,
        state,
        unavailable: (!presence.is_online).then_some(true),
    }
}

pub(super) fn presence(owned: &mut Owned<'_>, presence: &Presence, now_ms: i64) -> Result<()> {
    let payload = presence_status(presence);
    tell(owned, EventKind::PresenceUpdate, &payload, None, now_ms)
}

fn typing_status(typing: &Typing) -> PresenceStatus {
    let (state, media) = match typing.state {
        TypingState::Composing => (PresenceState::Composing, Some("text")),
        TypingState::Recording => (PresenceState::Composing, Some("audio")),
        TypingState::Paused => (PresenceState::Paused, None),
    };
    PresenceStatus {
        chat_jid: Some(typing.chat.to_string()),
        from: typing.person.to_string(),
        last_seen: None,
        media: media.map(str::to_owned),
        state,
        unavailable: None,
    }
}

pub(super) async fn typing(owned: &mut Owned<'_>, typing: &Typing, now_ms: i64) -> Result<()> {
    let payload = typing_status(typing);
    let chat = stored_jid(owned, &typing.chat).await?;
    let kind = EventKind::PresenceUpdate;
    tell(owned, kind, &payload, Some(&chat), now_ms)
}

/// A chat has another picture.
pub(super) async fn picture(owned: &mut Owned<'_>, picture: &Picture, now_ms: i64) -> Result<()> {
    let chat = stored_jid(owned, &picture.of).await?;
    let payload = ChatUpdatePayload {
        change: "picture".to_owned(),
        chat_jid: chat.to_string(),
        picture_id: picture.id.clone(),
        removed: picture.is_removed.then_some(true),
        ..ChatUpdatePayload::default()
    };
    let kind = EventKind::ChatUpdate;
    tell(owned, kind, &payload, Some(&chat), now_ms)
}

/// Somebody calls.
pub(super) async fn call(owned: &mut Owned<'_>, call: &Call, now_ms: i64) -> Result<()> {
    if call.stage != CallStage::Offered {
        return Ok(());
    }
    let payload = CallPayload {
        call_id: call.id.clone(),
        from: call.from.to_string(),
        group_jid: call.group.as_ref().map(Jid::to_string),
        is_group: call.is_group,
        timestamp: call.timestamp_ms,
    };
    let chat = stored_jid(owned, &call.from).await?;
    let kind = EventKind::CallIncoming;
    tell(owned, kind, &payload, Some(&chat), now_ms)
}
