//! Presence: of the account, in chats, and of other people.

use reqwest::Method;
use serde_json::json;
use wagate_testing::TestSandbox;

#[tokio::test]
async fn a_person_s_presence_is_asked_for_and_told() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = sandbox
        .api
        .realtime(&json!({"events": ["presence.update"]}))
        .await;
    let path = session.path(&format!("/chats/{bob}/presence"));

    let first = sandbox.api.get(&path).await;
    assert_eq!(first["from"], format!("{bob}@s.whatsapp.net"));
    for (shown, state) in [("online", "available"), ("offline", "unavailable")] {
        let path = format!("/phones/{bob}:presence");
        let body = json!({ "state": shown });
        sandbox
            .simulated
            .call(Method::POST, &path, Some(&body))
            .await;
        let told = socket
            .wait_for(|frame| {
                frame["event"] == "presence.update" && frame["payload"]["state"] == state
            })
            .await;
        assert!(told["payload"]["from"].is_string(), "{told}");
    }
    let known = sandbox.api.get(&path).await;
    assert_eq!(known["state"], "unavailable", "{known}");
    sandbox.stop().await;
}

#[tokio::test]
async fn the_account_is_shown_online_and_typing() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let put = async |path: &str, body| {
        let path = session.path(path);
        sandbox.api.call(Method::PUT, &path, Some(&body)).await
    };
    for state in ["online", "offline"] {
        put("/presence", json!({ "state": state }))
            .await
            .expect(204);
    }
    put("/presence", json!({"state": "asleep"}))
        .await
        .expect(400);
    let chat = format!("/chats/{bob}/presence");
    for state in ["composing", "recording", "paused"] {
        put(&chat, json!({ "state": state })).await.expect(204);
    }
    put("/chats/nobody/presence", json!({"state": "paused"}))
        .await
        .expect(400);

    sandbox.api.act(&session.path(":stop")).await;
    let refused = put("/presence", json!({"state": "online"}))
        .await
        .expect(409);
    assert_eq!(
        refused["error"]["details"]["reason"],
        "session_not_connected"
    );
    sandbox.stop().await;
}
