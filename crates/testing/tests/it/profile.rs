//! The account itself: what it shows, and to whom.

use reqwest::Method;
use serde_json::{Value, json};
use wagate_testing::TestSandbox;

/// A picture of one pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAA\
AABJRU5ErkJggg==";

#[tokio::test]
async fn the_account_shows_what_it_is_told_to() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    let path = session.path("/profile");
    let change = async |body: Value| {
        let answer = sandbox.api.call(Method::PATCH, &path, Some(&body)).await;
        answer.expect(204)
    };
    change(json!({"about": "Back on Monday", "name": "Harbour Office"})).await;
    let shown = sandbox.api.get(&path).await;
    assert_eq!(shown["about"], "Back on Monday");
    assert_eq!(shown["name"], "Harbour Office");
    assert!(shown.get("picture").is_none(), "{shown}");
    change(json!({})).await;

    let picture = session.path("/profile/picture");
    let put = json!({ "data": PNG });
    let answer = sandbox.api.call(Method::PUT, &picture, Some(&put)).await;
    answer.expect(204);
    let shown = sandbox.api.get(&path).await;
    assert!(shown["picture"]["id"].is_string(), "{shown}");
    for _ in 0..2 {
        let answer = sandbox.api.call(Method::DELETE, &picture, None).await;
        answer.expect(204);
    }
    assert!(sandbox.api.get(&path).await.get("picture").is_none());

    for (method, path, body, field) in [
        (Method::PATCH, &path, json!({"name": " "}), "name"),
        (
            Method::PATCH,
            &path,
            json!({"about": "a".repeat(140)}),
            "about",
        ),
        (Method::PUT, &picture, json!({"data": "AAAA"}), "data"),
        (Method::PUT, &picture, json!({}), "data"),
    ] {
        let refused = sandbox.api.call(method, path, Some(&body)).await;
        let refused = refused.expect(400);
        assert_eq!(refused["error"]["details"]["errors"][0]["field"], field);
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn the_account_decides_who_sees_what() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    let path = session.path("/privacy");
    let before = sandbox.api.get(&path).await;
    assert!(before["lastSeen"].is_string(), "{before}");
    let wanted = json!({"lastSeen": "none", "readReceipts": "none"});
    let answer = sandbox.api.call(Method::PATCH, &path, Some(&wanted)).await;
    let changed = answer.expect(200);
    assert_eq!(changed["lastSeen"], "none");
    assert_eq!(changed["readReceipts"], "none");
    assert_eq!(changed["groups"], before["groups"]);
    assert_eq!(sandbox.api.get(&path).await, changed);
    let wrong = json!({"readReceipts": "contacts"});
    let refused = sandbox.api.call(Method::PATCH, &path, Some(&wrong)).await;
    let refused = refused.expect(400);
    let faults = &refused["error"]["details"]["errors"];
    assert_eq!(faults[0]["field"], "readReceipts");
    sandbox.stop().await;
}

#[tokio::test]
async fn a_call_is_rejected() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    let path = session.path("/calls/5F3A2B/reject");
    let from = json!({ "from": sandbox.phones[1] });
    let answer = sandbox.api.call(Method::POST, &path, Some(&from)).await;
    answer.expect(204);
    for body in [json!({}), json!({"from": "1-2@g.us"})] {
        let refused = sandbox.api.call(Method::POST, &path, Some(&body)).await;
        refused.expect(400);
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn a_new_picture_is_told_to_those_who_write_with_the_account() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let (shows, sees) = (sandbox.pair(alice).await, sandbox.pair(bob).await);
    shows.send_text(bob, "hello").await;
    let ticket =
        json!({"scope": "session", "session": sees.id, "events": ["message", "chat.update"]});
    let mut socket = sandbox.api.realtime(&ticket).await;
    let picture = shows.path("/profile/picture");
    let put = json!({ "data": PNG });
    let answer = sandbox.api.call(Method::PUT, &picture, Some(&put)).await;
    answer.expect(204);
    let told = socket
        .wait_for(|frame| frame["event"] == "chat.update")
        .await;
    assert_eq!(told["payload"]["change"], "picture");
    assert!(told["payload"]["pictureId"].is_string(), "{told}");
    let at = sees.path(&format!("/contacts/{alice}/picture"));
    let current = sandbox.api.get(&at).await;
    assert_eq!(current["id"], told["payload"]["pictureId"]);
    let answer = sandbox.api.call(Method::DELETE, &picture, None).await;
    answer.expect(204);
    let gone = socket
        .wait_for(|frame| frame["event"] == "chat.update")
        .await;
    assert_eq!(gone["payload"]["removed"], true);
    assert_eq!(gone["payload"]["chatJid"], told["payload"]["chatJid"]);
    sandbox.stop().await;
}

#[tokio::test]
async fn chats_that_the_account_begins_have_its_timer() {
    const WEEK: i64 = 604_800;
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let path = session.path("/privacy");
    let set = async |seconds: i64| {
        let body = json!({"defaultDisappearingSeconds": seconds});
        sandbox.api.call(Method::PATCH, &path, Some(&body)).await
    };
    let shown = sandbox.api.get(&path).await;
    assert_eq!(shown["defaultDisappearingSeconds"], 0);
    let refused = set(5).await.expect(400);
    let faults = &refused["error"]["details"]["errors"];
    assert_eq!(faults[0]["field"], "defaultDisappearingSeconds");

    // Who wrote first has chosen the chat's timer: none.
    let carol = sandbox.simulated.phone().await;
    let ticket = json!({"scope": "session", "session": session.id, "events": ["message"]});
    let mut socket = sandbox.api.realtime(&ticket).await;
    sandbox.simulated.send_text(&carol, alice, "hello").await;
    socket.wait_for(|frame| frame["event"] == "message").await;
    let changed = set(WEEK).await.expect(200);
    assert_eq!(changed["defaultDisappearingSeconds"], WEEK);
    assert_eq!(sandbox.api.get(&path).await, changed);
    let timer = async |to: &str, text: &str| {
        session.send_text(to, text).await;
        let got = sandbox.simulated.wait_for(to, |m| m.body() == text).await;
        got.0["details"]["expiresIn"].clone()
    };
    assert!(timer(&carol, "an answer").await.is_null());
    for text in ["the first", "the second"] {
        assert_eq!(timer(bob, text).await, WEEK, "{text}");
    }
    let chat = session.path(&format!("/chats/{bob}"));
    assert_eq!(sandbox.api.get(&chat).await["disappearingSeconds"], WEEK);

    // Chats that have a timer keep it.
    set(0).await.expect(200);
    assert_eq!(timer(bob, "the third").await, WEEK);
    let dave = sandbox.simulated.phone().await;
    assert!(timer(&dave, "begun without").await.is_null());
    sandbox.stop().await;
}
