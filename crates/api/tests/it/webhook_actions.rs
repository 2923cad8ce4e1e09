//! What is done with a webhook: a new secret, a test, a replay.

use serde_json::{Value, json};
use wagate_model::{AuditAction, EventKind};

use crate::harness::{Service, Tenant};

const DAY_MS: i64 = 86_400_000;

/// A webhook, by its path.
async fn hook(service: &Service, tenant: &Tenant, body: Value) -> String {
    let made = service.post("/api/v1/webhooks", &tenant.key, body).await;
    format!("/api/v1/webhooks/{}", made.ok(201)["id"].as_str().unwrap())
}

async fn lines(service: &Service, action: AuditAction) -> Vec<Value> {
    let lines = service.lines().await;
    let of_action = lines.iter().filter(|line| line.action == action);
    of_action
        .map(|line| Value::from(line.details.clone()))
        .collect()
}

#[tokio::test]
async fn a_secret_is_rotated_and_shown_once() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let path = hook(&service, &tenant, json!({ "url": "https://e.com" })).await;
    let rotate = format!("{path}:rotate-secret");
    let call = async |key: &str, body| service.call(http::Method::POST, &rotate, key, body).await;
    let now = service.store.now_ms();
    let made = call(&tenant.key, None).await.ok(200);
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() > 32, "{made}");
    assert_eq!(made["previousValidUntil"], now + DAY_MS);
    // The webhook has one of its own by now, which is shown no more.
    let signing = format!("{path}/signing-secret");
    let shown = service.get(&signing, &tenant.key).await;
    assert_eq!(shown.ok(200), json!({}));
    let read = service.get(&path, &tenant.key).await;
    assert!(!String::from_utf8_lossy(&read.bytes).contains(secret));
    let given = Some(json!({ "secret": "s3cret" }));
    let second = call(&tenant.key, given.clone()).await.ok(200);
    assert_eq!(second["secret"], "s3cret");
    // The answer was lost, and the request is repeated.
    service.store.clock.advance_ms(5_000);
    assert_eq!(call(&tenant.key, given).await.ok(200), second);
    let line = AuditAction::WebhookSecretRotated;
    assert_eq!(lines(&service, line).await, [json!({}), json!({})]);
    for (body, field) in [
        (json!({ "secret": "" }), "secret"),
        (json!({ "secret": "whsec_?" }), "secret"),
        (json!({ "secret": 7 }), "secret"),
        (json!({ "secrets": "x" }), "secrets"),
    ] {
        assert_eq!(call(&tenant.key, Some(body)).await.faults(), [field]);
    }
    let stranger = service.tenant().await.key;
    call(&stranger, None).await.error(404, "not_found");
    for _ in 0..3 {
        call(&tenant.key, None).await.ok(200);
    }
    let refused = call(&tenant.key, None).await;
    let error = refused.error(429, "rate_limited");
    let wait = error["details"]["retryAfterSeconds"].as_i64().unwrap();
    assert!((86_000..=86_400).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_test_tells_what_was_posted_and_what_went_wrong() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    let body = json!({ "url": "https://e.com", "events": ["message"], "active": false });
    let path = hook(&service, &tenant, body).await;
    let test = format!("{path}:test");
    let call = async |body| {
        service
            .call(http::Method::POST, &test, &tenant.key, body)
            .await
    };
    let tried = call(None).await.ok(200);
    // Every name leads inside here, as an attacker's would.
    assert_eq!(
        tried["error"],
        "refused: the url must not lead to a private, local or reserved address"
    );
    assert_eq!(tried["accepted"], false);
    assert!(tried.get("statusCode").is_none());
    let event = tried["event"].as_object().unwrap();
    assert_eq!(event.len(), 7);
    assert_eq!(event["event"], "message", "what the webhook wants");
    assert_eq!(event["organization"], tenant.organization.to_string());
    assert_ne!(event["session"], session.to_string());
    assert_eq!(event["session"], "01KDVDNA000000000000000000");
    let named = call(Some(json!({ "event": "poll.recap" }))).await.ok(200);
    assert_eq!(named["event"]["payload"]["totalVotes"], 1);
    let wrong = call(Some(json!({ "event": "*" }))).await;
    assert_eq!(wrong.faults(), ["event"]);
    let deliveries = format!("{path}/deliveries");
    let deliveries = service.get(&deliveries, &tenant.key).await;
    assert_eq!(deliveries.ok(200)["data"], json!([]));
    let events = service.get("/api/v1/events", &tenant.key).await.ok(200);
    assert_eq!(events["data"], json!([]));
    let stranger = service.tenant().await.key;
    let foreign = service.call(http::Method::POST, &test, &stranger, None);
    foreign.await.error(404, "not_found");
}

/// Gives up every delivery that waits.
async fn give_up(service: &Service) {
    let text = "UPDATE webhook_delivery SET status = 'dead' WHERE status = 'pending'";
    service.store.execute(text).await;
}

#[tokio::test]
async fn a_range_is_replayed_by_what_became_of_its_events() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let (organization, key) = (tenant.organization, &tenant.key);
    let session = service.store.session(organization).await;
    let start = service.store.now_ms();
    service.emit(organization, session, 0..2).await;
    let wanted = json!({ "url": "https://e.com", "events": ["message", "auth.qr"] });
    let path = hook(&service, &tenant, wanted).await;
    service.store.clock.advance_ms(1_000);
    service.emit(organization, session, 2..5).await;
    give_up(&service).await;
    service.emit(organization, session, 5..6).await;
    let kind = EventKind::PresenceUpdate;
    let unwanted = service.commit(organization, session, kind, vec![json!({})]);
    unwanted.await;

    let replay = format!("{path}:replay");
    let call = async |body| service.post(&replay, key, body).await;
    let count = async |body| call(body).await.ok(202)["count"].as_i64().unwrap();
    let later = start + 1_000;
    assert_eq!(count(json!({ "from": start, "to": later })).await, 0);
    let dead = json!({ "from": start, "event": "message" });
    assert_eq!(count(json!({ "from": start, "event": "auth.qr" })).await, 0);
    assert_eq!(call(dead.clone()).await.ok(202), json!({ "count": 3 }));
    assert_eq!(count(dead).await, 0, "they wait already");
    let missing = json!({ "from": start, "status": "missing" });
    assert_eq!(count(missing).await, 2);
    let all = json!({ "from": start, "status": "all" });
    assert_eq!(count(all.clone()).await, 0);
    give_up(&service).await;
    assert_eq!(count(all).await, 6);
    let told = lines(&service, AuditAction::WebhookReplayed).await;
    assert_eq!(told.len(), 3, "{told:?}");
    let now = service.store.now_ms();
    assert!(
        told.contains(
            &json!({ "from": start, "to": now + 1, "status": "dead", "event": "message" })
        )
    );
    for (body, fields) in [
        (json!({}), vec!["from"]),
        (json!({ "from": now + 1, "to": now + 9 }), vec!["from"]),
        (json!({ "from": now, "to": now }), vec!["to"]),
        (json!({ "from": "x", "to": 1.5 }), vec!["from", "to"]),
        (
            json!({ "from": start, "status": "pending", "event": "nope" }),
            vec!["event", "status"],
        ),
        (
            json!({ "from": start, "event": "poll.vote" }),
            vec!["event"],
        ),
    ] {
        let mut faults = call(body.clone()).await.faults();
        faults.sort();
        assert_eq!(faults, fields, "{body}");
    }
    let stranger = service.tenant().await.key;
    let foreign = service.post(&replay, &stranger, json!({ "from": start }));
    foreign.await.error(404, "not_found");
}

#[tokio::test]
async fn a_long_range_is_gone_through_in_steps_and_gone_on_with() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let (organization, start) = (tenant.organization, service.store.now_ms());
    let session = service.store.session(organization).await;
    // More than one request queues, all in one millisecond.
    service.emit(organization, session, 0..10_100).await;
    service.store.clock.advance_ms(10);
    service.emit(organization, session, 0..5).await;
    let path = hook(&service, &tenant, json!({ "url": "https://e.com" })).await;
    let replay = format!("{path}:replay");
    let call = async |from: &Value| {
        let body = json!({ "from": from, "status": "missing" });
        service.post(&replay, &tenant.key, body).await.ok(202)
    };
    let first = call(&json!(start)).await;
    assert_eq!(first, json!({ "count": 10_100, "nextFrom": start + 1 }));
    let rest = call(&first["nextFrom"]).await;
    assert_eq!(rest, json!({ "count": 5 }));
    let told = lines(&service, AuditAction::WebhookReplayed).await;
    assert_eq!(told.len(), 2, "one line for each request");
}
