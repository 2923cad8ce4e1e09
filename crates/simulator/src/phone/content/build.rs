//! From what a phone is asked to say to the protocol's messages.

use waproto::buffa::MessageField;
use waproto::whatsapp as wa;

use super::files::{album_message, file_message};
use super::request::Content;
use super::special::{event_message, live_location, offer_message, timer_message};

/// A message that another one answers.
pub(crate) struct Quoted {
    pub(crate) id: String,
    pub(crate) sender_jid: String,
    pub(crate) message: wa::Message,
}

/// Builds the message for `content`.
pub(crate) fn build(
    content: &Content,
    quoted: Option<Quoted>,
    mentioned_jids: Vec<String>,
) -> wa::Message {
    let quoting = quoting(quoted, mentioned_jids);
    match content {
        Content::Text(text) => text_message(text, quoting),
        Content::Poll {
            name,
            options,
            selectable_count,
            end_time_ms,
            is_hiding_votes,
        } => {
            let poll = wa::message::PollCreationMessage {
                name: Some(name.clone()),
                options: options
                    .iter()
                    .map(|option| wa::message::poll_creation_message::Option {
                        option_name: Some(option.clone()),
                        ..Default::default()
                    })
                    .collect(),
                selectable_options_count: Some(*selectable_count),
                end_time: *end_time_ms,
                hide_participant_name: is_hiding_votes.then_some(true),
                context_info: quoting.into(),
                ..Default::default()
            };
            // Official clients use the third form for a single choice.
            let mut message = wa::Message::default();
            if *selectable_count == 1 {
                message.poll_creation_message_v3 = MessageField::some(poll);
            } else {
                message.poll_creation_message = MessageField::some(poll);
            }
            message
        }
        Content::Location {
            latitude,
            longitude,
            name,
        } => wa::Message {
            location_message: MessageField::some(wa::message::LocationMessage {
                degrees_latitude: Some(*latitude),
                degrees_longitude: Some(*longitude),
                name: name.clone(),
                context_info: quoting.into(),
                ..Default::default()
            }),
            ..Default::default()
        },
        Content::Event(event) => event_message(event, quoting),
        Content::Offer(offer) => offer_message(offer, quoting),
        Content::Timer { seconds } => timer_message(*seconds),
        Content::LiveLocation {
            latitude,
            longitude,
            caption,
        } => live_location(*latitude, *longitude, caption.as_deref(), 1),
        Content::File(file) => file_message(file, quoting),
        Content::Album { items, .. } => album_message(items, quoting),
        Content::Contact { name, vcard } => wa::Message {
            contact_message: MessageField::some(wa::message::ContactMessage {
                display_name: Some(name.clone()),
                vcard: Some(vcard.clone()),
                context_info: quoting.into(),
                ..Default::default()
            }),
            ..Default::default()
        },
    }
}

/// A reaction to the message that `key` names; an empty emoji takes it back.
pub(crate) fn reaction(key: wa::MessageKey, emoji: &str, now_ms: i64) -> wa::Message {
    wa::Message {
        reaction_message: MessageField::some(wa::message::ReactionMessage {
            key: MessageField::some(key),
            text: Some(emoji.to_owned()),
            sender_timestamp_ms: Some(now_ms),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A new text for the message that `key` names.
pub(crate) fn edit(key: wa::MessageKey, text: &str, now_ms: i64) -> wa::Message {
    protocol(wa::message::ProtocolMessage {
        key: MessageField::some(key),
        r#type: Some(wa::message::protocol_message::Type::MESSAGE_EDIT),
        edited_message: MessageField::some(text_message(text, None)),
        timestamp_ms: Some(now_ms),
        ..Default::default()
    })
}

/// Deletes the message that `key` names for everybody.
pub(crate) fn revoke(key: wa::MessageKey) -> wa::Message {
    protocol(wa::message::ProtocolMessage {
        key: MessageField::some(key),
        r#type: Some(wa::message::protocol_message::Type::REVOKE),
        ..Default::default()
    })
}

fn protocol(message: wa::message::ProtocolMessage) -> wa::Message {
    wa::Message {
        protocol_message: MessageField::some(message),
        ..Default::default()
    }
}

fn text_message(text: &str, context: Option<wa::ContextInfo>) -> wa::Message {
    match context {
        None => wa::Message {
            conversation: Some(text.to_owned()),
            ..Default::default()
        },
        context @ Some(_) => wa::Message {
            extended_text_message: MessageField::some(wa::message::ExtendedTextMessage {
                text: Some(text.to_owned()),
                context_info: context.into(),
                ..Default::default()
            }),
            ..Default::default()
        },
    }
}

fn quoting(quoted: Option<Quoted>, mentioned_jids: Vec<String>) -> Option<wa::ContextInfo> {
    if quoted.is_none() && mentioned_jids.is_empty() {
        return None;
    }
    let mut context = wa::ContextInfo {
        mentioned_jid: mentioned_jids,
        ..Default::default()
    };
    if let Some(quoted) = quoted {
        context.stanza_id = Some(quoted.id);
        context.participant = Some(quoted.sender_jid);
        context.quoted_message = MessageField::some(quoted.message);
    }
    Some(context)
}
