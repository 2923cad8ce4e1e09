//! Messages that come to the session without their content, and from the phone afterwards.

use reqwest::Method;
use serde_json::json;
use wagate_testing::TestSandbox;

#[tokio::test]
async fn what_the_phone_is_asked_for_is_as_complete_as_what_comes_by_itself() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let (asks, votes) = (sandbox.pair(alice).await, sandbox.pair(bob).await);
    let of = async |session: &wagate_testing::Session, events: &[&str]| {
        let ticket = json!({"scope": "session", "session": session.id, "events": events});
        sandbox.api.realtime(&ticket).await
    };
    let mut of_votes = of(&votes, &["message"]).await;
    let mut of_asks = of(&asks, &["message", "poll.vote"]).await;
    let poll = json!({"type": "poll", "to": bob, "name": "When?",
        "options": ["Monday", "Tuesday"]});
    let sent = sandbox.api.post(&asks.path("/messages"), &poll).await;
    let id = sent.expect(200)["waMessageId"].as_str().unwrap().to_owned();
    of_votes.wait_for(|frame| frame["event"] == "message").await;

    // A vote is encrypted with the poll's secret, also where it comes from the phone.
    let withhold = json!({"kind": "withhold", "target": alice, "count": 2});
    let withhold = sandbox.simulated.fault(&withhold).await;
    let path = votes.path(&format!("/messages/{id}/vote"));
    let vote = json!({"chat": alice, "options": ["Tuesday"]});
    let taken = sandbox.api.call(Method::POST, &path, Some(&vote)).await;
    taken.expect(200);
    let vote = of_asks
        .wait_for(|frame| frame["event"] == "poll.vote")
        .await;
    sandbox.simulated.struck(&withhold).await;
    assert_eq!(vote["payload"]["selectedOptions"], json!(["Tuesday"]));

    votes.send_text(alice, "from the phone").await;
    let text = of_asks.wait_for(|frame| frame["event"] == "message").await;
    let payload = &text["payload"];
    assert_eq!(payload["body"], "from the phone");
    // Under both addresses, in the chat that is there.
    assert_eq!(payload["senderJid"], format!("{bob}@s.whatsapp.net"));
    assert!(payload["senderLid"].is_string(), "{payload}");
    assert_eq!(payload["chatJid"], vote["payload"]["chatJid"]);
    let chats = sandbox.api.get(&asks.path("/chats")).await;
    assert_eq!(chats["data"].as_array().unwrap().len(), 1, "{chats}");
    sandbox.stop().await;
}
