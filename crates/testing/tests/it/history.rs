//! The history that a phone sends after pairing: all of it, once, whatever happens meanwhile.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use wagate_testing::{Api, Session, TestSandbox};

use crate::stage::Stage;

/// All rows of a list, page by page.
async fn all(api: &Api, path: &str) -> Vec<Value> {
    let mut rows: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("{path}?limit=200{cursor}")).await;
        rows.extend(page["data"].as_array().cloned().unwrap_or_default());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return rows,
        }
    }
}

/// Waits until the session's history has come to its end.
async fn ended(session: &Session) -> Value {
    let end = async {
        loop {
            let history = session.row().await["historySync"].clone();
            if history["status"] == "done" {
                return history;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(wagate_testing::PATIENCE, end)
        .await
        .expect("the history comes to its end in time")
}

/// Each message is stored once, in the order in which it was written.
async fn is_complete(api: &Api, session: &Session, chats: usize, per_chat: usize) {
    let rows = all(api, &session.path("/chats")).await;
    let with_past = rows.iter().filter(|chat| {
        chat["jid"]
            .as_str()
            .is_some_and(|jid| jid.starts_with("99"))
    });
    let mut ids = BTreeSet::new();
    let mut count = 0;
    for chat in with_past {
        let jid = chat["jid"].as_str().unwrap();
        let messages = all(api, &session.path(&format!("/chats/{jid}/messages"))).await;
        assert_eq!(messages.len(), per_chat, "{jid}");
        for (age, message) in messages.iter().enumerate() {
            let body = message["body"].as_str().unwrap();
            assert!(
                body.starts_with(&format!("message {age} of chat ")),
                "{body}"
            );
            ids.insert(message["waMessageId"].as_str().unwrap().to_owned());
        }
        assert_eq!(chat["unreadCount"], 0);
        count += 1;
    }
    assert_eq!((count, ids.len()), (chats, chats * per_chat));
}

#[tokio::test]
async fn a_long_history_is_stored_to_its_end_and_shows_how_far_it_is() {
    let sandbox = TestSandbox::start().await;
    let (simulated, alice) = (&sandbox.simulated, &sandbox.phones[0]);
    let past = json!({"chats": 20, "messagesPerChat": 100, "messagesPerPart": 150, "seed": 5});
    simulated.past(alice, &past).await;
    // The fourth part waits at the media host until it has been looked at.
    let hold = json!({"kind": "slow_media", "tag": "md-msg-hist", "target": alice,
        "after": 3, "delayMs": 3_600_000});
    let hold = simulated.fault(&hold).await;
    let session = sandbox.pair(alice).await;
    simulated.struck(&hold).await;
    let half_way = session.row().await["historySync"].clone();
    assert_eq!(half_way["status"], "running", "{half_way}");
    assert!(half_way["messages"].as_i64().unwrap() <= 450, "{half_way}");
    assert!(half_way["progress"].as_i64().unwrap() < 100, "{half_way}");
    simulated.end_fault(&hold).await;
    let history = ended(&session).await;
    assert_eq!(
        (&history["messages"], &history["progress"]),
        (&json!(2_000), &json!(100))
    );
    is_complete(&sandbox.api, &session, 20, 100).await;
    let events = sandbox.api.events_after(None).await;
    let told = events.iter().filter(|event| event["event"] == "message");
    assert_eq!(told.count(), 0, "history is no news");
    sandbox.stop().await;
}

#[tokio::test]
async fn a_history_is_gone_on_with_after_a_kill() {
    let stage = Stage::new().await;
    let simulated = stage.simulator.simulated.clone();
    let sandbox = stage.start().await;
    let alice = sandbox.phones()[0].clone();
    let past = json!({"chats": 12, "messagesPerChat": 50, "messagesPerPart": 100, "seed": 9});
    simulated.past(&alice, &past).await;
    // Two parts come; the third never does.
    let hold = json!({"kind": "slow_media", "tag": "md-msg-hist", "target": alice,
        "after": 2, "delayMs": 3_600_000});
    let hold = simulated.fault(&hold).await;
    let session = stage.pair(&sandbox, &alice).await;
    simulated.struck(&hold).await;
    let before = session.row().await["historySync"].clone();
    assert_eq!(before["status"], "running", "{before}");
    sandbox.process.kill().await;

    simulated.end_fault(&hold).await;
    let sandbox = stage.start().await;
    let session = sandbox.api.session(&session.id);
    session.wait_for_status("working").await;
    let history = ended(&session).await;
    assert_eq!(history["messages"], 600, "{history}");
    is_complete(&sandbox.api, &session, 12, 50).await;
}

#[tokio::test]
async fn a_group_s_message_of_the_past_is_the_one_that_is_edited_later() {
    let sandbox = TestSandbox::start().await;
    let (simulated, alice, bob) = (&sandbox.simulated, &sandbox.phones[0], &sandbox.phones[1]);
    let made = json!({ "subject": "Harbour", "participants": [alice] });
    let path = format!("/phones/{bob}/groups");
    let group = simulated.call(Method::POST, &path, Some(&made)).await;
    let group = group["jid"].as_str().unwrap().to_owned();
    let id = simulated.send_text(bob, &group, "at ten").await;
    simulated
        .wait_for(alice, |message| message.id() == id)
        .await;

    // The past names its author by number, and live messages of the group by LID.
    let session = sandbox.pair(alice).await;
    ended(&session).await;
    let stored = session.messages(&group).await;
    let past = stored.iter().find(|row| row["waMessageId"] == id).unwrap();
    assert_eq!(past["body"], "at ten");
    assert_eq!(past["senderJid"], format!("{bob}@s.whatsapp.net"));
    assert!(past["senderLid"].is_string(), "{past}");
    let ticket = json!({"events": ["message.edited"]});
    let mut socket = sandbox.api.realtime(&ticket).await;
    let edit = format!("/phones/{bob}/messages/{id}:edit");
    let body = json!({ "text": "at eleven" });
    simulated.call(Method::POST, &edit, Some(&body)).await;
    socket
        .wait_for(|frame| frame["payload"]["targetId"] == id.as_str())
        .await;
    let stored = session.messages(&group).await;
    let rows = stored.iter().filter(|row| row["waMessageId"] == id);
    let bodies: Vec<_> = rows.map(|row| &row["body"]).collect();
    assert_eq!(bodies, ["at eleven"]);
    sandbox.stop().await;
}
