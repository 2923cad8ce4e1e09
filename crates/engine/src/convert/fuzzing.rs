//! What must hold of everything that comes in, for property tests and fuzz targets alike.
//!
//! Each function takes an input, converts it, and panics when a property does not hold.

use std::cell::RefCell;

use bytes::Bytes;
use serde_json::Value;
use whatsapp_rust::types::events::LazyHistorySync;
use whatsapp_rust::types::message::MessageInfo;
use whatsapp_rust::waproto;
use whatsapp_rust::waproto::whatsapp as wa;

use super::history::unpack_into;
use super::identity::{library_jid, parsed_jid};
use super::show::{GROUP, LID, PHONE, info, own, show};
use crate::{Content, HistoryChunk, InboundMessage, Outgoing, OutgoingContent, Quoted};

/// Longest id of a message.
const MAX_ID_LEN: usize = 128;

/// A decrypted message becomes one that can be stored, shown and quoted, or nothing.
pub fn message(bytes: &[u8]) {
    let Ok(decoded) = waproto::codec::message_decode(bytes) else {
        return;
    };
    for (chat, sender) in [(PHONE, PHONE), (LID, LID), (GROUP, LID)] {
        for is_from_me in [false, true] {
            let mut info = info(chat, sender);
            info.source.is_from_me = is_from_me;
            if let Some(message) = convert(&info, &decoded) {
                is_storable(&message);
                means_the_same_again(&info, &message);
            }
        }
    }
}

fn convert(info: &MessageInfo, message: &wa::Message) -> Option<InboundMessage> {
    super::message(info, message, &own()).map(|converted| converted.message)
}

fn is_storable(message: &InboundMessage) {
    let shown = show(message);
    assert!(!has_nul(&shown), "NUL in {shown}");
    let json = serde_json::to_string(&shown).expect("it was made for JSON");
    let again: Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(again, shown);
    is_id(&message.id);
    assert!(message.mentions.len() <= 1_024);
    assert_ne!(message.expires_after_s, Some(0));
    if let Some(quoted) = &message.quoted {
        is_id(&quoted.id);
        let body = quoted.body.as_deref().unwrap_or_default();
        assert!(body.len() <= 4_096);
    }
    match &message.content {
        Content::Reaction { target, .. }
        | Content::Revoke { target }
        | Content::PollVote { target, .. }
        | Content::EventResponse { target, .. }
        | Content::Pin { target, .. }
        | Content::Keep { target, .. } => is_id(&target.id),
        Content::Offer { body, choices } => {
            assert!(!body.is_empty() && !choices.is_empty() && choices.len() <= 512);
        }
        Content::Edit { target, content } => {
            is_id(&target.id);
            assert!(!matches!(**content, Content::Edit { .. }));
        }
        Content::Poll(poll) => assert!(poll.options.len() <= 64),
        Content::Contacts(cards) => assert!(cards.len() <= 512),
        Content::Text { body } => assert!(!body.is_empty()),
        _ => {}
    }
}

/// What is kept for later means the same then; but wrappers beyond the bound stay unopened.
fn means_the_same_again(info: &MessageInfo, message: &InboundMessage) {
    let kept = waproto::codec::message_decode(&message.raw).expect("what is kept is readable");
    if !matches!(message.content, Content::System { .. }) {
        let again = convert(info, &kept).expect("it was converted before");
        assert!(again.content == message.content);
        assert!(again.quoted == message.quoted && again.mentions == message.mentions);
    }
}

fn is_id(id: &str) {
    assert!(!id.is_empty() && id.len() <= MAX_ID_LEN);
    assert!(id.bytes().all(|byte| byte.is_ascii_graphic()));
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.values().any(has_nul),
        _ => false,
    }
}

/// An answer to a message can be read by whoever gets it, whatever that message was.
pub fn quote(raw: &[u8]) {
    let content = Outgoing {
        id: "3EB0".into(),
        chat: PHONE.parse().expect("it is an address"),
        content: OutgoingContent::Text("answer".to_owned()),
        mentions: Vec::new(),
        quoted: Some(Quoted {
            id: "3EB0ABCDEF".to_owned(),
            sender: PHONE.parse().ok(),
            raw: Some(Bytes::copy_from_slice(raw)),
            body: Some("asked".to_owned()),
        }),
        preview: None,
        expires_after_s: None,
    };
    let answer = super::outgoing(&content, &own()).expect("a text is built");
    let encoded = waproto::codec::message_to_vec(&answer);
    let read = waproto::codec::message_decode(&encoded).expect("recipients can read it");
    let shown = convert(&info(PHONE, PHONE), &read).expect("an answer is shown");
    assert!(matches!(&shown.content, Content::Text { body } if body == "answer"));
    let quoted = shown.quoted.as_ref().map(|quoted| quoted.id.as_str());
    assert_eq!(quoted, Some("3EB0ABCDEF"));
}

/// Addresses of the protocol become the same ones of the model on every way.
pub fn address(text: &str) {
    if let Some(jid) = parsed_jid(Some(text)) {
        let library = library_jid(&jid);
        assert_eq!(library.to_string(), jid.as_str());
        assert_eq!(super::model_jid(&library).as_ref(), Some(&jid));
        assert_eq!(parsed_jid(Some(jid.as_str())), Some(jid));
    }
}

/// History comes in bounded pages, of which the last is marked, however it is damaged.
pub fn history(bytes: &[u8]) {
    let unpacked = stored_zlib(bytes);
    are_bounded(LazyHistorySync::new(
        unpacked.into(),
        bytes.len(),
        0,
        None,
        None,
    ));
    let packed = Bytes::copy_from_slice(bytes);
    are_bounded(LazyHistorySync::new(packed, 1 << 20, 0, None, None));
}

#[expect(clippy::needless_pass_by_value, reason = "each is unpacked once")]
fn are_bounded(history: LazyHistorySync) {
    let pages = RefCell::new(Vec::new());
    unpack_into(&history, &own(), &|page: HistoryChunk| {
        pages.borrow_mut().push(page);
        true
    });
    let pages = pages.into_inner();
    let (last, others) = pages.split_last().expect("there is a last page");
    assert!(last.is_last && others.iter().all(|page| !page.is_last));
    for page in &pages {
        let messages = page.chats.iter().flat_map(|chat| &chat.messages);
        assert!(page.chats.len() <= 50 && messages.clone().count() <= 200);
        assert!(page.push_names.len() <= 1_000 && page.aliases.len() <= 1_000);
        messages.for_each(is_storable);
        let names = page.chats.iter().filter_map(|chat| chat.name.as_deref());
        let pushed = page.push_names.iter().map(|(_, name)| name.as_str());
        assert!(names.chain(pushed).all(|name| !name.contains('\0')));
    }
}

/// A zlib stream of stored blocks, which needs no compressor.
pub(super) fn stored_zlib(raw: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = raw.chunks(0xFFFF).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).expect("blocks are that short");
        out.push(u8::from(blocks.peek().is_none()));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    let (mut a, mut b) = (1u32, 0u32);
    for byte in raw {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    out.extend_from_slice(&((b << 16) | a).to_be_bytes());
    out
}
