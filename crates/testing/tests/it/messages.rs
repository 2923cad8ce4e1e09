//! Texts out and in, and their receipts.

use reqwest::Method;
use serde_json::json;
use wagate_testing::TestSandbox;

#[tokio::test]
async fn a_text_goes_out_and_its_receipts_come_back() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    let bob = &sandbox.phones[1];
    let mut socket = sandbox.api.realtime(&json!({})).await;

    let result = session.send_text(bob, "Grüße 👋").await;
    assert_eq!(
        (&result["mode"], &result["status"]),
        (&json!("sync"), &json!("sent"))
    );
    let id = result["waMessageId"].as_str().unwrap().to_owned();
    let arrived = sandbox
        .simulated
        .wait_for(bob, |message| message.id() == id)
        .await;
    assert_eq!(arrived.body(), "Grüße 👋");

    let from_me = socket
        .wait_for(|frame| frame["event"] == "message.from_me")
        .await;
    assert_eq!(from_me["payload"]["waMessageId"], id.as_str());
    assert_eq!(from_me["payload"]["body"], "Grüße 👋");
    assert!(from_me["payload"]["media"].is_null() && from_me["payload"].get("media").is_some());
    socket
        .wait_for(|frame| {
            frame["event"] == "message.status"
                && frame["payload"]["messageIds"][0] == id.as_str()
                && frame["payload"]["status"] == "delivered"
        })
        .await;
    sandbox.simulated.read(bob, &id).await;
    socket
        .wait_for(|frame| {
            frame["event"] == "message.status" && frame["payload"]["status"] == "read"
        })
        .await;

    let stored = session.messages(bob).await;
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0]["status"], "read");
    assert_eq!(
        (&stored[0]["ackLevel"], &stored[0]["direction"]),
        (&json!(3), &json!("out"))
    );
    assert_eq!(stored[0]["id"], stored[0]["waMessageId"]);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_text_comes_in_and_is_read_automatically() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = sandbox.api.realtime(&json!({"events": ["message"]})).await;

    let id = sandbox
        .simulated
        .send_text(bob, alice, "hello in there")
        .await;
    let event = socket.wait_for(|frame| frame["event"] == "message").await;
    let payload = &event["payload"];
    assert_eq!(
        (&payload["body"], &payload["type"]),
        (&json!("hello in there"), &json!("text"))
    );
    assert_eq!(payload["waMessageId"], id.as_str());
    assert_eq!(payload["senderJid"], format!("{bob}@s.whatsapp.net"));
    assert!(
        payload["senderLid"]
            .as_str()
            .is_some_and(|lid| lid.ends_with("@lid")),
        "both addresses: {payload}"
    );
    assert_eq!(event["schema"], "v1");

    let stored = session.messages(bob).await;
    assert_eq!((stored.len(), &stored[0]["direction"]), (1, &json!("in")));
    sandbox
        .simulated
        .wait_for(bob, |message| {
            message.id() == id && message.0["status"] == "read"
        })
        .await;
    sandbox.stop().await;
}

#[tokio::test]
async fn one_chat_has_one_row_under_both_addresses() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    session.send_text(bob, "out").await;
    let mut socket = sandbox.api.realtime(&json!({"events": ["message"]})).await;
    sandbox.simulated.send_text(bob, alice, "in").await;
    socket.wait_for(|frame| frame["event"] == "message").await;

    let chats = sandbox.api.get(&session.path("/chats")).await;
    let chats = chats["data"].as_array().unwrap();
    assert_eq!(chats.len(), 1, "{chats:#?}");
    let aliases = chats[0]["aliases"].as_array().expect("the other address");
    let jid = chats[0]["jid"].as_str().unwrap();
    let alias = aliases[0].as_str().unwrap();
    for address in [jid, alias, bob] {
        let chat = sandbox
            .api
            .get(&session.path(&format!("/chats/{address}")))
            .await;
        assert_eq!(chat["id"], chats[0]["id"]);
        assert_eq!(session.messages(address).await.len(), 2, "{address}");
    }
    sandbox
        .api
        .call(Method::GET, &session.path("/chats/15550009999"), None)
        .await
        .expect(404);
    sandbox.stop().await;
}

#[tokio::test]
async fn replies_and_mentions_arrive() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = sandbox.api.realtime(&json!({"events": ["message"]})).await;
    let question = sandbox
        .simulated
        .send_text(bob, alice, "how are you?")
        .await;
    socket.wait_for(|frame| frame["event"] == "message").await;

    let body = json!({
        "type": "text", "to": bob, "text": format!("fine, @{bob}"), "replyTo": question, "mentions": [bob],
    });
    let result = sandbox
        .api
        .post(&session.path("/messages"), &body)
        .await
        .expect(200);
    let id = result["waMessageId"].as_str().unwrap();
    sandbox
        .simulated
        .wait_for(bob, |message| message.id() == id)
        .await;
    let stored = session.messages(bob).await;
    assert_eq!(stored[0]["quotedMessageId"], question.as_str());
    assert!(
        stored[0]["mentions"].to_string().contains(bob.as_str()),
        "{}",
        stored[0]
    );

    let unknown = json!({"type": "text", "to": bob, "text": "x", "replyTo": "3EB0NEVERSEEN"});
    let refused = sandbox
        .api
        .post(&session.path("/messages"), &unknown)
        .await
        .expect(400);
    assert_eq!(refused["error"]["details"]["errors"][0]["field"], "replyTo");
    sandbox.stop().await;
}

#[tokio::test]
async fn a_queued_text_is_sent_later_and_tells_its_end() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    let bob = &sandbox.phones[1];
    let mut socket = sandbox
        .api
        .realtime(&json!({"events": ["message.status"]}))
        .await;
    let body = json!({"type": "text", "to": bob, "text": "queued"});
    let result = sandbox
        .api
        .post(&session.path("/messages?async=true"), &body)
        .await
        .expect(202);
    assert_eq!(
        (&result["mode"], &result["status"]),
        (&json!("async"), &json!("pending"))
    );
    assert!(
        result["outboxId"]
            .as_str()
            .is_some_and(|id| id.starts_with("out_")),
        "{result}"
    );
    socket
        .wait_for(|frame| frame["payload"]["status"] == "sent")
        .await;
    sandbox
        .simulated
        .wait_for(bob, |message| message.body() == "queued")
        .await;
    sandbox.stop().await;
}

#[tokio::test]
async fn what_the_phone_itself_sends_is_told_as_from_me() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = sandbox
        .api
        .realtime(&json!({"events": ["message.from_me"]}))
        .await;
    let id = sandbox
        .simulated
        .send_text(alice, bob, "typed on the phone")
        .await;
    let event = socket
        .wait_for(|frame| frame["event"] == "message.from_me")
        .await;
    assert_eq!(event["payload"]["waMessageId"], id.as_str());
    assert_eq!(event["payload"]["fromMe"], true);
    let stored = session.messages(bob).await;
    assert_eq!(
        (&stored[0]["direction"], &stored[0]["fromMe"]),
        (&json!("out"), &json!(true))
    );
    sandbox.stop().await;
}

#[tokio::test]
async fn messages_wait_while_a_session_is_stopped() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    sandbox.api.act(&session.path(":stop")).await;
    session.wait_for_status("stopped").await;
    let body = json!({"type": "text", "to": bob, "text": "no"});
    let refused = sandbox
        .api
        .post(&session.path("/messages"), &body)
        .await
        .expect(409);
    assert_eq!(
        refused["error"]["details"]["reason"],
        "session_not_connected"
    );
    assert_eq!(refused["error"]["details"]["status"], "stopped");

    let mut ids = Vec::new();
    for turn in 0..5 {
        ids.push(
            sandbox
                .simulated
                .send_text(bob, alice, &format!("offline {turn}"))
                .await,
        );
    }
    let mut socket = sandbox.api.realtime(&json!({"events": ["message"]})).await;
    sandbox.api.act(&session.path(":start")).await;
    for id in &ids {
        let event = socket.wait_for(|frame| frame["event"] == "message").await;
        assert_eq!(
            event["payload"]["waMessageId"],
            id.as_str(),
            "in the order sent, once each"
        );
    }
    sandbox.stop().await;
}
