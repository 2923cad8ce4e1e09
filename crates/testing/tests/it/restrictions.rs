//! What WhatsApp forbids an account: shown, kept, and told before anything is sent.

use reqwest::Method;
use serde_json::{Value, json};
use wagate_testing::{Session, TestSandbox};

async fn restrict(sandbox: &TestSandbox, number: &str, how: &Value) {
    let path = format!("/phones/{number}:restrict");
    sandbox.simulated.call(Method::POST, &path, Some(how)).await;
}

/// Asks until the session's row is as wanted: no event tells of restrictions.
async fn wait_for_row(session: &Session, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let search = async {
        loop {
            let row = session.row().await;
            if is_wanted(&row) {
                return row;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), search)
        .await
        .expect("the row changes in time")
}

#[tokio::test]
async fn a_restriction_that_a_refusal_is_the_first_to_show_is_told_as_one() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let send = async || {
        let body = json!({ "type": "text", "to": bob, "text": "hello" });
        sandbox.api.post(&session.path("/messages"), &body).await
    };
    // WhatsApp's refusal for another cause than a restriction of the account.
    let nack = json!({"kind": "nack", "code": 463, "target": alice, "count": 1});
    sandbox.simulated.fault(&nack).await;
    let refused = send().await.expect(409);
    assert_eq!(
        refused["error"]["details"]["whatsappCode"], 463,
        "{refused}"
    );

    let unheard = json!({"kind": "drop", "tag": "notification", "target": alice});
    let unheard = sandbox.simulated.fault(&unheard).await;
    let until = 4_102_444_800_000_i64;
    restrict(&sandbox, alice, &json!({ "reachoutUntil": until })).await;
    sandbox.simulated.struck(&unheard).await;
    assert!(session.row().await.get("restriction").is_none());
    let refused = send().await.expect(429);
    let details = &refused["error"]["details"];
    assert_eq!(details["reason"], "reachout_restricted", "{refused}");
    assert!(details["retryAfterSeconds"].as_i64().unwrap() > 0);
    let row = session.row().await;
    let expected = json!({ "kind": "reachout_timelock", "until": until });
    assert_eq!(row["restriction"], expected);
    sandbox.stop().await;
}

#[tokio::test]
async fn no_new_chat_is_begun_while_whatsapp_forbids_it() {
    let sandbox = TestSandbox::start().await;
    let phones = sandbox.phones.clone();
    let (alice, bob) = (&phones[0], &phones[1]);
    let carol = sandbox.simulated.phone().await;
    let session = sandbox.pair(alice).await;
    session.send_text(bob, "before").await;
    assert!(session.row().await.get("restriction").is_none());

    let until = 4_102_444_800_000_i64;
    restrict(&sandbox, alice, &json!({ "reachoutUntil": until })).await;
    let row = wait_for_row(&session, |row| row.get("restriction").is_some()).await;
    let expected = json!({ "kind": "reachout_timelock", "until": until });
    assert_eq!(row["restriction"], expected);
    for path in ["/messages", "/messages?async=true"] {
        let body = json!({ "type": "text", "to": carol, "text": "hello" });
        let refused = sandbox.api.post(&session.path(path), &body).await;
        let refused = refused.expect(429);
        let details = &refused["error"]["details"];
        assert_eq!(details["reason"], "reachout_restricted", "{refused}");
        assert!(details["retryAfterSeconds"].as_i64().unwrap() > 0);
    }
    session.send_text(bob, "they have written").await;

    // It is kept, asked for again, and whoever writes first can be answered.
    let sandbox = sandbox.restart().await;
    let session = sandbox.api.session(&session.id);
    let row = session.wait_for_status("working").await;
    assert_eq!(row["restriction"], expected);
    let mut socket = sandbox.api.realtime(&json!({"events": ["message"]})).await;
    sandbox.simulated.send_text(&carol, alice, "hi").await;
    socket.wait_for(|frame| frame["event"] == "message").await;
    session.send_text(&carol, "hello").await;

    restrict(&sandbox, alice, &json!({})).await;
    wait_for_row(&session, |row| row.get("restriction").is_none()).await;
    restrict(&sandbox, alice, &json!({ "capped": true })).await;
    let row = wait_for_row(&session, |row| row.get("restriction").is_some()).await;
    assert_eq!(row["restriction"], json!({ "kind": "new_chat_cap" }));
    sandbox.stop().await;
}
