//! Killing the service at chosen moments: what was begun is done once, after the next start.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use wagate_model::{Clock as _, SystemClock};
use wagate_testing::{Api, PATIENCE, Receiver, SandboxProcess, Session};

use crate::stage::Stage;

/// The service as it comes back after a kill, with its session at work.
async fn back(stage: &Stage, session: &Session) -> (SandboxProcess, Session) {
    let sandbox = stage.start().await;
    let session = sandbox.api.session(&session.id);
    session.wait_for_status("working").await;
    (sandbox, session)
}

#[tokio::test]
async fn a_file_that_was_accepted_is_sent_once_after_a_kill_in_its_upload() {
    let stage = Stage::new().await;
    let simulated = stage.simulator.simulated.clone();
    let sandbox = stage.start().await;
    let (alice, bob) = (sandbox.phones()[0].clone(), sandbox.phones()[1].clone());
    let session = stage.pair(&sandbox, &alice).await;
    let hold = json!({"kind": "slow_media", "tag": "document", "target": alice,
        "delayMs": 3_600_000});
    let hold = simulated.fault(&hold).await;
    let content = b"accepted before the kill";
    let body = json!({"type": "document", "to": bob,
        "media": {"data": STANDARD.encode(content), "filename": "kept.txt"}});
    let path = session.path("/messages?async=true");
    let send = async |api: &Api| {
        let headers = [("Idempotency-Key", "one-file")];
        let answer = api.try_call(Method::POST, &path, Some(&body), &headers);
        answer.await.unwrap()
    };
    let accepted = send(&sandbox.api).await.expect(202);
    // The upload is under way, and does not come to its end.
    simulated.struck(&hold).await;
    let waiting = session.messages(&bob).await.remove(0);
    assert_eq!(waiting["status"], "pending", "{waiting}");
    let id = waiting["waMessageId"].as_str().unwrap().to_owned();
    sandbox.process.kill().await;

    simulated.end_fault(&hold).await;
    let (sandbox, session) = back(&stage, &session).await;
    let again = send(&sandbox.api).await.json();
    assert_eq!(
        (&again["outboxId"], &again["replayed"]),
        (&accepted["outboxId"], &json!(true))
    );
    let got = simulated.wait_for(&bob, |message| message.id() == id).await;
    assert_eq!(got.0["type"], "document");
    // A message behind it: whatever was to come has come.
    session.send_text(&bob, "behind it").await;
    simulated
        .wait_for(&bob, |message| message.body() == "behind it")
        .await;
    let log = simulated.messages(&bob).await;
    let files = log.iter().filter(|message| message.0["type"] == "document");
    let files: Vec<_> = files.collect();
    assert_eq!((files.len(), &files[0].0["duplicates"]), (1, &json!(0)));
    assert_eq!(simulated.file(&bob, &id).await, content);
    let rows = session.messages(&bob).await;
    let row = rows.iter().find(|row| row["waMessageId"] == *id).unwrap();
    let media = row["media"]["id"].as_str().unwrap();
    let stored = sandbox
        .api
        .call(Method::GET, &format!("/api/v1/media/{media}/content"), None)
        .await;
    assert_eq!(&stored.body[..], content);
}

/// The recaps of a poll that were told.
async fn recaps(api: &Api, poll: &Value) -> usize {
    let events = api.events_after(None).await;
    let is_recap = |event: &&Value| {
        event["event"] == "poll.recap" && event["payload"]["pollMessageId"] == *poll
    };
    events.iter().filter(is_recap).count()
}

#[tokio::test]
async fn the_end_of_a_poll_is_told_once_over_a_kill() {
    let stage = Stage::new().await;
    let sandbox = stage.start().await;
    let (alice, bob) = (sandbox.phones()[0].clone(), sandbox.phones()[1].clone());
    let session = stage.pair(&sandbox, &alice).await;
    let ask = async |api: &Api, in_ms: i64| {
        let poll = json!({"type": "poll", "to": bob, "name": "When?",
            "options": ["now", "later"], "pollEndTime": SystemClock.now_ms() + in_ms});
        let sent = api.post(&session.path("/messages"), &poll).await;
        sent.expect(200)["waMessageId"].clone()
    };
    let first = ask(&sandbox.api, 8_000).await;
    sandbox.process.kill().await;

    let (sandbox, _) = back(&stage, &session).await;
    while recaps(&sandbox.api, &first).await == 0 {
        tokio::task::yield_now().await;
    }
    // Killed behind the end as well: another look at the polls tells nothing of it.
    sandbox.process.kill().await;
    let (sandbox, _) = back(&stage, &session).await;
    let second = ask(&sandbox.api, 2_000).await;
    while recaps(&sandbox.api, &second).await == 0 {
        tokio::task::yield_now().await;
    }
    for poll in [&first, &second] {
        assert_eq!(recaps(&sandbox.api, poll).await, 1);
    }
}

#[tokio::test]
async fn a_webhook_that_was_under_way_is_posted_again_with_the_same_id() {
    let stage = Stage::new().await;
    let simulated = stage.simulator.simulated.clone();
    let sandbox = stage.start().await;
    let (alice, bob) = (sandbox.phones()[0].clone(), sandbox.phones()[1].clone());
    let session = stage.pair(&sandbox, &alice).await;
    let mut receiver = Receiver::start().await;
    receiver.hold();
    let webhook = json!({"url": receiver.url(), "events": ["message"]});
    let webhook = sandbox.api.post("/api/v1/webhooks", &webhook).await;
    let webhook = webhook.expect(201)["id"].as_str().unwrap().to_owned();
    simulated.send_text(&bob, &alice, "to be told").await;
    let under_way = receiver.next_of("message").await;
    sandbox.process.kill().await;

    receiver.release();
    let (sandbox, _) = back(&stage, &session).await;
    // With a database that others may use too, the killed worker's lease has to run out first.
    let again = receiver.next_within(PATIENCE * 3).await;
    assert_eq!(again.body, under_way.body);
    assert_eq!(again.header("webhook-id"), under_way.header("webhook-id"));
    // One behind it comes next: the first is over.
    simulated.send_text(&bob, &alice, "behind it").await;
    let behind = receiver.next_of("message").await;
    assert_eq!(behind.json()["payload"]["body"], "behind it");
    let path = format!("/api/v1/webhooks/{webhook}/deliveries");
    loop {
        let page = sandbox.api.get(&path).await;
        let rows = page["data"].as_array().unwrap();
        assert_eq!(rows.len(), 2, "{page}");
        if rows.iter().all(|row| row["status"] == "delivered") {
            break;
        }
        tokio::task::yield_now().await;
    }
    let events = sandbox.api.events_after(None).await;
    let told = events.iter().filter(|event| event["event"] == "message");
    assert_eq!(told.count(), 2);
}
