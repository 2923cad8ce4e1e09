//! From the engine's messages to the payloads of events. No I/O in here.

use std::collections::BTreeMap;

use serde::Serialize;
use wagate_engine::{
    Content, InboundMessage, InteractiveReply, MessageRef, VoteChoice, poll_option_hash,
};
use wagate_model::{
    ChatUpdatePayload, EventKind, EventResponse, Jid, JidKind, MediaMeta, MentionData,
    MessageDetails, MessagePayload, MessageType,
};
use wagate_store::ChatRef;

/// What the store knows of the people and messages that a message names.
#[derive(Default)]
pub(crate) struct Facts {
    /// People mentioned, by JID.
    pub(crate) mentions: BTreeMap<String, MentionData>,
    /// Both addresses of who sent the quoted message.
    pub(crate) quoted_sender: Addresses,
    /// The options of the poll that a vote is about, where the poll was seen.
    pub(crate) poll_options: Vec<String>,
}

/// The two addresses of one person.
#[derive(Default, Clone)]
pub(crate) struct Addresses {
    pub(crate) phone: Option<String>,
    pub(crate) lid: Option<String>,
}

impl Addresses {
    /// The one address that a JID is.
    pub(crate) fn of(jid: &Jid) -> Self {
        let text = Some(jid.as_str().to_owned());
        if jid.kind() == JidKind::Lid {
            Self {
                phone: None,
                lid: text,
            }
        } else {
            Self {
                phone: text,
                lid: None,
            }
        }
    }
}

/// The kind of event that a message is told by.
pub(crate) fn event_kind(message: &InboundMessage) -> EventKind {
    match &message.content {
        Content::Reaction { .. } => EventKind::MessageReaction,
        Content::Edit { .. } => EventKind::MessageEdited,
        Content::Revoke { .. } => EventKind::MessageRevoked,
        Content::PollVote { .. } => EventKind::PollVote,
        Content::InteractiveReply(_) | Content::EventResponse { .. } => {
            EventKind::MessageInteractiveReply
        }
        _ if message.from_me => EventKind::MessageFromMe,
        _ => EventKind::Message,
    }
}

/// Whether a message stands in the chat by itself, and does not only change another one.
pub(crate) fn is_own_message(content: &Content) -> bool {
    !matches!(
        content,
        Content::Reaction { .. }
            | Content::Edit { .. }
            | Content::Revoke { .. }
            | Content::PollVote { .. }
            | Content::EventResponse { .. }
            | Content::Pin { .. }
            | Content::Keep { .. }
    )
}

/// When a message disappears, in milliseconds since 1970.
pub(crate) fn expires_at(message: &InboundMessage) -> Option<i64> {
    let seconds = message.expires_after_s?;
    is_own_message(&message.content).then(|| {
        message
            .timestamp_ms
            .saturating_add(i64::from(seconds) * 1_000)
    })
}

/// Until when a message pins another, in milliseconds since 1970.
pub(crate) fn pinned_until(message: &InboundMessage, seconds: u32) -> i64 {
    message
        .timestamp_ms
        .saturating_add(i64::from(seconds) * 1_000)
}

/// What is shown of a message beside its text and its file.
pub(crate) fn details_of(content: &Content) -> MessageDetails {
    let mut details = MessageDetails::default();
    match content {
        Content::Event(event) => details.event = Some(event.clone()),
        Content::Offer { choices, .. } => details.choices = Some(choices.clone()),
        Content::Location { place, .. } => details.location = Some(place.clone()),
        Content::InteractiveReply(reply) => details.selected_id = Some(reply.id.clone()),
        _ => {}
    }
    details
}

/// What a message changes about its chat, where it does.
pub(crate) fn chat_update(message: &InboundMessage, chat: &ChatRef) -> Option<ChatUpdatePayload> {
    let payload = ChatUpdatePayload {
        chat_jid: chat.jid.clone(),
        ..ChatUpdatePayload::default()
    };
    match &message.content {
        Content::Pin { target, seconds } => Some(ChatUpdatePayload {
            change: "pin".to_owned(),
            message_id: Some(target.id.clone()),
            pinned_until: seconds.map(|seconds| pinned_until(message, seconds)),
            removed: seconds.is_none().then_some(true),
            ..payload
        }),
        Content::Timer { seconds } if message.chat.kind().is_person() => Some(ChatUpdatePayload {
            change: "disappearing".to_owned(),
            disappearing_seconds: Some(i64::from(*seconds)),
            ..payload
        }),
        _ => None,
    }
}

/// An answer to an event as a choice among what the event offers.
pub(crate) fn answer_as_reply(
    target: &MessageRef,
    response: Option<EventResponse>,
) -> InteractiveReply {
    let id = response.map_or("", |response| response.response.as_str());
    InteractiveReply {
        kind: "event",
        id: id.to_owned(),
        title: None,
        target_id: Some(target.id.clone()),
    }
}

/// The payload of a message's event.
pub(crate) fn message_payload(message: &InboundMessage, facts: &Facts) -> MessagePayload {
    let content = &message.content;
    let inner = match content {
        Content::Edit { content, .. } => content,
        other => other,
    };
    let media = media_of(inner);
    let quoted = message.quoted.as_ref();
    MessagePayload {
        body: content.body().map(str::to_owned),
        chat_jid: message.chat.as_str().to_owned(),
        choices: match inner {
            Content::Offer { choices, .. } => Some(choices.clone()),
            _ => None,
        },
        contact: match inner {
            Content::Contacts(cards) => cards.first().cloned(),
            _ => None,
        },
        event: match inner {
            Content::Event(event) => Some(event.clone()),
            _ => None,
        },
        event_response: match content {
            Content::EventResponse { response, .. } => *response,
            _ => None,
        },
        expires_at: expires_at(message),
        from_me: message.from_me,
        has_media: media.is_some(),
        location: match inner {
            Content::Location { place, .. } => Some(place.clone()),
            _ => None,
        },
        media,
        mentions: (!facts.mentions.is_empty()).then(|| facts.mentions.clone()),
        poll: match inner {
            Content::Poll(poll) => Some(poll.clone()),
            _ => None,
        },
        push_name: message.push_name.clone(),
        quoted_body: quoted.and_then(|quoted| quoted.body.clone()),
        quoted_from_me: quoted.and_then(|quoted| quoted.from_me),
        quoted_message_id: quoted.map(|quoted| quoted.id.clone()),
        quoted_sender_jid: facts.quoted_sender.phone.clone(),
        quoted_sender_lid: facts.quoted_sender.lid.clone(),
        reaction: match content {
            Content::Reaction { emoji, .. } => Some(emoji.clone()),
            _ => None,
        },
        selected_options: match content {
            // Nothing chosen is a vote that was taken back.
            Content::PollVote {
                choice: VoteChoice::Unreadable,
                ..
            } => None,
            Content::PollVote { choice, .. } => Some(chosen_options(choice, &facts.poll_options)),
            _ => None,
        },
        sender_jid: message
            .sender_jid
            .as_ref()
            .map(|jid| jid.as_str().to_owned()),
        sender_lid: message
            .sender_lid
            .as_ref()
            .map(|jid| jid.as_str().to_owned()),
        target_id: target_id(content).map(str::to_owned),
        timestamp: message.timestamp_ms,
        kind: match content {
            Content::Revoke { .. } => MessageType::Revoke,
            _ => content.kind(),
        },
        wa_message_id: message.id.clone(),
    }
}

/// What is known of a message's file.
pub(crate) fn media_of(content: &Content) -> Option<MediaMeta> {
    match content {
        Content::Media(media) => Some(media.meta.clone()),
        _ => None,
    }
}

/// The message that a message is about.
pub(crate) fn target_id(content: &Content) -> Option<&str> {
    match content {
        Content::Reaction { target, .. }
        | Content::Edit { target, .. }
        | Content::Revoke { target }
        | Content::PollVote { target, .. }
        | Content::EventResponse { target, .. }
        | Content::Pin { target, .. }
        | Content::Keep { target, .. } => Some(&target.id),
        Content::InteractiveReply(reply) => reply.target_id.as_deref(),
        _ => None,
    }
}

/// The texts of the options chosen; the hash where the option is not known.
pub(crate) fn chosen_options(choice: &VoteChoice, options: &[String]) -> Vec<String> {
    let VoteChoice::Hashes(hashes) = choice else {
        return Vec::new();
    };
    let text_of = |hash: &[u8; 32]| {
        let known = options
            .iter()
            .find(|option| poll_option_hash(option) == *hash);
        known.cloned().unwrap_or_else(|| to_hex(hash))
    };
    hashes.iter().map(text_of).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            for digit in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(u32::from(digit), 16));
            }
            text
        })
}

/// Payload of `message.interactive_reply`: a message, and what was chosen.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InteractivePayload<'a> {
    #[serde(flatten)]
    message: &'a MessagePayload,
    interactive_reply: Chosen<'a>,
}

#[derive(Serialize)]
struct Chosen<'a> {
    kind: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
}

impl<'a> InteractivePayload<'a> {
    /// Adds what was chosen to a message's payload.
    pub(crate) fn new(message: &'a MessagePayload, reply: &'a InteractiveReply) -> Self {
        Self {
            message,
            interactive_reply: Chosen {
                kind: reply.kind,
                id: &reply.id,
                title: reply.title.as_deref(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(content: Content) -> InboundMessage {
        InboundMessage {
            id: "3EB0".into(),
            chat: "15551234567@s.whatsapp.net".parse().unwrap(),
            chat_alias: None,
            sender_jid: "15551234567@s.whatsapp.net".parse().ok(),
            sender_lid: "99@lid".parse().ok(),
            from_me: false,
            push_name: Some("Ann".into()),
            business_name: None,
            timestamp_ms: 1_700_000_000_000,
            content,
            mentions: Vec::new(),
            quoted: None,
            is_forwarded: false,
            is_view_once: false,
            expires_after_s: None,
            is_offline: false,
            raw: bytes::Bytes::new(),
        }
    }

    fn target() -> MessageRef {
        MessageRef {
            id: "T1".into(),
            sender: None,
            from_me: None,
        }
    }

    #[test]
    fn a_text_bears_both_addresses_and_an_explicit_null_for_media() {
        let payload = message_payload(
            &message(Content::Text { body: "hi".into() }),
            &Facts::default(),
        );
        let json = serde_json::to_value(&payload).unwrap();
        assert_eq!(json["type"], "text");
        assert_eq!(json["body"], "hi");
        assert_eq!(json["senderLid"], "99@lid");
        assert!(json.as_object().unwrap().contains_key("media") && json["media"].is_null());
    }

    #[test]
    fn a_reaction_names_its_target() {
        let reaction = message(Content::Reaction {
            target: target(),
            emoji: "👍".into(),
        });
        assert_eq!(event_kind(&reaction), EventKind::MessageReaction);
        let json = serde_json::to_value(message_payload(&reaction, &Facts::default())).unwrap();
        assert_eq!(
            (&json["type"], &json["targetId"], &json["reaction"]),
            (&"reaction".into(), &"T1".into(), &"👍".into())
        );
    }

    #[test]
    fn an_edit_bears_the_new_text() {
        let edit = message(Content::Edit {
            target: target(),
            content: Box::new(Content::Text { body: "new".into() }),
        });
        assert_eq!(event_kind(&edit), EventKind::MessageEdited);
        let payload = message_payload(&edit, &Facts::default());
        assert_eq!(payload.body.as_deref(), Some("new"));
        assert_eq!(payload.target_id.as_deref(), Some("T1"));
    }

    #[test]
    fn a_vote_is_told_in_texts_and_in_hashes_where_the_poll_is_not_known() {
        let known = poll_option_hash("yes");
        let choice = VoteChoice::Hashes(vec![known, [7; 32]]);
        let texts = chosen_options(&choice, &["no".into(), "yes".into()]);
        assert_eq!(texts, ["yes".to_owned(), "07".repeat(32)]);
    }

    #[test]
    fn a_vote_that_cannot_be_read_is_no_vote_for_nothing() {
        let told = |choice| {
            let target = target();
            let vote = message(Content::PollVote { target, choice });
            message_payload(&vote, &Facts::default()).selected_options
        };
        assert_eq!(told(VoteChoice::Unreadable), None);
        assert_eq!(told(VoteChoice::Hashes(Vec::new())), Some(Vec::new()));
    }

    #[test]
    fn an_interactive_reply_is_a_message_with_a_choice() {
        let reply = InteractiveReply {
            kind: "button",
            id: "b1".into(),
            title: Some("Yes".into()),
            target_id: Some("T1".into()),
        };
        let message = message(Content::InteractiveReply(reply.clone()));
        let payload = message_payload(&message, &Facts::default());
        let json = serde_json::to_value(InteractivePayload::new(&payload, &reply)).unwrap();
        assert_eq!(json["interactiveReply"]["id"], "b1");
        assert_eq!(json["waMessageId"], "3EB0");
        assert_eq!(json["body"], "Yes");
    }
}
