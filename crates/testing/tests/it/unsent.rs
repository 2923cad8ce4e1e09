//! The account's own messages that could not be sent.

use reqwest::Method;
use serde_json::json;
use wagate_testing::TestSandbox;

use crate::content::{act, stored};

#[tokio::test]
async fn nothing_is_done_on_whatsapp_to_a_message_that_nobody_has() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let refusal = json!({"kind": "nack", "target": alice, "code": 403, "count": 1});
    sandbox.simulated.fault(&refusal).await;
    let text = json!({"type": "text", "to": bob, "text": "lost"});
    let path = session.path("/messages");
    sandbox.api.post(&path, &text).await.expect(409);
    let failed = session.messages(bob).await.remove(0);
    assert_eq!(failed["status"], "failed");
    let id = failed["id"].as_str().unwrap();

    for (method, rest, body) in [
        (Method::PATCH, "", json!({"text": "found"})),
        (Method::DELETE, "", json!({})),
        (Method::PUT, "/pin", json!({})),
        (Method::PUT, "/star", json!({})),
        (Method::POST, "/reaction", json!({"emoji": "👍"})),
    ] {
        let mut body = body;
        body["chat"] = json!(bob);
        let refused = act(&sandbox, &session, method, &format!("{id}{rest}"), body).await;
        let refused = refused.expect(409);
        assert_eq!(refused["error"]["code"], "conflict", "{rest}: {refused}");
        let reason = &refused["error"]["details"]["reason"];
        assert_eq!(reason, "message_not_sent", "{rest}: {refused}");
    }
    // What it says can go to somebody else, and the record of it goes.
    let carol = sandbox.simulated.phone().await;
    let body = json!({"chat": bob, "to": carol});
    let path = format!("{id}/forward");
    let forwarded = act(&sandbox, &session, Method::POST, &path, body).await;
    forwarded.expect(200);
    sandbox
        .simulated
        .wait_for(&carol, |m| m.body() == "lost")
        .await;
    let path = format!("{id}:delete");
    let deleted = act(
        &sandbox,
        &session,
        Method::POST,
        &path,
        json!({"chat": bob}),
    )
    .await;
    deleted.expect(204);
    assert!(stored(&session, bob, id).await.is_null());
    sandbox.stop().await;
}
