//! The same request from several clients is one message.

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
