//! References to other messages.

use wagate_model::Jid;
use whatsapp_rust::waproto::whatsapp as wa;

use super::identity::{Own, parsed_jid};
use super::text::message_id;
use crate::MessageRef;

/// Who refers to a message, and where.
#[derive(Clone, Copy)]
pub(super) struct Speaker<'a> {
    pub(super) own: &'a Own,
    /// Whether this account wrote the referring message.
    pub(super) from_me: bool,
    /// Whether the chat has exactly two sides.
    pub(super) is_direct: bool,
    /// Who wrote the referring message.
    pub(super) sender: Option<&'a Jid>,
}

/// The message that a key names.
///
/// A key's `fromMe` is said from the side of whoever wrote it: true means the
/// writer's own message. Elsewhere, `participant` names the sender; without
/// one, in a chat of two, it is the other side.
pub(super) fn target(key: &wa::MessageKey, speaker: Speaker<'_>) -> Option<MessageRef> {
    let id = message_id(key.id.as_deref())?;
    let participant = parsed_jid(key.participant.as_deref());
    let is_speakers = key.from_me == Some(true);
    let from_me = match (&participant, is_speakers) {
        (_, true) => Some(speaker.from_me),
        (Some(participant), false) => Some(speaker.own.is(participant)),
        (None, false) if speaker.is_direct => Some(!speaker.from_me),
        (None, false) => None,
    };
    let sender = if is_speakers {
        speaker.sender.cloned()
    } else {
        participant
    };
    Some(MessageRef {
        id,
        sender,
        from_me,
    })
}
