//! What goes out.

use futures::future::join_all;
use wagate_cluster::{CommandReply, Refusal, SendCommand, SessionAction};
use wagate_model::{
    EventKind, Jid, MessageStatus, SendMode, SendTask, SessionStatus, TargetMessage, UpdateSession,
};
use wagate_simulator::faults::{FaultKind, FaultSpec};
use wagate_simulator::phone::Phone;

use crate::world::{WAIT, World, answer_to, key, text_to};

const HOUR_MS: i64 = 3_600_000;

fn send(command: SendCommand) -> SessionAction {
    SessionAction::Send(Box::new(command))
}

/// The messages that a phone got with this text, further arrivals of each included.
fn arrivals(phone: &Phone, text: &str) -> (usize, u32) {
    let all = phone
        .messages(&wagate_simulator::phone::MessageQuery::default())
        .unwrap();
    let found: Vec<_> = all
        .into_iter()
        .filter(|message| message.body == text)
        .collect();
    (
        found.len(),
        found.iter().map(|message| message.duplicates).sum(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_sent_delivered_and_read() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let (alice, bob) = (world.phone("Alice").await, world.phone("Bob").await);
    let session = world.paired("gw-1", &alice).await;

    let result = world.send("gw-1", session, &bob, "hello").await;
    assert_eq!((result.mode, result.replayed), (SendMode::Sync, None));
    assert!(result.status.is_some_and(|status| status.ack_level() >= 1));
    let id = result.wa_message_id.unwrap();
    let got = bob
        .wait_for_message(WAIT, |message| message.id == id)
        .await
        .unwrap();
    assert_eq!((got.body.as_str(), got.from_me), ("hello", false));
    bob.read(&id).await.unwrap();
    let read = world
        .event(session, EventKind::MessageStatus, |e| e["status"] == "read")
        .await;
    assert_eq!(read["messageIds"], serde_json::json!([id]));
    let mine = world.events(session, EventKind::MessageFromMe).await;
    assert_eq!(mine.len(), 1);
    assert_eq!(
        (&mine[0]["waMessageId"], &mine[0]["body"]),
        (&id.clone().into(), &"hello".into())
    );
    let mut tx = world.store.read().await.unwrap();
    let message = tx
        .message(world.organization, session, None, &id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(message.status, Some(MessageStatus::Read));
    drop(tx);

    // An answer to it, and one to nothing.
    let reply = answer_to(&bob, "and more", Some(&id));
    assert!(world.ask("gw-1", session, send(reply)).await.is_ok());
    let got = bob
        .wait_for_message(WAIT, |message| message.body == "and more")
        .await
        .unwrap();
    assert_eq!(got.quoted_id, Some(id));
    let reply = answer_to(&bob, "lost", Some("NOSUCHID"));
    let refusal = world.ask("gw-1", session, send(reply)).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Invalid { field, .. } if field == "replyTo"));
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_callers_with_one_key_send_one_message() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let (alice, bob) = (world.phone("Alice").await, world.phone("Bob").await);
    let session = world.paired("gw-1", &alice).await;
    let command = SendCommand {
        idempotency: Some(key("k1", 1)),
        ..text_to(&bob, "once")
    };
    let replies =
        join_all((0..10).map(|_| world.ask("gw-1", session, send(command.clone())))).await;
    let results: Vec<_> = replies
        .into_iter()
        .map(|reply| match reply {
            Ok(CommandReply::Send(result)) => result,
            other => panic!("{other:?}"),
        })
        .collect();
    let ids: std::collections::BTreeSet<_> = results
        .iter()
        .map(|result| result.wa_message_id.clone())
        .collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(
        results
            .iter()
            .filter(|result| result.replayed == Some(true))
            .count(),
        9
    );
    bob.wait_for_message(WAIT, |message| message.body == "once")
        .await
        .unwrap();
    assert_eq!(arrivals(&bob, "once"), (1, 0));

    let other = SendCommand {
        idempotency: Some(key("k1", 2)),
        ..text_to(&bob, "other")
    };
    let refusal = world.ask("gw-1", session, send(other)).await.unwrap_err();
    assert_eq!(refusal, Refusal::KeyReused);
    // The first result is there for a session that does not run, too.
    assert!(
        world
            .ask("gw-1", session, SessionAction::Stop)
            .await
            .is_ok()
    );
    let Ok(CommandReply::Send(again)) = world.ask("gw-1", session, send(command)).await else {
        panic!("the first result is gone");
    };
    assert_eq!(again.replayed, Some(true));
    let refusal = world
        .ask("gw-1", session, send(text_to(&bob, "no")))
        .await
        .unwrap_err();
    assert_eq!(
        refusal,
        Refusal::NotConnected {
            status: SessionStatus::Stopped,
            reason: None,
            detail: None,
        }
    );
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sending_limit_refuses_callers_and_holds_the_queue() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let (alice, bob) = (world.phone("Alice").await, world.phone("Bob").await);
    let session = world.paired("gw-1", &alice).await;
    limit(&world, session, 2).await;
    for text in ["one", "two"] {
        world.send("gw-1", session, &bob, text).await;
    }
    let refusal = world
        .ask("gw-1", session, send(text_to(&bob, "three")))
        .await
        .unwrap_err();
    assert!(matches!(
        refusal,
        Refusal::RateLimited {
            retry_after_seconds: 1..=60
        }
    ));
    let queued = SendCommand {
        mode: SendMode::Async,
        ..text_to(&bob, "queued")
    };
    let Ok(CommandReply::Send(result)) = world.ask("gw-1", session, send(queued)).await else {
        panic!("it is not queued");
    };
    assert_eq!(
        (result.mode, result.status),
        (SendMode::Async, Some(MessageStatus::Pending))
    );
    let outbox_id = result.outbox_id.unwrap();
    world
        .until("the wait", || async {
            let mut tx = world.store.read().await.unwrap();
            let entry = tx
                .outbox(world.organization, outbox_id)
                .await
                .unwrap()
                .unwrap();
            (entry.next_attempt_at_ms > entry.created_at_ms).then_some(())
        })
        .await;
    assert_eq!(arrivals(&bob, "queued").0, 0);
    limit(&world, session, 3).await;
    bob.wait_for_message(WAIT, |message| message.body == "queued")
        .await
        .unwrap();
    assert_eq!(
        arrivals(&bob, "three").0,
        0,
        "what was refused is never sent"
    );
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_limits_hold_does_not_grow_old() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let (alice, bob) = (world.phone("Alice").await, world.phone("Bob").await);
    let session = world.paired("gw-1", &alice).await;
    limit(&world, session, 1).await;
    world.send("gw-1", session, &bob, "first").await;
    let queue = async |text: &str| {
        let queued = SendCommand {
            mode: SendMode::Async,
            ..text_to(&bob, text)
        };
        let Ok(CommandReply::Send(result)) = world.ask("gw-1", session, send(queued)).await else {
            panic!("it is not queued");
        };
        result.outbox_id.unwrap()
    };
    let held = queue("held").await;
    world
        .until("the wait", || async {
            let mut tx = world.store.read().await.unwrap();
            let entry = tx.outbox(world.organization, held).await.unwrap().unwrap();
            (entry.next_attempt_at_ms > entry.created_at_ms).then_some(())
        })
        .await;
    world.store.clock.advance_ms(30 * HOUR_MS);
    limit(&world, session, 2).await;
    bob.wait_for_message(WAIT, |message| message.body == "held")
        .await
        .unwrap();

    // What waited so long for a connection is of no use any more.
    world.store.clock.advance_ms(HOUR_MS);
    limit(&world, session, 1).await;
    world.send("gw-1", session, &bob, "second").await;
    queue("left behind").await;
    gateway.drain().await;
    world.store.clock.advance_ms(30 * HOUR_MS);
    let gateway = world.gateway("gw-1").await;
    let failed = world
        .event(session, EventKind::MessageStatus, |event| {
            event["status"] == "failed"
        })
        .await;
    assert_eq!(failed["error"], "expired");
    assert_eq!(arrivals(&bob, "left behind").0, 0);
    gateway.drain().await;
}

async fn limit(world: &World, session: wagate_model::SessionId, per_minute: i64) {
    let change = UpdateSession {
        rate_per_min: Some(per_minute),
        ..UpdateSession::default()
    };
    let organization = world.organization;
    world
        .store
        .write(organization, move |tx| {
            Box::pin(async move { tx.update_session(organization, session, &change, 1).await })
        })
        .await
        .unwrap();
    assert!(
        world
            .ask("gw-1", session, SessionAction::ApplySettings)
            .await
            .is_ok()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_a_crash_left_unconfirmed_is_finished_under_its_id() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let (alice, bob) = (world.phone("Alice").await, world.phone("Bob").await);
    let session = world.paired("gw-1", &alice).await;
    // WhatsApp takes the message, and its acknowledgement gets lost.
    let lost_ack = FaultSpec {
        target: Some(alice.number().to_owned()),
        tag: Some("ack".to_owned()),
        ..FaultSpec::new(FaultKind::Drop)
    };
    world.simulator.server().inject(lost_ack).unwrap();
    let command = SendCommand {
        mode: SendMode::Async,
        ..text_to(&bob, "survives")
    };
    let Ok(CommandReply::Send(result)) = world.ask("gw-1", session, send(command)).await else {
        panic!("it is not queued");
    };
    let first = bob
        .wait_for_message(WAIT, |message| message.body == "survives")
        .await
        .unwrap();
    drop(gateway);
    world.simulator.server().faults().clear();

    let gateway = world.gateway("gw-2").await;
    let outbox_id = result.outbox_id.unwrap();
    let entry = world
        .until("the outcome", || async {
            let mut tx = world.store.read().await.unwrap();
            let entry = tx
                .outbox(world.organization, outbox_id)
                .await
                .unwrap()
                .unwrap();
            entry.finished_at_ms.is_some().then_some(entry)
        })
        .await;
    assert_eq!(entry.wa_message_id, first.id);
    assert_eq!(entry.state, wagate_store::OutboxState::Sent);
    assert_eq!(
        arrivals(&bob, "survives").0,
        1,
        "the recipient sees one message"
    );
    assert_eq!(
        world.events(session, EventKind::MessageFromMe).await.len(),
        1
    );
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_message_fails_and_says_why() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let (alice, bob) = (world.phone("Alice").await, world.phone("Bob").await);
    let session = world.paired("gw-1", &alice).await;
    let nack = FaultSpec {
        target: Some(alice.number().to_owned()),
        code: Some(463),
        ..FaultSpec::new(FaultKind::Nack)
    };
    world.simulator.server().inject(nack).unwrap();
    let command = SendCommand {
        idempotency: Some(key("k", 1)),
        ..text_to(&bob, "refused")
    };
    for _ in 0..2 {
        let refusal = world
            .ask("gw-1", session, send(command.clone()))
            .await
            .unwrap_err();
        assert!(
            matches!(
                refusal,
                Refusal::Rejected {
                    code: Some(463),
                    ..
                }
            ),
            "{refusal:?}"
        );
    }
    let events = world.events(session, EventKind::MessageStatus).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["status"], "failed");
    assert_eq!(events[0]["error"], "reachout_restricted");
    gateway.drain().await;
}

/// An edit of a text that is waiting, or was given up.
fn edit_of(to: &Phone, id: &str, text: &str) -> SendCommand {
    let chat = Jid::parse_lenient(to.number()).unwrap();
    SendCommand {
        task: SendTask::Edit {
            target: TargetMessage {
                chat,
                id: id.to_owned(),
                sender: None,
            },
            text: text.to_owned(),
        },
        mode: SendMode::Async,
        ..text_to(to, "")
    }
}

/// Queues something, and gives its outbox entry.
async fn queue(
    world: &World,
    session: wagate_model::SessionId,
    command: SendCommand,
) -> wagate_store::OutboxRecord {
    let Ok(CommandReply::Send(result)) = world.ask("gw-1", session, send(command)).await else {
        panic!("it is not queued");
    };
    let mut tx = world.store.read().await.unwrap();
    let entry = tx.outbox(world.organization, result.outbox_id.unwrap());
    entry.await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_waits_for_its_message_and_fails_with_it() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let (alice, bob) = (world.phone("Alice").await, world.phone("Bob").await);
    let session = world.paired("gw-1", &alice).await;
    for is_refused in [false, true] {
        // The limit holds the message back, and no edits.
        limit(&world, session, 1).await;
        if !is_refused {
            world.send("gw-1", session, &bob, "first").await;
        }
        let (before, after) = if is_refused {
            ("lost", "found")
        } else {
            ("teh", "the")
        };
        let waiting = SendCommand {
            mode: SendMode::Async,
            ..text_to(&bob, before)
        };
        let original = queue(&world, session, waiting).await;
        let edit = edit_of(&bob, &original.wa_message_id, after);
        let edit = queue(&world, session, edit).await;
        if is_refused {
            let nack = FaultSpec {
                target: Some(alice.number().to_owned()),
                code: Some(403),
                count: Some(1),
                ..FaultSpec::new(FaultKind::Nack)
            };
            world.simulator.server().inject(nack).unwrap();
        }
        limit(&world, session, 0).await;
        let ended = world
            .until("the edit's end", || async {
                let mut tx = world.store.read().await.unwrap();
                let entry = tx.outbox(world.organization, edit.id).await;
                entry
                    .unwrap()
                    .filter(|entry| entry.finished_at_ms.is_some())
            })
            .await;
        let told = world
            .event(session, EventKind::MessageStatus, |e| {
                e["messageIds"][0] == edit.wa_message_id.as_str()
            })
            .await;
        if is_refused {
            assert_eq!(ended.state, wagate_store::OutboxState::Failed);
            assert_eq!(
                (&told["status"], &told["error"]),
                (&"failed".into(), &"message_not_sent".into())
            );
            assert_eq!(arrivals(&bob, "found").0, 0);
            // It is known by now: nothing is accepted any more.
            let refusal = world
                .ask(
                    "gw-1",
                    session,
                    send(edit_of(&bob, &original.wa_message_id, "late")),
                )
                .await;
            assert_eq!(refusal.unwrap_err(), Refusal::NotSent);
        } else {
            assert_eq!(ended.state, wagate_store::OutboxState::Sent);
            let got = bob
                .wait_for_message(WAIT, |message| message.body == "the")
                .await
                .unwrap();
            assert_eq!(got.target_id.as_deref(), Some(&*original.wa_message_id));
            let mut order = Vec::new();
            for message in bob
                .messages(&wagate_simulator::phone::MessageQuery::default())
                .unwrap()
            {
                order.push(message.body);
            }
            assert_eq!(order, ["first", "teh", "the"]);
        }
    }
    gateway.drain().await;
}
