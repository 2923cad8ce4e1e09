//! Bodies that are wrong, through the router.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::stream;
use http::{Method, Request};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::json;

use crate::harness::{Reply, Service};

async fn send(service: &Service, key: &str, content_type: &str, body: Body) -> Reply {
    let request = Request::builder()
        .method(Method::POST)
        .uri("/api/v1/sessions")
        .header("x-api-key", key)
        .header("content-type", content_type);
    service.request(request.body(body).unwrap()).await
}

#[tokio::test]
async fn wrong_bodies_are_validation_errors() {
    let service = Service::start().await;
    let key = service.tenant().await.key;
    let oversized = format!("{{\"label\":\"{}\"}}", "x".repeat(1 << 20));
    for (content_type, body, field) in [
        ("application/json", "", "body"),
        ("application/json", "{", "body"),
        ("application/json", "[]", "body"),
        ("application/json", "{\"label\":\"\u{1}\"}", "body"),
        (
            "application/json",
            "{\"label\":\"a\",\"label\":\"b\"}",
            "label",
        ),
        ("application/json", "{\"label\":7}", "label"),
        ("application/json", "{\"Label\":\"x\"}", "Label"),
        ("application/json", "{\"label\":\"\\u0001\"}", "label"),
        ("application/json", oversized.as_str(), "body"),
        ("text/plain", "{}", "Content-Type"),
        ("multipart/form-data; boundary=x", "{}", "Content-Type"),
        ("application/json; charset=utf-16", "{}", "Content-Type"),
    ] {
        let reply = send(&service, &key, content_type, Body::from(body.to_owned())).await;
        assert_eq!(reply.faults(), [field], "{content_type}");
    }
    let body = json!({ "labl": "x", "start": "yes", "autoRead": 1, "label": null });
    let reply = service.post("/api/v1/sessions", &key, body).await;
    assert_eq!(reply.faults(), ["autoRead", "labl", "start"]);
    let long = json!({ "label": "é".repeat(101) });
    assert_eq!(
        service.post("/api/v1/sessions", &key, long).await.faults(),
        ["label"]
    );
    let fitting = json!({ "label": "é".repeat(100) });
    service
        .post("/api/v1/sessions", &key, fitting)
        .await
        .ok(201);
}

#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let service = Service::start().await;
    let key = service.tenant().await.key;
    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 4_096])));
    let reply = send(
        &service,
        &key,
        "application/json",
        Body::from_stream(endless),
    )
    .await;
    assert_eq!(reply.faults(), ["body"]);
}

#[tokio::test]
async fn a_body_that_does_not_come_ends() {
    let service =
        Service::with(|config| config.body_idle_timeout = Duration::from_millis(20)).await;
    let key = service.tenant().await.key;
    let silent = stream::pending::<Result<Bytes, std::io::Error>>();
    let reply = send(
        &service,
        &key,
        "application/json",
        Body::from_stream(silent),
    )
    .await;
    assert_eq!(reply.faults(), ["body"]);
}

#[tokio::test]
async fn sends_may_be_larger_than_other_bodies() {
    let service = Service::with(|config| config.media_body_limit_bytes = 3 << 20).await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    let path = format!("/api/v1/sessions/{session}/messages");
    // Read and understood, and then refused for what it says.
    let text =
        |bytes: usize| json!({ "type": "text", "to": "15551234567", "text": "x".repeat(bytes) });
    assert_eq!(
        service
            .post(&path, &tenant.key, text(2 << 20))
            .await
            .faults(),
        ["text"]
    );
    assert_eq!(
        service
            .post(&path, &tenant.key, text(3 << 20))
            .await
            .faults(),
        ["body"]
    );
}

#[test]
fn no_body_panics_or_passes_by_chance() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (service, key) = runtime.block_on(async {
        let service = Service::start().await;
        let key = service.tenant().await.key;
        (service, key)
    });
    let mut runner = TestRunner::new(ProptestConfig::with_cases(128));
    let bodies = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..64),
        "[\\[\\]{}\",:a-z0-9\\\\ ]{0,40}".prop_map(String::into_bytes),
        "\\{\"(label|x)\":(1|\"a\"|null|\\[\\]),\"[a-z]{1,3}\":\\{\\}\\}"
            .prop_map(String::into_bytes),
    ];
    runner
        .run(&bodies, |bytes| {
            let is_object = serde_json::from_slice::<serde_json::Map<_, _>>(&bytes).is_ok();
            let reply =
                runtime.block_on(send(&service, &key, "application/json", Body::from(bytes)));
            let status = reply.status.as_u16();
            prop_assert!(status == 400 || (status == 201 && is_object), "{status}");
            Ok(())
        })
        .unwrap();
}
