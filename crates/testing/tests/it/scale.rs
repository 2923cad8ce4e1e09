//! Many sessions in one process.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use serde_json::json;
use wagate_testing::TestSandbox;

/// Sessions that pair at the same time.
const PAIRING: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn heavy_500_paired_sessions_restart_and_work() {
    let sandbox = TestSandbox::start().await;
    let sessions: Vec<_> = stream::iter(0..500)
        .map(|_| async {
            let number = sandbox.simulated.phone().await;
            sandbox.pair(&number).await.id
        })
        .buffer_unordered(PAIRING)
        .collect()
        .await;
    assert_eq!(sessions.iter().collect::<BTreeSet<_>>().len(), 500);

    let sandbox = sandbox.restart().await;
    stream::iter(&sessions)
        .for_each_concurrent(PAIRING, |id| async {
            sandbox.api.session(id).wait_for_status("working").await;
        })
        .await;
    // Working is not only said: a message to the last one arrives.
    let last = sandbox.api.session(&sessions[499]).row().await;
    let mut socket = sandbox.api.realtime(&json!({"events": ["message"]})).await;
    let number = last["phoneNumber"].as_str().unwrap();
    sandbox
        .simulated
        .send_text(&sandbox.phones[0], number, "still there?")
        .await;
    let event = socket.wait_for(|frame| frame["event"] == "message").await;
    assert_eq!(event["session"], sessions[499].as_str());
    sandbox.stop().await;
}
