//! Polls that close at a time.

use reqwest::Method;
use serde_json::json;
use wagate_model::{Clock as _, SystemClock};
use wagate_testing::TestSandbox;

#[tokio::test]
async fn the_end_of_a_timed_poll_is_told_once_to_each_session() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let (asks, votes) = (sandbox.pair(alice).await, sandbox.pair(bob).await);
    // Time enough to vote: voting later than that would be no vote.
    let end = SystemClock.now_ms() + 10_000;
    let poll = json!({"type": "poll", "to": bob, "name": "When?", "pollEndTime": end,
        "options": ["Monday", "Tuesday"]});
    let path = asks.path("/messages");
    let sent = sandbox.api.post(&path, &poll).await.expect(200);
    let id = sent["waMessageId"].as_str().unwrap();
    let ticket = json!({"scope": "session", "session": votes.id});
    let mut socket = sandbox.api.realtime(&ticket).await;
    loop {
        // The poll may still be on its way.
        let path = votes.path(&format!("/messages/{id}/vote"));
        let vote = json!({"chat": alice, "options": ["Tuesday"]});
        let answer = sandbox.api.call(Method::POST, &path, Some(&vote)).await;
        if answer.status == 200 {
            break;
        }
        answer.expect(404);
    }
    let told = socket
        .wait_for(|frame| frame["event"] == "poll.recap")
        .await["payload"]
        .clone();
    assert_eq!(
        (&told["pollMessageId"], &told["endTime"]),
        (&json!(id), &json!(end))
    );
    assert_eq!(
        told["options"],
        json!([{"option": "Monday", "count": 0}, {"option": "Tuesday", "count": 1}])
    );
    assert_eq!(told["totalVotes"], 1);
    assert_eq!(told["voters"][0]["selectedOptions"], json!(["Tuesday"]));
    let mut recaps = Vec::new();
    while recaps.len() < 2 {
        let events = sandbox.api.events_after(None).await;
        let recap = |event: &&serde_json::Value| event["event"] == "poll.recap";
        recaps = events.iter().filter(recap).cloned().collect();
    }
    assert_eq!(recaps.len(), 2, "one for each session that saw the poll");
    let asked = recaps
        .iter()
        .find(|event| event["session"] == asks.id.as_str());
    assert_eq!(asked.unwrap()["payload"]["totalVotes"], 1);
    sandbox.stop().await;
}
