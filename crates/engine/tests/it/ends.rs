//! Ends that no reconnect can mend.

use wagate_engine::{EndReason, EngineEvent};
use wagate_simulator::faults::FaultKind;

use crate::support::{Session, World};

/// The end, after which nothing more is told.
async fn end_of(session: &Session) -> EndReason {
    let reason = session.ended().await;
    assert!(!session.connection.is_connected());
    session.connection.close().await;
    reason
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unlinked_on_the_phone() {
    let world = World::start().await;
    let phone = world.phone().await;
    let (session, _) = world.paired(&phone).await;
    let account = world.simulator.server().account(phone.number()).unwrap();
    let device = account
        .devices
        .iter()
        .find(|device| device.id != 0)
        .unwrap();
    phone.unlink(device.id).unwrap();
    assert_eq!(end_of(&session).await, EndReason::LoggedOutByPhone);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replaced_by_another_client() {
    let world = World::start().await;
    let phone = world.phone().await;
    let (session, _) = world.paired(&phone).await;
    world.inject(FaultKind::Replaced, &phone, |_| {});
    assert_eq!(end_of(&session).await, EndReason::Replaced);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn banned_for_good() {
    let world = World::start().await;
    let phone = world.phone().await;
    let (session, _) = world.paired(&phone).await;
    world.inject(FaultKind::Ban, &phone, |_| {});
    assert_eq!(end_of(&session).await, EndReason::Banned);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn banned_for_a_while() {
    let world = World::start().await;
    let phone = world.phone().await;
    let (session, _) = world.paired(&phone).await;
    world.inject(FaultKind::Ban, &phone, |spec| spec.code = Some(101));
    let reason = end_of(&session).await;
    assert!(
        matches!(reason, EndReason::TemporarilyBanned { .. }),
        "{reason:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_version_expired() {
    let world = World::start().await;
    let phone = world.phone().await;
    let (session, backend) = world.paired(&phone).await;
    session.connection.close().await;
    world.inject(FaultKind::ExpiredVersion, &phone, |_| {});
    let session = world.open(&backend).await;
    session.connection.start();
    let end = session.wait_for("end", |event| match event {
        EngineEvent::Ended(reason) => Some(reason),
        EngineEvent::Connected => panic!("connected with an expired version"),
        _ => None,
    });
    assert_eq!(end.await, EndReason::Outdated);
    session.connection.close().await;
}
