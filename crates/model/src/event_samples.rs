//! Made-up payloads, one for each kind of event, as they look when they are real.
//!
//! Nothing in them can be acted on: the numbers are of the range that is reserved for
//! fiction, and the session is one that nobody has.

use serde::Serialize;
use serde_json::Value;

use crate::{
    AuthCodePayload, AuthQrPayload, CallPayload, ChatUpdatePayload, ContactUpdatePayload,
    EventKind, GroupPayload, MediaEventPayload, MediaId, MediaMeta, MediaStatus, MessagePayload,
    MessageStatus, MessageStatusPayload, MessageType, NewsletterPayload, PollRecapOption,
    PollRecapPayload, PollRecapVoter, PresenceState, PresenceStatus, SessionId, SessionStatus,
    SessionStatusPayload,
};

const CHAT: &str = "15550100123@s.whatsapp.net";
const LID: &str = "100000000000123@lid";
const GROUP: &str = "120363000000000123@g.us";
const CHANNEL: &str = "120363000000000456@newsletter";
const MESSAGE: &str = "3EB0C767D26A1B5F7C83";
const TARGET: &str = "3EB0A9253FA64269E11C";

/// The session of made-up events: one that nobody has.
pub const SAMPLE_SESSION: SessionId = SessionId::from_parts(1_767_225_600_000, 0);

fn file(status: MediaStatus, url: Option<&str>, now_ms: i64) -> MediaEventPayload {
    MediaEventPayload {
        id: MediaId::from_parts(1_767_225_600_000, 0),
        session_id: SAMPLE_SESSION,
        wa_message_id: MESSAGE.into(),
        index: 0,
        status,
        mimetype: Some("application/pdf".into()),
        filename: Some("offer.pdf".into()),
        size: Some(48_213),
        url: url.map(str::to_owned),
        expires_at: url.map(|_| now_ms + 3_600_000),
    }
}

fn message(kind: MessageType, now_ms: i64) -> MessagePayload {
    MessagePayload {
        body: None,
        chat_jid: CHAT.into(),
        choices: None,
        contact: None,
        event: None,
        event_response: None,
        expires_at: None,
        from_me: false,
        has_media: false,
        location: None,
        media: None,
        mentions: None,
        poll: None,
        push_name: Some("Sample Sender".into()),
        quoted_body: None,
        quoted_from_me: None,
        quoted_message_id: None,
        quoted_sender_jid: None,
        quoted_sender_lid: None,
        reaction: None,
        selected_options: None,
        sender_jid: Some(CHAT.into()),
        sender_lid: Some(LID.into()),
        target_id: None,
        timestamp: now_ms,
        kind,
        wa_message_id: MESSAGE.into(),
    }
}

fn about(kind: MessageType, now_ms: i64) -> MessagePayload {
    MessagePayload {
        target_id: Some(TARGET.into()),
        ..message(kind, now_ms)
    }
}

fn text(body: &str, now_ms: i64) -> MessagePayload {
    MessagePayload {
        body: Some(body.into()),
        ..message(MessageType::Text, now_ms)
    }
}

fn recap(now_ms: i64) -> PollRecapPayload {
    let option = |option: &str, count| PollRecapOption {
        count,
        option: option.into(),
    };
    PollRecapPayload {
        chat_jid: GROUP.into(),
        end_time: now_ms,
        hide_votes: false,
        name: "Which day suits you?".into(),
        options: vec![option("Monday", 1), option("Friday", 0)],
        poll_message_id: TARGET.into(),
        selectable_count: 1,
        total_votes: 1,
        voters: Some(vec![PollRecapVoter {
            display_name: "Sample Sender".into(),
            selected_options: vec!["Monday".into()],
            voter_id: LID.into(),
        }]),
    }
}

fn json(payload: &impl Serialize) -> Value {
    serde_json::to_value(payload).expect("payloads are plain data")
}

/// A made-up payload of a message's event; nothing for the other kinds.
fn of_message(kind: EventKind, now_ms: i64) -> Option<Value> {
    let payload = match kind {
        EventKind::Message => text("Hello from a test event.", now_ms),
        EventKind::MessageFromMe => MessagePayload {
            from_me: true,
            has_media: true,
            media: Some(MediaMeta {
                filename: Some("offer.pdf".into()),
                id: Some(MediaId::from_parts(1_767_225_600_000, 0)),
                mimetype: Some("application/pdf".into()),
                size: Some(48_213),
            }),
            ..message(MessageType::Document, now_ms)
        },
        EventKind::MessageReaction => MessagePayload {
            reaction: Some("👍".into()),
            ..about(MessageType::Reaction, now_ms)
        },
        EventKind::MessageEdited => MessagePayload {
            target_id: Some(TARGET.into()),
            ..text("Hello again from a test event.", now_ms)
        },
        EventKind::MessageRevoked => about(MessageType::Revoke, now_ms),
        EventKind::MessageInteractiveReply => {
            let message = MessagePayload {
                target_id: Some(TARGET.into()),
                ..text("Yes", now_ms)
            };
            let mut payload = json(&message);
            payload["interactiveReply"] =
                serde_json::json!({ "kind": "button", "id": "yes", "title": "Yes" });
            return Some(payload);
        }
        EventKind::PollVote => MessagePayload {
            selected_options: Some(vec!["Monday".into()]),
            ..about(MessageType::PollVote, now_ms)
        },
        _ => return None,
    };
    Some(json(&payload))
}

/// A made-up payload of an event.
#[must_use]
pub fn sample_payload(kind: EventKind, now_ms: i64) -> Value {
    if let Some(payload) = of_message(kind, now_ms) {
        return payload;
    }
    match kind {
        EventKind::AuthQr => json(&AuthQrPayload {
            code: "2@sample,sample,sample,sample".into(),
        }),
        EventKind::AuthCode => json(&AuthCodePayload {
            jid: Some(CHAT.into()),
            lid: Some(LID.into()),
            platform: Some("android".into()),
            ..AuthCodePayload::default()
        }),
        EventKind::MessageStatus => json(&MessageStatusPayload {
            chat_jid: CHAT.into(),
            message_ids: vec![MESSAGE.into()],
            sender_jid: Some(CHAT.into()),
            status: MessageStatus::Delivered,
            timestamp: now_ms,
            error: None,
        }),
        EventKind::PollRecap => json(&recap(now_ms)),
        EventKind::PresenceUpdate => json(&PresenceStatus {
            chat_jid: Some(CHAT.into()),
            from: CHAT.into(),
            last_seen: None,
            media: Some("text".into()),
            state: PresenceState::Composing,
            unavailable: None,
        }),
        EventKind::GroupUpdate => json(&GroupPayload {
            group_jid: GROUP.into(),
            sender: Some(CHAT.into()),
            subject: Some("Sample group".into()),
            timestamp: Some(now_ms),
            ..GroupPayload::default()
        }),
        EventKind::GroupParticipant => json(&GroupPayload {
            group_jid: GROUP.into(),
            join: Some(vec![CHAT.into()]),
            timestamp: Some(now_ms),
            ..GroupPayload::default()
        }),
        EventKind::ChatUpdate => json(&ChatUpdatePayload {
            change: "picture".into(),
            chat_jid: CHAT.into(),
            picture_id: Some("1767225600".into()),
            ..ChatUpdatePayload::default()
        }),
        EventKind::ContactUpdate => json(&ContactUpdatePayload {
            jid: CHAT.into(),
            push_name: Some("Sample Sender".into()),
            ..ContactUpdatePayload::default()
        }),
        EventKind::CallIncoming => json(&CallPayload {
            call_id: MESSAGE.into(),
            from: CHAT.into(),
            group_jid: None,
            is_group: false,
            timestamp: now_ms,
        }),
        EventKind::NewsletterUpdate => json(&NewsletterPayload {
            action: "join".into(),
            jid: CHANNEL.into(),
            muted: None,
        }),
        EventKind::MediaReady => {
            let url = "https://wagate.example/api/v1/media/sample/content";
            json(&file(MediaStatus::Ready, Some(url), now_ms))
        }
        EventKind::MediaExpired => json(&file(MediaStatus::Expired, None, now_ms)),
        // The kinds of messages are above.
        _ => json(&SessionStatusPayload {
            status: SessionStatus::Working,
            reason: None,
            detail: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads<P: serde::de::DeserializeOwned + Serialize>(payload: &Value) -> bool {
        serde_json::from_value::<P>(payload.clone()).is_ok_and(|read| json(&read) == *payload)
    }

    #[test]
    fn the_session_is_the_one_that_the_document_names() {
        assert_eq!(SAMPLE_SESSION.to_string(), "01KDVDNA000000000000000000");
    }

    #[test]
    fn every_kind_has_a_payload_of_its_own_shape() {
        for kind in EventKind::ALL.iter().copied() {
            let mut payload = sample_payload(kind, 1_767_225_600_000);
            if kind == EventKind::MessageInteractiveReply {
                let reply = payload.as_object_mut().unwrap().remove("interactiveReply");
                assert_eq!(reply.unwrap()["id"], "yes");
            }
            let is_right = match kind {
                EventKind::SessionStatus => reads::<SessionStatusPayload>(&payload),
                EventKind::AuthQr => reads::<AuthQrPayload>(&payload),
                EventKind::AuthCode => reads::<AuthCodePayload>(&payload),
                EventKind::Message
                | EventKind::MessageFromMe
                | EventKind::MessageReaction
                | EventKind::MessageEdited
                | EventKind::MessageRevoked
                | EventKind::MessageInteractiveReply
                | EventKind::PollVote => reads::<MessagePayload>(&payload),
                EventKind::MessageStatus => reads::<MessageStatusPayload>(&payload),
                EventKind::PollRecap => reads::<PollRecapPayload>(&payload),
                EventKind::PresenceUpdate => reads::<PresenceStatus>(&payload),
                EventKind::GroupUpdate | EventKind::GroupParticipant => {
                    reads::<GroupPayload>(&payload)
                }
                EventKind::ChatUpdate => reads::<ChatUpdatePayload>(&payload),
                EventKind::ContactUpdate => reads::<ContactUpdatePayload>(&payload),
                EventKind::CallIncoming => reads::<CallPayload>(&payload),
                EventKind::NewsletterUpdate => reads::<NewsletterPayload>(&payload),
                EventKind::MediaReady | EventKind::MediaExpired => {
                    reads::<MediaEventPayload>(&payload)
                }
            };
            assert!(is_right, "{}: {payload}", kind.as_str());
        }
    }
}
