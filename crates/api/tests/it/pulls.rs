//! Pulling events.

use serde_json::{Value, json};
use wagate_model::{Capabilities, EventId, EventKind};
use wagate_store::{Lane, StoreError};

use crate::harness::{Service, UNKNOWN};

const EVENTS: &str = "/api/v1/events";

fn numbers(page: &Value) -> Vec<u64> {
    let data = page["data"].as_array().unwrap();
    data.iter()
        .map(|event| event["payload"]["n"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn events_come_in_order_and_once() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    let stranger = service.tenant().await;
    let foreign = service.store.session(stranger.organization).await;
    service.emit(stranger.organization, foreign, 900..903).await;
    service.emit(tenant.organization, session, 0..7).await;
    let mut seen = Vec::new();
    let mut query = format!("{EVENTS}?limit=3");
    loop {
        let page = service.get(&query, &tenant.key).await.ok(200);
        seen.extend(numbers(&page));
        let Some(next) = page.get("nextCursor") else {
            break;
        };
        query = format!("{EVENTS}?limit=3&after={}", next.as_str().unwrap());
    }
    assert_eq!(seen, (0..7).collect::<Vec<_>>());
}

#[tokio::test]
async fn filters_and_restrictions_hold() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let one = service.store.session(tenant.organization).await;
    let two = service.store.session(tenant.organization).await;
    service.emit(tenant.organization, one, 0..2).await;
    service.emit(tenant.organization, two, 10..12).await;
    let payload = serde_json::json!({ "n": 20 });
    service
        .commit(
            tenant.organization,
            one,
            EventKind::CallIncoming,
            vec![payload],
        )
        .await;
    let pull = async |query: String, key: &str| numbers(&service.get(&query, key).await.ok(200));
    assert_eq!(
        pull(format!("{EVENTS}?session={one}"), &tenant.key).await,
        [0, 1, 20]
    );
    assert_eq!(
        pull(format!("{EVENTS}?types=call.incoming"), &tenant.key).await,
        [20]
    );
    assert_eq!(
        pull(format!("{EVENTS}?types=message&session={two}"), &tenant.key).await,
        [10, 11]
    );
    let (restricted, _) = service
        .key(tenant.organization, Capabilities::all(), Some(vec![two]))
        .await;
    assert_eq!(pull(EVENTS.into(), &restricted).await, [10, 11]);
    let query = format!("{EVENTS}?after=x&types=a,message&waitMs=30001");
    let faults = service.get(&query, &tenant.key).await;
    assert_eq!(faults.faults(), ["after", "types[0]", "waitMs"]);
    for session in [UNKNOWN.to_owned(), one.to_string()] {
        let reply = service
            .get(&format!("{EVENTS}?session={session}"), &restricted)
            .await;
        reply.error(404, "not_found");
    }
}

#[tokio::test]
async fn a_long_log_of_others_sessions_is_passed_in_several_pulls() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let busy = service.store.session(tenant.organization).await;
    let quiet = service.store.session(tenant.organization).await;
    let (key, _) = service
        .key(tenant.organization, Capabilities::all(), Some(vec![quiet]))
        .await;
    service.emit(tenant.organization, busy, 0..2_001).await;
    service.emit(tenant.organization, quiet, 7..8).await;
    let wait = "waitMs=30000";
    let first = service.get(&format!("{EVENTS}?{wait}"), &key).await.ok(200);
    assert!(numbers(&first).is_empty(), "one pull reads only so much");
    let next = first["nextCursor"].as_str().unwrap();
    let path = format!("{EVENTS}?{wait}&after={next}");
    assert_eq!(numbers(&service.get(&path, &key).await.ok(200)), [7]);
}

#[tokio::test]
async fn a_position_whose_events_are_gone_is_refused() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    let ids = service.emit(tenant.organization, session, 0..5).await;
    service
        .store
        .write::<_, StoreError, _>(Lane::SHARED, |tx| {
            Box::pin(async move { tx.admin().purge_events(i64::MAX, 3).await })
        })
        .await
        .unwrap();
    let pull = async |after: &EventId| {
        let path = format!("{EVENTS}?after={after}");
        service.get(&path, &tenant.key).await
    };
    let ticket = async |since: &EventId| {
        let body = json!({ "since": since.to_string() });
        let path = "/api/v1/realtime/ticket";
        service.post(path, &tenant.key, body).await
    };
    let never = EventId::from_parts(u64::MAX >> 16, 1);
    for gone in [&ids[0], &ids[1], &never] {
        assert_eq!(pull(gone).await.faults(), ["after"]);
        assert_eq!(ticket(gone).await.faults(), ["since"]);
    }
    // Nothing after the last that is gone is missing.
    assert_eq!(numbers(&pull(&ids[2]).await.ok(200)), [3, 4]);
    assert_eq!(numbers(&pull(&ids[3]).await.ok(200)), [4]);
    ticket(&ids[3]).await.ok(200);
    assert!(numbers(&pull(&ids[4]).await.ok(200)).is_empty());
    // Where nothing is kept any more, the newest is still a good place to go on from.
    service
        .store
        .write::<_, StoreError, _>(Lane::SHARED, |tx| {
            Box::pin(async move { tx.admin().purge_events(i64::MAX, 3).await })
        })
        .await
        .unwrap();
    ticket(&ids[4]).await.ok(200);
    assert_eq!(pull(&ids[3]).await.faults(), ["after"]);
}

#[tokio::test]
async fn events_that_a_webhook_waits_for_are_good_to_go_on_from() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    let body = json!({ "url": "https://example.com/" });
    service
        .post("/api/v1/webhooks", &tenant.key, body)
        .await
        .ok(201);
    let ids = service.emit(tenant.organization, session, 0..3).await;
    let path = format!("{EVENTS}?after={}", ids[0]);
    let page = service.get(&path, &tenant.key).await.ok(200);
    assert_eq!(numbers(&page), [1, 2]);
}

#[tokio::test]
async fn a_pull_can_wait() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    let nothing = service
        .get(&format!("{EVENTS}?waitMs=1"), &tenant.key)
        .await
        .ok(200);
    assert_eq!(nothing, serde_json::json!({ "data": [] }));
    let path = format!("{EVENTS}?waitMs=30000");
    let waiting = service.get(&path, &tenant.key);
    let emitting = service.emit(tenant.organization, session, 5..6);
    let (page, _) = tokio::join!(waiting, emitting);
    assert_eq!(numbers(&page.ok(200)), [5]);
}
