//! Realtime sockets and the log behind them.

use reqwest::Method;
use serde_json::json;
use wagate_testing::{Realtime, TestSandbox};

#[tokio::test]
async fn a_socket_resumes_without_a_gap() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    sandbox.pair(alice).await;
    let mut first = sandbox.api.realtime(&json!({"events": ["message"]})).await;
    sandbox.simulated.send_text(bob, alice, "one").await;
    let seen = first.wait_for(|frame| frame["event"] == "message").await;
    drop(first);
    for text in ["two", "three"] {
        sandbox.simulated.send_text(bob, alice, text).await;
    }
    let since = json!({"events": ["message"], "since": seen["id"]});
    let mut second = sandbox.api.realtime(&since).await;
    sandbox.simulated.send_text(bob, alice, "four").await;
    for text in ["two", "three", "four"] {
        let event = second.wait_for(|frame| frame["event"] == "message").await;
        assert_eq!(event["payload"]["body"], text);
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn a_ticket_works_once() {
    let sandbox = TestSandbox::start().await;
    let ticket = sandbox
        .api
        .post("/api/v1/realtime/ticket", &json!({}))
        .await
        .expect(200);
    assert_eq!(ticket["expiresInSeconds"], 30);
    assert!(
        ticket["ticket"]
            .as_str()
            .is_some_and(|ticket| ticket.starts_with("rt_"))
    );
    let url = ticket["url"].as_str().unwrap();
    Realtime::open(url).await;
    let path = url
        .split_once("/api/")
        .map(|(_, rest)| format!("/api/{rest}"))
        .unwrap();
    let headers = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let again = sandbox
        .api
        .try_call(Method::GET, &path, None, &headers)
        .await
        .unwrap();
    assert_eq!(again.expect(401)["error"]["code"], "unauthorized");
    sandbox.stop().await;
}

#[tokio::test]
async fn the_log_and_the_socket_tell_the_same() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    sandbox.pair(alice).await;
    let mut socket = sandbox.api.realtime(&json!({"events": ["message"]})).await;
    sandbox.simulated.send_text(bob, alice, "same").await;
    let frame = socket.wait_for(|frame| frame["event"] == "message").await;
    let events = sandbox.api.events_after(None).await;
    let logged = events
        .iter()
        .find(|event| event["id"] == frame["id"])
        .expect("in the log");
    assert_eq!(logged, &frame);
    let ids: Vec<_> = events
        .iter()
        .filter_map(|event| event["id"].as_str())
        .collect();
    assert!(ids.is_sorted(), "ids sort in the order of events");
    sandbox.stop().await;
}
