//! What is done with a webhook: a new secret, a test, a replay.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};
use wagate_testing::{Delivered, PATIENCE, Receiver, TestSandbox};

/// The Standard Webhooks signature of a request under a secret.
fn standard_signature(delivered: &Delivered, secret: &str) -> String {
    let key = STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap())
        .unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    for part in ["webhook-id", "webhook-timestamp"] {
        mac.update(delivered.header(part).as_bytes());
        mac.update(b".");
    }
    mac.update(&delivered.body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn plain_hmac(delivered: &Delivered, secret: &str) -> String {
    let mut mac = Hmac::<Sha512>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(&delivered.body);
    hex::encode(mac.finalize().into_bytes())
}

/// A webhook, by its path.
async fn hook(sandbox: &TestSandbox, body: &Value) -> String {
    let made = sandbox.api.post("/api/v1/webhooks", body).await.expect(201);
    format!("/api/v1/webhooks/{}", made["id"].as_str().unwrap())
}

#[tokio::test]
async fn deliveries_are_signed_by_the_new_secret_and_by_those_before_it() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    sandbox.pair(alice).await;
    let mut receiver = Receiver::start().await;
    let path = hook(
        &sandbox,
        &json!({ "url": receiver.url(), "events": ["message"] }),
    )
    .await;
    // It has none of its own at first.
    let derived = sandbox.api.get(&format!("{path}/signing-secret")).await;
    let mut secrets = vec![derived["secret"].as_str().unwrap().to_owned()];
    let rotate = format!("{path}:rotate-secret");
    for body in [json!({}), json!({ "secret": "whsec_AQIDBAUG" })] {
        let rotated = sandbox.api.post(&rotate, &body).await.expect(200);
        secrets.insert(0, rotated["secret"].as_str().unwrap().to_owned());
        sandbox.simulated.send_text(bob, alice, "signed").await;
        let delivered = receiver.next().await;
        let signatures: Vec<_> = delivered.header("webhook-signature").split(' ').collect();
        let expected: Vec<_> = secrets
            .iter()
            .map(|secret| standard_signature(&delivered, secret))
            .collect();
        assert_eq!(signatures, expected);
        let plain = plain_hmac(&delivered, &secrets[0]);
        assert_eq!(delivered.header("x-webhook-hmac"), plain);
    }
    assert_eq!(secrets[0], "whsec_AQIDBAUG");
    sandbox.stop().await;
}

#[tokio::test]
async fn a_test_event_is_posted_at_once_and_counts_for_nothing() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    sandbox.pair(alice).await;
    let mut receiver = Receiver::start().await;
    let body = json!({
        "url": receiver.url(), "events": ["message"], "secret": "whsec_AQIDBAUG",
        "customHeaders": { "X-Team": "support" },
    });
    let path = hook(&sandbox, &body).await;
    let test = format!("{path}:test");
    receiver.answer_with(410);
    let status = json!({ "event": "session.status" });
    let tried = sandbox.api.post(&test, &status).await.expect(200);
    let posted = receiver.next().await;
    assert_eq!(
        (&tried["accepted"], &tried["statusCode"]),
        (&json!(false), &json!(410))
    );
    assert!(tried["durationMs"].is_i64() && tried["startedAt"].is_i64());
    assert_eq!(posted.json(), tried["event"]);
    assert_eq!(posted.json().as_object().unwrap().len(), 7);
    assert_eq!(posted.header("x-webhook-test"), "true");
    assert_eq!(posted.header("x-team"), "support");
    assert_eq!(posted.header("webhook-id"), posted.json()["id"]);
    let secret = "whsec_AQIDBAUG";
    assert_eq!(
        posted.header("webhook-signature"),
        standard_signature(&posted, secret)
    );
    assert_eq!(posted.header("x-webhook-hmac"), plain_hmac(&posted, secret));
    // The webhook is as it was, and what really happens is no test.
    assert_eq!(sandbox.api.get(&path).await["active"], true);
    let deliveries = sandbox.api.get(&format!("{path}/deliveries")).await;
    assert_eq!(deliveries["data"], json!([]));
    receiver.answer_with(200);
    sandbox.simulated.send_text(bob, alice, "no test").await;
    let delivered = receiver.next().await;
    assert_eq!(delivered.json()["payload"]["body"], "no test");
    assert_eq!(delivered.header("x-webhook-test"), "");
    // It is no tool to fill somebody's server with.
    for _ in 1..10 {
        let tried = sandbox.api.post(&test, &status).await.expect(200);
        assert_eq!(tried["accepted"], true);
    }
    let refused = sandbox.api.post(&test, &status).await;
    assert_eq!(refused.expect(429)["error"]["code"], "rate_limited");
    sandbox.stop().await;
}

/// Waits until a delivery of the webhook was given up.
async fn given_up(sandbox: &TestSandbox, path: &str) {
    let dead = format!("{path}/deliveries?status=dead&event=message");
    let found = async {
        while sandbox.api.get(&dead).await["data"] == json!([]) {
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, found).await;
    found.expect("the delivery is given up in time");
}

#[tokio::test]
async fn what_was_given_up_or_missed_comes_again_by_its_time() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    sandbox.pair(alice).await;
    let mut receiver = Receiver::start().await;
    sandbox.simulated.send_text(bob, alice, "too early").await;
    let events = sandbox.api.get("/api/v1/events?types=message&waitMs=30000");
    let first = events.await["data"][0].clone();
    assert_eq!(first["payload"]["body"], "too early");
    let start = first["timestamp"].as_i64().unwrap();
    let body = json!({
        "url": receiver.url(), "events": ["message"],
        "retryPolicy": { "policy": "constant", "delaySeconds": 0, "attempts": 1 },
    });
    let path = hook(&sandbox, &body).await;
    receiver.answer_with(500);
    sandbox.simulated.send_text(bob, alice, "refused").await;
    let refused = receiver.next().await;
    given_up(&sandbox, &path).await;
    receiver.answer_with(200);

    let replay = format!("{path}:replay");
    let count = async |body: Value| {
        let answer = sandbox.api.post(&replay, &body).await.expect(202);
        answer["count"].as_i64().unwrap()
    };
    // Ids hold the time of the commit, which is a little after that of the event.
    let from = start - 1;
    assert_eq!(count(json!({ "from": from })).await, 1);
    let again = receiver.next().await;
    assert_eq!(again.body, refused.body, "the same event");
    let missing = json!({ "from": from, "status": "missing", "event": "message" });
    assert_eq!(count(missing.clone()).await, 1);
    assert_eq!(receiver.next().await.json()["id"], first["id"]);
    assert_eq!(count(missing).await, 0);
    assert_eq!(count(json!({ "from": from })).await, 0, "it was accepted");
    sandbox.stop().await;
}
