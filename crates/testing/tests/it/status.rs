//! Stories: posted before whom the phone's settings let see them, and deleted.

use reqwest::Method;
use serde_json::json;
use wagate_testing::TestSandbox;

const STATUS: &str = "status@broadcast";

#[tokio::test]
async fn a_story_comes_before_the_people_one_writes_with() {
    let sandbox = TestSandbox::start().await;
    let phones = sandbox.phones.clone();
    let (alice, bob) = (&phones[0], &phones[1]);
    let carol = sandbox.simulated.phone().await;
    let session = sandbox.pair(alice).await;
    session.send_text(bob, "hello").await;
    session.send_text(&carol, "hello").await;

    let path = session.path("/status");
    let story = json!({ "text": "Open until nine", "backgroundColor": "#0000FF" });
    let posted = sandbox.api.post(&path, &story).await.expect(200);
    let id = posted["messageId"].as_str().unwrap();
    for number in [alice, bob, &carol] {
        let seen = sandbox
            .simulated
            .wait_for(number, |message| message.id() == id)
            .await;
        assert_eq!(seen.body(), "Open until nine");
        assert_eq!(seen.0["chatJid"], STATUS, "{seen:?}");
    }
    let chat = sandbox
        .api
        .get(&session.path(&format!("/chats/{STATUS}")))
        .await;
    assert_eq!(chat["type"], "status");
    let stored = session.messages(STATUS).await;
    assert_eq!(
        (&stored[0]["id"], &stored[0]["body"]),
        (&json!(id), &json!("Open until nine"))
    );

    let revoke = json!({ "chat": STATUS });
    let path = session.path(&format!("/messages/{id}"));
    let revoked = sandbox.api.call(Method::DELETE, &path, Some(&revoke)).await;
    revoked.expect(200);
    sandbox
        .simulated
        .wait_for(bob, |message| {
            message.0["type"] == "revoke" && message.0["targetId"] == id
        })
        .await;
    sandbox.stop().await;
}

#[tokio::test]
async fn the_phone_s_settings_say_who_sees_a_story() {
    let sandbox = TestSandbox::start().await;
    let phones = sandbox.phones.clone();
    let (alice, bob) = (&phones[0], &phones[1]);
    let carol = sandbox.simulated.phone().await;
    let session = sandbox.pair(alice).await;
    session.send_text(bob, "hello").await;
    session.send_text(&carol, "hello").await;
    let privacy = format!("/phones/{alice}:status-privacy");
    let body = json!({ "list": "blacklist", "users": [format!("{bob}@s.whatsapp.net")] });
    sandbox
        .simulated
        .call(Method::POST, &privacy, Some(&body))
        .await;

    let path = session.path("/status");
    let hidden = json!({ "text": "not for everybody" });
    sandbox.api.post(&path, &hidden).await.expect(200);
    sandbox
        .simulated
        .wait_for(&carol, |message| message.body() == "not for everybody")
        .await;
    let body = json!({ "list": "contacts" });
    sandbox
        .simulated
        .call(Method::POST, &privacy, Some(&body))
        .await;
    let shown = json!({ "text": "for everybody", "type": "text" });
    sandbox.api.post(&path, &shown).await.expect(200);
    sandbox
        .simulated
        .wait_for(bob, |message| message.body() == "for everybody")
        .await;
    let seen = sandbox.simulated.messages(bob).await;
    assert!(
        seen.iter()
            .all(|message| message.body() != "not for everybody")
    );

    for faulty in [
        json!({}),
        json!({ "text": "  " }),
        json!({ "text": "x", "type": "image" }),
        json!({ "text": "x", "backgroundColor": "blue" }),
    ] {
        sandbox.api.post(&path, &faulty).await.expect(400);
    }
    sandbox.api.act(&session.path(":stop")).await;
    sandbox.api.post(&path, &shown).await.expect(409);
    sandbox.stop().await;
}

/// A picture of one pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAA\
AABJRU5ErkJggg==";

#[tokio::test]
async fn a_story_is_a_picture_too() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    session.send_text(bob, "hello").await;
    let path = session.path("/status");
    let story = json!({ "type": "image", "text": "The harbour", "media": { "data": PNG } });
    let posted = sandbox.api.post(&path, &story).await.expect(200);
    let id = posted["messageId"].as_str().unwrap();
    let seen = sandbox
        .simulated
        .wait_for(bob, |message| message.id() == id)
        .await;
    assert_eq!(seen.0["type"], "image");
    assert_eq!(seen.0["media"]["mimeType"], "image/jpeg", "{seen:?}");
    for body in [
        json!({ "type": "image" }),
        json!({ "type": "video", "media": { "data": PNG } }),
    ] {
        sandbox.api.post(&path, &body).await.expect(400);
    }
    sandbox.stop().await;
}
