//! Messages to send.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use wacore::proto_helpers::{MessageBuilderExt, MessageExt};
use wacore::time;
use wagate_model::{
    ContactData, Jid, JidKind, LinkPreview, LocationData, PollData, StatusFont, StatusPost,
};
use whatsapp_rust::waproto::buffa::{Message as _, MessageField};
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::waproto::whatsapp::message::protocol_message::Type as ProtocolType;
use whatsapp_rust::{wacore, waproto};

use super::attachments::{album_message, file_message};
use super::choices::{answer, offer_message};
use super::events::event_message;
use super::identity::Own;
use super::wrappers::unwrap;
use crate::{Outgoing, OutgoingContent, Quoted, Target};

/// The protocol's form of a message; none for what has to be encrypted first, where
/// a file is not uploaded yet, and where what is to be forwarded cannot be read.
///
/// The chat decides how this account names itself in a quote.
pub(crate) fn outgoing(outgoing: &Outgoing, own: &Own) -> Option<wa::Message> {
    let context = context(outgoing, own);
    Some(match &outgoing.content {
        OutgoingContent::Text(text) => match (&outgoing.preview, context) {
            (Some(preview), context) => text_with_preview(text, preview, context),
            (None, None) => wa::Message::text(text.as_str()),
            (None, Some(context)) => wa::Message::text_with_context(text.as_str(), context),
        },
        OutgoingContent::Status(post) => story(post),
        OutgoingContent::Poll { poll, secret } => poll_message(poll, secret, context),
        OutgoingContent::Location(place) => location(place, context),
        OutgoingContent::Contact(card) => contact(card, context),
        OutgoingContent::Edit { target, text } => protocol(wa::message::ProtocolMessage {
            key: MessageField::some(key(&outgoing.chat, target)),
            r#type: Some(ProtocolType::MESSAGE_EDIT),
            edited_message: MessageField::some(edited(text, outgoing.expires_after_s)),
            timestamp_ms: Some(time::now_millis()),
            ..Default::default()
        }),
        OutgoingContent::Revoke { target } => protocol(wa::message::ProtocolMessage {
            key: MessageField::some(key(&outgoing.chat, target)),
            r#type: Some(ProtocolType::REVOKE),
            ..Default::default()
        }),
        OutgoingContent::Reaction { target, emoji } => wa::Message {
            reaction_message: MessageField::some(wa::message::ReactionMessage {
                key: MessageField::some(key(&outgoing.chat, target)),
                text: Some(emoji.clone()),
                sender_timestamp_ms: Some(time::now_millis()),
                ..Default::default()
            }),
            ..Default::default()
        },
        OutgoingContent::File(file) => file_message(file, &outgoing.chat, context)?,
        OutgoingContent::Album { images, videos } => album_message(*images, *videos, context),
        OutgoingContent::Event { event, secret } => event_message(event, secret, context),
        OutgoingContent::Offer(offer) => offer_message(offer, context),
        OutgoingContent::Select { offered, id } => {
            let original = waproto::codec::message_decode(offered.raw.as_deref()?).ok()?;
            let context = quote(offered, &outgoing.chat, own);
            answer(unwrap(&original).message, id, Some(context))?
        }
        OutgoingContent::Pin { target, seconds } => pin(key(&outgoing.chat, target), *seconds),
        OutgoingContent::Timer { seconds } => timer(*seconds),
        OutgoingContent::Vote { .. }
        | OutgoingContent::Respond { .. }
        | OutgoingContent::EditEvent { .. } => return None,
        OutgoingContent::Forward { raw } => {
            let original = waproto::codec::message_decode(raw).ok()?;
            // Alone, without the album or whatever else it was in.
            let mut message = *unwrap(&original).message.prepare_for_forward();
            if let Some(context) = super::context::context_mut(&mut message) {
                // How long it stays is up to the chat that it goes to.
                context.expiration = None;
                context.ephemeral_setting_timestamp = None;
                context.disappearing_mode = MessageField::none();
            }
            message
        }
    })
}

/// A text and nothing else.
pub(crate) fn text_message(text: &str) -> wa::Message {
    wa::Message::text(text)
}

/// A text with what it shows of a page; a small picture goes along in the message.
fn text_with_preview(
    text: &str,
    preview: &LinkPreview,
    context: Option<wa::ContextInfo>,
) -> wa::Message {
    let thumbnail = preview.thumbnail.as_deref();
    let thumbnail = thumbnail.and_then(|encoded| BASE64_STANDARD.decode(encoded).ok());
    wa::Message {
        extended_text_message: MessageField::some(wa::message::ExtendedTextMessage {
            text: Some(text.to_owned()),
            matched_text: Some(preview.matched_text.clone()),
            title: Some(preview.title.clone()),
            description: preview.description.clone(),
            preview_type: Some(wa::message::extended_text_message::PreviewType::NONE),
            jpeg_thumbnail: thumbnail,
            context_info: context.into(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// What is kept of a message that goes out, for later quotes and forwards of it.
#[must_use]
pub(crate) fn raw(message: &wa::Message) -> Bytes {
    message.encode_to_vec().into()
}

/// Names a message of the chat.
pub(crate) fn key(chat: &Jid, target: &Target) -> wa::MessageKey {
    let participant = target
        .sender
        .as_ref()
        .filter(|_| chat.kind() == JidKind::Group);
    wa::MessageKey {
        remote_jid: Some(chat.to_string()),
        from_me: Some(target.sender.is_none()),
        id: Some(target.id.clone()),
        participant: participant.map(Jid::to_string),
    }
}

fn context(outgoing: &Outgoing, own: &Own) -> Option<wa::ContextInfo> {
    if outgoing.mentions.is_empty() && outgoing.quoted.is_none() {
        return None;
    }
    let mut context = match &outgoing.quoted {
        Some(quoted) => quote(quoted, &outgoing.chat, own),
        None => wa::ContextInfo::default(),
    };
    context.mentioned_jid = outgoing.mentions.iter().map(Jid::to_string).collect();
    Some(context)
}

/// A new text; in a chat whose messages disappear it bears the time, as what it replaces did.
fn edited(text: &str, expires_after_s: Option<u32>) -> wa::Message {
    match expires_after_s {
        None => wa::Message::text(text),
        Some(seconds) => wa::Message::text_with_context(
            text,
            wa::ContextInfo {
                expiration: Some(seconds),
                ..Default::default()
            },
        ),
    }
}

/// Pins a message for so many seconds, or unpins it (whatsapp-rust `send::actions::send_pin`).
fn pin(key: wa::MessageKey, seconds: Option<u32>) -> wa::Message {
    use wa::message::pin_in_chat_message::Type;
    wa::Message {
        pin_in_chat_message: MessageField::some(wa::message::PinInChatMessage {
            key: MessageField::some(key),
            r#type: Some(match seconds {
                Some(_) => Type::PIN_FOR_ALL,
                None => Type::UNPIN_FOR_ALL,
            }),
            sender_timestamp_ms: Some(time::now_millis()),
        }),
        message_context_info: MessageField::some(wa::MessageContextInfo {
            message_add_on_duration_in_secs: Some(seconds.unwrap_or(0)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Sets the timer of a chat of two (whatsapp-rust `client::iq_ops`).
fn timer(seconds: u32) -> wa::Message {
    use wa::disappearing_mode::{Initiator, Trigger};
    protocol(wa::message::ProtocolMessage {
        r#type: Some(ProtocolType::EPHEMERAL_SETTING),
        ephemeral_expiration: Some(seconds),
        ephemeral_setting_timestamp: Some(time::now_secs()),
        disappearing_mode: MessageField::some(wa::DisappearingMode {
            initiator: Some(Initiator::CHANGED_IN_CHAT),
            trigger: Some(Trigger::UNKNOWN),
            ..Default::default()
        }),
        ..Default::default()
    })
}

fn protocol(protocol: wa::message::ProtocolMessage) -> wa::Message {
    wa::Message {
        protocol_message: MessageField::some(protocol),
        ..Default::default()
    }
}

fn story(post: &StatusPost) -> wa::Message {
    use wa::message::extended_text_message::FontType;
    let font = match post.font {
        StatusFont::System => FontType::SYSTEM,
        StatusFont::SystemText => FontType::SYSTEM_TEXT,
        StatusFont::Script => FontType::FB_SCRIPT,
        StatusFont::SystemBold => FontType::SYSTEM_BOLD,
        StatusFont::MorningBreeze => FontType::MORNINGBREEZE_REGULAR,
        StatusFont::Calistoga => FontType::CALISTOGA_REGULAR,
        StatusFont::Exo2 => FontType::EXO2_EXTRABOLD,
        StatusFont::CourierPrime => FontType::COURIERPRIME_BOLD,
    };
    wa::Message {
        extended_text_message: MessageField::some(wa::message::ExtendedTextMessage {
            text: Some(post.text.clone()),
            background_argb: Some(post.background_argb),
            font: Some(font),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn poll_message(
    poll: &PollData,
    secret: &[u8; 32],
    context: Option<wa::ContextInfo>,
) -> wa::Message {
    let creation = wa::message::PollCreationMessage {
        name: Some(poll.name.clone()),
        options: poll
            .options
            .iter()
            .map(|option| wa::message::poll_creation_message::Option {
                option_name: Some(option.clone()),
                ..Default::default()
            })
            .collect(),
        selectable_options_count: u32::try_from(poll.selectable_count).ok(),
        end_time: poll.end_time,
        hide_participant_name: poll.hide_votes,
        context_info: context.into(),
        ..Default::default()
    };
    let mut message = wa::Message {
        message_context_info: MessageField::some(wa::MessageContextInfo {
            message_secret: Some(secret.to_vec()),
            ..Default::default()
        }),
        ..Default::default()
    };
    // Official clients use the third form for a single choice (Baileys does so too).
    if poll.selectable_count == 1 {
        message.poll_creation_message_v3 = MessageField::some(creation);
    } else {
        message.poll_creation_message = MessageField::some(creation);
    }
    message
}

fn location(place: &LocationData, context: Option<wa::ContextInfo>) -> wa::Message {
    wa::Message {
        location_message: MessageField::some(wa::message::LocationMessage {
            degrees_latitude: Some(place.latitude),
            degrees_longitude: Some(place.longitude),
            name: place.name.clone(),
            address: place.address.clone(),
            context_info: context.into(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn contact(card: &ContactData, context: Option<wa::ContextInfo>) -> wa::Message {
    wa::Message {
        contact_message: MessageField::some(wa::message::ContactMessage {
            display_name: card.display_name.clone(),
            vcard: card.vcard.clone(),
            context_info: context.into(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn quote(quoted: &Quoted, chat: &Jid, own: &Own) -> wa::ContextInfo {
    let me = match chat.kind() {
        JidKind::Lid => own.lid.as_ref().or(own.phone.as_ref()),
        _ => own.phone.as_ref().or(own.lid.as_ref()),
    };
    let participant = quoted.sender.as_ref().or(me).map(Jid::to_string);
    let original = quoted
        .raw
        .as_deref()
        .and_then(|raw| waproto::codec::message_decode(raw).ok())
        .unwrap_or_else(|| wa::Message::text(quoted.body.as_deref().unwrap_or_default()));
    wa::ContextInfo {
        stanza_id: Some(quoted.id.clone()),
        participant,
        quoted_message: MessageField::from_box(original.prepare_for_quote()),
        ..Default::default()
    }
}
