//! Messages to send.

use whatsapp_rust::waproto;
use whatsapp_rust::waproto::buffa::MessageField;
use whatsapp_rust::waproto::whatsapp as wa;

use wacore::proto_helpers::{MessageBuilderExt, MessageExt};
use wagate_model::Jid;
use whatsapp_rust::wacore;

use super::identity::Own;
use crate::{OutgoingContent, Quoted};

/// The protocol's form of a message; `chat` decides how this account names itself in a quote.
pub(crate) fn outgoing(content: &OutgoingContent, chat: &Jid, own: &Own) -> wa::Message {
    match content {
        OutgoingContent::Text {
            text,
            mentions,
            quoted,
        } => {
            if mentions.is_empty() && quoted.is_none() {
                return wa::Message::text(text.as_str());
            }
            let mut about = match quoted {
                Some(quoted) => quote(quoted, chat, own),
                None => wa::ContextInfo::default(),
            };
            about.mentioned_jid = mentions.iter().map(Jid::to_string).collect();
            wa::Message::text_with_context(text.as_str(), about)
        }
    }
}

fn quote(quoted: &Quoted, chat: &Jid, own: &Own) -> wa::ContextInfo {
    let me = match chat.kind() {
        wagate_model::JidKind::Lid => own.lid.as_ref().or(own.phone.as_ref()),
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
