//! Pins, ends, places and answers of stored messages.

use wagate_model::{
    ChatType, EventAnswer, EventData, EventResponder, LocationData, Message, MessageDetails,
    OrganizationId, SessionId,
};
use wagate_store::testing::{self, TestStore};
use wagate_store::{ChatChange, ChatFacts, Fence, GroupFacts, NewMessage, StoreError};

const CHAT: &str = "7@lid";

struct World {
    store: TestStore,
    organization: OrganizationId,
    session: SessionId,
    fence: Fence,
    chat: i64,
}

macro_rules! change {
    ($world:expr, |$owned:ident| $body:expr) => {{
        let fence = $world.fence.clone();
        $world
            .store
            .write::<_, StoreError, _>($world.organization, move |tx| {
                Box::pin(async move {
                    let mut $owned = tx.owned(&fence).await?;
                    $body
                })
            })
            .await
            .unwrap()
    }};
}

fn facts(jid: &str, kind: ChatType) -> ChatFacts {
    ChatFacts {
        jid: jid.to_owned(),
        alias_jid: None,
        kind,
        name: None,
    }
}

fn message(chat_id: i64, id: &str, kind: &str) -> NewMessage {
    NewMessage {
        kind: kind.to_owned(),
        body: Some("words".to_owned()),
        sender_lid: Some(CHAT.to_owned()),
        timestamp_ms: 10,
        ..testing::text_message(chat_id, id)
    }
}

async fn world(messages: Vec<fn(i64) -> NewMessage>) -> World {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let mut world = World {
        store,
        organization,
        session,
        fence,
        chat: 0,
    };
    world.chat = change!(world, |owned| {
        let chat = owned.upsert_chat(&facts(CHAT, ChatType::Dm), 1).await?;
        for make in &messages {
            owned.insert_message(&make(chat.id), 1).await?;
        }
        Ok(chat.id)
    });
    world
}

impl World {
    async fn shown(&self, id: &str) -> Option<Message> {
        let mut tx = self.store.read().await.unwrap();
        tx.message(self.organization, self.session, Some(self.chat), id)
            .await
            .unwrap()
    }

    async fn purge(&self, before_ms: i64, limit: i64) -> u64 {
        self.store
            .write::<_, StoreError, _>(self.organization, move |tx| {
                Box::pin(async move { tx.admin().purge_expired_messages(before_ms, limit).await })
            })
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn messages_go_when_their_time_is_over_unless_they_are_kept() {
    fn until(chat: i64, id: &str, expires_at_ms: i64) -> NewMessage {
        NewMessage {
            expires_at_ms: Some(expires_at_ms),
            ..message(chat, id, "text")
        }
    }
    let world = world(vec![
        |chat| message(chat, "STAYS", "text"),
        |chat| until(chat, "FIRST", 100),
        |chat| until(chat, "SECOND", 200),
        |chat| until(chat, "KEPT", 100),
        |chat| until(chat, "LATER", 1_000),
    ])
    .await;
    let chat = world.chat;
    assert!(change!(world, |owned| owned
        .keep_message(chat, "KEPT", "", Some(50), 2)
        .await));
    assert_eq!(world.shown("FIRST").await.unwrap().expires_at, Some(100));
    assert_eq!(world.purge(99, 10).await, 0);
    // In steps, the longest overdue first.
    assert_eq!(world.purge(500, 1).await, 1);
    assert!(world.shown("FIRST").await.is_none() && world.shown("SECOND").await.is_some());
    assert_eq!(world.purge(500, 10).await, 1);
    assert_eq!(world.purge(500, 10).await, 0);
    for id in ["STAYS", "KEPT", "LATER"] {
        assert!(world.shown(id).await.is_some(), "{id}");
    }
    assert!(change!(world, |owned| owned
        .keep_message(chat, "KEPT", "", None, 3)
        .await));
    assert_eq!(world.purge(500, 10).await, 1);
    assert!(world.shown("KEPT").await.is_none());
}

#[tokio::test]
async fn pins_and_places_are_shown_with_the_message() {
    let world = world(vec![|chat| message(chat, "M", "location"), |chat| {
        message(chat, "P", "pin")
    }])
    .await;
    let chat = world.chat;
    assert!(!change!(world, |owned| owned
        .pin_message(chat, "NONE", "", Some(9), 2)
        .await));
    assert!(change!(world, |owned| owned
        .pin_message(chat, "M", "", Some(9), 2)
        .await));
    assert_eq!(world.shown("M").await.unwrap().pinned_until, Some(9));
    assert!(change!(world, |owned| owned
        .pin_message(chat, "M", "", None, 2)
        .await));
    assert_eq!(world.shown("M").await.unwrap().pinned_until, None);
    for latitude in [1.5, 2.5] {
        let place = LocationData {
            latitude,
            ..LocationData::default()
        };
        let wanted = Some(place.clone());
        let noted = change!(world, |owned| owned
            .move_location(chat, "M", "", &place, 2)
            .await);
        assert!(noted);
        let shown = world.shown("M").await.unwrap().location;
        assert!(shown == wanted);
    }
    let mut tx = world.store.read().await.unwrap();
    let listed = tx
        .messages(world.organization, world.session, chat, None, 10)
        .await
        .unwrap();
    assert_eq!(listed.len(), 1, "a pin is no message of the chat");
}

#[tokio::test]
async fn the_last_answer_of_everybody_is_kept_with_the_event() {
    let world = world(vec![
        |chat| NewMessage {
            details: Some(MessageDetails {
                event: Some(EventData {
                    name: "Regatta".to_owned(),
                    ..EventData::default()
                }),
                ..MessageDetails::default()
            }),
            ..message(chat, "E", "event")
        },
        |chat| message(chat, "T", "text"),
    ])
    .await;
    let chat = world.chat;
    let answer = |jid: &str, response: EventAnswer, answered_at: i64| EventResponder {
        answered_at,
        extra_guests: 1,
        jid: jid.to_owned(),
        name: None,
        response,
    };
    for (jid, response, at) in [
        ("1@lid", EventAnswer::Going, 5),
        ("2@lid", EventAnswer::Maybe, 6),
        ("1@lid", EventAnswer::NotGoing, 7),
        // It came late: the person has changed their mind since.
        ("1@lid", EventAnswer::Maybe, 6),
    ] {
        let answer = answer(jid, response, at);
        change!(world, |owned| owned
            .note_event_answer(chat, "E", "", &answer)
            .await);
    }
    let other = answer("1@lid", EventAnswer::Going, 9);
    assert!(!change!(world, |owned| owned
        .note_event_answer(chat, "T", "", &other)
        .await));
    let shown = world.shown("E").await.unwrap();
    assert_eq!(shown.event.unwrap().name, "Regatta");
    let answers: Vec<_> = shown
        .event_responses
        .unwrap()
        .into_iter()
        .map(|answer| (answer.jid, answer.response))
        .collect();
    let expected = [
        ("2@lid".to_owned(), EventAnswer::Maybe),
        ("1@lid".to_owned(), EventAnswer::NotGoing),
    ];
    assert_eq!(answers, expected);
    let called_off = EventData {
        name: "Regatta".to_owned(),
        canceled: true,
        ..EventData::default()
    };
    assert!(change!(world, |owned| owned
        .change_event(chat, "E", "", &called_off, 3)
        .await));
    let shown = world.shown("E").await.unwrap();
    assert!(shown.edited && shown.event.unwrap().canceled);
}

#[tokio::test]
async fn timers_are_those_of_the_chat_or_of_the_group() {
    let world = world(Vec::new()).await;
    let (organization, session, chat) = (world.organization, world.session, world.chat);
    let set = change!(world, |owned| {
        owned.learn_timer(chat, 60).await?;
        // What is known is not learned from messages.
        owned.learn_timer(chat, 70).await?;
        Ok(owned
            .upsert_chat(&facts(CHAT, ChatType::Dm), 1)
            .await?
            .disappearing_seconds)
    });
    assert_eq!(set, Some(60));
    let off = ChatChange {
        disappearing_seconds: Some(0),
        ..ChatChange::default()
    };
    let set = change!(world, |owned| {
        owned
            .update_chat(organization, session, chat, &off, 2)
            .await?;
        owned.learn_timer(chat, 70).await?;
        Ok(owned
            .upsert_chat(&facts(CHAT, ChatType::Dm), 1)
            .await?
            .disappearing_seconds)
    });
    assert_eq!(set, None);
    let mut tx = world.store.read().await.unwrap();
    let shown = tx.chat(organization, session, CHAT).await.unwrap().unwrap();
    assert_eq!(shown.disappearing_seconds, Some(0));
    drop(tx);

    let timers = change!(world, |owned| {
        let group = GroupFacts {
            jid: "1-2@g.us".to_owned(),
            disappearing_seconds: Some(90),
            ..GroupFacts::default()
        };
        owned.upsert_group(&group, 1).await?;
        let mut timers = Vec::new();
        // A chat that is made just now, and one that is there.
        for _ in 0..2 {
            let chat = owned
                .upsert_chat(&facts("1-2@g.us", ChatType::Group), 1)
                .await?;
            timers.push(chat.disappearing_seconds);
        }
        Ok(timers)
    });
    assert_eq!(timers, [Some(90), Some(90)]);
}

#[tokio::test]
async fn a_chat_that_the_account_begins_has_its_timer() {
    let world = world(vec![|chat| message(chat, "M", "text")]).await;
    let begun = |jid: &'static str| {
        let fence = world.fence.clone();
        let organization = world.organization;
        let writing = world
            .store
            .write::<_, StoreError, _>(organization, move |tx| {
                Box::pin(async move {
                    let mut owned = tx.owned(&fence).await?;
                    let kind = if jid.ends_with("@g.us") {
                        ChatType::Group
                    } else {
                        ChatType::Dm
                    };
                    let mut chat = owned.upsert_chat(&facts(jid, kind), 1).await?;
                    owned.begin_timer(&mut chat).await?;
                    let again = owned.upsert_chat(&facts(jid, kind), 1).await?;
                    assert_eq!(again.disappearing_seconds, chat.disappearing_seconds);
                    Ok(chat.disappearing_seconds)
                })
            });
        async move { writing.await.unwrap() }
    };
    assert_eq!(begun("8@lid").await, None);
    for (seconds, jid, timer) in [
        (0, "9@lid", None),
        (60, "10@lid", Some(60)),
        (90, "11@lid", Some(90)),
        // It has one, which stays.
        (120, "10@lid", Some(60)),
    ] {
        change!(world, |owned| owned.set_default_timer(seconds, 2).await);
        assert_eq!(begun(jid).await, timer, "{jid}");
    }
    assert_eq!(begun(CHAT).await, None, "it was begun without");
    assert_eq!(begun("1-3@g.us").await, None);
    // Another account has another timer.
    change!(world, |owned| owned.set_account(None, 3).await);
    assert_eq!(begun("12@lid").await, None);
}

#[tokio::test]
async fn the_messages_of_one_id_are_told_apart_by_their_senders() {
    fn of(chat: i64, sender: &str, is_from_me: bool) -> NewMessage {
        NewMessage {
            sender_key: sender.to_owned(),
            sender_lid: Some(sender.to_owned()),
            sender_jid: Some(sender.replace("@lid", "@s.whatsapp.net")),
            is_from_me,
            ..message(chat, "SAME", "text")
        }
    }
    let world = world(vec![
        |chat| of(chat, "1@lid", false),
        |chat| of(chat, "2@lid", false),
        |chat| of(chat, "3@lid", true),
    ])
    .await;
    let chat = world.chat;
    for (senders, expected) in [
        (&[][..], &["3@lid", "1@lid", "2@lid"][..]),
        (&["2@lid"], &["2@lid"]),
        (&["2@s.whatsapp.net", "4@lid"], &["2@lid"]),
        (&["4@lid"], &[]),
    ] {
        let senders: Vec<_> = senders.iter().map(|it| (*it).to_owned()).collect();
        let found = change!(world, |owned| {
            let found = owned.stored_messages(chat, "SAME", &senders).await?;
            Ok(found
                .into_iter()
                .map(|stored| stored.sender_key)
                .collect::<Vec<_>>())
        });
        assert_eq!(found, expected);
    }
    let mut tx = world.store.read().await.unwrap();
    for (addresses, expected) in [
        (["2@lid", "2@s.whatsapp.net"], Some("2@lid")),
        (["3@s.whatsapp.net", "3@s.whatsapp.net"], Some("3@lid")),
        (["4@lid", "4@lid"], None),
    ] {
        let (organization, session) = (world.organization, world.session);
        let shown = tx.message_by(organization, session, (chat, "SAME"), addresses);
        let sender = shown.await.unwrap().and_then(|shown| shown.sender_lid);
        assert_eq!(sender.as_deref(), expected);
    }
}
