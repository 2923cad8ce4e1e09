//! What texts show of the pages that they link to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wagate_testing::{Session, TestSandbox};

const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAA\
AABJRU5ErkJggg==";

const PAGE: &str = r#"<!doctype html><head><title>plain</title>
<meta property="og:title" content="Harbour &amp; Sons"><meta name="description" content="Ships">
<meta property="og:image" content="dot.png"></head>"#;

/// A site, and how often its page was asked for.
async fn site() -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let html = |page: &'static str| ([(CONTENT_TYPE, "text/html; charset=utf-8")], page);
    let png = STANDARD.decode(PNG).unwrap();
    let router = Router::new()
        .route(
            "/page",
            get(move || async move {
                counter.fetch_add(1, Ordering::SeqCst);
                html(PAGE)
            }),
        )
        .route(
            "/dot.png",
            get(move || async move { ([(CONTENT_TYPE, "image/png")], png) }),
        )
        .route(
            "/moved",
            get(|| async { (StatusCode::MOVED_PERMANENTLY, [(LOCATION, "/page")]) }),
        )
        .route(
            "/inside",
            get(|| async {
                (
                    StatusCode::FOUND,
                    [(LOCATION, "http://169.254.169.254/latest/")],
                )
            }),
        )
        .route(
            "/round",
            get(|| async { (StatusCode::FOUND, [(LOCATION, "/round")]) }),
        )
        .route(
            "/bare",
            get(move || async move { html("<p>nothing to say</p>") }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), asked)
}

/// What the recipient's phone shows of a text.
async fn shown(sandbox: &TestSandbox, session: &Session, body: Value) -> Value {
    let bob = &sandbox.phones[1];
    let mut body = body;
    body["to"] = json!(bob);
    body["type"] = json!("text");
    let sent = sandbox
        .api
        .post(&session.path("/messages"), &body)
        .await
        .expect(200);
    let id = sent["waMessageId"].as_str().unwrap();
    let arrived = sandbox
        .simulated
        .wait_for(bob, |message| message.id() == id)
        .await;
    assert_eq!(arrived.0["body"], body["text"]);
    arrived.0["linkPreview"].clone()
}

#[tokio::test]
async fn a_text_shows_its_first_link_and_the_page_is_looked_at_once() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    let (site, asked) = site().await;
    for _ in 0..3 {
        let text = format!("look: {site}/page, and {site}/bare");
        let preview = shown(&sandbox, &session, json!({"text": text})).await;
        assert_eq!(preview["matchedText"], format!("{site}/page"));
        assert_eq!(
            (&preview["title"], &preview["description"]),
            (&json!("Harbour & Sons"), &json!("Ships"))
        );
        assert!(
            preview["thumbnailBytes"].as_u64().unwrap() > 100,
            "{preview}"
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let preview = shown(&sandbox, &session, json!({"text": format!("{site}/moved")})).await;
    assert_eq!(preview["title"], "Harbour & Sons");
    sandbox.stop().await;
}

#[tokio::test]
async fn a_page_that_shows_nothing_holds_no_text_up() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    let (site, asked) = site().await;
    for path in ["/bare", "/inside", "/round", "/dot.png", "/unknown"] {
        let preview = shown(&sandbox, &session, json!({"text": format!("{site}{path}")})).await;
        assert!(preview.is_null(), "{path}: {preview}");
    }
    let unwanted = json!({"text": format!("{site}/page"), "linkPreview": false});
    assert!(shown(&sandbox, &session, unwanted).await.is_null());
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    sandbox.stop().await;
}
