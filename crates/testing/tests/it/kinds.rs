//! Every kind of message without a file, and what is done to messages, out and in.

use reqwest::Method;
use serde_json::{Value, json};
use wagate_testing::{Realtime, Session, TestSandbox};

/// Sends a message and gives its id.
async fn send(sandbox: &TestSandbox, session: &Session, body: Value) -> String {
    let result = sandbox
        .api
        .post(&session.path("/messages"), &body)
        .await
        .expect(200);
    assert_eq!(result["status"], "sent", "{result}");
    result["waMessageId"].as_str().unwrap().to_owned()
}

/// Does something to a message.
async fn act(
    sandbox: &TestSandbox,
    session: &Session,
    method: Method,
    path: &str,
    body: Value,
) -> wagate_testing::Answer {
    let path = session.path(&format!("/messages/{path}"));
    sandbox.api.call(method, &path, Some(&body)).await
}

async fn event(socket: &mut Realtime, kind: &str, session: &Session) -> Value {
    let event = socket
        .wait_for(|frame| frame["event"] == kind && frame["session"] == session.id.as_str())
        .await;
    event["payload"].clone()
}

async fn of_session(sandbox: &TestSandbox, session: &Session) -> Realtime {
    let ticket = json!({"scope": "session", "session": session.id});
    sandbox.api.realtime(&ticket).await
}

#[tokio::test]
async fn places_and_cards_go_out_and_are_told() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = sandbox.api.realtime(&json!({})).await;

    let place = json!({"type": "location", "to": bob, "latitude": 52.5, "longitude": 13.4,
        "name": "Office"});
    let id = send(&sandbox, &session, place).await;
    let got = sandbox.simulated.wait_for(bob, |m| m.id() == id).await;
    assert_eq!((&got.0["type"], got.body()), (&json!("location"), "Office"));
    let told = event(&mut socket, "message.from_me", &session).await;
    assert_eq!(told["location"]["latitude"], 52.5);
    assert_eq!(
        (&told["type"], &told["body"]),
        (&json!("location"), &json!("Office"))
    );

    let card = json!({"type": "contact", "to": bob,
        "contact": {"name": "Ann Lee", "phone": "+1 555 000 1234"}});
    let id = send(&sandbox, &session, card).await;
    let got = sandbox.simulated.wait_for(bob, |m| m.id() == id).await;
    assert_eq!((&got.0["type"], got.body()), (&json!("contact"), "Ann Lee"));
    let told = event(&mut socket, "message.from_me", &session).await;
    assert_eq!(told["contact"]["displayName"], "Ann Lee");
    assert!(
        told["contact"]["vcard"]
            .as_str()
            .unwrap()
            .contains("waid=15550001234")
    );

    let types: Vec<Value> = session
        .messages(bob)
        .await
        .iter()
        .map(|m| m["type"].clone())
        .collect();
    assert_eq!(types, [json!("contact"), json!("location")]);
    for (body, field) in [
        (
            json!({"type": "poll", "to": bob, "name": "q", "options": ["one"]}),
            "options",
        ),
        (
            json!({"type": "poll", "to": bob, "name": "q", "options": ["a", "b"], "pollEndTime": 1}),
            "pollEndTime",
        ),
        (
            json!({"type": "location", "to": bob, "latitude": 1}),
            "longitude",
        ),
        (json!({"type": "contact", "to": bob}), "contact"),
    ] {
        let refused = sandbox
            .api
            .post(&session.path("/messages"), &body)
            .await
            .expect(400);
        assert_eq!(refused["error"]["details"]["errors"][0]["field"], field);
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn a_message_is_edited_reacted_to_and_revoked() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = sandbox.api.realtime(&json!({})).await;
    let id = send(
        &sandbox,
        &session,
        json!({"type": "text", "to": bob, "text": "helo"}),
    )
    .await;
    let theirs = sandbox.simulated.send_text(bob, alice, "hm?").await;
    event(&mut socket, "message", &session).await;

    let edit = json!({"chat": bob, "text": "hello"});
    act(&sandbox, &session, Method::PATCH, &id, edit)
        .await
        .expect(200);
    let told = event(&mut socket, "message.edited", &session).await;
    assert_eq!(
        (&told["targetId"], &told["body"], &told["fromMe"]),
        (&json!(id), &json!("hello"), &json!(true))
    );
    let edited = sandbox
        .simulated
        .wait_for(bob, |m| m.0["type"] == "edit")
        .await;
    assert_eq!(
        (&edited.0["targetId"], edited.body()),
        (&json!(id), "hello")
    );

    for (method, emoji) in [
        (Method::POST, "👍"),
        (Method::POST, "🎉"),
        (Method::DELETE, ""),
    ] {
        let path = format!("{theirs}/reaction");
        let body = json!({"chat": bob, "emoji": if emoji.is_empty() { "x" } else { emoji }});
        act(&sandbox, &session, method, &path, body)
            .await
            .expect(200);
        let told = event(&mut socket, "message.reaction", &session).await;
        assert_eq!(
            (&told["targetId"], &told["reaction"], &told["type"]),
            (&json!(theirs), &json!(emoji), &json!("reaction"))
        );
        let got = sandbox
            .simulated
            .wait_for(bob, |m| m.0["type"] == "reaction" && m.body() == emoji)
            .await;
        assert_eq!(got.0["targetId"], theirs.as_str());
    }

    act(
        &sandbox,
        &session,
        Method::DELETE,
        &id,
        json!({"chat": bob}),
    )
    .await
    .expect(200);
    let told = event(&mut socket, "message.revoked", &session).await;
    assert_eq!(
        (&told["targetId"], &told["type"]),
        (&json!(id), &json!("revoke"))
    );
    sandbox
        .simulated
        .wait_for(bob, |m| m.0["type"] == "revoke" && m.0["targetId"] == id)
        .await;
    let stored = session.messages(bob).await;
    let row = stored.iter().find(|row| row["id"] == id.as_str()).unwrap();
    assert_eq!(
        (&row["edited"], &row["deleted"]),
        (&json!(true), &json!(true))
    );
    sandbox.stop().await;
}

#[tokio::test]
async fn what_cannot_be_done_to_a_message_is_said_before_anything_is_sent() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = sandbox.api.realtime(&json!({"events": ["message"]})).await;
    let theirs = sandbox.simulated.send_text(bob, alice, "mine").await;
    event(&mut socket, "message", &session).await;
    let place = json!({"type": "location", "to": bob, "latitude": 1, "longitude": 2});
    let place = send(&sandbox, &session, place).await;
    let before = sandbox.simulated.messages(bob).await.len();

    let unknown = json!({"chat": bob, "emoji": "👍"});
    act(
        &sandbox,
        &session,
        Method::POST,
        "3EB0NOSUCH/reaction",
        unknown,
    )
    .await
    .expect(404);
    for (method, path, body, field) in [
        (
            Method::PATCH,
            theirs.clone(),
            json!({"chat": bob, "text": "x"}),
            "mid",
        ),
        (
            Method::PATCH,
            place.clone(),
            json!({"chat": bob, "text": "x"}),
            "mid",
        ),
        (
            Method::PATCH,
            place.clone(),
            json!({"chat": bob, "text": " "}),
            "text",
        ),
        (
            Method::DELETE,
            theirs.clone(),
            json!({"chat": bob}),
            "sender",
        ),
        (
            Method::DELETE,
            theirs.clone(),
            json!({"chat": bob, "sender": bob}),
            "sender",
        ),
        (
            Method::POST,
            format!("{theirs}/reaction"),
            json!({"chat": bob}),
            "emoji",
        ),
        (
            Method::POST,
            format!("{theirs}/vote"),
            json!({"chat": bob, "options": ["a"]}),
            "mid",
        ),
        (
            Method::POST,
            format!("{theirs}/forward"),
            json!({"chat": bob}),
            "to",
        ),
        (
            Method::POST,
            format!("{theirs}/reaction"),
            json!({"emoji": "👍"}),
            "chat",
        ),
    ] {
        let refused = act(&sandbox, &session, method, &path, body)
            .await
            .expect(400);
        assert_eq!(
            refused["error"]["details"]["errors"][0]["field"], field,
            "{refused}"
        );
    }
    assert_eq!(sandbox.simulated.messages(bob).await.len(), before);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_poll_is_voted_in_between_two_sessions() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let (asks, votes) = (sandbox.pair(alice).await, sandbox.pair(bob).await);
    // One socket each: what the two are told has no order between them.
    let mut of_asks = of_session(&sandbox, &asks).await;
    let mut of_votes = of_session(&sandbox, &votes).await;

    let poll = json!({"type": "poll", "to": bob, "name": "When?",
        "options": ["Monday", "Tuesday", "never"]});
    let id = send(&sandbox, &asks, poll).await;
    let told = event(&mut of_asks, "message.from_me", &asks).await;
    assert_eq!(
        told["poll"]["options"],
        json!(["Monday", "Tuesday", "never"])
    );
    let got = event(&mut of_votes, "message", &votes).await;
    assert_eq!(
        (&got["type"], &got["poll"]["selectableCount"]),
        (&json!("poll"), &json!(1))
    );

    let path = format!("{id}/vote");
    for options in [json!(["Tuesday"]), json!(["Monday"]), json!([])] {
        let body = json!({"chat": alice, "options": options});
        act(&sandbox, &votes, Method::POST, &path, body)
            .await
            .expect(200);
        let told = event(&mut of_votes, "poll.vote", &votes).await;
        assert_eq!(
            (&told["selectedOptions"], &told["fromMe"]),
            (&options, &json!(true))
        );
        let got = event(&mut of_asks, "poll.vote", &asks).await;
        assert_eq!(
            (&got["selectedOptions"], &got["targetId"]),
            (&options, &json!(id))
        );
    }
    for options in [json!(["Sunday"]), json!(["Monday", "Tuesday"])] {
        let body = json!({"chat": alice, "options": options});
        act(&sandbox, &votes, Method::POST, &path, body)
            .await
            .expect(400);
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn what_is_forwarded_says_the_same_and_that_it_was_forwarded() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let (session, other) = (sandbox.pair(alice).await, sandbox.pair(bob).await);
    let carol = sandbox.simulated.phone().await;
    let mut of_other = of_session(&sandbox, &other).await;

    let place = json!({"type": "location", "to": bob, "latitude": 1.5, "longitude": 2.5,
        "name": "Pier"});
    let id = send(&sandbox, &session, place).await;
    event(&mut of_other, "message", &other).await;
    for from in [(&session, bob), (&other, alice)] {
        let mut socket = of_session(&sandbox, from.0).await;
        let body = json!({"chat": from.1, "to": carol});
        let path = format!("{id}/forward");
        let result = act(&sandbox, from.0, Method::POST, &path, body)
            .await
            .expect(200);
        let copy = result["waMessageId"].as_str().unwrap().to_owned();
        assert_ne!(copy, id);
        let got = sandbox.simulated.wait_for(&carol, |m| m.id() == copy).await;
        assert_eq!((&got.0["type"], got.body()), (&json!("location"), "Pier"));
        let told = event(&mut socket, "message.from_me", from.0).await;
        assert_eq!(told["type"], "location");
    }
    sandbox.stop().await;
}
