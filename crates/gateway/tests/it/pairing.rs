//! Attaching and detaching numbers.

use wagate_cluster::{CommandReply, Refusal, SessionAction};
use wagate_model::{EventKind, OutboxId, SendMode, SessionId, SessionStatus, StatusReason};
use wagate_simulator::phone::Phone;
use wagate_store::{Enqueued, NewOutbox, OutboxState};

use crate::world::{World, owns};

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_attached_by_qr_code() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let phone = world.phone("Alice").await;
    let session = world.paired("gw-1", &phone).await;

    let record = world.record(session).await.session;
    assert_eq!(record.phone_number.as_deref(), Some(phone.number()));
    assert_eq!(record.wa_lid, Some(phone.lid().to_string()));
    assert!(record.last_connected_at.is_some());
    let statuses: Vec<_> = world.events(session, EventKind::SessionStatus).await;
    let statuses: Vec<_> = statuses
        .iter()
        .map(|event| event["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["scan_qr_code", "starting", "working"]);
    assert!(!world.events(session, EventKind::AuthQr).await.is_empty());
    let codes = world.events(session, EventKind::AuthCode).await;
    assert_eq!(codes.len(), 1);
    assert_eq!(codes[0]["jid"], phone.jid().to_string());

    let again = world.ask("gw-1", session, SessionAction::ReadQr).await;
    assert_eq!(again.unwrap_err(), Refusal::AlreadyPaired);
    gateway.drain().await;
}

/// Asks for a pairing code for a phone's number until there is one.
async fn pairing_code(world: &World, session: SessionId, phone: &Phone) -> String {
    world
        .until("a pairing code", || async {
            match world.ask("gw-1", session, code_for(phone)).await {
                Ok(CommandReply::PairingCode(code)) => Some(code),
                Err(Refusal::Unavailable | Refusal::NotOwner) => None,
                other => panic!("{other:?}"),
            }
        })
        .await
}

fn code_for(phone: &Phone) -> SessionAction {
    SessionAction::RequestPairingCode {
        phone: phone.number().to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_attached_by_pairing_code() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let phone = world.phone("Alice").await;
    let session = world.store.session(world.organization).await;
    let code = pairing_code(&world, session, &phone).await;
    assert_eq!(code.len(), 9, "two groups of four");
    phone.enter_code(&code).await.unwrap();
    let record = world.status(session, SessionStatus::Working).await.session;
    assert_eq!(record.phone_number.as_deref(), Some(phone.number()));
    let again = world.ask("gw-1", session, code_for(&phone)).await;
    assert_eq!(again.unwrap_err(), Refusal::AlreadyPaired);
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pairing_code_of_a_lost_connection_is_not_handed_out_again() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let phone = world.phone("Alice").await;
    let session = world.store.session(world.organization).await;
    let code = || pairing_code(&world, session, &phone);
    let first = code().await;
    assert_eq!(code().await, first, "one code is enough");
    let restarted = world.ask("gw-1", session, SessionAction::Restart).await;
    assert!(restarted.is_ok(), "{restarted:?}");
    let second = code().await;
    assert_ne!(second, first, "WhatsApp has forgotten it");
    phone.enter_code(&second).await.unwrap();
    world.status(session, SessionStatus::Working).await;
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_account_still_had_to_send_ends_with_it_readable_or_not() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let alice = world.phone("Alice").await;
    let session = world.store.session(world.organization).await;
    let qr = world.qr("gw-1", session).await;
    let device = alice.scan(&qr.code).await.unwrap();
    world.status(session, SessionStatus::Working).await;
    let fence = world.fence(session).await;
    let outbox_id = OutboxId::from_parts(1, 1);
    let unreadable = NewOutbox {
        id: outbox_id,
        session_id: session,
        wa_message_id: "3EB0".to_owned(),
        chat_jid: "15551234567@s.whatsapp.net".to_owned(),
        mode: SendMode::Async,
        request: b"no request".to_vec(),
        idempotency: None,
        next_attempt_at_ms: i64::MAX,
    };
    let organization = world.organization;
    let stored = world.store.write(organization, move |tx| {
        Box::pin(async move {
            let mut owned = tx.owned(&fence).await?;
            owned.enqueue(organization, &unreadable, 1).await
        })
    });
    assert_eq!(stored.await.unwrap(), Enqueued::New);

    alice.unlink(device.id).unwrap();
    world.status(session, SessionStatus::LoggedOut).await;
    let mut tx = world.store.read().await.unwrap();
    let record = tx.outbox(organization, outbox_id).await.unwrap().unwrap();
    assert_eq!(record.state, OutboxState::Failed);
    drop(tx);
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unlinking_on_the_phone_logs_the_session_out_and_another_number_can_follow() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let alice = world.phone("Alice").await;
    let session = world.store.session(world.organization).await;
    let qr = world.qr("gw-1", session).await;
    let device = alice.scan(&qr.code).await.unwrap();
    world.status(session, SessionStatus::Working).await;

    alice.unlink(device.id).unwrap();
    let record = world.status(session, SessionStatus::LoggedOut).await;
    assert_eq!(
        record.session.status_reason,
        Some(StatusReason::LoggedOutByPhone)
    );
    assert!(!record.is_wanted_running, "it must be paired again");
    assert_eq!(
        (record.session.phone_number, record.session.wa_jid),
        (None, None)
    );
    let mut tx = world.store.read().await.unwrap();
    assert!(
        !tx.is_session_paired(world.organization, session)
            .await
            .unwrap()
    );
    drop(tx);

    let bob = world.phone("Bob").await;
    assert!(
        world
            .ask("gw-1", session, SessionAction::Start)
            .await
            .is_ok()
    );
    let qr = world.qr("gw-1", session).await;
    bob.scan(&qr.code).await.unwrap();
    let record = world.status(session, SessionStatus::Working).await.session;
    assert_eq!(record.phone_number.as_deref(), Some(bob.number()));
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_by_request_unlinks_the_device_and_its_repetition_does_nothing() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let alice = world.phone("Alice").await;
    let session = world.paired("gw-1", &alice).await;
    let devices = || {
        let account = world.simulator.server().account(alice.number()).unwrap();
        account.devices.len()
    };
    let linked = devices();
    assert!(
        world
            .ask("gw-1", session, SessionAction::Logout)
            .await
            .is_ok()
    );
    let record = world.status(session, SessionStatus::LoggedOut).await;
    assert_eq!(
        record.session.status_reason,
        Some(StatusReason::LoggedOutByRequest)
    );
    assert_eq!(devices(), linked - 1);
    let events = world.events(session, EventKind::SessionStatus).await.len();
    assert!(
        world
            .ask("gw-1", session, SessionAction::Logout)
            .await
            .is_ok()
    );
    assert_eq!(
        world.events(session, EventKind::SessionStatus).await.len(),
        events
    );
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_session_keeps_its_pairing() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let alice = world.phone("Alice").await;
    let session = world.paired("gw-1", &alice).await;
    for _ in 0..2 {
        assert!(
            world
                .ask("gw-1", session, SessionAction::Stop)
                .await
                .is_ok()
        );
        world.status(session, SessionStatus::Stopped).await;
    }
    owns(&gateway, 0).await;
    let qr = world.ask("gw-1", session, SessionAction::ReadQr).await;
    assert_eq!(qr.unwrap_err(), Refusal::AlreadyPaired);
    assert!(
        world
            .ask("gw-1", session, SessionAction::Start)
            .await
            .is_ok()
    );
    world.status(session, SessionStatus::Working).await;
    assert!(
        world
            .ask("gw-1", session, SessionAction::Restart)
            .await
            .is_ok()
    );
    world.status(session, SessionStatus::Working).await;
    let statuses = world.events(session, EventKind::SessionStatus).await;
    let doubled = statuses.windows(2).find(|pair| pair[0] == pair[1]);
    assert_eq!(doubled, None, "no status is told twice");
    gateway.drain().await;
}
