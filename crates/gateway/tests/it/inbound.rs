//! What comes in.

use std::collections::BTreeSet;

use wagate_model::{EventKind, SessionStatus};
use wagate_simulator::faults::{FaultKind, FaultSpec};
use wagate_simulator::phone::MessageStatus;

use crate::world::{WAIT, World, owns};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_stored_told_once_and_marked_read() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let (alice, bob) = (world.phone("Alice").await, world.phone("Bob").await);
    let session = world.paired("gw-1", &alice).await;

    let sent = bob.send_text(alice.number(), "hello").await.unwrap();
    let event = world
        .event(session, EventKind::Message, |event| {
            event["waMessageId"] == *sent.id
        })
        .await;
    assert_eq!(
        (&event["body"], &event["type"]),
        (&"hello".into(), &"text".into())
    );
    assert_eq!(event["fromMe"], false);
    assert_eq!(event["pushName"], "Bob");
    assert_eq!(event["senderJid"], bob.jid().to_string());
    assert!(event["media"].is_null());

    let mut tx = world.store.read().await.unwrap();
    let chat = event["chatJid"].as_str().unwrap();
    let chat = tx
        .chat(world.organization, session, chat)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(chat.unread_count, 1);
    assert_eq!(chat.name.as_deref(), Some("Bob"));
    let message = tx
        .message(world.organization, session, Some(chat.id), &sent.id)
        .await
        .unwrap();
    assert_eq!(message.unwrap().body.as_deref(), Some("hello"));
    drop(tx);
    // Read automatically, as the session's settings say.
    assert!(
        bob.wait_for_status(&sent.id, MessageStatus::Read, WAIT)
            .await
    );

    let reaction = bob.react(&sent.id, "👍").await.unwrap();
    let event = world
        .event(session, EventKind::MessageReaction, |e| {
            e["waMessageId"] == *reaction.id
        })
        .await;
    assert_eq!(
        (&event["targetId"], &event["reaction"]),
        (&sent.id.clone().into(), &"👍".into())
    );
    bob.edit(&sent.id, "hello again").await.unwrap();
    let event = world
        .event(session, EventKind::MessageEdited, |_| true)
        .await;
    assert_eq!(
        (&event["targetId"], &event["body"]),
        (&sent.id.clone().into(), &"hello again".into())
    );
    bob.revoke(&sent.id).await.unwrap();
    let event = world
        .event(session, EventKind::MessageRevoked, |_| true)
        .await;
    assert_eq!(
        (&event["targetId"], &event["type"]),
        (&sent.id.clone().into(), &"revoke".into())
    );
    let mut tx = world.store.read().await.unwrap();
    let message = tx
        .message(world.organization, session, Some(chat.id), &sent.id)
        .await
        .unwrap();
    let message = message.unwrap();
    assert!(message.edited && message.deleted && message.body.is_none());
    drop(tx);

    alice
        .send_text(bob.number(), "from the phone")
        .await
        .unwrap();
    let event = world
        .event(session, EventKind::MessageFromMe, |_| true)
        .await;
    assert_eq!(
        (&event["fromMe"], &event["body"]),
        (&true.into(), &"from the phone".into())
    );
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_nothing_told_twice_through_crashes_and_faults() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let (alice, bob) = (world.phone("Alice").await, world.phone("Bob").await);
    let session = world.paired("gw-1", &alice).await;
    let mut sent = BTreeSet::new();
    for number in 0..10 {
        sent.insert(
            bob.send_text(alice.number(), &format!("a{number}"))
                .await
                .unwrap()
                .id,
        );
    }
    // As kill -9: no farewell, no lease given back.
    drop(gateway);
    for number in 0..10 {
        sent.insert(
            bob.send_text(alice.number(), &format!("b{number}"))
                .await
                .unwrap()
                .id,
        );
    }
    let duplicates = FaultSpec {
        target: Some(alice.number().to_owned()),
        tag: Some("message".to_owned()),
        ..FaultSpec::new(FaultKind::Duplicate)
    };
    world.simulator.server().inject(duplicates).unwrap();
    let gateway = world.gateway("gw-1").await;
    for number in 0..10 {
        sent.insert(
            bob.send_text(alice.number(), &format!("c{number}"))
                .await
                .unwrap()
                .id,
        );
        if number == 5 {
            let close = FaultSpec {
                target: Some(alice.number().to_owned()),
                count: Some(1),
                ..FaultSpec::new(FaultKind::CloseSocket)
            };
            world.simulator.server().inject(close).unwrap();
        }
    }
    let told = world
        .until("all messages", || async {
            let events = world.events(session, EventKind::Message).await;
            (events.len() >= sent.len()).then_some(events)
        })
        .await;
    world.status(session, SessionStatus::Working).await;
    let ids: Vec<String> = told
        .iter()
        .map(|event| event["waMessageId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), sent.len(), "none twice");
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), sent);
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_wait_while_the_database_is_away() {
    let world = World::new().await;
    // PostgreSQL has no lock that holds up every writer.
    if world.store.database() != wagate_store::DatabaseKind::Sqlite {
        return;
    }
    let gateway = world.gateway("gw-1").await;
    let (alice, bob) = (world.phone("Alice").await, world.phone("Bob").await);
    let session = world.paired("gw-1", &alice).await;
    // Somebody holds the database's only write lock for longer than the leases last.
    let other = world.store.second().await.unwrap();
    let (locked, is_locked) = tokio::sync::oneshot::channel();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let organization = world.organization;
    let blocking = tokio::spawn(async move {
        let blocked = other.write(organization, move |_tx| {
            Box::pin(async move {
                let _ = locked.send(());
                let _ = released.await;
                Err::<(), _>(wagate_store::StoreError::Closed)
            })
        });
        blocked.await
    });
    is_locked.await.unwrap();
    let sent = bob.send_text(alice.number(), "while away").await.unwrap();
    owns(&gateway, 0).await;
    release.send(()).unwrap();
    assert!(blocking.await.unwrap().is_err());
    world
        .event(session, EventKind::Message, |event| {
            event["waMessageId"] == *sent.id
        })
        .await;
    world.status(session, SessionStatus::Working).await;
    let told = world.events(session, EventKind::Message).await;
    assert_eq!(told.len(), 1);
    gateway.drain().await;
}
