//! Calls of simulated phones: told, refused, ended.

use reqwest::Method;
use serde_json::{Value, json};
use wagate_testing::TestSandbox;

async fn calls(sandbox: &TestSandbox, number: &str) -> Vec<Value> {
    let path = format!("/phones/{number}/calls");
    let calls = sandbox.simulated.call(Method::GET, &path, None).await;
    calls["data"].as_array().unwrap().clone()
}

/// Waits until a phone's newest call is in a state.
async fn wait_for_state(sandbox: &TestSandbox, number: &str, state: &str) -> Value {
    let search = async {
        loop {
            let newest = calls(sandbox, number).await.pop();
            if let Some(call) = newest.filter(|call| call["state"] == state) {
                return call;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), search)
        .await
        .expect("the call comes so far in time")
}

async fn act(sandbox: &TestSandbox, number: &str, rest: &str, body: Value) -> Value {
    let path = format!("/phones/{number}/calls{rest}");
    sandbox
        .simulated
        .call(Method::POST, &path, Some(&body))
        .await
}

#[tokio::test]
async fn a_call_is_told_and_refused() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut socket = sandbox
        .api
        .realtime(&json!({"events": ["call.incoming"]}))
        .await;
    let call = act(&sandbox, bob, "", json!({ "to": alice, "video": true })).await;
    let told = socket
        .wait_for(|frame| frame["event"] == "call.incoming")
        .await;
    let payload = &told["payload"];
    assert_eq!(payload["callId"], call["id"]);
    assert_eq!(payload["isGroup"], false);
    // The account's phone rings as well.
    let ringing = wait_for_state(&sandbox, alice, "ringing").await;
    assert_eq!(ringing["incoming"], true);
    assert_eq!(ringing["video"], true);
    assert_eq!(ringing["peer"], format!("{bob}@s.whatsapp.net"));

    let id = call["id"].as_str().unwrap();
    let reject = session.path(&format!("/calls/{id}/reject"));
    let from = json!({ "from": payload["from"] });
    sandbox.api.post(&reject, &from).await.expect(204);
    let refused = wait_for_state(&sandbox, bob, "rejected").await;
    assert_eq!(refused["id"], call["id"]);

    // One that nobody takes ends, and the next one is another.
    let missed = act(&sandbox, bob, "", json!({ "to": alice })).await;
    let told = socket
        .wait_for(|frame| frame["event"] == "call.incoming")
        .await;
    assert_eq!(told["payload"]["callId"], missed["id"]);
    let end = format!("/{}:end", missed["id"].as_str().unwrap());
    act(&sandbox, bob, &end, json!({ "reason": "timeout" })).await;
    let ended = wait_for_state(&sandbox, alice, "ended").await;
    assert_eq!(ended["reason"], "timeout");

    // One that the phone takes tells the session nothing but that it came.
    let taken = act(&sandbox, bob, "", json!({ "to": alice })).await;
    let told = socket
        .wait_for(|frame| frame["event"] == "call.incoming")
        .await;
    assert_eq!(told["payload"]["callId"], taken["id"]);
    wait_for_state(&sandbox, alice, "ringing").await;
    let accept = format!("/{}:accept", taken["id"].as_str().unwrap());
    act(&sandbox, alice, &accept, json!({})).await;
    wait_for_state(&sandbox, bob, "accepted").await;
    sandbox.stop().await;
}
