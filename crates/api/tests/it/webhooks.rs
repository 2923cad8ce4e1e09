//! Webhooks.

use http::Method;
use serde_json::json;

use crate::harness::Service;

const HOOKS: &str = "/api/v1/webhooks";

#[tokio::test]
async fn a_webhook_is_made_read_changed_and_deleted() {
    let service = Service::start().await;
    let key = service.tenant().await.key;
    let body = json!({ "url": "https://Example.com/hook", "secret": "s3cret", "retryPolicy": { "attempts": 3 } });
    let made = service.post(HOOKS, &key, body).await.ok(201);
    assert_eq!(made["url"], "https://example.com/hook");
    assert_eq!(
        (&made["active"], &made["events"]),
        (&json!(true), &json!(["*"]))
    );
    assert_eq!(
        made["retryPolicy"],
        json!({ "policy": "exponential", "delaySeconds": 2, "attempts": 3 })
    );
    let path = format!("{HOOKS}/{}", made["id"].as_str().unwrap());
    let read = service.get(&path, &key).await;
    assert!(!String::from_utf8_lossy(&read.bytes).contains("s3cret"));
    assert_eq!(read.ok(200), made);
    let change = json!({ "active": false, "events": [], "retryPolicy": { "delaySeconds": 9 } });
    let changed = service
        .call(Method::PATCH, &path, &key, Some(change))
        .await
        .ok(200);
    assert_eq!(
        (&changed["active"], &changed["events"]),
        (&json!(false), &json!([]))
    );
    assert_eq!(
        changed["retryPolicy"],
        json!({ "policy": "exponential", "delaySeconds": 9, "attempts": 3 })
    );
    assert_eq!(changed["url"], made["url"]);
    assert_eq!(
        service.get(HOOKS, &key).await.ok(200)["data"],
        json!([changed])
    );
    let deleted = service.call(Method::DELETE, &path, &key, None).await;
    assert_eq!(deleted.status, 204);
    service
        .call(Method::DELETE, &path, &key, None)
        .await
        .error(404, "not_found");
}

#[tokio::test]
async fn wrong_webhooks_are_refused_with_all_their_faults() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let stranger = service.tenant().await;
    let foreign = service.store.session(stranger.organization).await;
    for (body, fields) in [
        (json!({}), vec!["url"]),
        (json!({ "url": "" }), vec!["url"]),
        (json!({ "url": "ftp://example.com" }), vec!["url"]),
        (json!({ "url": "http://127.0.0.1/" }), vec!["url"]),
        (json!({ "url": "http://169.254.169.254/" }), vec!["url"]),
        (
            json!({ "url": "https://e.com", "sessionId": foreign.to_string() }),
            vec!["sessionId"],
        ),
        (
            json!({ "url": "x", "events": ["message", "nope"], "retryPolicy": { "attempts": 0 },
                "customHeaders": { "Host": "x" } }),
            vec![
                "retryPolicy.attempts",
                "events[1]",
                "customHeaders.Host",
                "url",
            ],
        ),
    ] {
        let reply = service.post(HOOKS, &tenant.key, body.clone()).await;
        assert_eq!(reply.faults(), fields, "{body}");
    }
}

#[tokio::test]
async fn a_session_is_set_and_cleared() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await.to_string();
    let body = json!({ "url": "https://e.com", "sessionId": session });
    let made = service.post(HOOKS, &tenant.key, body).await.ok(201);
    assert_eq!(made["sessionId"], session);
    let path = format!("{HOOKS}/{}", made["id"].as_str().unwrap());
    let change = async |body| {
        service
            .call(Method::PATCH, &path, &tenant.key, Some(body))
            .await
            .ok(200)
    };
    assert_eq!(
        change(json!({ "active": true })).await["sessionId"],
        session
    );
    assert!(
        change(json!({ "sessionId": null }))
            .await
            .get("sessionId")
            .is_none()
    );
}

#[tokio::test]
async fn a_webhook_keeps_what_a_change_does_not_name_and_its_events_once_each() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let body = json!({ "url": "https://e.com", "events": ["message", "auth.qr", "message"] });
    let made = service.post(HOOKS, &tenant.key, body).await.ok(201);
    assert_eq!(made["events"], json!(["message", "auth.qr"]));
    let path = format!("{HOOKS}/{}", made["id"].as_str().unwrap());
    let change = async |body| {
        service
            .call(Method::PATCH, &path, &tenant.key, Some(body))
            .await
    };
    assert_eq!(change(json!({ "url": "" })).await.faults(), ["url"]);
    let endless = json!({ "events": vec!["message"; 65] });
    assert_eq!(change(endless).await.faults(), ["events"]);
    let all = change(json!({ "events": ["*", "message"] })).await.ok(200);
    assert_eq!(all["events"], json!(["*"]));
    let parts = [
        json!({ "url": "https://other.example/" }),
        json!({ "events": ["auth.qr"] }),
        json!({ "customHeaders": { "X-A": "1" } }),
        json!({ "retryPolicy": { "attempts": 3 } }),
        json!({ "active": false }),
    ];
    let changes = parts.map(|part| service.call(Method::PATCH, &path, &tenant.key, Some(part)));
    futures::future::join_all(changes).await;
    let read = service.get(&path, &tenant.key).await.ok(200);
    assert_eq!(
        (&read["url"], &read["events"], &read["customHeaders"]),
        (
            &json!("https://other.example/"),
            &json!(["auth.qr"]),
            &json!({ "X-A": "1" })
        )
    );
    assert_eq!(
        (&read["retryPolicy"]["attempts"], &read["active"]),
        (&json!(3), &json!(false))
    );
}

#[tokio::test]
async fn the_signing_secret_is_shown_where_the_owner_gave_none() {
    let service = Service::start().await;
    let key = service.tenant().await.key;
    let made = service.post(HOOKS, &key, json!({ "url": "https://e.com" }));
    let path = format!("{HOOKS}/{}", made.await.ok(201)["id"].as_str().unwrap());
    let secret_path = format!("{path}/signing-secret");
    let shown = service.get(&secret_path, &key).await.ok(200);
    assert!(shown["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(service.get(&secret_path, &key).await.ok(200), shown);
    let stranger = service.tenant().await.key;
    service
        .get(&secret_path, &stranger)
        .await
        .error(404, "not_found");
    let own = json!({ "secret": "s3cret" });
    service
        .call(Method::PATCH, &path, &key, Some(own))
        .await
        .ok(200);
    assert_eq!(service.get(&secret_path, &key).await.ok(200), json!({}));
}

#[tokio::test]
async fn deliveries_are_listed_and_replayed() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    let made = service
        .post(HOOKS, &tenant.key, json!({ "url": "https://e.com" }))
        .await
        .ok(201);
    let path = format!("{HOOKS}/{}/deliveries", made["id"].as_str().unwrap());
    let events = service.emit(tenant.organization, session, 0..3).await;
    let first = service
        .get(&format!("{path}?limit=2"), &tenant.key)
        .await
        .ok(200);
    assert_eq!(first["data"].as_array().unwrap().len(), 2);
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = service
        .get(&format!("{path}?limit=2&cursor={cursor}"), &tenant.key)
        .await
        .ok(200);
    assert_eq!(second["data"].as_array().unwrap().len(), 1);
    assert!(second.get("nextCursor").is_none());
    let query = format!("{path}?event={}&status=pending", events[1]);
    let found = service.get(&query, &tenant.key).await.ok(200);
    let delivery = &found["data"][0];
    assert_eq!(delivery["eventId"], events[1].to_string());
    assert_eq!(
        (&delivery["replay"], &delivery["attempts"]),
        (&json!(false), &json!([]))
    );
    let replay = format!("{path}/{}:replay", delivery["id"].as_str().unwrap());
    let replayed = service
        .call(Method::POST, &replay, &tenant.key, None)
        .await
        .ok(202);
    assert_eq!(
        (&replayed["eventId"], &replayed["replay"]),
        (&delivery["eventId"], &json!(true))
    );
    let count = async |kind| {
        let query = format!("{path}?event={kind}");
        let found = service.get(&query, &tenant.key).await.ok(200);
        found["data"].as_array().unwrap().len()
    };
    assert_eq!((count("message").await, count("auth.qr").await), (4, 0));
    let faults = service
        .get(&format!("{path}?status=x&event=y&cursor=z"), &tenant.key)
        .await
        .faults();
    assert_eq!(faults, ["status", "event", "cursor"]);
}
