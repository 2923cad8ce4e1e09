//! What is sent on from one chat to another, and what cannot be.

use reqwest::Method;
use serde_json::{Value, json};
use wagate_testing::{Answer, Session, TestSandbox};

use crate::files::PNG;

async fn sent(sandbox: &TestSandbox, session: &Session, body: Value) -> Value {
    let path = session.path("/messages");
    sandbox.api.post(&path, &body).await.expect(200)
}

async fn forward(sandbox: &TestSandbox, session: &Session, id: &Value, body: Value) -> Answer {
    let path = session.path(&format!("/messages/{}/forward", id.as_str().unwrap()));
    sandbox.api.post(&path, &body).await
}

fn field(refused: &Value) -> &Value {
    &refused["error"]["details"]["errors"][0]["field"]
}

#[tokio::test]
async fn what_was_edited_is_sent_on_as_it_reads_now() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let carol = sandbox.simulated.phone().await;
    let text = session.send_text(bob, "wrnog").await;
    let id = &text["waMessageId"];
    let path = session.path(&format!("/messages/{}", id.as_str().unwrap()));
    let body = json!({"chat": bob, "text": "right"});
    let edited = sandbox.api.call(Method::PATCH, &path, Some(&body)).await;
    edited.expect(200);

    let to_carol = json!({"chat": bob, "to": carol});
    let copy = forward(&sandbox, &session, id, to_carol).await.expect(200);
    let copy = copy["waMessageId"].as_str().unwrap();
    let got = sandbox.simulated.wait_for(&carol, |m| m.id() == copy).await;
    assert_eq!(got.body(), "right");

    let mut socket = sandbox
        .api
        .realtime(&json!({"events": ["message.from_me"]}))
        .await;
    let answer = json!({"type": "text", "to": bob, "text": "so it is", "replyTo": id});
    let answer = sent(&sandbox, &session, answer).await;
    let told = socket
        .wait_for(|frame| frame["payload"]["waMessageId"] == answer["waMessageId"])
        .await;
    assert_eq!(told["payload"]["quotedBody"], "right");
    sandbox.stop().await;
}

#[tokio::test]
async fn what_could_not_be_opened_there_is_not_sent_on() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let made = json!({"name": "News"});
    let made = sandbox.api.post(&session.path("/channels"), &made).await;
    let channel = made.expect(201)["jid"].as_str().unwrap().to_owned();
    let to_channel = json!({"chat": bob, "to": channel});
    let to_bob = json!({"chat": bob, "to": bob});

    let image = json!({"type": "image", "to": bob, "media": {"data": PNG}});
    let image = sent(&sandbox, &session, image).await;
    let refused = forward(
        &sandbox,
        &session,
        &image["waMessageId"],
        to_channel.clone(),
    )
    .await;
    assert_eq!(field(&refused.expect(400)), "to");
    let text = session.send_text(bob, "news").await;
    let posted = forward(&sandbox, &session, &text["waMessageId"], to_channel).await;
    assert_eq!(posted.expect(200)["status"], "sent");

    let image = json!({"type": "image", "to": channel, "media": {"data": PNG}});
    let post = sent(&sandbox, &session, image).await;
    let out = json!({"chat": channel, "to": bob});
    let refused = forward(&sandbox, &session, &post["waMessageId"], out).await;
    assert_eq!(field(&refused.expect(400)), "mid");

    let once = json!({"type": "image", "to": bob, "media": {"data": PNG, "viewOnce": true}});
    let once = sent(&sandbox, &session, once).await;
    let refused = forward(&sandbox, &session, &once["waMessageId"], to_bob.clone()).await;
    assert_eq!(field(&refused.expect(400)), "mid");
    sandbox.stop().await;
}

#[tokio::test]
async fn of_an_album_each_file_is_a_message() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let album = json!({"type": "album", "to": bob, "medias": [{"data": PNG}, {"data": PNG}]});
    let album = sent(&sandbox, &session, album).await;
    let files = album["fileMessageIds"].as_array().unwrap();
    assert_eq!(files.len(), 2);

    let in_chat = json!({"chat": bob, "to": bob});
    let refused = forward(&sandbox, &session, &album["waMessageId"], in_chat.clone()).await;
    assert_eq!(field(&refused.expect(400)), "mid");
    let copied = forward(&sandbox, &session, &files[0], in_chat).await;
    copied.expect(200);

    let revoke = async |id: &Value| {
        let path = session.path(&format!("/messages/{}", id.as_str().unwrap()));
        let body = json!({"chat": bob});
        sandbox.api.call(Method::DELETE, &path, Some(&body)).await
    };
    let refused = revoke(&album["waMessageId"]).await;
    assert_eq!(field(&refused.expect(400)), "mid");
    for file in files {
        revoke(file).await.expect(200);
        sandbox
            .simulated
            .wait_for(bob, |m| m.0["type"] == "revoke" && m.0["targetId"] == *file)
            .await;
    }
    sandbox.stop().await;
}
