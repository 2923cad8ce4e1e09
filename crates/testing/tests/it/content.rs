//! Kinds of messages beyond texts and files: pins, timers, choices, live locations.

use reqwest::Method;
use serde_json::{Value, json};
use wagate_model::{Clock as _, SystemClock};
use wagate_testing::{Answer, Realtime, Session, TestSandbox};

use crate::group_world::world;

const DAY: i64 = 86_400;
const WEEK: i64 = 604_800;

/// Sends a message and gives its id.
pub(crate) async fn send(sandbox: &TestSandbox, session: &Session, body: Value) -> String {
    let path = session.path("/messages");
    let result = sandbox.api.post(&path, &body).await.expect(200);
    // A receipt may be faster than the answer.
    let is_sent = ["sent", "delivered", "read"].map(|status| json!(status));
    assert!(is_sent.contains(&result["status"]), "{result}");
    result["waMessageId"].as_str().unwrap().to_owned()
}

/// Sends a text and gives its id.
async fn text(sandbox: &TestSandbox, session: &Session, to: &str, text: &str) -> String {
    let body = json!({"type": "text", "to": to, "text": text});
    send(sandbox, session, body).await
}

/// Does something to a message.
pub(crate) async fn act(
    sandbox: &TestSandbox,
    session: &Session,
    method: Method,
    path: &str,
    body: Value,
) -> Answer {
    let path = session.path(&format!("/messages/{path}"));
    sandbox.api.call(method, &path, Some(&body)).await
}

/// Has a phone send a message and gives its id.
pub(crate) async fn phone_sends(sandbox: &TestSandbox, number: &str, body: Value) -> String {
    let path = format!("/phones/{number}/messages");
    let simulated = &sandbox.simulated;
    let sent = simulated.call(Method::POST, &path, Some(&body)).await;
    sent["id"].as_str().unwrap().to_owned()
}

/// Has a phone do something to a message.
pub(crate) async fn phone_does(sandbox: &TestSandbox, number: &str, what: &str, body: Value) {
    let path = format!("/phones/{number}/messages/{what}");
    let simulated = &sandbox.simulated;
    simulated.call(Method::POST, &path, Some(&body)).await;
}

pub(crate) async fn socket_of(sandbox: &TestSandbox, session: &Session) -> Realtime {
    let ticket = json!({"scope": "session", "session": session.id});
    sandbox.api.realtime(&ticket).await
}

pub(crate) async fn told(socket: &mut Realtime, kind: &str) -> Value {
    let event = socket.wait_for(|frame| frame["event"] == kind).await;
    event["payload"].clone()
}

/// A stored message of a chat; null where it is not there.
pub(crate) async fn stored(session: &Session, chat: &str, id: &str) -> Value {
    let messages = session.messages(chat).await;
    let found = messages.into_iter().find(|message| message["id"] == id);
    found.unwrap_or_default()
}

async fn chat(sandbox: &TestSandbox, session: &Session, chat: &str) -> Value {
    let path = session.path(&format!("/chats/{chat}"));
    sandbox.api.get(&path).await
}

#[tokio::test]
async fn messages_are_pinned_by_both_sides() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = socket_of(&sandbox, &session).await;
    let theirs = sandbox
        .simulated
        .send_text(bob, alice, "the gate code")
        .await;
    told(&mut socket, "message").await;

    let path = format!("{theirs}/pin");
    for (body, seconds) in [
        (json!({"chat": bob}), WEEK),
        (json!({"chat": bob, "seconds": DAY}), DAY),
    ] {
        act(&sandbox, &session, Method::PUT, &path, body)
            .await
            .expect(200);
        let pinned = |m: &wagate_testing::PhoneMessage| {
            m.0["type"] == "pin" && m.0["details"]["seconds"] == seconds
        };
        let got = sandbox.simulated.wait_for(bob, pinned).await;
        assert_eq!(got.0["targetId"], theirs.as_str());
        assert_eq!(got.0["details"]["pinned"], true);
        let update = told(&mut socket, "chat.update").await;
        assert_eq!(
            (&update["change"], &update["messageId"]),
            (&json!("pin"), &json!(theirs))
        );
        let row = stored(&session, bob, &theirs).await;
        assert_eq!(row["pinnedUntil"], update["pinnedUntil"]);
        let left = update["pinnedUntil"].as_i64().unwrap() - SystemClock.now_ms();
        assert!((left - seconds * 1_000).abs() < 600_000, "{left}");
    }
    act(
        &sandbox,
        &session,
        Method::DELETE,
        &path,
        json!({"chat": bob}),
    )
    .await
    .expect(200);
    let update = told(&mut socket, "chat.update").await;
    assert_eq!(update["removed"], true);
    assert!(update.get("pinnedUntil").is_none());
    let unpinned = |m: &wagate_testing::PhoneMessage| m.0["details"]["pinned"] == false;
    sandbox.simulated.wait_for(bob, unpinned).await;
    assert!(
        stored(&session, bob, &theirs)
            .await
            .get("pinnedUntil")
            .is_none()
    );

    // What the other side pins, and unpins.
    let own = text(&sandbox, &session, bob, "mine").await;
    sandbox.simulated.wait_for(bob, |m| m.id() == own).await;
    for (verb, is_pinned) in [("pin", true), ("unpin", false)] {
        phone_does(&sandbox, bob, &format!("{own}:{verb}"), json!({})).await;
        let update = told(&mut socket, "chat.update").await;
        assert_eq!(update["messageId"], own.as_str());
        let row = stored(&session, bob, &own).await;
        assert_eq!(row.get("pinnedUntil").is_some(), is_pinned, "{row}");
    }
    // Pins themselves are no messages of the chat.
    assert_eq!(session.messages(bob).await.len(), 2);
    for (id, body, status) in [
        (theirs.as_str(), json!({"chat": bob, "seconds": 60}), 400),
        ("3EB0NOSUCH", json!({"chat": bob}), 404),
    ] {
        let path = format!("{id}/pin");
        let refused = act(&sandbox, &session, Method::PUT, &path, body).await;
        refused.expect(status);
    }
    let refusal = json!({"kind": "nack", "target": alice, "code": 403, "count": 1});
    sandbox.simulated.fault(&refusal).await;
    let refused = act(&sandbox, &session, Method::PUT, &path, json!({"chat": bob})).await;
    let refused = refused.expect(409);
    let reason = &refused["error"]["details"]["reason"];
    assert_eq!(reason, "rejected_by_whatsapp", "{refused}");
    assert!(
        stored(&session, bob, &theirs)
            .await
            .get("pinnedUntil")
            .is_none()
    );
    sandbox.stop().await;
}

#[tokio::test]
async fn the_timer_of_a_chat_of_two_is_set_by_either_side_and_kept_to() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = socket_of(&sandbox, &session).await;
    let stays = text(&sandbox, &session, bob, "this stays").await;
    let path = session.path(&format!("/chats/{bob}"));
    let set = async |seconds: i64| {
        let body = json!({"disappearingSeconds": seconds});
        sandbox.api.call(Method::PATCH, &path, Some(&body)).await
    };
    let changed = set(DAY).await.expect(200);
    assert_eq!(changed["disappearingSeconds"], DAY);
    let got = sandbox
        .simulated
        .wait_for(bob, |m| m.0["type"] == "timer")
        .await;
    assert_eq!(got.0["details"]["seconds"], DAY);
    let update = told(&mut socket, "chat.update").await;
    assert_eq!(
        (&update["change"], &update["disappearingSeconds"]),
        (&json!("disappearing"), &json!(DAY))
    );
    set(5).await.expect(400);

    // What goes out bears the time, whatever it is; edits too.
    let goes = text(&sandbox, &session, bob, "this goes").await;
    let place = json!({"type": "location", "to": bob, "latitude": 1, "longitude": 2});
    let place = send(&sandbox, &session, place).await;
    for id in [&goes, &place] {
        let got = sandbox.simulated.wait_for(bob, |m| m.id() == id).await;
        assert_eq!(got.0["details"]["expiresIn"], DAY);
        let row = stored(&session, bob, id).await;
        let left = row["expiresAt"].as_i64().unwrap() - row["timestamp"].as_i64().unwrap();
        assert_eq!(left, DAY * 1_000);
    }
    assert!(
        stored(&session, bob, &stays)
            .await
            .get("expiresAt")
            .is_none()
    );
    let edit = json!({"chat": bob, "text": "this goes too"});
    act(&sandbox, &session, Method::PATCH, &goes, edit)
        .await
        .expect(200);

    // The other side sets it, too: its messages say when they go, and then they do.
    let timer = json!({"type": "timer", "to": alice, "seconds": 1});
    phone_sends(&sandbox, bob, timer).await;
    let update = told(&mut socket, "chat.update").await;
    assert_eq!(update["disappearingSeconds"], 1);
    assert_eq!(
        chat(&sandbox, &session, bob).await["disappearingSeconds"],
        1
    );
    let body = json!({"type": "text", "to": alice, "text": "soon gone", "expiresIn": 1});
    let soon = phone_sends(&sandbox, bob, body.clone()).await;
    let payload = told(&mut socket, "message").await;
    assert_eq!(
        payload["expiresAt"].as_i64().unwrap() - payload["timestamp"].as_i64().unwrap(),
        1_000
    );
    let gone = async { while !stored(&session, bob, &soon).await.is_null() {} };
    tokio::time::timeout(std::time::Duration::from_secs(30), gone)
        .await
        .expect("the message goes in time");
    assert!(!stored(&session, bob, &stays).await.is_null());
    assert!(!stored(&session, bob, &goes).await.is_null());

    set(0).await.expect(200);
    let back = text(&sandbox, &session, bob, "for good").await;
    let got = sandbox.simulated.wait_for(bob, |m| m.id() == back).await;
    assert!(got.0.get("details").is_none(), "{}", got.0);
    sandbox.stop().await;
}

#[tokio::test]
async fn messages_to_a_group_bear_its_timer() {
    let world = world().await;
    let group = world.made().await;
    let (sandbox, session) = (&world.sandbox, &world.session);
    text(sandbox, session, &group, "before").await;
    let path = session.path(&format!("/chats/{group}"));
    let body = json!({"disappearingSeconds": WEEK});
    let changed = sandbox.api.call(Method::PATCH, &path, Some(&body)).await;
    assert_eq!(changed.expect(200)["disappearingSeconds"], WEEK);
    assert_eq!(world.on_whatsapp(&group).await["ephemeralSeconds"], WEEK);
    let update = world
        .wait_for(|kind, payload| kind == "group.update" && payload["disappearingSeconds"] == WEEK)
        .await;
    assert_eq!(update["groupJid"], group.as_str());
    let id = text(sandbox, session, &group, "after").await;
    let got = sandbox
        .simulated
        .wait_for(&world.bob, |m| m.id() == id)
        .await;
    assert_eq!(got.0["details"]["expiresIn"], WEEK);
    assert!(stored(session, &group, &id).await["expiresAt"].is_i64());
    world.sandbox.stop().await;
}

#[tokio::test]
async fn edits_that_are_encrypted_with_the_texts_secret_come_in() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = socket_of(&sandbox, &session).await;
    let id = sandbox.simulated.send_text(bob, alice, "helo").await;
    told(&mut socket, "message").await;
    let edit = json!({"text": "hello"});
    phone_does(&sandbox, bob, &format!("{id}:edit-sealed"), edit).await;
    let edited = told(&mut socket, "message.edited").await;
    assert_eq!(
        (&edited["targetId"], &edited["body"]),
        (&json!(id), &json!("hello"))
    );
    let row = stored(&session, bob, &id).await;
    assert_eq!(
        (&row["body"], &row["edited"]),
        (&json!("hello"), &json!(true))
    );
    sandbox.stop().await;
}

#[tokio::test]
async fn choices_are_offered_and_made_in_every_form() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = socket_of(&sandbox, &session).await;

    // What goes out are native flows.
    let buttons = json!({"type": "buttons", "to": bob, "text": "Shall we?", "footer": "by noon",
        "buttons": [{"id": "y", "title": "Yes"}, {"id": "n", "title": "No"}]});
    let list = json!({"type": "list", "to": bob, "text": "Which one?", "list": {
        "buttonText": "Boats", "sections": [
            {"title": "Small", "rows": [{"id": "y", "title": "Dinghy", "description": "wet"}]},
            {"title": "Large", "rows": [{"id": "n", "title": "Barge"}]}
        ]
    }});
    for (offer, title) in [(buttons, "Yes"), (list, "Dinghy")] {
        let id = send(&sandbox, &session, offer.clone()).await;
        let sent = told(&mut socket, "message.from_me").await;
        assert_eq!(
            (&sent["type"], &sent["body"]),
            (&json!("text"), &offer["text"])
        );
        let got = sandbox.simulated.wait_for(bob, |m| m.id() == id).await;
        assert_eq!(got.body(), offer["text"].as_str().unwrap());
        assert_eq!(got.0["details"]["form"], "flow");
        assert_eq!(
            got.0["details"]["choices"][0],
            json!({"id": "y", "title": title})
        );
        phone_does(
            &sandbox,
            bob,
            &format!("{id}:select"),
            json!({"selectedId": "y"}),
        )
        .await;
        let reply = told(&mut socket, "message.interactive_reply").await;
        assert_eq!(
            reply["interactiveReply"],
            json!({"kind": "flow", "id": "y", "title": title})
        );
        assert_eq!(
            (&reply["body"], &reply["targetId"]),
            (&json!(title), &json!(id))
        );
        let answer = reply["waMessageId"].as_str().unwrap();
        let row = stored(&session, bob, answer).await;
        assert_eq!(
            (&row["selectedId"], &row["body"]),
            (&json!("y"), &json!(title))
        );
        let row = stored(&session, bob, &id).await;
        assert_eq!(row["choices"][1]["id"], "n");
    }

    // What comes in has one of four forms, and is answered in its own.
    let choices = json!([{"id": "a", "title": "Ahead"}, {"id": "b", "title": "Back"}]);
    for (form, is_list, kind) in [
        ("flow", false, "flow"),
        ("flow", true, "flow"),
        ("plain", false, "button"),
        ("plain", true, "list"),
        ("template", false, "template"),
    ] {
        let mut offer = json!({"type": "offer", "to": alice, "text": "Whither?", "form": form,
            "choices": choices});
        if is_list {
            offer["buttonText"] = json!("Ways");
        }
        let id = phone_sends(&sandbox, bob, offer).await;
        let came = told(&mut socket, "message").await;
        assert_eq!(
            (&came["type"], &came["body"], &came["choices"]),
            (&json!("text"), &json!("Whither?"), &choices),
            "{form}"
        );
        let path = format!("{id}/select");
        let body = json!({"chat": bob, "selectedId": "c"});
        act(&sandbox, &session, Method::POST, &path, body)
            .await
            .expect(400);
        let body = json!({"chat": bob, "selectedId": "b"});
        let answer = act(&sandbox, &session, Method::POST, &path, body).await;
        let answer = answer.expect(200)["waMessageId"].clone();
        let got = sandbox
            .simulated
            .wait_for(bob, |m| m.0["id"] == answer)
            .await;
        assert_eq!(
            (&got.0["type"], got.body()),
            (&json!("selection"), "Back"),
            "{form}"
        );
        assert_eq!(got.0["details"]["selectedId"], "b");
        assert_eq!(got.0["targetId"], id.as_str());
        let own = told(&mut socket, "message.interactive_reply").await;
        assert_eq!(
            own["interactiveReply"],
            json!({"kind": kind, "id": "b", "title": "Back"})
        );
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn a_live_location_is_one_message_that_moves() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = socket_of(&sandbox, &session).await;
    let body = json!({"type": "live_location", "to": alice, "latitude": 1.5, "longitude": 2.5,
        "caption": "on my way"});
    let id = phone_sends(&sandbox, bob, body).await;
    let came = told(&mut socket, "message").await;
    assert_eq!(
        (&came["type"], &came["body"], &came["location"]["latitude"]),
        (&json!("location"), &json!("on my way"), &json!(1.5))
    );
    let row = stored(&session, bob, &id).await;
    assert_eq!(row["location"]["longitude"], 2.5);
    let moved = json!({"latitude": 1.75, "longitude": 2.75});
    phone_does(&sandbox, bob, &format!("{id}:move"), moved).await;
    let is_there =
        async { while stored(&session, bob, &id).await["location"]["latitude"] != 1.75 {} };
    tokio::time::timeout(std::time::Duration::from_secs(30), is_there)
        .await
        .expect("the place is noted in time");
    assert_eq!(session.messages(bob).await.len(), 1);
    let events = sandbox.api.events_after(None).await;
    let messages = events.iter().filter(|event| event["event"] == "message");
    assert_eq!(messages.count(), 1);
    sandbox.stop().await;
}
