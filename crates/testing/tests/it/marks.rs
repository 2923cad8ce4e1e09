//! Marks that messages and chats have for the account: stars, deletions for oneself.

use reqwest::Method;
use serde_json::{Value, json};
use wagate_testing::{Session, TestSandbox};

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// A message that comes from the second phone to the first one's sessions; gives its id.
pub(crate) async fn received(sandbox: &TestSandbox, sessions: usize, text: &str) -> String {
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let mut socket = sandbox.api.realtime(&json!({"events": ["message"]})).await;
    let id = sandbox.simulated.send_text(bob, alice, text).await;
    for _ in 0..sessions {
        socket
            .wait_for(|frame| frame["payload"]["waMessageId"] == id)
            .await;
    }
    // The phone has it as well.
    sandbox
        .simulated
        .wait_for(alice, |message| message.id() == id)
        .await;
    id
}

/// A session's stored message of the chat with the second phone.
pub(crate) async fn message(sandbox: &TestSandbox, session: &Session, id: &str) -> Option<Value> {
    let messages = session.messages(&sandbox.phones[1]).await;
    messages.into_iter().find(|message| message["id"] == id)
}

/// Asks until something is so: what other devices keep is told by no event.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let search = async { while !is_so().await {} };
    let found = tokio::time::timeout(PATIENCE, search).await;
    assert!(found.is_ok(), "{what} in time");
}

/// What the first phone finds in the account's application state, by kind and message.
async fn kept(sandbox: &TestSandbox, kind: &str, id: &str) -> Option<Value> {
    let path = format!("/phones/{}/app-state", sandbox.phones[0]);
    let kept = sandbox.simulated.call(Method::GET, &path, None).await;
    let mut entries = kept["data"].as_array().unwrap().iter();
    entries
        .find(|entry| entry["index"][0] == kind && entry["index"][2] == id)
        .map(|entry| entry["value"].clone())
}

pub(crate) async fn act_as_phone(
    sandbox: &TestSandbox,
    method: Method,
    rest: &str,
    body: Option<&Value>,
) {
    let path = format!("/phones/{}{rest}", sandbox.phones[0]);
    sandbox.simulated.call(method, &path, body).await;
}

#[tokio::test]
async fn stars_are_the_same_on_all_devices() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let first = sandbox.pair(alice).await;
    let second = sandbox.pair(alice).await;
    let id = received(&sandbox, 2, "the address is ...").await;
    let other = received(&sandbox, 2, "nothing of note").await;
    assert_eq!(
        message(&sandbox, &first, &id).await.unwrap()["starred"],
        false
    );

    let path = first.path(&format!("/messages/{id}/star"));
    let body = json!({ "chat": bob });
    for _ in 0..2 {
        let starred = sandbox.api.call(Method::PUT, &path, Some(&body)).await;
        let starred = starred.expect(200);
        assert_eq!(
            (&starred["id"], &starred["starred"]),
            (&json!(id), &json!(true))
        );
    }
    assert_eq!(
        kept(&sandbox, "star", &id).await,
        Some(json!({ "starred": true }))
    );
    let is_starred = async |session: &Session, id: &str| {
        message(&sandbox, session, id).await.unwrap()["starred"] == true
    };
    eventually("the other session hears of it", || is_starred(&second, &id)).await;

    // What is starred is found, and what is not.
    for (starred, expected) in [(true, &id), (false, &other)] {
        let found = first.path(&format!("/messages?starred={starred}&chat={bob}"));
        let found = sandbox.api.get(&found).await;
        let ids: Vec<_> = found["data"].as_array().unwrap().iter().collect();
        assert_eq!(ids.len(), 1, "{found}");
        assert_eq!(ids[0]["id"], **expected);
    }

    // The phone takes it back, and stars another.
    act_as_phone(
        &sandbox,
        Method::POST,
        &format!("/messages/{id}:unstar"),
        None,
    )
    .await;
    act_as_phone(
        &sandbox,
        Method::POST,
        &format!("/messages/{other}:star"),
        None,
    )
    .await;
    for session in [&first, &second] {
        eventually("the phone's star comes", || is_starred(session, &other)).await;
        assert!(!is_starred(session, &id).await);
    }

    let unstar = first.path(&format!("/messages/{other}/star"));
    let taken = sandbox.api.call(Method::DELETE, &unstar, Some(&body)).await;
    assert_eq!(taken.expect(200)["starred"], false);
    assert_eq!(
        kept(&sandbox, "star", &other).await,
        Some(json!({ "starred": false }))
    );

    // Nonsense, what is not there, and without a connection.
    let call = async |path: &str, body: &Value| {
        let path = first.path(path);
        sandbox.api.call(Method::PUT, &path, Some(body)).await
    };
    call("/messages/3EB0NONE/star", &body).await.expect(404);
    let nowhere = json!({ "chat": "15559999999" });
    call(&format!("/messages/{id}/star"), &nowhere)
        .await
        .expect(404);
    let faulty = json!({ "chat": "120363144038483540@newsletter", "sender": "x@y" });
    let refused = call(&format!("/messages/{id}/star"), &faulty)
        .await
        .expect(400);
    let named = refused["error"]["details"]["errors"].as_array().unwrap();
    let fields: Vec<_> = named.iter().map(|fault| &fault["field"]).collect();
    assert_eq!(fields, ["sender", "chat"]);
    sandbox.api.act(&first.path(":stop")).await;
    let refused = call(&format!("/messages/{id}/star"), &body)
        .await
        .expect(409);
    assert_eq!(
        refused["error"]["details"]["reason"],
        "session_not_connected"
    );
    assert!(!is_starred(&first, &id).await);
    sandbox.stop().await;
}

#[tokio::test]
async fn stars_come_with_the_history() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let id = sandbox.simulated.send_text(bob, alice, "remember me").await;
    let plain = sandbox.simulated.send_text(bob, alice, "or not").await;
    sandbox
        .simulated
        .wait_for(alice, |message| message.id() == plain)
        .await;
    act_as_phone(
        &sandbox,
        Method::POST,
        &format!("/messages/{id}:star"),
        None,
    )
    .await;
    let session = sandbox.pair(alice).await;
    // The chat itself is not there at first.
    let all = session.path(&format!("/messages?chat={bob}"));
    let is_there = async || {
        let found = sandbox.api.get(&all).await;
        let mut found = found["data"].as_array().unwrap().iter();
        found.any(|message| message["id"] == plain)
    };
    eventually("the history comes", is_there).await;
    let is_starred = async || message(&sandbox, &session, &id).await.unwrap()["starred"] == true;
    eventually("the star comes", is_starred).await;
    let plain = message(&sandbox, &session, &plain).await.unwrap();
    assert_eq!(plain["starred"], false);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_message_is_deleted_for_oneself() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let first = sandbox.pair(alice).await;
    let second = sandbox.pair(alice).await;
    let (id, kept_one) = (
        received(&sandbox, 2, "a slip").await,
        received(&sandbox, 2, "stays").await,
    );
    let path = first.path(&format!("/messages/{id}:delete"));
    let body = json!({ "chat": bob, "deleteMedia": false });
    sandbox.api.post(&path, &body).await.expect(204);
    assert_eq!(message(&sandbox, &first, &id).await, None);
    assert!(message(&sandbox, &first, &kept_one).await.is_some());
    assert_eq!(
        kept(&sandbox, "deleteMessageForMe", &id).await,
        Some(json!({ "deleteMedia": false }))
    );
    // The second time there is none, and whoever sent it has it still.
    sandbox.api.post(&path, &body).await.expect(404);
    sandbox
        .simulated
        .wait_for(bob, |message| message.id() == id)
        .await;
    // What is deleted elsewhere stays in the record, here and in the other session.
    act_as_phone(
        &sandbox,
        Method::POST,
        &format!("/messages/{kept_one}:delete-for-me"),
        None,
    )
    .await;
    // Changes come in their order: this one after the other.
    act_as_phone(
        &sandbox,
        Method::POST,
        &format!("/messages/{kept_one}:star"),
        None,
    )
    .await;
    for session in [&first, &second] {
        let is_starred =
            async || message(&sandbox, session, &kept_one).await.unwrap()["starred"] == true;
        eventually("the star comes", is_starred).await;
    }
    assert!(message(&sandbox, &second, &id).await.is_some());
    sandbox.stop().await;
}

#[tokio::test]
async fn whoever_sent_a_voice_note_hears_that_it_was_played() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let text = received(&sandbox, 1, "no sound").await;
    let mut socket = sandbox.api.realtime(&json!({"events": ["message"]})).await;
    let note = json!({ "to": alice, "type": "audio",
        "media": { "data": "T2dnUwAC", "mimetype": "audio/ogg; codecs=opus", "voice": true } });
    let path = format!("/phones/{bob}/messages");
    let sent = sandbox
        .simulated
        .call(Method::POST, &path, Some(&note))
        .await;
    let id = sent["id"].as_str().unwrap();
    socket
        .wait_for(|frame| frame["payload"]["waMessageId"] == id)
        .await;
    let body = json!({ "chat": bob });
    let played = async |id: &str| {
        let path = session.path(&format!("/messages/{id}:played"));
        sandbox.api.post(&path, &body).await
    };
    played(id).await.expect(204);
    sandbox
        .simulated
        .wait_for(bob, |message| {
            message.id() == id && message.0["status"] == "played"
        })
        .await;
    let refused = played(&text).await.expect(400);
    assert_eq!(refused["error"]["details"]["errors"][0]["field"], "mid");
    let own = session.send_text(bob, "mine").await;
    played(own["waMessageId"].as_str().unwrap())
        .await
        .expect(400);
    played("3EB0NONE").await.expect(404);
    sandbox.stop().await;
}
