//! The same request from several clients is one message.

use reqwest::Method;
use serde_json::json;
use wagate_testing::TestSandbox;

#[tokio::test]
async fn ten_clients_with_one_key_send_one_message() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    let bob = sandbox.phones[1].clone();
    let requests = (0..10).map(|_| session.send_once(&bob, "only once", "order-1"));
    let answers = futures::future::join_all(requests).await;
    let results: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.unwrap().expect(200))
        .collect();
    let first = &results[0]["waMessageId"];
    assert!(
        results.iter().all(|result| &result["waMessageId"] == first),
        "{results:#?}"
    );
    let originals = results
        .iter()
        .filter(|result| result.get("replayed").is_none_or(|r| r == false));
    assert_eq!(originals.count(), 1, "{results:#?}");

    let later = session
        .send_once(&bob, "only once", "order-1")
        .await
        .unwrap()
        .expect(200);
    assert_eq!(
        (&later["waMessageId"], &later["replayed"]),
        (first, &json!(true))
    );
    sandbox
        .simulated
        .wait_for(&bob, |message| message.body() == "only once")
        .await;
    let all = sandbox.simulated.messages(&bob).await;
    assert_eq!(
        all.iter()
            .filter(|message| message.body() == "only once")
            .count(),
        1
    );
    assert_eq!(all[0].0["duplicates"], 0);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    let bob = &sandbox.phones[1];
    session
        .send_once(bob, "first", "key-1")
        .await
        .unwrap()
        .expect(200);
    let refused = session
        .send_once(bob, "second", "key-1")
        .await
        .unwrap()
        .expect(409);
    assert_eq!(refused["error"]["code"], "conflict");
    session
        .send_once(bob, "second", "key-2")
        .await
        .unwrap()
        .expect(200);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_key_names_a_request_whether_its_caller_waits_or_not() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    let body = json!({"type": "text", "to": sandbox.phones[1], "text": "once"});
    let (waits, queues) = (
        session.path("/messages"),
        session.path("/messages?async=true"),
    );
    let send = async |path: &str, key: &str| {
        let headers = [("Idempotency-Key", key)];
        let answer = sandbox
            .api
            .try_call(Method::POST, path, Some(&body), &headers);
        answer.await.unwrap()
    };
    // One who waits for what was queued is told how it ended.
    let first = send(&queues, "queued-first").await.expect(202);
    let id = first["waMessageId"].as_str().expect("a reserved id");
    let again = send(&waits, "queued-first").await.expect(200);
    assert_eq!(
        (&again["waMessageId"], &again["replayed"]),
        (&json!(id), &json!(true))
    );
    assert_eq!(
        (&again["mode"], &again["status"]),
        (&json!("sync"), &json!("sent"))
    );
    let again = send(&queues, "queued-first").await.expect(202);
    assert_eq!(
        (&again["waMessageId"], &again["outboxId"]),
        (&json!(id), &first["outboxId"])
    );
    // One who does not wait gets the outcome that is there.
    let first = send(&waits, "waited-first").await.expect(200);
    let again = send(&queues, "waited-first").await.expect(200);
    assert_eq!(
        (&again["waMessageId"], &again["replayed"]),
        (&first["waMessageId"], &json!(true))
    );
    assert_eq!(session.messages(&sandbox.phones[1]).await.len(), 2);
    sandbox.stop().await;
}
