//! Events with answers, out and in.

use reqwest::Method;
use serde_json::json;
use wagate_model::{Clock as _, SystemClock};
use wagate_testing::TestSandbox;

use crate::content::{act, phone_does, phone_sends, send, socket_of, stored, told};
use crate::group_world::world;

#[tokio::test]
async fn events_are_answered_between_a_session_and_phones() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = socket_of(&sandbox, &session).await;
    let begins = SystemClock.now_ms() + 3_600_000;
    let event = json!({"type": "event", "to": bob, "event": {
        "name": "Harbour party", "description": "Bring lamps", "startTime": begins,
        "endTime": begins + 7_200_000, "extraGuestsAllowed": true,
        "location": {"name": "Pier 3", "latitude": 1.5, "longitude": 2.5}
    }});
    let id = send(&sandbox, &session, event).await;
    let sent = told(&mut socket, "message.from_me").await;
    assert_eq!(
        (&sent["type"], &sent["body"], &sent["event"]["name"]),
        (
            &json!("event"),
            &json!("Harbour party"),
            &json!("Harbour party")
        )
    );
    let got = sandbox.simulated.wait_for(bob, |m| m.id() == id).await;
    let details = &got.0["details"];
    assert_eq!(
        (&got.0["type"], got.body()),
        (&json!("event"), "Harbour party")
    );
    assert_eq!(details["startTime"], begins.div_euclid(1_000));
    assert_eq!(details["location"]["name"], "Pier 3");
    assert_eq!(
        (&details["hasSecret"], &details["extraGuestsAllowed"]),
        (&json!(true), &json!(true))
    );

    // Each answer replaces the one before.
    for (response, guests) in [("maybe", 0), ("going", 2)] {
        let body = json!({"response": response, "extraGuests": guests});
        phone_does(&sandbox, bob, &format!("{id}:respond"), body).await;
        let answer = told(&mut socket, "message.interactive_reply").await;
        assert_eq!(
            (
                &answer["type"],
                &answer["targetId"],
                &answer["interactiveReply"]
            ),
            (
                &json!("event_response"),
                &json!(id),
                &json!({"kind": "event", "id": response})
            )
        );
        assert_eq!(
            answer["eventResponse"],
            json!({"response": response, "extraGuests": guests})
        );
        let row = stored(&session, bob, &id).await;
        let answers = row["eventResponses"].as_array().unwrap();
        assert_eq!(answers.len(), 1, "{row}");
        assert_eq!(
            (&answers[0]["response"], &answers[0]["extraGuests"]),
            (&json!(response), &json!(guests))
        );
    }

    // An event of the other side: answered, changed and called off.
    let body = json!({"type": "event", "to": alice, "name": "Regatta", "startTime": begins});
    let theirs = phone_sends(&sandbox, bob, body).await;
    let came = told(&mut socket, "message").await;
    assert_eq!(
        (&came["type"], &came["event"]["startTime"]),
        (&json!("event"), &json!(begins.div_euclid(1_000) * 1_000))
    );
    let path = format!("{theirs}/respond");
    for (body, status) in [
        (json!({"chat": bob, "response": "going"}), 200),
        (json!({"chat": bob, "response": "not_going"}), 200),
        (json!({"chat": bob}), 400),
        (
            json!({"chat": bob, "response": "going", "extraGuests": 1}),
            400,
        ),
    ] {
        let answer = act(&sandbox, &session, Method::POST, &path, body.clone()).await;
        answer.expect(status);
        if status == 200 {
            let is_answer = |m: &wagate_testing::PhoneMessage| {
                m.0["type"] == "event_response"
                    && m.0["targetId"] == theirs.as_str()
                    && m.0["details"]["response"] == body["response"]
            };
            sandbox.simulated.wait_for(bob, is_answer).await;
            let own = told(&mut socket, "message.interactive_reply").await;
            assert_eq!(own["fromMe"], true);
        }
    }
    let row = stored(&session, bob, &theirs).await;
    assert_eq!(row["eventResponses"][0]["response"], "not_going");
    let edit = json!({"name": "Regatta", "startTime": begins + 60_000, "canceled": true});
    phone_does(&sandbox, bob, &format!("{theirs}:edit-event"), edit).await;
    let edited = told(&mut socket, "message.edited").await;
    assert_eq!(
        (&edited["targetId"], &edited["event"]["canceled"]),
        (&json!(theirs), &json!(true))
    );
    let row = stored(&session, bob, &theirs).await;
    assert_eq!(
        (&row["event"]["canceled"], &row["edited"]),
        (&json!(true), &json!(true))
    );

    for (body, field) in [
        (json!({"type": "event", "to": bob}), "event"),
        (
            json!({"type": "event", "to": bob, "event": {"startTime": begins}}),
            "event.name",
        ),
        (
            json!({"type": "event", "to": bob, "event": {"name": "x", "startTime": 1}}),
            "event.startTime",
        ),
    ] {
        let refused = sandbox.api.post(&session.path("/messages"), &body).await;
        let refused = refused.expect(400);
        assert_eq!(refused["error"]["details"]["errors"][0]["field"], field);
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn the_members_of_a_group_answer_to_its_events() {
    let world = world().await;
    let group = world.made().await;
    let (sandbox, session) = (&world.sandbox, &world.session);
    let mut socket = socket_of(sandbox, session).await;
    let begins = SystemClock.now_ms() + 3_600_000;
    let event = json!({"type": "event", "to": group,
        "event": {"name": "Launch", "startTime": begins}});
    let id = send(sandbox, session, event).await;
    sandbox
        .simulated
        .wait_for(&world.bob, |m| m.id() == id)
        .await;
    let body = json!({"response": "going"});
    phone_does(sandbox, &world.bob, &format!("{id}:respond"), body).await;
    let answer = told(&mut socket, "message.interactive_reply").await;
    assert_eq!(answer["eventResponse"]["response"], "going");
    let row = stored(session, &group, &id).await;
    let bob = world.lid(&world.bob).await;
    assert_eq!(row["eventResponses"][0]["jid"], bob.as_str());

    let body = json!({"type": "event", "to": group, "name": "Regatta", "startTime": begins});
    let theirs = phone_sends(sandbox, &world.bob, body).await;
    told(&mut socket, "message").await;
    let path = format!("{theirs}/respond");
    let body = json!({"chat": group, "response": "maybe", "sender": bob});
    act(sandbox, session, Method::POST, &path, body)
        .await
        .expect(200);
    let is_answer = |m: &wagate_testing::PhoneMessage| {
        m.0["targetId"] == theirs.as_str() && m.0["details"]["response"] == "maybe"
    };
    sandbox.simulated.wait_for(&world.bob, is_answer).await;
    // Without its secret an event could not be answered.
    let path = format!("{theirs}/forward");
    let body = json!({"chat": group, "to": world.carol});
    let refused = act(sandbox, session, Method::POST, &path, body).await;
    refused.expect(400);
    world.sandbox.stop().await;
}

#[tokio::test]
async fn own_events_are_changed_and_called_off() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = socket_of(&sandbox, &session).await;
    let begins = SystemClock.now_ms() + 3_600_000;
    let body = json!({"type": "event", "to": bob,
        "event": {"name": "Regatta", "description": "Bring lamps", "startTime": begins}});
    let from_here = send(&sandbox, &session, body).await;
    sandbox
        .simulated
        .wait_for(bob, |m| m.id() == from_here)
        .await;
    let body = json!({"type": "event", "to": bob, "name": "Picnic", "startTime": begins});
    let from_phone = phone_sends(&sandbox, alice, body).await;
    sandbox
        .simulated
        .wait_for(bob, |m| m.id() == from_phone)
        .await;
    for _ in 0..2 {
        told(&mut socket, "message.from_me").await;
    }

    // Wherever the account sent them, they are changed here.
    let later = begins + 60_000;
    for id in [&from_here, &from_phone] {
        for (name, canceled) in [("Postponed", false), ("Called off", true)] {
            let event = json!({"name": name, "startTime": later, "endTime": later + 60_000,
                "location": {"name": "Pier 3"}, "canceled": canceled});
            let body = json!({"chat": bob, "event": event});
            let changed = act(&sandbox, &session, Method::PATCH, id, body).await;
            changed.expect(200);
            let is_change = |m: &wagate_testing::PhoneMessage| {
                m.0["targetId"] == id.as_str() && m.body() == name
            };
            let got = sandbox.simulated.wait_for(bob, is_change).await;
            assert_eq!(got.0["details"]["startTime"], later.div_euclid(1_000));
            assert_eq!(got.0["details"]["location"]["name"], "Pier 3");
            assert_eq!(got.0["details"]["canceled"], canceled);
            let edited = told(&mut socket, "message.edited").await;
            assert_eq!(
                (&edited["type"], &edited["body"]),
                (&json!("event"), &json!(name))
            );
            assert_eq!(
                (&edited["targetId"], &edited["fromMe"]),
                (&json!(id), &json!(true))
            );
            assert_eq!(edited["event"]["canceled"], canceled);
            let row = stored(&session, bob, id).await;
            assert_eq!((&row["body"], &row["edited"]), (&json!(name), &json!(true)));
            assert_eq!(row["event"], edited["event"]);
            // What it no longer has is gone.
            assert!(row["event"].get("description").is_none());
        }
    }

    // The account's phone changes one, too.
    let edit = json!({"name": "Sailing", "startTime": begins});
    phone_does(&sandbox, alice, &format!("{from_here}:edit-event"), edit).await;
    let edited = told(&mut socket, "message.edited").await;
    assert_eq!(
        (
            &edited["targetId"],
            &edited["fromMe"],
            &edited["event"]["name"]
        ),
        (&json!(from_here), &json!(true), &json!("Sailing"))
    );
    let row = stored(&session, bob, &from_here).await;
    assert_eq!(
        (&row["body"], &row["event"]["canceled"]),
        (&json!("Sailing"), &json!(false))
    );
    sandbox.stop().await;
}

#[tokio::test]
async fn only_own_events_are_changed_and_as_a_whole() {
    let world = world().await;
    let group = world.made().await;
    let (sandbox, session) = (&world.sandbox, &world.session);
    let mut socket = socket_of(sandbox, session).await;
    let begins = SystemClock.now_ms() + 3_600_000;
    let event = json!({"name": "Launch", "startTime": begins});
    let body = json!({"type": "event", "to": group, "event": event});
    let own = send(sandbox, session, body).await;
    let body = json!({"type": "text", "to": group, "text": "words"});
    let text = send(sandbox, session, body).await;
    let body = json!({"type": "event", "to": group, "name": "Regatta", "startTime": begins});
    let theirs = phone_sends(sandbox, &world.bob, body).await;
    told(&mut socket, "message").await;
    for (id, body, field) in [
        (&own, json!({"text": "words"}), "event"),
        (&own, json!({"text": "words", "event": event}), "text"),
        (&own, json!({"event": {"canceled": true}}), "event.name"),
        (&own, json!({}), "text"),
        (&text, json!({"event": event}), "event"),
        (&theirs, json!({"event": event}), "mid"),
    ] {
        let mut body = body;
        body["chat"] = json!(group);
        let refused = act(sandbox, session, Method::PATCH, id, body).await;
        let refused = refused.expect(400);
        let faults = &refused["error"]["details"]["errors"];
        assert_eq!(faults[0]["field"], field, "{refused}");
    }
    let called_off = json!({"name": "Launch", "startTime": begins, "canceled": true});
    let body = json!({"type": "event", "to": group, "event": called_off});
    let refused = sandbox.api.post(&session.path("/messages"), &body).await;
    let refused = refused.expect(400);
    let faults = &refused["error"]["details"]["errors"];
    assert_eq!(faults[0]["field"], "event.canceled");

    // In a group members take it from the author, and nobody answers any more.
    let body = json!({"chat": group, "event": called_off});
    let changed = act(sandbox, session, Method::PATCH, &own, body).await;
    changed.expect(200);
    let is_change = |m: &wagate_testing::PhoneMessage| {
        m.0["targetId"] == own.as_str() && m.0["details"]["canceled"] == true
    };
    sandbox.simulated.wait_for(&world.bob, is_change).await;
    let path = format!("{own}/respond");
    let body = json!({"chat": group, "response": "going"});
    let refused = act(sandbox, session, Method::POST, &path, body).await;
    refused.expect(400);
    world.sandbox.stop().await;
}
