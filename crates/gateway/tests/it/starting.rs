//! Starting again, and what waited at WhatsApp meanwhile.

use std::sync::Arc;
use std::time::Duration;

use wagate_cluster::SessionAction;
use wagate_model::{EventKind, SessionId, SessionStatus, SystemClock};
use wagate_simulator::faults::{Direction, FaultKind, FaultSpec};
use wagate_simulator::phone::{MessageStatus, Phone};

use crate::world::{WAIT, World};

/// Holds back what ends the backlog at a login.
fn hold_the_backlog_open(world: &World, phone: &Phone, delay_ms: u64) {
    let fault = FaultSpec {
        target: Some(phone.number().to_owned()),
        tag: Some("ib".to_owned()),
        delay_ms: Some(delay_ms),
        direction: Direction::Out,
        ..FaultSpec::new(FaultKind::Delay)
    };
    world.simulator.server().inject(fault).unwrap();
}

async fn restart(world: &World, session: SessionId) {
    let restarted = world.ask("gw-1", session, SessionAction::Restart).await;
    assert!(restarted.is_ok(), "{restarted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_backlog_is_not_taken_for_a_hang() {
    let world = World::new().await;
    let start_timeout = Duration::from_secs(2);
    let gateway = world
        .gateway_with("gw-1", Arc::new(SystemClock), |config| {
            config.sessions.start_timeout = start_timeout;
        })
        .await;
    let (alice, bob) = (world.phone("Alice").await, world.phone("Bob").await);
    let session = world.paired("gw-1", &alice).await;
    let before = world.events(session, EventKind::SessionStatus).await.len();
    hold_the_backlog_open(&world, &alice, 5_000);
    restart(&world, session).await;
    world
        .until("the backlog's end", || async {
            bob.send_text(alice.number(), "more").await.unwrap();
            let record = world.record(session).await;
            (record.session.status == SessionStatus::Working).then_some(())
        })
        .await;
    let told = world.events(session, EventKind::SessionStatus).await;
    let statuses: Vec<_> = told[before..]
        .iter()
        .map(|event| (event["status"].as_str().unwrap(), event["reason"].as_str()))
        .collect();
    assert_eq!(statuses, [("starting", None), ("working", None)]);
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_the_backlog_are_marked_read() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let (alice, bob) = (world.phone("Alice").await, world.phone("Bob").await);
    let session = world.paired("gw-1", &alice).await;
    let stopped = world.ask("gw-1", session, SessionAction::Stop).await;
    assert!(stopped.is_ok());
    let sent = bob.send_text(alice.number(), "while away").await.unwrap();
    hold_the_backlog_open(&world, &alice, 500);
    let started = world.ask("gw-1", session, SessionAction::Start).await;
    assert!(started.is_ok());
    let is_read = bob
        .wait_for_status(&sent.id, MessageStatus::Read, WAIT)
        .await;
    assert!(is_read);
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_the_backlog_that_was_not_stored_comes_again() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let (alice, bob) = (world.phone("Alice").await, world.phone("Bob").await);
    let session = world.paired("gw-1", &alice).await;
    hold_the_backlog_open(&world, &alice, 2_000);
    restart(&world, session).await;
    world.store.refuse_rows("message", true).await;
    let sent = bob.send_text(alice.number(), "refused").await.unwrap();
    world.status(session, SessionStatus::Working).await;
    world.simulator.server().faults().clear();
    // The connection is made anew because of it: by then it was refused in every form.
    world.status(session, SessionStatus::Starting).await;
    world.store.refuse_rows("message", false).await;
    let told = world
        .event(session, EventKind::Message, |event| {
            event["waMessageId"] == *sent.id
        })
        .await;
    assert_eq!(told["body"], "refused");
    gateway.drain().await;
}
