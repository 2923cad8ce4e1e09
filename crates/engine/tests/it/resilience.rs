//! Lost connections and refused commits: nothing is lost.

use std::time::Duration;

use wagate_engine::{DropReason, EngineEvent, RequestError, SendFailure};
use wagate_simulator::faults::FaultKind;

use crate::support::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_comes_back_by_itself() {
    let world = World::start().await;
    let (ours, theirs) = (world.phone().await, world.phone().await);
    let (session, _) = world.paired(&ours).await;
    session
        .connection
        .probe(Duration::from_secs(10))
        .await
        .unwrap();
    world.inject(FaultKind::CloseSocket, &ours, |_| {});
    let lost = session.wait_for("loss", |event| match event {
        EngineEvent::Disconnected(lost) => Some(lost),
        _ => None,
    });
    let lost = lost.await;
    world.simulator.server().faults().clear();
    assert!(lost.was_connected);
    assert!(matches!(
        lost.reason,
        DropReason::ClosedByServer | DropReason::NetworkError
    ));
    session.connected().await;
    theirs.send_text(ours.number(), "back?").await.unwrap();
    assert_eq!(session.message().await.content.body(), Some("back?"));
    session.connection.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_wait_for_a_closed_session() {
    let world = World::start().await;
    let (ours, theirs) = (world.phone().await, world.phone().await);
    let (session, backend) = world.paired(&ours).await;
    session.connection.close().await;
    let probe = session.connection.probe(Duration::from_secs(1)).await;
    assert_eq!(probe, Err(RequestError::NotConnected));
    for index in 0..20 {
        let text = format!("message {index}");
        theirs.send_text(ours.number(), &text).await.unwrap();
    }
    let session = world.open(&backend).await;
    session.connection.start();
    for index in 0..20 {
        let message = session.message().await;
        assert_eq!(
            message.content.body(),
            Some(format!("message {index}").as_str())
        );
        assert!(message.is_offline);
    }
    session.caught_up().await;
    session.connection.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_was_not_committed_comes_again() {
    let world = World::start().await;
    let (ours, theirs) = (world.phone().await, world.phone().await);
    let (session, backend) = world.paired(&ours).await;
    session.sink.refuse(true);
    let sent = theirs
        .send_text(ours.number(), "do not lose me")
        .await
        .unwrap();
    assert_eq!(session.refusal().await, sent.id);
    session.connection.close().await;
    let session = world.open(&backend).await;
    session.connection.start();
    let message = session.message().await;
    assert_eq!(message.id, sent.id);
    assert_eq!(message.content.body(), Some("do not lose me"));
    session.connection.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_not_connected_sends_nothing() {
    let world = World::start().await;
    let (ours, theirs) = (world.phone().await, world.phone().await);
    let (session, _) = world.paired(&ours).await;
    session.connection.close().await;
    let sent = session.send_text(&theirs, "too late").await;
    assert_eq!(sent, Err(SendFailure::NotConnected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_simulator_that_is_gone_is_told_and_tried_again() {
    let world = World::start().await;
    let ours = world.phone().await;
    let (session, _) = world.paired(&ours).await;
    let World { simulator, .. } = world;
    simulator.shutdown().await;
    let mut failures = Vec::new();
    session
        .wait_for("two failed attempts", |event| match event {
            EngineEvent::Disconnected(lost) => {
                failures.push(lost);
                (lost.reason == DropReason::Unreachable && failures.len() > 2).then_some(())
            }
            _ => None,
        })
        .await;
    assert!(
        failures
            .windows(2)
            .all(|pair| pair[0].failures < pair[1].failures)
    );
    session.connection.close().await;
}
