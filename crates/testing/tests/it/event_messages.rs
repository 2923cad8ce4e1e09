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
