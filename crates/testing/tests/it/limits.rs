//! Sending limits and settings.

use reqwest::Method;
use serde_json::json;
use wagate_testing::TestSandbox;

use crate::files::PNG;

#[tokio::test]
async fn the_minute_limit_refuses_with_a_time() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    let bob = &sandbox.phones[1];
    let settings = json!({"ratePerMin": 2, "ratePerHour": 0, "label": "slow"});
    let row = sandbox
        .api
        .call(Method::PATCH, &session.path(""), Some(&settings))
        .await
        .expect(200);
    assert_eq!(
        (&row["ratePerMin"], &row["label"]),
        (&json!(2), &json!("slow"))
    );

    // A window may end between two of these sends; three in a row cannot all pass.
    let body = json!({"type": "text", "to": bob, "text": "quick"});
    let mut refused = None;
    for _ in 0..6 {
        let answer = sandbox.api.post(&session.path("/messages"), &body).await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("the limit holds");
    let seconds = refused.json()["error"]["details"]["retryAfterSeconds"]
        .as_i64()
        .unwrap();
    assert!((1..=60).contains(&seconds));
    assert_eq!(refused.headers["retry-after"], seconds.to_string().as_str());
    sandbox.stop().await;
}

#[tokio::test]
async fn an_album_is_one_message_to_the_limits() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.pair(&sandbox.phones[0]).await;
    let bob = &sandbox.phones[1];
    let settings = json!({"ratePerMin": 0, "ratePerHour": 2});
    let row = session.path("");
    let changed = sandbox.api.call(Method::PATCH, &row, Some(&settings));
    changed.await.expect(200);
    let messages = session.path("/messages");
    let pictures = vec![json!({"data": PNG}); 4];
    let album = json!({"type": "album", "to": bob, "medias": pictures});
    sandbox.api.post(&messages, &album).await.expect(200);
    let queued = session.path("/messages?async=true");
    sandbox.api.post(&queued, &album).await.expect(202);
    let pictures = async || {
        let stored = session.messages(bob).await;
        let pictures = stored.iter().filter(|row| row["type"] == "image");
        pictures.filter(|row| row["status"] != "pending").count()
    };
    let sent = async { while pictures().await < 8 {} };
    tokio::time::timeout(wagate_testing::PATIENCE, sent)
        .await
        .expect("both albums are sent in time");
    sandbox.stop().await;
}

#[tokio::test]
async fn settings_have_limits_and_all_faults_are_told() {
    let sandbox = TestSandbox::start().await;
    let session = sandbox.api.create_session().await;
    let body = json!({"label": "x".repeat(101), "ratePerMin": 10_000_000, "nonsense": 1});
    let refused = sandbox
        .api
        .call(Method::PATCH, &session.path(""), Some(&body))
        .await
        .expect(400);
    let faults = refused["error"]["details"]["errors"].to_string();
    for field in ["label", "ratePerMin", "nonsense"] {
        assert!(faults.contains(field), "{field} in {faults}");
    }
    sandbox.stop().await;
}
