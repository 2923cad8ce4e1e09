//! Messages, with who sent them and where.

use bytes::Bytes;
use wagate_model::{Jid, JidKind};
use whatsapp_rust::types::message::MessageInfo;
use whatsapp_rust::waproto;
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::message::secret_encrypted_message::SecretEncType;

use super::channels::post_change;
use super::content::content;
use super::context;
use super::identity::{Own, alias, both, model_jid};
use super::targets::{Speaker, target};
use super::text::{message_id, present};
use super::wrappers::{Unwrapped, unwrap};
use crate::{Content, InboundMessage, MessageRef};

/// A converted message.
pub(crate) struct Converted {
    pub(crate) message: InboundMessage,
    /// What is encrypted in it, for whoever knows the secret of the message that it is about.
    pub(crate) sealed: Option<Sealed>,
}

/// What is encrypted with another message's secret.
pub(crate) struct Sealed {
    pub(crate) kind: SealedKind,
    pub(crate) target: MessageRef,
    pub(crate) ciphertext: Vec<u8>,
    pub(crate) iv: Vec<u8>,
}

/// What kind of thing is encrypted with another message's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SealedKind {
    /// A vote in a poll.
    Vote,
    /// An answer to an event.
    EventResponse,
    /// A new text of a message.
    Edit,
    /// A change of an event.
    EventEdit,
}

/// Who sent a message, and where.
pub(super) struct Origin {
    pub(super) id: String,
    pub(super) chat: Jid,
    pub(super) chat_alias: Option<Jid>,
    pub(super) sender: Option<Jid>,
    pub(super) sender_alias: Option<Jid>,
    pub(super) from_me: bool,
    pub(super) push_name: Option<String>,
    pub(super) business_name: Option<String>,
    pub(super) timestamp_ms: i64,
    pub(super) expires_after_s: Option<u32>,
    pub(super) is_offline: bool,
}

/// Converts a message; none if it holds nothing for people.
pub(crate) fn message(info: &MessageInfo, message: &wa::Message, own: &Own) -> Option<Converted> {
    let origin = origin(info)?;
    if origin.chat.kind() != JidKind::Newsletter {
        return converted(origin, message, own);
    }
    let Some(change) = post_change(info, message) else {
        return converted(origin, message, own);
    };
    // A revoked post has no content.
    let nothing = wa::Message {
        conversation: Some(String::new()),
        ..Default::default()
    };
    let post = if change.is_revocation() {
        &nothing
    } else {
        message
    };
    Some(change.apply(converted(origin, post, own)?))
}

fn origin(info: &MessageInfo) -> Option<Origin> {
    let source = &info.source;
    let alternative = |jid: Option<&whatsapp_rust::Jid>| jid.and_then(model_jid);
    let chat = match model_jid(&source.chat)? {
        // What somebody sends to a list of theirs stands in the chat with them, as in official
        // clients (whatsmeow `MessageSource.IsIncomingBroadcast`).
        list if list.kind() == JidKind::Broadcast && !source.is_from_me => {
            model_jid(&source.sender)?
        }
        chat => chat,
    };
    let peer = if source.is_from_me {
        alternative(source.recipient_alt.as_ref())
            .or_else(|| alternative(info.peer_recipient_pn.as_ref()))
            .or_else(|| alternative(source.recipient.as_ref()))
    } else {
        alternative(source.sender_alt.as_ref())
    };
    Some(Origin {
        id: message_id(Some(&info.id))?,
        chat_alias: alias(&chat, peer),
        chat,
        sender: model_jid(&source.sender),
        sender_alias: alternative(source.sender_alt.as_ref()),
        from_me: source.is_from_me,
        push_name: present(Some(&info.push_name)),
        business_name: info
            .verified_name
            .as_ref()
            .and_then(|verified| present(verified.name.as_deref())),
        timestamp_ms: info.timestamp.timestamp_millis(),
        expires_after_s: info.ephemeral_expiration,
        is_offline: info.is_offline,
    })
}

pub(super) fn converted(origin: Origin, outer: &wa::Message, own: &Own) -> Option<Converted> {
    let Unwrapped {
        message,
        is_view_once,
    } = unwrap(outer);
    let speaker = Speaker {
        own,
        from_me: origin.from_me,
        is_direct: origin.chat.kind().is_person(),
        sender: origin.sender.as_ref(),
    };
    let content = content(message, speaker)?;
    let sealed = sealed(message, &content, speaker);
    let about = context::context(message);
    let mut sender = both(origin.sender, origin.sender_alias);
    if origin.from_me {
        sender.0 = sender.0.or_else(|| own.phone.clone());
        sender.1 = sender.1.or_else(|| own.lid.clone());
    }
    // A chat with oneself has this account's other address.
    let chat_alias = origin.chat_alias.or_else(|| {
        let other = match origin.chat.kind() {
            JidKind::User => own.lid.clone(),
            JidKind::Lid => own.phone.clone(),
            _ => None,
        };
        other.filter(|_| own.is(&origin.chat))
    });
    let expiration = about.and_then(|about| about.expiration);
    Some(Converted {
        message: InboundMessage {
            id: origin.id,
            chat: origin.chat,
            chat_alias,
            sender_jid: sender.0,
            sender_lid: sender.1,
            from_me: origin.from_me,
            push_name: origin.push_name,
            business_name: origin.business_name,
            timestamp_ms: origin.timestamp_ms,
            content,
            mentions: about.map(context::mentions).unwrap_or_default(),
            quoted: about.and_then(|about| context::quoted(about, own)),
            is_forwarded: about.is_some_and(context::is_forwarded),
            is_view_once,
            expires_after_s: expiration.or(origin.expires_after_s).filter(|s| *s > 0),
            is_offline: origin.is_offline,
            raw: Bytes::from(waproto::codec::message_to_vec(message)),
        },
        sealed,
    })
}

fn sealed(message: &wa::Message, content: &Content, speaker: Speaker<'_>) -> Option<Sealed> {
    let (kind, target, payload, iv) = match content {
        Content::PollVote { target, .. } => {
            let update = message.poll_update_message.as_option()?;
            let vote = update.vote.as_option()?;
            let (payload, iv) = (&vote.enc_payload, &vote.enc_iv);
            (SealedKind::Vote, target.clone(), payload, iv)
        }
        Content::EventResponse { target, .. } => {
            let response = message.enc_event_response_message.as_option()?;
            let (payload, iv) = (&response.enc_payload, &response.enc_iv);
            (SealedKind::EventResponse, target.clone(), payload, iv)
        }
        Content::System { .. } => {
            let edit = message.secret_encrypted_message.as_option()?;
            let kind = match edit.secret_enc_type? {
                SecretEncType::MESSAGE_EDIT => SealedKind::Edit,
                SecretEncType::EVENT_EDIT => SealedKind::EventEdit,
                _ => return None,
            };
            let target = target(edit.target_message_key.as_option()?, speaker)?;
            (kind, target, &edit.enc_payload, &edit.enc_iv)
        }
        _ => return None,
    };
    Some(Sealed {
        kind,
        target,
        ciphertext: payload.clone()?,
        iv: iv.clone()?,
    })
}
