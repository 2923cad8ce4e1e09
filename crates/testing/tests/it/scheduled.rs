//! Messages that are to be sent later.

use reqwest::Method;
use serde_json::{Value, json};
use wagate_model::{Clock as _, SystemClock};
use wagate_testing::{PhoneMessage, Session, TestSandbox};

/// A picture of one pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAA\
AABJRU5ErkJggg==";

const HOUR_MS: i64 = 3_600_000;

fn in_ms(wait_ms: i64) -> i64 {
    SystemClock.now_ms() + wait_ms
}

async fn schedule(sandbox: &TestSandbox, session: &Session, body: &Value) -> Value {
    let answer = sandbox.api.post(&session.path("/messages"), body).await;
    let result = answer.expect(202);
    assert_eq!(
        (&result["mode"], &result["status"]),
        (&json!("async"), &json!("pending"))
    );
    result
}

async fn listed(sandbox: &TestSandbox, session: &Session) -> Vec<Value> {
    let page = sandbox.api.get(&session.path("/scheduled")).await;
    page["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_scheduled_message_goes_out_at_its_time_under_its_id() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    let bob = &sandbox.phones[1];
    let send_at = in_ms(1_500);
    let text = json!({"type": "text", "to": bob, "text": "good morning", "sendAt": send_at});
    let accepted = schedule(&sandbox, &session, &text).await;
    let image = json!({"type": "image", "to": bob, "media": {"data": PNG, "caption": "the sun"},
        "sendAt": send_at + 1});
    let picture = schedule(&sandbox, &session, &image).await;

    let waiting = listed(&sandbox, &session).await;
    assert_eq!(waiting.len(), 2, "{waiting:?}");
    assert_eq!(waiting[0]["id"], accepted["outboxId"]);
    assert_eq!(
        (
            &waiting[0]["text"],
            &waiting[0]["type"],
            &waiting[0]["sendAt"]
        ),
        (&json!("good morning"), &json!("text"), &json!(send_at))
    );
    assert_eq!(
        (&waiting[1]["text"], &waiting[1]["type"]),
        (&json!("the sun"), &json!("image"))
    );
    // A message whose time has not come is in no chat.
    let chat = session.path(&format!("/chats/{bob}"));
    sandbox.api.call(Method::GET, &chat, None).await.expect(404);

    let arrived = sandbox
        .simulated
        .wait_for(bob, |message| message.body() == "good morning")
        .await;
    assert_eq!(arrived.id(), accepted["waMessageId"]);
    assert!(arrived.0["timestamp"].as_i64().unwrap() / 1_000 >= send_at / 1_000);
    let arrived = sandbox
        .simulated
        .wait_for(bob, |message| message.body() == "the sun")
        .await;
    assert_eq!(arrived.id(), picture["waMessageId"]);
    let is_readable = |message: &PhoneMessage| {
        message.id() == arrived.id() && message.0["media"]["state"] == "ready"
    };
    sandbox.simulated.wait_for(bob, is_readable).await;
    assert!(listed(&sandbox, &session).await.is_empty());
    sandbox.stop().await;
}

#[tokio::test]
async fn a_scheduled_message_can_be_taken_back_until_its_time() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    let bob = &sandbox.phones[1];
    let mut ids = Vec::new();
    for turn in 0..3 {
        let image = json!({"type": "image", "to": bob, "media": {"data": PNG},
            "sendAt": in_ms(HOUR_MS + turn)});
        let accepted = schedule(&sandbox, &session, &image).await;
        ids.push(accepted["outboxId"].as_str().unwrap().to_owned());
    }
    let path = session.path(&format!("/scheduled/{}", ids[1]));
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
    let unknown = session.path("/scheduled/nothing");
    sandbox
        .api
        .call(Method::DELETE, &unknown, None)
        .await
        .expect(404);

    let first = sandbox.api.get(&session.path("/scheduled?limit=1")).await;
    assert_eq!(first["data"][0]["id"], ids[0]);
    let cursor = first["nextCursor"].as_str().unwrap();
    let next = session.path(&format!("/scheduled?limit=1&cursor={cursor}"));
    let next = sandbox.api.get(&next).await;
    assert_eq!(next["data"][0]["id"], ids[2]);
    assert!(next.get("nextCursor").is_none());
    sandbox.stop().await;
}

#[tokio::test]
async fn a_session_that_is_away_sends_what_is_due_when_it_is_back() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    let bob = &sandbox.phones[1];
    sandbox.api.act(&session.path(":stop")).await;
    let text = json!({"type": "text", "to": bob, "text": "at last", "sendAt": in_ms(200)});
    // Nobody has to be connected to schedule, and repeating it is harmless.
    let mut accepted = Vec::new();
    for _ in 0..2 {
        let answer = session.send_keyed(&text, "morning").await.unwrap();
        accepted.push(answer.expect(202));
    }
    for id in ["outboxId", "waMessageId"] {
        assert_eq!(accepted[0][id], accepted[1][id]);
    }
    assert_eq!(accepted[1]["replayed"], true);
    let other = json!({"type": "text", "to": bob, "text": "other", "sendAt": in_ms(200)});
    let refused = session.send_keyed(&other, "morning").await.unwrap();
    refused.expect(409);
    sandbox.api.act(&session.path(":start")).await;
    let arrived = sandbox
        .simulated
        .wait_for(bob, |message| message.body() == "at last")
        .await;
    assert_eq!(arrived.id(), accepted[0]["waMessageId"]);
    let all = sandbox.simulated.messages(bob).await;
    assert_eq!(
        all.iter()
            .filter(|message| message.body() == "at last")
            .count(),
        1
    );
    sandbox.stop().await;
}

#[tokio::test]
async fn what_waits_for_an_account_that_leaves_is_told_as_failed() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    let bob = &sandbox.phones[1];
    let text = json!({"type": "text", "to": bob, "text": "later", "sendAt": in_ms(HOUR_MS)});
    let accepted = schedule(&sandbox, &session, &text).await;
    let ticket = json!({"scope": "session", "session": session.id});
    let mut socket = sandbox.api.realtime(&ticket).await;
    sandbox.api.act(&session.path(":logout")).await;
    let told = socket
        .wait_for(|frame| frame["event"] == "message.status")
        .await["payload"]
        .clone();
    assert_eq!(told["messageIds"], json!([accepted["waMessageId"]]));
    assert_eq!(
        (&told["status"], &told["error"]),
        (&json!("failed"), &json!("session_logged_out"))
    );
    let waiting = listed(&sandbox, &session).await;
    assert_eq!(waiting[0]["status"], "failed");
    // Another account may be paired next: nothing is accepted for nobody.
    let refused = sandbox
        .api
        .post(&session.path("/messages"), &text)
        .await
        .expect(409);
    assert_eq!(
        refused["error"]["details"]["reason"],
        "session_not_connected"
    );
    sandbox.stop().await;
}

#[tokio::test]
async fn times_that_make_no_sense_are_refused_by_field() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    let bob = &sandbox.phones[1];
    for (body, field) in [
        (json!({"type": "text", "text": "a", "sendAt": 1}), "sendAt"),
        (
            json!({"type": "text", "text": "a", "sendAt": in_ms(400 * 24 * HOUR_MS)}),
            "sendAt",
        ),
        (
            json!({"type": "text", "text": "a", "sendAt": "tomorrow"}),
            "sendAt",
        ),
        (
            json!({"type": "text", "text": "a", "sendAt": in_ms(HOUR_MS), "replyTo": "3EB0NONE"}),
            "replyTo",
        ),
        (
            json!({"type": "poll", "name": "q", "options": ["a", "b"],
                "sendAt": in_ms(HOUR_MS), "pollEndTime": in_ms(HOUR_MS / 2)}),
            "pollEndTime",
        ),
    ] {
        let mut body = body;
        body["to"] = json!(bob);
        let answer = sandbox.api.post(&session.path("/messages"), &body).await;
        let refused = answer.expect(400);
        let fields = &refused["error"]["details"]["errors"];
        assert_eq!(fields[0]["field"], field, "{refused}");
    }
    assert!(listed(&sandbox, &session).await.is_empty());
    sandbox.stop().await;
}
