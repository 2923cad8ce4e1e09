//! Files in channels: posted as they are, and read by those who follow.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use wagate_testing::TestSandbox;

use crate::files::{PNG, mp4, wav};

#[tokio::test]
async fn files_are_posted_in_channels_and_read_by_those_who_follow() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let (author, reader) = (sandbox.pair(alice).await, sandbox.pair(bob).await);
    let body = json!({ "name": "Ours", "description": "of the day" });
    let made = sandbox.api.post(&author.path("/channels"), &body).await;
    let channel = made.expect(201)["jid"].as_str().unwrap().to_owned();
    let follow = reader.path(&format!("/channels/{channel}:follow"));
    let followed = sandbox.api.call(Method::POST, &follow, None).await;
    followed.expect(204);
    let ticket = json!({"scope": "session", "session": reader.id, "events": ["message"]});
    let mut socket = sandbox.api.realtime(&ticket).await;

    let text = b"%PDF-1.4 not much of it".to_vec();
    let (wav, mp4) = (wav(), mp4());
    for (kind, media, unchanged) in [
        ("image", json!({"data": PNG, "caption": "a dot"}), None),
        ("video", json!({"data": STANDARD.encode(&mp4)}), Some(&mp4)),
        ("audio", json!({"data": STANDARD.encode(&wav)}), Some(&wav)),
        (
            "audio",
            json!({"data": STANDARD.encode(&wav), "voice": true}),
            None,
        ),
        (
            "document",
            json!({"data": STANDARD.encode(&text), "filename": "offer.pdf"}),
            Some(&text),
        ),
        ("sticker", json!({"data": PNG}), None),
    ] {
        let body = json!({"type": kind, "to": channel, "media": media});
        let sent = sandbox.api.post(&author.path("/messages"), &body).await;
        let sent = sent.expect(200);
        assert_eq!(sent["status"], "sent", "{kind}: {sent}");
        let id = sent["waMessageId"].as_str().unwrap();
        let told = socket
            .wait_for(|frame| frame["payload"]["waMessageId"] == id)
            .await["payload"]
            .clone();
        assert_eq!(
            (&told["chatJid"], &told["type"]),
            (&json!(channel), &json!(kind))
        );
        let read = content(&sandbox, &told).await;
        // Whoever posted it, whoever follows with a phone, and whoever follows here read the same.
        let rows = author.messages(&channel).await;
        let row = rows.iter().find(|row| row["waMessageId"] == id).unwrap();
        assert_eq!(content(&sandbox, row).await, read, "{kind}");
        sandbox
            .simulated
            .wait_for(bob, |message| message.id() == id)
            .await;
        assert_eq!(sandbox.simulated.file(bob, id).await, read, "{kind}");
        if let Some(unchanged) = unchanged {
            assert_eq!(&read, unchanged, "{kind}");
        }
    }
    let once = json!({"type": "image", "to": channel, "media": {"data": PNG, "viewOnce": true}});
    let refused = sandbox.api.post(&author.path("/messages"), &once).await;
    let refused = refused.expect(400);
    let faults = &refused["error"]["details"]["errors"];
    assert_eq!(faults[0]["field"], "media.viewOnce");
    sandbox.stop().await;
}

/// The file of a message as everybody gets it who asks for it.
async fn content(sandbox: &TestSandbox, message: &Value) -> Vec<u8> {
    let id = message["media"]["id"].as_str().unwrap();
    let path = format!("/api/v1/media/{id}/content");
    let answer = sandbox.api.call(Method::GET, &path, None).await;
    assert_eq!(answer.status, 200, "{message}");
    answer.body.to_vec()
}
