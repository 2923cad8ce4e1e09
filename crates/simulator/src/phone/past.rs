//! A past that a phone has without having lived it: histories of any length, made up as they
//! are sent.
//!
//! Everything is a function of the past's few numbers, so that nothing of it is kept and each
//! companion is sent the same.

use serde::{Deserialize, Serialize};
use wacore_binary::Jid;
use waproto::buffa::MessageField;
use waproto::whatsapp as wa;
use waproto::whatsapp::message::HistorySyncType;

use super::error::{FieldError, PhoneError};

/// The most messages that a past can have.
const MAX_MESSAGES: u64 = 10_000_000;
/// The most messages that are made up, compressed and uploaded together.
const MAX_PER_PART: u32 = 10_000;
/// The numbers of made-up people, behind which there is no phone.
const FIRST_NUMBER: u64 = 99_000_000_000;
/// The time between two messages of a chat.
const STEP_S: u64 = 60;

/// What a made-up past is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Past {
    /// How many chats with people there are.
    pub chats: u32,
    /// How many messages each has.
    pub messages_per_chat: u32,
    /// How many messages are sent together at the most.
    pub messages_per_part: u32,
    /// Decides who the people are and what they say.
    pub seed: u64,
    /// When the newest messages were sent, in seconds since 1970.
    pub until_s: u64,
}

/// A part of a past, as it is sent.
pub(crate) struct PastPart {
    pub(crate) kind: HistorySyncType,
    /// Its place among the parts of its kind, from 1.
    pub(crate) order: u32,
    /// How much of the whole has been sent with it, in percent.
    pub(crate) progress: u32,
    pub(crate) conversations: Vec<wa::Conversation>,
}

impl Past {
    /// The messages of which parts of a kind consist, in each chat, from the newest.
    ///
    /// As phones do, the newer half is sent first (RECENT), then what is older (FULL).
    fn halves(&self) -> [(HistorySyncType, std::ops::Range<u32>); 2] {
        let half = self.messages_per_chat.div_ceil(2);
        [
            (HistorySyncType::RECENT, 0..half),
            (HistorySyncType::FULL, half..self.messages_per_chat),
        ]
    }

    /// How many messages there are.
    pub fn messages(&self) -> u64 {
        u64::from(self.chats) * u64::from(self.messages_per_chat)
    }

    /// Whether such a past can be sent.
    pub(crate) fn validate(&self) -> Result<(), PhoneError> {
        let mut faults = Vec::new();
        if self.chats == 0 {
            faults.push(FieldError::new("chats", "expected at least 1"));
        }
        if self.messages_per_chat == 0 {
            faults.push(FieldError::new("messagesPerChat", "expected at least 1"));
        }
        if self.messages() > MAX_MESSAGES {
            let message = format!("more than {MAX_MESSAGES} messages altogether");
            faults.push(FieldError::new("messagesPerChat", message));
        }
        if !(1..=MAX_PER_PART).contains(&self.messages_per_part) {
            let message = format!("expected 1 to {MAX_PER_PART}");
            faults.push(FieldError::new("messagesPerPart", message));
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(PhoneError::Invalid(faults))
        }
    }

    /// The parts in which it is sent, each made when it is asked for.
    pub(crate) fn parts(self) -> impl Iterator<Item = PastPart> {
        let per_part = u64::from(self.messages_per_part.max(1));
        let counts = self.halves().map(|(_, messages)| {
            let per_chat = u64::from(messages.end - messages.start);
            (u64::from(self.chats) * per_chat).div_ceil(per_part)
        });
        let total = counts.iter().sum::<u64>().max(1);
        let halves = self.halves().into_iter().zip(counts);
        let mut sent = 0;
        halves.flat_map(move |((kind, messages), count)| {
            let before = sent;
            sent += count;
            (0..count).map(move |index| PastPart {
                kind,
                order: u32::try_from(index + 1).unwrap_or(u32::MAX),
                progress: u32::try_from((before + index + 1) * 100 / total).unwrap_or(100),
                conversations: self.conversations(&messages, index * per_part, per_part),
            })
        })
    }

    /// The chats of one part: `limit` messages from the `first` on, counted through the chats.
    fn conversations(
        &self,
        messages: &std::ops::Range<u32>,
        first: u64,
        limit: u64,
    ) -> Vec<wa::Conversation> {
        let per_chat = u64::from(messages.end - messages.start).max(1);
        let last = (first + limit).min(u64::from(self.chats) * per_chat);
        let mut conversations: Vec<wa::Conversation> = Vec::new();
        let mut chat_before = None;
        for number in first..last {
            let chat = number / per_chat;
            let message = u64::from(messages.start) + number % per_chat;
            if chat_before.replace(chat) != Some(chat) {
                conversations.push(self.conversation(chat));
            }
            if let Some(conversation) = conversations.last_mut() {
                let entry = self.message(&conversation.id, chat, message);
                conversation.messages.push(entry);
            }
        }
        conversations
    }

    fn conversation(&self, chat: u64) -> wa::Conversation {
        let person = FIRST_NUMBER + (self.seed % 1_000) * 10_000_000 + chat;
        wa::Conversation {
            id: Jid::pn(person.to_string()).to_string(),
            conversation_timestamp: Some(self.until_s),
            last_msg_timestamp: Some(self.until_s),
            unread_count: Some(0),
            ..Default::default()
        }
    }

    fn message(&self, chat_jid: &str, chat: u64, message: u64) -> wa::HistorySyncMsg {
        let drawn = mix(self.seed ^ mix(chat ^ mix(message)));
        let words = 3 + drawn % 12;
        let mut text = format!("message {message} of chat {chat}:");
        for place in 0..words {
            text.push_str(" word");
            text.push_str(&(mix(drawn ^ place) % 5_000).to_string());
        }
        let info = wa::WebMessageInfo {
            key: MessageField::some(wa::MessageKey {
                remote_jid: Some(chat_jid.to_owned()),
                from_me: Some(drawn.is_multiple_of(3)),
                // Seed, chat and message, so that no two are the same.
                id: Some(format!(
                    "AC{:06X}{chat:08X}{message:08X}",
                    self.seed & 0xFF_FFFF
                )),
                ..Default::default()
            }),
            message: MessageField::some(wa::Message {
                conversation: Some(text),
                ..Default::default()
            }),
            message_timestamp: Some(self.until_s.saturating_sub(message * STEP_S)),
            ..Default::default()
        };
        wa::HistorySyncMsg {
            message: MessageField::some(info),
            msg_order_id: Some(u64::from(self.messages_per_chat) - message),
        }
    }
}

/// Spreads numbers as if they were drawn (the finalizer of `SplitMix64`).
const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn past(chats: u32, messages_per_chat: u32, messages_per_part: u32) -> Past {
        Past {
            chats,
            messages_per_chat,
            messages_per_part,
            seed: 7,
            until_s: 1_700_000_000,
        }
    }

    fn ids(part: &PastPart) -> Vec<String> {
        let chats = part.conversations.iter();
        chats
            .flat_map(|chat| &chat.messages)
            .filter_map(|entry| entry.message.as_option()?.key.as_option()?.id.clone())
            .collect()
    }

    #[test]
    fn every_message_is_in_one_part_and_no_part_is_too_large() {
        for (chats, per_chat, per_part) in [(3, 5, 4), (1, 1, 10), (40, 25, 7), (2, 7, 1)] {
            let past = past(chats, per_chat, per_part);
            let parts: Vec<PastPart> = past.parts().collect();
            let all: Vec<String> = parts.iter().flat_map(ids).collect();
            let distinct: BTreeSet<&String> = all.iter().collect();
            assert_eq!(all.len() as u64, past.messages());
            assert_eq!(distinct.len(), all.len());
            assert!(parts.iter().all(|part| {
                let count = ids(part).len();
                count > 0 && count <= per_part as usize
            }));
            let progress: Vec<u32> = parts.iter().map(|part| part.progress).collect();
            assert!(progress.is_sorted() && progress.last() == Some(&100));
            assert!(
                progress.iter().rev().skip(1).all(|percent| *percent < 100) || parts.len() > 100
            );
            let again: Vec<String> = past.parts().flat_map(|part| ids(&part)).collect();
            assert_eq!(all, again);
        }
    }

    #[test]
    fn the_newer_half_is_sent_first() {
        let parts: Vec<PastPart> = past(2, 3, 100).parts().collect();
        let kinds: Vec<_> = parts.iter().map(|part| (part.kind, part.order)).collect();
        assert_eq!(
            kinds,
            [(HistorySyncType::RECENT, 1), (HistorySyncType::FULL, 1)]
        );
        assert_eq!((ids(&parts[0]).len(), ids(&parts[1]).len()), (4, 2));
        assert_eq!(parts[1].conversations.len(), 2);
    }

    #[test]
    fn a_past_without_bounds_is_refused() {
        assert!(past(1, 1, 1).validate().is_ok());
        for past in [
            past(0, 1, 1),
            past(1, 0, 1),
            past(1, 1, 0),
            past(1, 1, 10_001),
            past(4_000, 4_000, 1),
        ] {
            assert!(past.validate().is_err());
        }
    }
}
