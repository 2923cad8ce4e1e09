//! Labels, of the account, and of its chats and messages.

use reqwest::Method;
use serde_json::{Value, json};
use wagate_testing::{Session, TestSandbox};

use crate::marks::{act_as_phone, eventually, message, received};

/// The second phone's chat as a session has it.
async fn chat(sandbox: &TestSandbox, session: &Session) -> Value {
    let path = session.path(&format!("/chats/{}", sandbox.phones[1]));
    sandbox.api.get(&path).await
}

#[tokio::test]
async fn labels_are_made_changed_and_deleted() {
    let sandbox = TestSandbox::start().await;
    let alice = &sandbox.phones[0];
    let first = sandbox.pair(alice).await;
    let second = sandbox.pair(alice).await;
    let labels = first.path("/labels");
    assert_eq!(sandbox.api.get(&labels).await, json!({ "data": [] }));
    let one = json!({ "name": " New customer " });
    let one = sandbox.api.post(&labels, &one).await.expect(201);
    assert_eq!(
        one,
        json!({ "id": "1", "name": "New customer", "color": 0 })
    );
    let two = json!({ "name": "Paid", "color": 4 });
    let two = sandbox.api.post(&labels, &two).await.expect(201);
    assert_eq!(two, json!({ "id": "2", "name": "Paid", "color": 4 }));
    // What another device makes at once gets another id.
    let there = second.path("/labels");
    let three = sandbox.api.post(&there, &json!({ "name": "Late" })).await;
    assert_eq!(three.expect(201)["id"], "3");
    let path = second.path("/labels/3");
    sandbox
        .api
        .call(Method::DELETE, &path, None)
        .await
        .expect(204);
    for (faulty, field) in [
        (json!({}), "name"),
        (json!({ "name": "" }), "name"),
        (json!({ "name": "Paid" }), "name"),
        (json!({ "name": "n".repeat(101) }), "name"),
        (json!({ "name": "x", "color": 20 }), "color"),
        (json!({ "name": "x", "colour": 1 }), "colour"),
    ] {
        let refused = sandbox.api.post(&labels, &faulty).await.expect(400);
        let faults = &refused["error"]["details"]["errors"];
        assert_eq!(faults[0]["field"], field, "{faulty}");
    }
    // The phone and the other session have them too.
    let path = format!("/phones/{alice}/labels");
    let on_phone = async || sandbox.simulated.call(Method::GET, &path, None).await;
    let there = on_phone().await;
    assert_eq!(there["data"][0]["name"], "New customer");
    assert_eq!(there["data"][1]["color"], 4);
    let of_second = second.path("/labels");
    let has = async |expected: &Value| sandbox.api.get(&of_second).await["data"] == *expected;
    let both = json!([one, two]);
    eventually("the labels come", || has(&both)).await;

    let path = first.path("/labels/1");
    let change = json!({ "color": 9 });
    let changed = sandbox.api.call(Method::PATCH, &path, Some(&change)).await;
    let expected = json!({ "id": "1", "name": "New customer", "color": 9 });
    assert_eq!(changed.expect(200), expected);
    let nothing = sandbox
        .api
        .call(Method::PATCH, &path, Some(&json!({})))
        .await;
    assert_eq!(nothing.expect(200), expected);
    let taken = json!({ "name": "Paid" });
    let taken = sandbox.api.call(Method::PATCH, &path, Some(&taken)).await;
    taken.expect(400);
    let both = json!([expected, two]);
    eventually("the change comes", || has(&both)).await;

    // What the phone makes, changes and deletes comes in.
    let body = json!({ "name": "VIP", "color": 7 });
    act_as_phone(&sandbox, Method::POST, "/labels", Some(&body)).await;
    let body = json!({ "id": "2", "name": "Paid twice", "color": 4 });
    act_as_phone(&sandbox, Method::POST, "/labels", Some(&body)).await;
    act_as_phone(&sandbox, Method::DELETE, "/labels/1", None).await;
    let expected = json!([
        { "id": "2", "name": "Paid twice", "color": 4 },
        { "id": "4", "name": "VIP", "color": 7 }
    ]);
    eventually("the phone's labels come", || has(&expected)).await;
    let has = async || sandbox.api.get(&labels).await["data"] == expected;
    eventually("the phone's labels come", has).await;
    let gone = sandbox.api.call(Method::DELETE, &path, None).await;
    gone.expect(404);
    let path = first.path("/labels/4");
    sandbox
        .api
        .call(Method::DELETE, &path, None)
        .await
        .expect(204);
    sandbox
        .api
        .call(Method::DELETE, &path, None)
        .await
        .expect(404);
    let change = sandbox.api.call(Method::PATCH, &path, Some(&change)).await;
    change.expect(404);
    assert_eq!(on_phone().await["data"].as_array().unwrap().len(), 1);

    // No more than official clients know what to do with; ids are not used again.
    for number in 1..20 {
        let label = json!({ "name": format!("label {number}") });
        let made = sandbox.api.post(&labels, &label).await.expect(201);
        assert_eq!(made["id"], (number + 4).to_string());
    }
    let refused = sandbox
        .api
        .post(&labels, &json!({ "name": "one more" }))
        .await;
    let refused = refused.expect(409);
    assert_eq!(refused["error"]["details"]["reason"], "too_many_labels");
    sandbox.stop().await;
}

#[tokio::test]
async fn chats_and_messages_have_labels() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let first = sandbox.pair(alice).await;
    let second = sandbox.pair(alice).await;
    let id = received(&sandbox, 2, "how much is it?").await;
    for name in ["New customer", "Paid"] {
        let label = json!({ "name": name });
        sandbox
            .api
            .post(&first.path("/labels"), &label)
            .await
            .expect(201);
    }
    let ticket = json!({ "scope": "session", "session": first.id, "events": ["chat.update"] });
    let mut socket = sandbox.api.realtime(&ticket).await;
    let of_chat = |label: u8| first.path(&format!("/chats/{bob}/labels/{label}"));
    let call = async |method, path: &str| sandbox.api.call(method, path, None).await;
    for (label, expected) in [(2, json!(["2"])), (1, json!(["1", "2"]))] {
        let labelled = call(Method::PUT, &of_chat(label)).await.expect(200);
        assert_eq!(labelled["labels"], expected);
        let told = socket
            .wait_for(|frame| frame["event"] == "chat.update")
            .await;
        let payload = &told["payload"];
        assert_eq!(payload["change"], "labels");
        assert_eq!(payload["labels"], expected);
        assert_eq!(payload["chatJid"], labelled["jid"]);
    }
    // Nothing new, and so no event.
    call(Method::PUT, &of_chat(1)).await.expect(200);
    let off = call(Method::DELETE, &of_chat(2)).await.expect(200);
    assert_eq!(off["labels"], json!(["1"]));
    let told = socket
        .wait_for(|frame| frame["event"] == "chat.update")
        .await;
    assert_eq!(told["payload"]["labels"], json!(["1"]));
    let listed = async |label: &str| {
        let path = first.path(&format!("/chats?label={label}"));
        sandbox.api.get(&path).await["data"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(
        (listed("1").await, listed("2").await, listed("99").await),
        (1, 0, 0)
    );

    let of_message = |label: &str| first.path(&format!("/messages/{id}/labels/{label}"));
    let body = json!({ "chat": bob });
    let path = of_message("2");
    let labelled = sandbox.api.call(Method::PUT, &path, Some(&body)).await;
    assert_eq!(labelled.expect(200)["labels"], json!(["2"]));
    let has = async |session: &Session, of_chat: &Value, of_message: &Value| {
        let message = message(&sandbox, session, &id).await.unwrap();
        let chat = chat(&sandbox, session).await;
        chat.get("labels") == Some(of_chat) && message.get("labels") == Some(of_message)
    };
    let (one, two) = (json!(["1"]), json!(["2"]));
    eventually("the other session's too", || has(&second, &one, &two)).await;
    let path = format!("/phones/{alice}/labels");
    let on_phone = sandbox.simulated.call(Method::GET, &path, None).await;
    assert_eq!(on_phone["data"][0]["chats"].as_array().unwrap().len(), 1);
    assert_eq!(on_phone["data"][1]["messages"], json!([id]));

    // The phone does the same, the other way round.
    let chat_body = json!({ "chat": bob });
    let message_body = json!({ "messageId": id });
    for (rest, body) in [
        ("/labels/2:attach", &chat_body),
        ("/labels/1:detach", &chat_body),
        ("/labels/1:attach", &message_body),
        ("/labels/2:detach", &message_body),
    ] {
        act_as_phone(&sandbox, Method::POST, rest, Some(body)).await;
    }
    for session in [&first, &second] {
        eventually("the phone's come", || has(session, &two, &one)).await;
    }
    let told = socket
        .wait_for(|frame| frame["payload"]["labels"] == two)
        .await;
    assert_eq!(told["event"], "chat.update");

    // A label that goes is taken off everything.
    let path = first.path("/labels/2");
    call(Method::DELETE, &path).await.expect(204);
    let chat_now = chat(&sandbox, &first).await;
    assert!(chat_now.get("labels").is_none(), "{chat_now}");
    let path = of_message("1");
    let off = sandbox.api.call(Method::DELETE, &path, Some(&body)).await;
    assert!(off.expect(200).get("labels").is_none());

    for path in [of_chat(2), first.path("/chats/15559999999/labels/1")] {
        call(Method::PUT, &path).await.expect(404);
    }
    for (path, status) in [
        (of_message("2"), 404),
        (first.path("/messages/3EB0NONE/labels/1"), 404),
    ] {
        let refused = sandbox.api.call(Method::PUT, &path, Some(&body)).await;
        refused.expect(status);
    }
    let path = of_message("1");
    let refused = sandbox.api.call(Method::PUT, &path, Some(&json!({}))).await;
    refused.expect(400);
    sandbox.stop().await;
}
