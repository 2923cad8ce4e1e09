//! Bodies that are wrong, through the router.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::stream;
use http::{Method, Request};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::json;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

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

/// What stands for a member of a body, and the faults that it has.
type Variants = &'static [(&'static str, &'static [&'static str])];

const UNKNOWN_FIELD: Variants = &[("", &[]), (r#""zzz":[{}]"#, &["zzz"])];

const SESSION: &[Variants] = &[
    &[
        ("", &[]),
        (r#""label":"a""#, &[]),
        (r#""label":"\u0001""#, &["label"]),
        (r#""label":5"#, &["label"]),
        (r#""label":"a","label":"b""#, &["label"]),
    ],
    &[
        ("", &[]),
        (r#""autoRead":null"#, &[]),
        (r#""autoRead":"yes""#, &["autoRead"]),
    ],
    &[("", &[]), (r#""presenceTyping":{}"#, &["presenceTyping"])],
    UNKNOWN_FIELD,
];

const RATES: &[Variants] = &[
    &[
        ("", &[]),
        (r#""ratePerMin":1000001"#, &["ratePerMin"]),
        (r#""ratePerMin":1.5"#, &["ratePerMin"]),
    ],
    &[("", &[]), (r#""ratePerHour":-2"#, &["ratePerHour"])],
    &[
        ("", &[]),
        (r#""label":"\u0001""#, &["label"]),
        (r#""label":5"#, &["label"]),
    ],
    UNKNOWN_FIELD,
];

const PHONE: &[Variants] = &[
    &[
        (r#""phone":"15551234567""#, &[]),
        ("", &["phone"]),
        (r#""phone":"+15551234567""#, &["phone"]),
        (r#""phone":15551234567"#, &["phone"]),
    ],
    UNKNOWN_FIELD,
];

const SEND: &[Variants] = &[
    &[
        (r#""type":"text""#, &[]),
        (r#""type":"fax""#, &["type"]),
        (r#""type":7"#, &["type"]),
        ("", &["type"]),
    ],
    &[
        (r#""to":"15551234567""#, &[]),
        (r#""to":"nobody""#, &["to"]),
        (r#""to":[]"#, &["to"]),
        ("", &["to"]),
    ],
    &[
        (r#""text":"a""#, &[]),
        (r#""text":" ""#, &["text"]),
        (r#""text":{"a":1}"#, &["text"]),
    ],
    &[
        ("", &[]),
        (r#""replyTo":"""#, &["replyTo"]),
        (r#""replyTo":false"#, &["replyTo"]),
        (r#""replyTo":"A","replyTo":"B""#, &["replyTo"]),
    ],
    &[
        ("", &[]),
        (r#""mentions":["15551234567"]"#, &[]),
        (
            r#""mentions":["x",5,"15551234567",null]"#,
            &["mentions[0]", "mentions[1]", "mentions[3]"],
        ),
        (r#""mentions":"x""#, &["mentions"]),
    ],
    UNKNOWN_FIELD,
];

const HOOK: &[Variants] = &[
    &[
        (r#""url":"https://example.com/""#, &[]),
        ("", &["url"]),
        (r#""url":"http://127.0.0.1/""#, &["url"]),
        (r#""url":5"#, &["url"]),
    ],
    &[
        ("", &[]),
        (r#""events":["message"]"#, &[]),
        (
            r#""events":["message","nope",5]"#,
            &["events[1]", "events[2]"],
        ),
        (r#""events":5"#, &["events"]),
    ],
    &[
        ("", &[]),
        (r#""retryPolicy":null"#, &[]),
        (
            r#""retryPolicy":{"attempts":0,"x":1,"delaySeconds":"1","policy":"a","policy":"b"}"#,
            &[
                "retryPolicy.attempts",
                "retryPolicy.delaySeconds",
                "retryPolicy.policy",
                "retryPolicy.x",
            ],
        ),
        (r#""retryPolicy":[]"#, &["retryPolicy"]),
    ],
    &[
        ("", &[]),
        (
            r#""customHeaders":{"Host":"x","a":1}"#,
            &["customHeaders.Host", "customHeaders.a"],
        ),
    ],
    &[
        ("", &[]),
        (r#""secret":{}"#, &["secret"]),
        (r#""secret":"\u0000""#, &["secret"]),
    ],
    &[("", &[]), (r#""sessionId":"x""#, &["sessionId"])],
    &[("", &[]), (r#""active":0"#, &["active"])],
    UNKNOWN_FIELD,
];

const TICKET: &[Variants] = &[
    &[
        (r#""scope":"session""#, &["session"]),
        (r#""scope":"galaxy""#, &["scope"]),
        (r#""scope":1"#, &["scope"]),
    ],
    &[
        ("", &[]),
        (r#""since":"x""#, &["since"]),
        (r#""since":1"#, &["since"]),
    ],
    &[
        ("", &[]),
        (r#""events":["x",1]"#, &["events[0]", "events[1]"]),
    ],
    UNKNOWN_FIELD,
];

#[test]
fn all_faults_of_a_body_are_told_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (service, key, session, hook) = runtime.block_on(async {
        let service = Service::start().await;
        let tenant = service.tenant().await;
        let session = service.store.session(tenant.organization).await;
        let body = json!({ "url": "https://example.com/" });
        let hook = service
            .post("/api/v1/webhooks", &tenant.key, body)
            .await
            .ok(201);
        let hook = hook["id"].as_str().unwrap().to_owned();
        (service, tenant.key, session, hook)
    });
    let session = format!("/api/v1/sessions/{session}");
    let operations = [
        (Method::POST, "/api/v1/sessions".to_owned(), SESSION),
        (Method::PATCH, session.clone(), RATES),
        (Method::POST, format!("{session}/pairing-code"), PHONE),
        (Method::POST, format!("{session}/messages"), SEND),
        (Method::POST, "/api/v1/webhooks".to_owned(), HOOK),
        // A change needs no URL.
        (
            Method::PATCH,
            format!("/api/v1/webhooks/{hook}"),
            &HOOK[1..],
        ),
        (Method::POST, "/api/v1/realtime/ticket".to_owned(), TICKET),
    ];
    let choices = (
        0..operations.len(),
        proptest::collection::vec(0_usize..60, HOOK.len()),
    );
    let mut runner = TestRunner::new(ProptestConfig::with_cases(400));
    runner
        .run(&choices, |(operation, picks)| {
            let (method, path, members) = &operations[operation];
            let chosen: Vec<_> = members
                .iter()
                .zip(picks)
                .map(|(variants, pick)| variants[pick % variants.len()])
                .collect();
            let texts: Vec<_> = chosen.iter().map(|(text, _)| *text).collect();
            let texts: Vec<_> = texts.into_iter().filter(|text| !text.is_empty()).collect();
            let body = format!("{{{}}}", texts.join(","));
            let expected: BTreeSet<_> = chosen
                .iter()
                .flat_map(|(_, faults)| faults.iter().map(|fault| (*fault).to_owned()))
                .collect();
            let request = Request::builder()
                .method(method.clone())
                .uri(path)
                .header("x-api-key", &key)
                .header("host", "api.example")
                .body(Body::from(body.clone()))
                .unwrap();
            let reply = runtime.block_on(service.request(request));
            if expected.is_empty() {
                prop_assert_ne!(reply.status.as_u16(), 400, "{}", body);
            } else {
                let told: BTreeSet<_> = reply.faults().into_iter().collect();
                prop_assert_eq!(told, expected, "{}", body);
            }
            Ok(())
        })
        .unwrap();
}

/// The size of a body that counts against the memory of all of them.
const LARGE: usize = 1_000_000;

/// Sends a large body, whose end never comes; returns when its bytes were read.
pub(crate) async fn begin_upload(
    service: &Service,
    path: &str,
    key: &str,
) -> JoinHandle<Result<Response, Infallible>> {
    let (read, is_read) = tokio::sync::oneshot::channel();
    // It stops after its bytes, and says that they were read.
    let rest = stream::once(async move {
        let _ = read.send(());
        std::future::pending::<Result<Bytes, std::io::Error>>().await
    });
    let first = stream::iter([Ok(Bytes::from(vec![b' '; LARGE]))]);
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("x-api-key", key)
        .body(Body::from_stream(futures::StreamExt::chain(first, rest)))
        .unwrap();
    let upload = tokio::spawn(service.router.clone().oneshot(request));
    is_read.await.unwrap();
    upload
}

#[tokio::test]
async fn large_bodies_share_a_bounded_memory() {
    let service = Service::with(|config| {
        config.media_body_limit_bytes = 1 << 20;
        // As little as possible: one body of the largest size, and 1 MiB more.
        config.body_memory_bytes = 0;
    })
    .await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    let path = format!("/api/v1/sessions/{session}/messages");
    let request = |body| {
        Request::builder()
            .method(Method::POST)
            .uri(&path)
            .header("x-api-key", &tenant.key)
            .body(body)
            .unwrap()
    };
    let large = || Bytes::from(vec![b' '; LARGE]);
    let mut uploads = Vec::new();
    for _ in 0..2 {
        uploads.push(begin_upload(&service, &path, &tenant.key).await);
    }
    let reply = service.request(request(Body::from(large()))).await;
    let error = reply.error(429, "rate_limited");
    assert_eq!(error["details"]["retryAfterSeconds"], 5);
    assert_eq!(reply.headers["retry-after"], "5");
    // Small ones need none of it.
    let small = service.request(request(Body::from("{"))).await;
    assert_eq!(small.faults(), ["body"]);
    for upload in uploads {
        upload.abort();
        assert!(upload.await.unwrap_err().is_cancelled());
    }
    let reply = service.request(request(Body::from(large()))).await;
    assert_eq!(reply.faults(), ["body"]);
}
