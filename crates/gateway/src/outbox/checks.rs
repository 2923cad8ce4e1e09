//! What cannot be done to a stored message, and is refused before anything is sent.

use wagate_cluster::Refusal;
use wagate_engine::{Content, content_of, is_view_once};
use wagate_model::{EventResponse, JidKind, MessageStatus, MessageType, SendTask};
use wagate_store::{Owned, Result, StoredMessage};

use super::accept::invalid;
use super::own::prefers_own;
use crate::inbound::{poll_of, raw_of as stored_raw};
use crate::targets::{Named, named};

/// What is wrong with doing something to a message, before anything is sent.
pub(super) async fn check_target(
    owned: &mut Owned<'_>,
    task: &SendTask,
) -> Result<Result<(), Refusal>> {
    let Some(target) = task.target() else {
        return Ok(Ok(()));
    };
    Ok(match named(owned, target, prefers_own(task)).await? {
        Named::Nothing => Err(Refusal::Missing),
        Named::Ambiguous => Err(ambiguous()),
        Named::One(stored) => check_sent(task, &stored).and_then(|()| check_stored(task, &stored)),
    })
}

/// The refusal of a request that several messages fit.
pub(crate) fn ambiguous() -> Refusal {
    invalid(
        "sender",
        "is required: several people of the chat have sent a message with this id",
    )
}

/// What the account could not send, nobody else has: there is nothing to change.
///
/// One that is still to be sent goes before what is about it, as both are of one chat; whether
/// it went is looked at once more then.
fn check_sent(task: &SendTask, stored: &StoredMessage) -> Result<(), Refusal> {
    let is_copied = matches!(task, SendTask::Forward { .. });
    if !is_copied && stored.is_from_me && stored.status == Some(MessageStatus::Failed) {
        return Err(Refusal::NotSent);
    }
    Ok(())
}

fn check_stored(task: &SendTask, stored: &StoredMessage) -> Result<(), Refusal> {
    match task {
        SendTask::Edit { .. } | SendTask::EditEvent { .. } if !stored.is_from_me => {
            Err(invalid("mid", "must be a message of this session's own"))
        }
        SendTask::Revoke { .. } => check_revocation(task, stored),
        _ if stored.is_deleted => Err(invalid("mid", "was deleted")),
        SendTask::Edit { .. } if stored.kind == MessageType::Event.as_str() => Err(invalid(
            "event",
            "is required: events are changed as a whole",
        )),
        SendTask::EditEvent { .. } if stored.kind != MessageType::Event.as_str() => {
            Err(invalid("event", "is for messages of type event only"))
        }
        SendTask::Edit { .. } if stored.kind != MessageType::Text.as_str() => {
            Err(invalid("mid", "must be a text message"))
        }
        SendTask::Vote { options, .. } => check_vote(options, stored),
        SendTask::Respond { response, .. } => check_response(*response, stored),
        SendTask::Select { selected_id, .. } => check_selection(selected_id, stored),
        SendTask::Pin { .. } if !can_be_pinned(stored) => {
            Err(invalid("mid", "is no message that can be pinned"))
        }
        SendTask::Forward { target, to } => check_forward(stored, target.chat.kind(), to.kind()),
        _ => Ok(()),
    }
}

fn check_revocation(task: &SendTask, stored: &StoredMessage) -> Result<(), Refusal> {
    if is_album(stored) {
        return Err(invalid(
            "mid",
            "is an album: its files are messages, and are deleted one by one",
        ));
    }
    match task.target() {
        Some(target) if !stored.is_from_me && target.sender.is_none() => Err(invalid(
            "sender",
            "is required for a message of somebody else",
        )),
        Some(target) if !stored.is_from_me && target.chat.kind() != JidKind::Group => Err(invalid(
            "sender",
            "messages of others can be deleted in groups only",
        )),
        _ => Ok(()),
    }
}

/// What is wrong with sending a message of one chat on to another.
///
/// Files of channels are not encrypted, and those of chats are: neither can be opened on the
/// other side.
fn check_forward(stored: &StoredMessage, from: JidKind, to: JidKind) -> Result<(), Refusal> {
    let refused = |what| Err(invalid("mid", what));
    let raw = stored.content.as_ref().and_then(stored_raw);
    let is_text = stored.kind == MessageType::Text.as_str();
    if stored.kind == MessageType::Event.as_str() {
        return refused("is an event, which cannot be forwarded");
    }
    if is_album(stored) {
        return refused("is an album: its files are messages, and are forwarded one by one");
    }
    if raw.as_ref().is_some_and(is_view_once) {
        return refused("may be looked at once, and cannot be forwarded");
    }
    if to == JidKind::Newsletter && !is_text {
        return Err(invalid("to", "only texts can be forwarded to a channel"));
    }
    if from == JidKind::Newsletter && !is_text {
        return refused("only texts of a channel can be forwarded");
    }
    if raw.is_none() && !(is_text && stored.body.is_some()) {
        return refused("has no content that can be forwarded");
    }
    Ok(())
}

/// Whether a message only holds together the files that come after it.
fn is_album(stored: &StoredMessage) -> bool {
    let raw = stored.content.as_ref().and_then(stored_raw);
    let content = raw.as_ref().and_then(|raw| content_of(raw));
    matches!(
        content,
        Some(Content::System {
            kind: "album_message"
        })
    )
}

fn check_vote(options: &[String], stored: &StoredMessage) -> Result<(), Refusal> {
    let Some(poll) = stored.content.as_ref().and_then(poll_of) else {
        return Err(invalid("mid", "must be a poll"));
    };
    for (index, option) in options.iter().enumerate() {
        if !poll.options.contains(option) {
            let field = format!("options[{index}]");
            return Err(invalid(&field, "is not an option of the poll"));
        }
    }
    let most = usize::try_from(poll.selectable_count).unwrap_or(0);
    if most > 0 && options.len() > most {
        let message = format!("the poll takes at most {most}");
        return Err(invalid("options", &message));
    }
    Ok(())
}

fn check_response(response: EventResponse, stored: &StoredMessage) -> Result<(), Refusal> {
    // The details are the event as it was edited last.
    let Some(event) = &stored.details.event else {
        return Err(invalid("mid", "must be an event"));
    };
    if event.canceled {
        return Err(invalid("mid", "is an event that was called off"));
    }
    if response.extra_guests > 0 && !event.extra_guests_allowed {
        return Err(invalid("extraGuests", "are not asked to this event"));
    }
    Ok(())
}

fn check_selection(id: &str, stored: &StoredMessage) -> Result<(), Refusal> {
    let raw = stored.content.as_ref().and_then(stored_raw);
    let Some(Content::Offer { choices, .. }) = raw.as_deref().and_then(content_of) else {
        return Err(invalid("mid", "must be a message with buttons or a list"));
    };
    if choices.iter().any(|choice| choice.id == id) {
        Ok(())
    } else {
        Err(invalid("selectedId", "is none of the message's choices"))
    }
}

/// Whether a message stands in its chat by itself.
fn can_be_pinned(stored: &StoredMessage) -> bool {
    const CHANGES: [&str; 8] = [
        "reaction",
        "edit",
        "revoke",
        "poll_vote",
        "event_response",
        "pin",
        "keep",
        "system",
    ];
    !CHANGES.contains(&&*stored.kind)
}
