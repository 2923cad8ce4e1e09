//! Channels: made, followed, muted, posted in and read.

use reqwest::Method;
use serde_json::{Value, json};
use wagate_testing::TestSandbox;

/// A channel that a phone owns.
async fn channel_of(sandbox: &TestSandbox, number: &str) -> String {
    let path = format!("/phones/{number}/channels");
    let body = json!({ "name": "Harbour news", "description": "Arrivals" });
    let made = sandbox
        .simulated
        .call(Method::POST, &path, Some(&body))
        .await;
    made["jid"].as_str().unwrap().to_owned()
}

/// Posts in a channel as a phone; gives the post's number.
async fn post(sandbox: &TestSandbox, number: &str, channel: &str, text: &str) -> u64 {
    let path = format!("/phones/{number}/channels/{channel}/messages");
    let body = json!({ "text": text });
    let posted = sandbox
        .simulated
        .call(Method::POST, &path, Some(&body))
        .await;
    posted["serverId"].as_u64().unwrap()
}

async fn shown(sandbox: &TestSandbox, channel: &str) -> Value {
    let path = format!("/channels/{channel}");
    sandbox.simulated.call(Method::GET, &path, None).await
}

#[tokio::test]
async fn a_channel_is_made_and_posted_in() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = sandbox
        .api
        .realtime(&json!({"events": ["newsletter.update", "message.from_me"]}))
        .await;
    let channels = session.path("/channels");
    let body = json!({ "name": "Ours", "description": "of the day" });
    let made = sandbox.api.post(&channels, &body).await.expect(201);
    let jid = made["jid"].as_str().unwrap();
    let told = socket
        .wait_for(|frame| frame["event"] == "newsletter.update")
        .await;
    assert_eq!(told["payload"], json!({ "action": "join", "jid": jid }));
    for faulty in [
        json!({}),
        json!({ "name": " " }),
        json!({ "name": "x", "a": 1 }),
    ] {
        sandbox.api.post(&channels, &faulty).await.expect(400);
    }

    let followed = sandbox.api.get(&channels).await;
    assert_eq!(followed["data"][0]["role"], "owner", "{followed}");
    let one = sandbox
        .api
        .get(&session.path(&format!("/channels/{jid}")))
        .await;
    assert_eq!(
        (&one["name"], &one["subscribers"]),
        (&json!("Ours"), &json!(1))
    );

    let follow = format!("/phones/{bob}/channels/{jid}:follow");
    sandbox.simulated.call(Method::POST, &follow, None).await;
    let sent = session.send_text(jid, "hello all").await;
    assert_eq!(sent["status"], "sent", "{sent}");
    let id = sent["waMessageId"].as_str().unwrap();
    let read = sandbox
        .simulated
        .wait_for(bob, |message| message.id() == id)
        .await;
    assert_eq!(read.0["chatJid"], jid, "{read:?}");
    let own = socket
        .wait_for(|frame| frame["event"] == "message.from_me")
        .await;
    assert_eq!(own["payload"]["chatJid"], jid);

    let about = format!("/messages/{id}");
    let edit = json!({ "chat": jid, "text": "hello everybody" });
    let path = session.path(&about);
    let edited = sandbox.api.call(Method::PATCH, &path, Some(&edit)).await;
    edited.expect(200);
    let react = json!({ "chat": jid, "emoji": "👍" });
    let path = session.path(&format!("{about}/reaction"));
    sandbox.api.post(&path, &react).await.expect(200);
    let posts = shown(&sandbox, jid).await;
    let post = &posts["messages"][0];
    assert_eq!(post["body"], "hello everybody");
    assert_eq!(post["reactions"], json!({ "👍": 1 }));
    let stored = sandbox
        .api
        .get(&session.path(&format!("/channels/{jid}/messages")))
        .await;
    assert!(
        stored["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|m| m["body"] == "hello everybody")
    );

    let revoke = json!({ "chat": jid });
    let path = session.path(&about);
    let revoked = sandbox.api.call(Method::DELETE, &path, Some(&revoke)).await;
    revoked.expect(200);
    assert_eq!(shown(&sandbox, jid).await["messages"][0]["body"], "");
    let vote = json!({ "type": "poll", "to": jid, "name": "?", "options": ["a", "b"] });
    sandbox
        .api
        .post(&session.path("/messages"), &vote)
        .await
        .expect(400);
    // Whoever owns it cannot leave it.
    let leave = session.path(&format!("/channels/{jid}:unfollow"));
    sandbox
        .api
        .call(Method::POST, &leave, None)
        .await
        .expect(403);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_channel_is_followed_muted_and_left() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let jid = channel_of(&sandbox, bob).await;
    let session = sandbox.pair(alice).await;
    let mut socket = sandbox
        .api
        .realtime(&json!({"events": ["newsletter.update", "message", "message.edited"]}))
        .await;
    let at = |rest: &str| session.path(&format!("/channels/{jid}{rest}"));
    let act = async |verb: &str, body: Option<Value>| {
        let answer = sandbox
            .api
            .call(Method::POST, &at(verb), body.as_ref())
            .await;
        answer.expect(204);
    };
    let empty = sandbox.api.get(&at("/messages")).await;
    assert_eq!(empty, json!({ "data": [] }));
    let guest = sandbox.api.get(&at("")).await;
    assert_eq!(guest["role"], "guest", "{guest}");

    // Twice is like once, and told once.
    act(":follow", None).await;
    act(":follow", None).await;
    act(":mute", None).await;
    act(":mute", Some(json!({ "mute": true }))).await;
    act(":mute", Some(json!({ "mute": false }))).await;
    let mut told = Vec::new();
    while told.len() < 3 {
        let frame = socket.next().await.expect("an event");
        if frame["event"] == "newsletter.update" {
            told.push(frame["payload"].clone());
        }
    }
    let expected = [
        json!({ "action": "join", "jid": jid }),
        json!({ "action": "mute", "jid": jid, "muted": true }),
        json!({ "action": "mute", "jid": jid, "muted": false }),
    ];
    assert_eq!(told, expected);

    let server_id = post(&sandbox, bob, &jid, "the ferry is late").await;
    let frame = socket.wait_for(|frame| frame["event"] == "message").await;
    assert_eq!(frame["payload"]["body"], "the ferry is late");
    let chat = sandbox
        .api
        .get(&session.path(&format!("/chats/{jid}")))
        .await;
    assert_eq!(
        (&chat["type"], &chat["name"]),
        (&json!("newsletter"), &json!("Harbour news"))
    );
    let posts = sandbox.api.get(&at("/messages")).await;
    let id = posts["data"][0]["id"].as_str().unwrap();
    let path = session.path(&format!("/messages/{id}/reaction"));
    let react = json!({ "chat": jid, "emoji": "❤️" });
    sandbox.api.post(&path, &react).await.expect(200);
    let counted = &shown(&sandbox, &jid).await["messages"][0];
    assert_eq!(counted["serverId"], server_id);
    assert_eq!(counted["reactions"], json!({ "❤️": 1 }));

    act(":unfollow", None).await;
    act(":unfollow", None).await;
    let left = socket
        .wait_for(|frame| frame["event"] == "newsletter.update")
        .await;
    assert_eq!(left["payload"]["action"], "leave");
    let unknown = session.path("/channels/120363000000000009@newsletter:follow");
    sandbox
        .api
        .call(Method::POST, &unknown, None)
        .await
        .expect(404);
    let person = session.path(&format!("/channels/{bob}:follow"));
    sandbox
        .api
        .call(Method::POST, &person, None)
        .await
        .expect(404);

    sandbox.api.act(&session.path(":stop")).await;
    let refused = sandbox.api.call(Method::POST, &at(":follow"), None).await;
    assert_eq!(
        refused.expect(409)["error"]["details"]["reason"],
        "session_not_connected"
    );
    sandbox.stop().await;
}

/// The smallest thing that begins like a JPEG.
const JPEG: &str = "/9j/4AAQSkZJRgABAQ==";

#[tokio::test]
async fn a_channel_is_changed_and_deleted_by_its_owner() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let owner = sandbox.pair(alice).await;
    let follower = sandbox.pair(bob).await;
    let body = json!({ "name": "Ours", "description": "of the day" });
    let made = sandbox.api.post(&owner.path("/channels"), &body).await;
    let made = made.expect(201);
    let jid = made["jid"].as_str().unwrap();
    let of = |session: &wagate_testing::Session| session.path(&format!("/channels/{jid}"));
    let follow = format!("{}:follow", of(&follower));
    sandbox
        .api
        .call(Method::POST, &follow, None)
        .await
        .expect(204);
    let ticket = |session: &wagate_testing::Session| json!({ "scope": "session", "session": session.id, "events": ["newsletter.update"] });
    let mut heard = sandbox.api.realtime(&ticket(&follower)).await;
    let mut own = sandbox.api.realtime(&ticket(&owner)).await;

    let change = json!({ "name": " Theirs ", "description": "", "picture": JPEG });
    let changed = sandbox
        .api
        .call(Method::PATCH, &of(&owner), Some(&change))
        .await;
    let changed = changed.expect(200);
    assert_eq!(changed["name"], "Theirs");
    assert!(changed.get("description").is_none(), "{changed}");
    let on_server = shown(&sandbox, jid).await;
    assert_eq!(on_server["name"], "Theirs");
    assert_eq!(on_server["pictureBytes"], 13);
    let update = json!({ "action": "update", "jid": jid });
    for socket in [&mut heard, &mut own] {
        let told = socket.wait_for(|_| true).await;
        assert_eq!(told["payload"], update);
    }
    let chat = follower.path(&format!("/chats/{jid}"));
    assert_eq!(sandbox.api.get(&chat).await["name"], "Theirs");

    // Only what is sent changes, and it is told once.
    let change = json!({ "picture": "" });
    let changed = sandbox
        .api
        .call(Method::PATCH, &of(&owner), Some(&change))
        .await;
    assert_eq!(changed.expect(200)["name"], "Theirs");
    assert_eq!(shown(&sandbox, jid).await["pictureBytes"], 0);
    let nothing = sandbox
        .api
        .call(Method::PATCH, &of(&owner), Some(&json!({})))
        .await;
    assert_eq!(nothing.expect(200)["name"], "Theirs");
    for (faulty, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "description": "d".repeat(2_049) }), "description"),
        (json!({ "picture": "%" }), "picture"),
    ] {
        let refused = sandbox
            .api
            .call(Method::PATCH, &of(&owner), Some(&faulty))
            .await;
        let refused = refused.expect(400);
        assert_eq!(refused["error"]["details"]["errors"][0]["field"], field);
    }
    let change = json!({ "name": "Mine" });
    let refused = sandbox
        .api
        .call(Method::PATCH, &of(&follower), Some(&change))
        .await;
    refused.expect(403);
    sandbox
        .api
        .call(Method::DELETE, &of(&follower), None)
        .await
        .expect(403);

    sandbox
        .api
        .call(Method::DELETE, &of(&owner), None)
        .await
        .expect(204);
    let deleted = json!({ "action": "delete", "jid": jid });
    for socket in [&mut heard, &mut own] {
        let told = socket.wait_for(|frame| frame["payload"] != update).await;
        assert_eq!(told["payload"], deleted);
    }
    for session in [&owner, &follower] {
        sandbox
            .api
            .call(Method::GET, &of(session), None)
            .await
            .expect(404);
    }
    sandbox
        .api
        .call(Method::DELETE, &of(&owner), None)
        .await
        .expect(404);
    sandbox.stop().await;
}
