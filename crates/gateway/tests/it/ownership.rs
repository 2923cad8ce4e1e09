//! Who owns a session.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wagate_cluster::{Refusal, SessionAction};
use wagate_gateway::GatewayError;
use wagate_model::{Clock as _, EventKind, SessionStatus, StatusReason, SystemClock};
use wagate_simulator::faults::{FaultKind, FaultSpec};
use wagate_store::{Lane, StoreError};

use crate::world::{World, gateway_id, owns};

#[tokio::test(flavor = "multi_thread")]
async fn another_gateway_takes_over_after_a_crash() {
    let world = World::new().await;
    let first = world.gateway("gw-1").await;
    let (alice, bob) = (world.phone("Alice").await, world.phone("Bob").await);
    let session = world.paired("gw-1", &alice).await;
    let second = world.gateway("gw-2").await;
    let refusal = world
        .ask("gw-2", session, SessionAction::Start)
        .await
        .unwrap_err();
    assert_eq!(refusal, Refusal::NotOwner);
    drop(first);
    let died_at = Instant::now();
    owns(&second, 1).await;
    world.status(session, SessionStatus::Working).await;
    assert!(
        died_at.elapsed() < Duration::from_secs(10),
        "{:?}",
        died_at.elapsed()
    );
    world.send("gw-2", session, &bob, "from the second").await;
    second.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_living_gateways_name_and_sessions_cannot_be_taken() {
    let world = World::new().await;
    let first = world.gateway("gw-1").await;
    let (alice, bob) = (world.phone("Alice").await, world.phone("Bob").await);
    let session = world.paired("gw-1", &alice).await;
    let epoch = async || {
        let mut tx = world.store.read().await.unwrap();
        let owner = tx.session_owner(world.organization, session).await;
        owner.unwrap().unwrap().epoch
    };
    let before = epoch().await;
    let clock = world.store.clock.clone();
    let refused = world.try_gateway("gw-1", clock, |_| {}).await;
    assert!(matches!(refused, Err(GatewayError::NameTaken(_))));
    assert_eq!(epoch().await, before);
    world.send("gw-1", session, &bob, "still the first").await;
    first.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_gateway_hands_over_at_once() {
    let world = World::new().await;
    let first = world.gateway("gw-1").await;
    let alice = world.phone("Alice").await;
    let session = world.paired("gw-1", &alice).await;
    let second = world.gateway("gw-2").await;
    let began_at = Instant::now();
    first.drain().await;
    owns(&second, 1).await;
    let took = began_at.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    world.status(session, SessionStatus::Working).await;
    assert!(world.record(session).await.is_wanted_running);
    second.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_lost_its_lease_stops_the_client() {
    let world = World::new().await;
    let first = world.gateway("gw-1").await;
    let (alice, bob) = (world.phone("Alice").await, world.phone("Bob").await);
    let session = world.paired("gw-1", &alice).await;
    let second = world.gateway("gw-2").await;
    // As if the first had slept beyond its lease: the second takes what is free.
    let fence = world.fence(session).await;
    assert_eq!(fence.gateway_id, gateway_id("gw-1"));
    let taken = world
        .store
        .write(Lane::SHARED, move |tx| {
            Box::pin(async move {
                tx.admin().release_lease(&fence).await?;
                tx.admin()
                    .claim_lease(session, &gateway_id("gw-2"), 5_000)
                    .await
            })
        })
        .await
        .unwrap();
    assert!(taken.is_some());
    owns(&first, 0).await;
    tokio::select! {
        () = owns(&first, 1) => {}
        () = owns(&second, 1) => {}
    }
    world.status(session, SessionStatus::Working).await;
    let owner = if second.session_count() == 1 {
        "gw-2"
    } else {
        "gw-1"
    };
    world.send(owner, session, &bob, "from the owner").await;
    let other = if owner == "gw-2" { "gw-1" } else { "gw-2" };
    let refusal = world
        .ask(other, session, SessionAction::Stop)
        .await
        .unwrap_err();
    assert_eq!(refusal, Refusal::NotOwner);
    first.drain().await;
    second.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_session_is_given_up() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let alice = world.phone("Alice").await;
    let session = world.paired("gw-1", &alice).await;
    let replaced = FaultSpec {
        target: Some(alice.number().to_owned()),
        count: Some(1),
        ..FaultSpec::new(FaultKind::Replaced)
    };
    world.simulator.server().inject(replaced).unwrap();
    let record = world.status(session, SessionStatus::Failed).await;
    assert_eq!(record.session.status_reason, Some(StatusReason::Replaced));
    assert!(!record.is_wanted_running);
    let last = world
        .events(session, EventKind::SessionStatus)
        .await
        .pop()
        .unwrap();
    assert_eq!(
        (&last["status"], &last["reason"]),
        (&"failed".into(), &"replaced".into())
    );
    owns(&gateway, 0).await;
    assert!(
        world
            .ask("gw-1", session, SessionAction::Start)
            .await
            .is_ok()
    );
    world.status(session, SessionStatus::Working).await;
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_says_until_when() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let alice = world.phone("Alice").await;
    let session = world.paired("gw-1", &alice).await;
    let ban = FaultSpec {
        target: Some(alice.number().to_owned()),
        code: Some(106),
        delay_ms: Some(60_000),
        ..FaultSpec::new(FaultKind::Ban)
    };
    world.simulator.server().inject(ban).unwrap();
    let record = world.status(session, SessionStatus::Failed).await;
    let now_ms = world.store.clock.now_ms();
    let detail = record.session.status_detail.unwrap();
    assert_eq!(detail.whatsapp_code, Some(106));
    assert_eq!(detail.expires_at, Some(now_ms + 60_000));
    let told = world
        .event(session, EventKind::SessionStatus, |event| {
            event["status"] == "failed"
        })
        .await;
    assert_eq!(
        told["detail"],
        serde_json::json!({ "whatsappCode": 106, "expiresAt": now_ms + 60_000 })
    );
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_connection_is_made_again() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let alice = world.phone("Alice").await;
    let session = world.paired("gw-1", &alice).await;
    let before = world.events(session, EventKind::SessionStatus).await.len();
    let close = FaultSpec {
        target: Some(alice.number().to_owned()),
        count: Some(1),
        ..FaultSpec::new(FaultKind::CloseSocket)
    };
    world.simulator.server().inject(close).unwrap();
    world
        .until("the reconnect", || async {
            let events = world.events(session, EventKind::SessionStatus).await;
            let statuses: Vec<_> = events[before..]
                .iter()
                .map(|e| e["status"].clone())
                .collect();
            (statuses == ["starting", "working"]).then_some(())
        })
        .await;
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deaf_session_does_not_stay_working() {
    let world = World::new().await;
    let clock = Arc::new(SystemClock);
    let gateway = world
        .gateway_with("gw-1", clock, |config| {
            config.sessions.probe_after = Duration::from_millis(500);
            config.sessions.probe_timeout = Duration::from_millis(500);
        })
        .await;
    let alice = world.phone("Alice").await;
    let session = world.paired("gw-1", &alice).await;
    // The socket stays open, and nothing comes through it any more.
    let silence = FaultSpec {
        target: Some(alice.number().to_owned()),
        ..FaultSpec::new(FaultKind::Drop)
    };
    world.simulator.server().inject(silence).unwrap();
    let record = world.status(session, SessionStatus::Starting).await;
    assert_eq!(
        record.session.status_reason,
        Some(StatusReason::ConnectionLost)
    );
    world.simulator.server().faults().clear();
    world.status(session, SessionStatus::Working).await;
    gateway.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_not_told_of_an_organizations_end_lets_go() {
    let world = World::new().await;
    let gateway = world.gateway("gw-1").await;
    let alice = world.phone("Alice").await;
    world.paired("gw-1", &alice).await;
    let organization = world.organization;
    let ended = world
        .store
        .write::<_, StoreError, _>(organization, move |tx| {
            Box::pin(async move { tx.end_organization(organization, 1).await })
        })
        .await;
    assert_eq!(ended.unwrap().unwrap().owned_sessions.len(), 1);
    owns(&gateway, 0).await;
    gateway.drain().await;
}
