//! Converted messages as JSON, as their `Debug` hides what they say.

use serde_json::{Value, json};
use wagate_model::Jid;
use whatsapp_rust::types::message::{MessageInfo, MessageSource};
use whatsapp_rust::wacore::chrono::DateTime;

use super::Own;
use crate::{Content, InboundMessage, MessageRef, VoteChoice};

pub(super) const PHONE: &str = "15550001111@s.whatsapp.net";
pub(super) const LID: &str = "205227043110953@lid";
pub(super) const GROUP: &str = "120363021033254949@g.us";

pub(super) fn own() -> Own {
    Own {
        phone: "15559990000@s.whatsapp.net".parse().ok(),
        lid: "99900011122233@lid".parse().ok(),
    }
}

pub(super) fn info(chat: &str, sender: &str) -> MessageInfo {
    MessageInfo {
        id: "3EB0ABCDEF".into(),
        source: MessageSource {
            chat: chat.parse().expect("the chat is an address"),
            sender: sender.parse().expect("the sender is an address"),
            ..MessageSource::default()
        },
        push_name: "Ada".into(),
        timestamp: DateTime::from_timestamp(1_700_000_000, 0).unwrap_or_default(),
        ..MessageInfo::default()
    }
}

pub(super) fn show(message: &InboundMessage) -> Value {
    let text = |jid: &Option<Jid>| jid.as_ref().map(Jid::to_string);
    let quoted = message.quoted.as_ref().map(|quoted| {
        json!({
            "id": quoted.id,
            "sender": text(&quoted.sender),
            "fromMe": quoted.from_me,
            "body": quoted.body,
        })
    });
    json!({
        "id": message.id,
        "chat": message.chat.as_str(),
        "alias": text(&message.chat_alias),
        "senderJid": text(&message.sender_jid),
        "senderLid": text(&message.sender_lid),
        "fromMe": message.from_me,
        "pushName": message.push_name,
        "timestamp": message.timestamp_ms,
        "content": show_content(&message.content),
        "mentions": message.mentions.iter().map(Jid::as_str).collect::<Vec<_>>(),
        "quoted": quoted,
        "flags": [message.is_forwarded, message.is_view_once, message.is_offline],
        "expires": message.expires_after_s,
    })
}

fn show_ref(target: &MessageRef) -> Value {
    let sender = target.sender.as_ref().map(Jid::to_string);
    json!({"id": target.id, "sender": sender, "fromMe": target.from_me})
}

pub(super) fn show_content(content: &Content) -> Value {
    match content {
        Content::Text { body } => json!({"text": body}),
        Content::Media(media) => json!({
            "media": format!("{:?}", media.kind),
            "meta": media.meta,
            "caption": media.caption,
        }),
        Content::Location { place, is_live } => json!({"place": place, "live": is_live}),
        Content::Contacts(cards) => json!({"cards": cards}),
        Content::Poll(poll) => json!({"poll": poll}),
        Content::Reaction { target, emoji } => {
            json!({"reaction": emoji, "target": show_ref(target)})
        }
        Content::Revoke { target } => json!({"revoke": show_ref(target)}),
        Content::Edit { target, content } => {
            json!({"edit": show_ref(target), "to": show_content(content)})
        }
        Content::PollVote { target, choice } => json!({
            "vote": show_ref(target),
            "readable": *choice != VoteChoice::Unreadable,
        }),
        Content::InteractiveReply(reply) => json!({
            "reply": reply.kind,
            "id": reply.id,
            "title": reply.title,
            "target": reply.target_id,
        }),
        Content::Event(event) => json!({"event": event}),
        Content::EventResponse { target, response } => {
            json!({"response": show_ref(target), "to": response})
        }
        Content::Offer { body, choices } => json!({"offer": body, "choices": choices}),
        Content::Pin { target, seconds } => json!({"pin": show_ref(target), "seconds": seconds}),
        Content::Keep { target, is_kept } => json!({"keep": show_ref(target), "kept": is_kept}),
        Content::Timer { seconds } => json!({"timer": seconds}),
        Content::System { kind } => json!({"system": kind}),
    }
}
