//! History in bounded pages.

use std::cell::RefCell;

use proptest::prelude::*;
use whatsapp_rust::types::events::LazyHistorySync;
use whatsapp_rust::waproto;
use whatsapp_rust::waproto::buffa::MessageField;
use whatsapp_rust::waproto::whatsapp as wa;

use super::super::fuzzing::{self, stored_zlib};
use super::super::history::unpack_into;
use super::show::{GROUP, LID, PHONE, own};
use crate::HistoryChunk;

fn stored(id: usize, from_me: bool) -> wa::HistorySyncMsg {
    wa::HistorySyncMsg {
        message: MessageField::some(wa::WebMessageInfo {
            key: MessageField::some(wa::MessageKey {
                id: Some(format!("M{id}")),
                from_me: Some(from_me),
                ..Default::default()
            }),
            message: MessageField::some(wa::Message {
                conversation: Some(format!("text {id}")),
                ..Default::default()
            }),
            message_timestamp: Some(1_700_000_000),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn chat(id: &str, messages: usize) -> wa::Conversation {
    wa::Conversation {
        id: id.into(),
        messages: (0..messages).map(|id| stored(id, id % 2 == 0)).collect(),
        unread_count: Some(2),
        ..Default::default()
    }
}

fn pages(history: &wa::HistorySync) -> Vec<HistoryChunk> {
    let raw = waproto::codec::history_sync_to_vec(history);
    let compressed = stored_zlib(&raw);
    let lazy = LazyHistorySync::new(compressed.into(), raw.len(), 0, None, Some(40));
    let pages = RefCell::new(Vec::new());
    unpack_into(&lazy, &own(), &|page| {
        pages.borrow_mut().push(page);
        true
    });
    pages.into_inner()
}

#[test]
fn a_long_chat_comes_in_pieces_and_nothing_is_lost() {
    let history = wa::HistorySync {
        conversations: vec![chat(PHONE, 450), chat(GROUP, 3), chat("nonsense", 5)],
        pushnames: vec![wa::Pushname {
            id: Some(PHONE.into()),
            pushname: Some("Ada".into()),
        }],
        phone_number_to_lid_mappings: vec![wa::PhoneNumberToLIDMapping {
            pn_jid: Some(PHONE.into()),
            lid_jid: Some(LID.into()),
        }],
        ..Default::default()
    };
    let pages = pages(&history);
    let counted = |page: &HistoryChunk| page.chats.iter().map(|chat| chat.messages.len()).sum();
    let sizes: Vec<usize> = pages.iter().map(counted).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 453);
    assert!(sizes.iter().all(|size| *size <= 200), "{sizes:?}");
    let indexes: Vec<u32> = pages.iter().map(|page| page.index).collect();
    assert_eq!(indexes, (0..).take(pages.len()).collect::<Vec<_>>());
    assert!(pages.iter().all(|page| page.is_beginning));
    let first = &pages[0].chats[0];
    assert_eq!((first.chat.as_str(), first.unread_count), (PHONE, Some(2)));
    assert_eq!(pages[1].chats[0].unread_count, None);
    let message = &first.messages[1];
    assert_eq!(message.sender_jid.as_ref().unwrap().as_str(), PHONE);
    assert!(first.messages[0].from_me && !message.from_me);
    let last = pages.last().unwrap();
    assert!(last.is_last && pages.iter().filter(|page| page.is_last).count() == 1);
    assert_eq!((last.push_names.len(), last.aliases.len()), (1, 1));
    assert_eq!(last.progress, Some(40));
}

#[test]
fn a_reader_that_is_gone_stops_the_unpacking() {
    let history = wa::HistorySync {
        conversations: (0..200).map(|_| chat(PHONE, 10)).collect(),
        ..Default::default()
    };
    let raw = waproto::codec::history_sync_to_vec(&history);
    let lazy = LazyHistorySync::new(stored_zlib(&raw).into(), raw.len(), 0, None, None);
    let given = RefCell::new(0);
    unpack_into(&lazy, &own(), &|_| {
        *given.borrow_mut() += 1;
        false
    });
    assert_eq!(*given.borrow(), 1);
}

#[test]
fn broken_history_ends_with_a_last_page() {
    let lazy = LazyHistorySync::new(vec![1, 2, 3].into(), 3, 0, None, None);
    let last = RefCell::new(0);
    unpack_into(&lazy, &own(), &|page| {
        *last.borrow_mut() += usize::from(page.is_last);
        true
    });
    assert_eq!(*last.borrow(), 1);
}

proptest! {
    #[test]
    fn any_history_comes_in_bounded_pages(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        chats in prop::collection::vec(("\\PC{0,12}|[0-9]{5,15}@(lid|g\\.us)", 0_usize..500), 0..4),
        people in 0_usize..2_500,
    ) {
        fuzzing::history(&bytes);
        let history = wa::HistorySync {
            conversations: chats.iter().map(|(id, messages)| chat(id, *messages)).collect(),
            pushnames: (0..people)
                .map(|number| wa::Pushname {
                    id: Some(format!("1555{number:07}@s.whatsapp.net")),
                    pushname: Some("Ada".into()),
                })
                .collect(),
            ..Default::default()
        };
        fuzzing::history(&waproto::codec::history_sync_to_vec(&history));
    }
}
