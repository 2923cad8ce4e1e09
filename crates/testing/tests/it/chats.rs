//! How chats are kept: archived, pinned, muted, read, deleted.

use reqwest::Method;
use serde_json::{Value, json};
use wagate_model::{Clock as _, SystemClock};
use wagate_testing::{Realtime, Session, TestSandbox};

use crate::files::PNG;

/// Two sessions of one account, which both have a message of another phone.
async fn two_of_one_account(sandbox: &TestSandbox) -> (Session, Session) {
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let first = sandbox.pair(alice).await;
    let second = sandbox.pair(alice).await;
    for session in [&first, &second] {
        let quiet = json!({ "autoRead": false });
        let path = session.path("");
        let answer = sandbox.api.call(Method::PATCH, &path, Some(&quiet)).await;
        answer.expect(200);
    }
    let mut socket = sandbox.api.realtime(&json!({"events": ["message"]})).await;
    sandbox.simulated.send_text(bob, alice, "hello").await;
    for _ in 0..2 {
        socket.wait_for(|frame| frame["event"] == "message").await;
    }
    (first, second)
}

async fn chat(sandbox: &TestSandbox, session: &Session) -> Value {
    let path = session.path(&format!("/chats/{}", sandbox.phones[1]));
    sandbox.api.get(&path).await
}

/// The next change of a chat that a session tells, as far as it says what is wanted.
async fn told(socket: &mut Realtime, session: &Session, change: &str) -> Value {
    let frame = socket
        .wait_for(|frame| {
            frame["session"] == json!(session.id)
                && frame["event"] == "chat.update"
                && frame["payload"]["change"] == change
        })
        .await;
    frame["payload"].clone()
}

/// Waits until sessions have told settings of a chat: each of them once, together or one by one.
async fn settings_told(socket: &mut Realtime, sessions: [&Session; 2], wanted: &Value) {
    let mut seen = sessions.map(|_| json!({}));
    while seen.iter().any(|seen| seen != wanted) {
        let frame = socket
            .wait_for(|frame| frame["event"] == "chat.update")
            .await;
        let payload = &frame["payload"];
        assert_eq!(payload["change"], "settings");
        let told = sessions
            .iter()
            .position(|session| frame["session"] == json!(session.id));
        for (field, value) in news(payload).as_object().unwrap() {
            let before = seen[told.unwrap()][field].take();
            assert!(before.is_null(), "{field} is told twice");
            seen[told.unwrap()][field] = value.clone();
        }
    }
}

/// The fields of a payload beside what it is about.
fn news(payload: &Value) -> Value {
    let fields = payload.as_object().unwrap().iter();
    let news = fields.filter(|(name, _)| !["change", "chatJid"].contains(&name.as_str()));
    Value::Object(
        news.map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}

#[tokio::test]
async fn what_changes_in_one_session_changes_on_all_devices() {
    let sandbox = TestSandbox::start().await;
    let (first, second) = two_of_one_account(&sandbox).await;
    let path = first.path(&format!("/chats/{}", sandbox.phones[1]));
    let change = async |body: Value| {
        let answer = sandbox.api.call(Method::PATCH, &path, Some(&body)).await;
        answer.expect(200)
    };
    let mut socket = sandbox
        .api
        .realtime(&json!({ "events": ["chat.update"] }))
        .await;
    let until = 4_102_444_800_000_i64;
    let all = json!({ "archived": true, "pinned": true, "mutedUntil": until });
    let changed = change(all.clone()).await;
    for (field, value) in all.as_object().unwrap() {
        assert_eq!(&changed[field], value, "{field}");
    }
    settings_told(&mut socket, [&first, &second], &all).await;
    let there = chat(&sandbox, &second).await;
    for (field, value) in all.as_object().unwrap() {
        assert_eq!(&there[field], value, "{field}");
    }
    let none = json!({ "archived": false, "pinned": false, "mutedUntil": 5, "unmute": true });
    let changed = change(none).await;
    assert!(changed.get("mutedUntil").is_none(), "{changed}");
    let none = json!({ "archived": false, "pinned": false, "mutedUntil": 0 });
    settings_told(&mut socket, [&first, &second], &none).await;
    let there = chat(&sandbox, &second).await;
    assert!(there.get("mutedUntil").is_none(), "{there}");
    // Nothing, and nonsense.
    assert_eq!(change(json!({})).await, changed);
    let past = json!({ "mutedUntil": 5, "pinned": true });
    let refused = sandbox.api.call(Method::PATCH, &path, Some(&past)).await;
    let refused = refused.expect(400);
    let faults = &refused["error"]["details"]["errors"];
    assert_eq!(faults[0]["field"], "mutedUntil");
    assert_eq!(chat(&sandbox, &first).await, changed);

    sandbox.api.act(&first.path(":stop")).await;
    let pin = json!({ "pinned": true });
    let refused = sandbox.api.call(Method::PATCH, &path, Some(&pin)).await;
    let refused = refused.expect(409);
    let reason = &refused["error"]["details"]["reason"];
    assert_eq!(reason, "session_not_connected");
    assert_eq!(chat(&sandbox, &first).await["pinned"], false);
    sandbox.stop().await;
}

#[tokio::test]
async fn reading_is_silent_unless_receipts_are_wanted() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let (first, second) = two_of_one_account(&sandbox).await;
    let path = first.path(&format!("/chats/{bob}"));
    let read = format!("{path}/read");
    let wanted = json!({ "scope": "session", "session": first.id, "events": ["chat.update"] });
    let mut changes = sandbox.api.realtime(&wanted).await;
    assert_eq!(chat(&sandbox, &first).await["unreadCount"], 1);
    for _ in 0..2 {
        let answer = sandbox.api.call(Method::POST, &read, None).await;
        assert_eq!(answer.expect(200)["unreadCount"], 0);
    }
    // The account's other devices know nothing of it.
    assert_eq!(chat(&sandbox, &second).await["unreadCount"], 1);
    let unread = format!("{path}:unread");
    let marked = sandbox.api.call(Method::POST, &unread, None).await;
    assert_eq!(marked.expect(200)["unreadCount"], 1);
    // Reading what is read already was no news.
    for expected in [0, 1] {
        let payload = told(&mut changes, &first, "unread").await;
        assert_eq!(news(&payload), json!({ "unreadCount": expected }));
    }

    let mut socket = sandbox.api.realtime(&json!({"events": ["message"]})).await;
    let id = sandbox.simulated.send_text(bob, alice, "again").await;
    for _ in 0..2 {
        socket.wait_for(|frame| frame["event"] == "message").await;
    }
    let earlier = sandbox.simulated.messages(bob).await;
    assert!(earlier.iter().all(|message| message.0["status"] != "read"));
    let body = json!({ "receipt": true });
    let answer = sandbox.api.call(Method::POST, &read, Some(&body)).await;
    assert_eq!(answer.expect(200)["unreadCount"], 0);
    sandbox
        .simulated
        .wait_for(bob, |message| {
            message.id() == id && message.0["status"] == "read"
        })
        .await;
    sandbox.stop().await;
}

#[tokio::test]
async fn the_stored_copy_and_the_chat_are_deleted_apart() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let (first, second) = two_of_one_account(&sandbox).await;
    let path = first.path(&format!("/chats/{bob}"));
    let mut changes = sandbox
        .api
        .realtime(&json!({ "events": ["chat.update"] }))
        .await;
    for (verb, change) in [("clear", "cleared"), ("delete", "deleted")] {
        let path = format!("{path}:{verb}");
        let answer = sandbox.api.call(Method::POST, &path, None).await;
        answer.expect(204);
        let payload = told(&mut changes, &second, change).await;
        assert_eq!(news(&payload), json!({}));
        assert_eq!(chat(&sandbox, &second).await["unreadCount"], 0);
    }
    assert_eq!(first.messages(bob).await.len(), 1, "the record stays");
    assert_eq!(second.messages(bob).await.len(), 1, "there too");

    let call = async |method| sandbox.api.call(method, &path, None).await;
    call(Method::DELETE).await.expect(204);
    call(Method::GET).await.expect(404);
    call(Method::DELETE).await.expect(404);
    assert_eq!(second.messages(bob).await.len(), 1, "another session's");
    // It comes back with new activity, and with that alone.
    let mut socket = sandbox.api.realtime(&json!({"events": ["message"]})).await;
    sandbox.simulated.send_text(bob, alice, "anew").await;
    for _ in 0..2 {
        socket.wait_for(|frame| frame["event"] == "message").await;
    }
    let stored = first.messages(bob).await;
    assert_eq!((stored.len(), &stored[0]["body"]), (1, &json!("anew")));
    sandbox.stop().await;
}

#[tokio::test]
async fn a_deleted_chat_goes_on_with_what_is_sent_anew() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let messages = session.path("/messages");
    session.send_text(bob, "of the old chat").await;
    let delete = async || {
        let path = session.path(&format!("/chats/{bob}"));
        let deleted = sandbox.api.call(Method::DELETE, &path, None).await;
        deleted.expect(204);
    };

    delete().await;
    let image = json!({"type": "image", "to": bob, "media": {"data": PNG}});
    let sent = sandbox.api.post(&messages, &image).await.expect(200);
    let stored = session.messages(bob).await;
    assert_eq!(stored.len(), 1, "{stored:?}");
    assert_eq!(stored[0]["waMessageId"], sent["waMessageId"]);
    let file = stored[0]["media"]["id"].as_str().expect("a file");
    let path = format!("/api/v1/media/{file}/content");
    let content = sandbox.api.call(Method::GET, &path, None).await;
    assert_eq!(content.status.as_u16(), 200);

    delete().await;
    let text = session.send_text(bob, "wrnog").await;
    let id = text["waMessageId"].as_str().unwrap();
    let edit = session.path(&format!("/messages/{id}"));
    let body = json!({"chat": bob, "text": "right"});
    let edited = sandbox.api.call(Method::PATCH, &edit, Some(&body)).await;
    edited.expect(200);
    let stored = session.messages(bob).await;
    let row = stored.iter().find(|row| row["waMessageId"] == id).unwrap();
    assert_eq!(row["body"], "right");

    delete().await;
    let mut socket = sandbox
        .api
        .realtime(&json!({"events": ["poll.recap"]}))
        .await;
    let poll = json!({"type": "poll", "to": bob, "name": "When?", "options": ["a", "b"],
        "pollEndTime": SystemClock.now_ms() + 5_000});
    let sent = sandbox.api.post(&messages, &poll).await.expect(200);
    assert_eq!(sent["status"], "sent", "{sent}");
    let recap = socket
        .wait_for(|frame| frame["event"] == "poll.recap")
        .await;
    assert_eq!(recap["payload"]["pollMessageId"], sent["waMessageId"]);
    sandbox.stop().await;
}
