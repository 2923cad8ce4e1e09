//! Sessions whose task fails, and what is under way when one ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wagate_cluster::{CommandReply, Refusal, SessionAction};
use wagate_model::{Clock, EventKind, SendMode, SessionStatus, StatusReason, SystemClock};
use wagate_simulator::faults::{Direction, FaultKind, FaultSpec};

use crate::world::{WAIT, World, owns, text_to};

/// A clock that panics once when it is told to.
#[derive(Debug, Default)]
struct Trap {
    is_set: AtomicBool,
}

impl Clock for Trap {
    fn now_ms(&self) -> i64 {
        assert!(!self.is_set.swap(false, Ordering::SeqCst), "on purpose");
        SystemClock.now_ms()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_task_panicked_does_not_stay_working() {
    let world = World::new().await;
    let trap = Arc::new(Trap::default());
    let gateway = world
        .gateway_with("gw-1", trap.clone(), |config| {
            config.sessions.min_backoff = Duration::from_mins(10);
            config.sessions.max_backoff = Duration::from_mins(10);
        })
        .await;
    let (alice, bob) = (world.phone("Alice").await, world.phone("Bob").await);
    let session = world.paired("gw-1", &alice).await;
    trap.is_set.store(true, Ordering::SeqCst);
    let panicked = world.ask("gw-1", session, SessionAction::Restart).await;
    assert_eq!(panicked.unwrap_err(), Refusal::Unavailable);
    let record = world.status(session, SessionStatus::Starting).await;
    let reason = record.session.status_reason;
    assert_eq!(reason, Some(StatusReason::ConnectionLost));
    // Nobody waits for a send that nobody makes, and commands are answered.
    let send = SessionAction::Send(Box::new(text_to(&bob, "no")));
    let refusal = world.ask("gw-1", session, send).await.unwrap_err();
    assert!(
        matches!(refusal, Refusal::NotConnected { status, .. } if status == SessionStatus::Starting)
    );
    let restarted = world.ask("gw-1", session, SessionAction::Restart).await;
    assert!(restarted.is_ok(), "{restarted:?}");
    world.status(session, SessionStatus::Working).await;
    world.send("gw-1", session, &bob, "again").await;

    trap.is_set.store(true, Ordering::SeqCst);
    let panicked = world.ask("gw-1", session, SessionAction::Restart).await;
    assert!(panicked.is_err());
    let stopped = world.ask("gw-1", session, SessionAction::Stop).await;
    assert!(stopped.is_ok(), "{stopped:?}");
    let record = world.status(session, SessionStatus::Stopped).await;
    assert!(!record.is_wanted_running);
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_while_a_session_stops_is_stored() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let (alice, bob) = (world.phone("Alice").await, world.phone("Bob").await);
    let session = world.paired("gw-1", &alice).await;
    let first = world.send("gw-1", session, &bob, "first").await;
    let first = first.wa_message_id.unwrap();
    // A send that WhatsApp does not acknowledge holds the stop up for a moment.
    let no_ack = FaultSpec {
        target: Some(alice.number().to_owned()),
        tag: Some("ack".to_owned()),
        ..FaultSpec::new(FaultKind::Drop)
    };
    world.simulator.server().inject(no_ack).unwrap();
    let mut second = text_to(&bob, "second");
    second.mode = SendMode::Async;
    let queued = world
        .ask("gw-1", session, SessionAction::Send(Box::new(second)))
        .await;
    assert!(matches!(queued, Ok(CommandReply::Send(_))));
    bob.wait_for_message(WAIT, |message| message.body == "second")
        .await
        .unwrap();
    let (stopped, read) = tokio::join!(
        world.ask("gw-1", session, SessionAction::Stop),
        bob.read(&first)
    );
    assert!(stopped.is_ok());
    read.unwrap();
    world
        .event(session, EventKind::MessageStatus, |event| {
            event["status"] == "read" && event["messageIds"][0] == *first
        })
        .await;
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_comes_too_late_is_not_carried_out() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let (alice, bob) = (world.phone("Alice").await, world.phone("Bob").await);
    let session = world.paired("gw-1", &alice).await;
    let late = wagate_cluster::SessionCommand {
        organization_id: world.organization,
        session_id: session,
        action: SessionAction::Send(Box::new(text_to(&bob, "late"))),
    };
    let gateway_id = crate::world::gateway_id("gw-1");
    let answer = world.bus.request(&gateway_id, late, Duration::ZERO).await;
    assert!(!matches!(answer, Ok(Ok(_))), "{answer:?}");
    // Messages of a chat go out in order.
    world.send("gw-1", session, &bob, "in time").await;
    bob.wait_for_message(WAIT, |message| message.body == "in time")
        .await
        .unwrap();
    let late = bob
        .messages(&wagate_simulator::phone::MessageQuery::default())
        .unwrap()
        .into_iter()
        .find(|message| message.body == "late");
    assert!(late.is_none());
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_cannot_be_unlinked_stays_stopped() {
    let world = World::new().await;
    let gateway = world
        .gateway_with("gw-1", Arc::new(SystemClock), |config| {
            config.sessions.command_timeout = Duration::from_secs(1);
        })
        .await;
    let alice = world.phone("Alice").await;
    let session = world.paired("gw-1", &alice).await;
    let stopped = world.ask("gw-1", session, SessionAction::Stop).await;
    assert!(stopped.is_ok());
    let deafness = FaultSpec {
        target: Some(alice.number().to_owned()),
        tag: Some("iq".to_owned()),
        direction: Direction::In,
        ..FaultSpec::new(FaultKind::Drop)
    };
    world.simulator.server().inject(deafness).unwrap();
    let refusal = world.ask("gw-1", session, SessionAction::Logout).await;
    assert_eq!(refusal.unwrap_err(), Refusal::Unavailable);
    let record = world.status(session, SessionStatus::Stopped).await;
    assert!(!record.is_wanted_running);
    assert!(record.session.phone_number.is_some(), "it stays linked");
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_to_be_deleted_is_claimed_by_nobody() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let alice = world.phone("Alice").await;
    let session = world.paired("gw-1", &alice).await;
    let done = world.ask("gw-1", session, SessionAction::Delete).await;
    assert!(done.is_ok());
    let record = world.record(session).await;
    assert!(!record.is_wanted_running);
    owns(&gateway, 0).await;
    gateway.drain().await;
}
