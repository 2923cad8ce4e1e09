//! What the account kept before a device was linked.

use reqwest::Method;
use serde_json::{Value, json};
use wagate_testing::{Session, TestSandbox};

/// What a session shows of the chat with the second phone, and of its messages.
async fn shown(sandbox: &TestSandbox, session: &Session) -> (Value, Vec<Value>) {
    let path = session.path(&format!("/chats/{}", sandbox.phones[1]));
    let chat = sandbox.api.call(Method::GET, &path, None).await;
    if chat.status == 404 {
        return (Value::Null, Vec::new());
    }
    (chat.expect(200), session.messages(&sandbox.phones[1]).await)
}

/// A new device gets application state summed up, and not change by change.
#[tokio::test]
async fn a_new_device_learns_what_was_kept_before() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let first = sandbox.pair(alice).await;
    let mut socket = sandbox
        .api
        .realtime(&json!({ "events": ["message"] }))
        .await;
    let id = sandbox
        .simulated
        .send_text(bob, alice, "the address is ...")
        .await;
    socket
        .wait_for(|frame| frame["payload"]["waMessageId"] == id.as_str())
        .await;
    for (name, color) in [("customers", 3), ("urgent", 1)] {
        let label = json!({ "name": name, "color": color });
        let made = sandbox.api.post(&first.path("/labels"), &label).await;
        made.expect(201);
    }
    let in_chat = json!({ "chat": bob });
    for (path, body) in [
        (format!("/chats/{bob}/labels/1"), None),
        (format!("/messages/{id}/labels/2"), Some(&in_chat)),
        (format!("/messages/{id}/star"), Some(&in_chat)),
    ] {
        let path = first.path(&path);
        let answer = sandbox.api.call(Method::PUT, &path, body).await;
        answer.expect(200);
    }
    let settings = json!({ "archived": true, "pinned": false, "mutedUntil": -1 });
    let path = first.path(&format!("/chats/{bob}"));
    let answer = sandbox
        .api
        .call(Method::PATCH, &path, Some(&settings))
        .await;
    answer.expect(200);

    let second = sandbox.pair(alice).await;
    let is_there = |shown: &(Value, Vec<Value>)| {
        let (chat, messages) = shown;
        let message = messages.iter().find(|message| message["id"] == id.as_str());
        chat["labels"] == json!(["1"])
            && chat["archived"] == true
            && message.is_some_and(|message| {
                message["labels"] == json!(["2"]) && message["starred"] == true
            })
    };
    // What was kept before is told by no event.
    let waiting = async { while !is_there(&shown(&sandbox, &second).await) {} };
    let found = tokio::time::timeout(wagate_testing::PATIENCE, waiting).await;
    assert!(found.is_ok(), "{:?}", shown(&sandbox, &second).await);
    let labels = sandbox.api.get(&first.path("/labels")).await;
    assert_eq!(sandbox.api.get(&second.path("/labels")).await, labels);
    sandbox.stop().await;
}
