//! Pairing by QR code and by code.

use std::sync::Arc;

use wagate_engine::{EndReason, EngineEvent, PairingCodeError};
use wagate_simulator::faults::FaultKind;
use whatsapp_rust::wacore::store::InMemoryBackend;

use crate::support::{World, jid_of};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scanned_code_pairs_and_connects() {
    let world = World::start().await;
    let phone = world.phone().await;
    let backend = Arc::new(InMemoryBackend::new());
    let session = world.open(&backend).await;
    assert!(!session.connection.is_paired());
    session.connection.start();
    let code = session.qr().await;
    phone.scan(&code).await.unwrap();
    let paired = session.wait_for("pairing", |event| match event {
        EngineEvent::Paired(account) => Some(account),
        EngineEvent::Connected => panic!("connected before paired"),
        _ => None,
    });
    let paired = paired.await;
    assert_eq!(paired.jid, jid_of(&phone));
    assert_eq!(paired.lid.unwrap().to_string(), phone.lid().to_string());
    session.connected().await;
    assert!(session.connection.is_connected());
    assert_eq!(session.connection.account().unwrap().jid, paired.jid);
    assert!(session.connection.last_traffic_ms().is_some());
    session.connection.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entered_code_pairs_and_connects() {
    let world = World::start().await;
    let phone = world.phone().await;
    let backend = Arc::new(InMemoryBackend::new());
    let session = world.open(&backend).await;
    session.connection.start();
    let number = phone.number().parse().unwrap();
    let code = session
        .connection
        .request_pairing_code(&number)
        .await
        .unwrap();
    assert_eq!((code.len(), code.find('-')), (9, Some(4)));
    let again = session.connection.request_pairing_code(&number).await;
    assert_eq!(again, Err(PairingCodeError::CodeOutstanding));
    phone.enter_code(&code).await.unwrap();
    session.connected().await;
    let again = session.connection.request_pairing_code(&number).await;
    assert_eq!(again, Err(PairingCodeError::AlreadyPaired));
    session.connection.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paired_session_opens_again_without_pairing() {
    let world = World::start().await;
    let phone = world.phone().await;
    let (session, backend) = world.paired(&phone).await;
    session.connection.close().await;
    let session = world.open(&backend).await;
    assert!(session.connection.is_paired());
    session.connection.start();
    let connected = session.wait_for("connection", |event| match event {
        EngineEvent::Connected => Some(()),
        EngineEvent::Qr(_) | EngineEvent::Paired(_) => panic!("paired again"),
        _ => None,
    });
    connected.await;
    session.connection.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_does_not_wait_for_the_first_synchronization() {
    let world = World::start().await;
    let (phone, theirs) = (world.phone().await, world.phone().await);
    // Neither the phone's keys nor its names come, as when the phone is off; the library's
    // own word then waits for them at every login.
    world.inject(FaultKind::Drop, &phone, |fault| {
        fault.tag = Some("message".to_owned());
    });
    let backend = Arc::new(InMemoryBackend::new());
    let session = world.open(&backend).await;
    session.connection.start();
    let code = session.qr().await;
    phone.scan(&code).await.unwrap();
    session.caught_up().await;
    assert!(session.connection.is_connected());
    session.send_text(&theirs, "at once").await.unwrap();

    session.connection.cut_off().await;
    let session = world.open(&backend).await;
    session.connection.start();
    session.caught_up().await;
    assert!(session.connection.is_connected());
    session.send_text(&theirs, "and again").await.unwrap();
    session.connection.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logging_out_unlinks_the_device() {
    let world = World::start().await;
    let phone = world.phone().await;
    let (session, backend) = world.paired(&phone).await;
    session.connection.logout().await.unwrap();
    assert_eq!(session.ended().await, EndReason::LoggedOutByRequest);
    session.connection.close().await;
    // The credentials are worthless now.
    let session = world.open(&backend).await;
    session.connection.start();
    assert_eq!(session.ended().await, EndReason::LoggedOutByPhone);
    session.connection.close().await;
}
