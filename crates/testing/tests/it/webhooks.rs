//! Webhooks: signed, in order, retried, guarded.

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha512;
use wagate_testing::{Delivered, Receiver, TestSandbox};

fn hmac_hex(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha512>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

fn check_headers(delivered: &Delivered, secret: &str) {
    let id = delivered.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(delivered.header("content-type"), "application/json");
    assert_eq!(delivered.header("x-webhook-request-id"), id);
    assert_eq!(delivered.header("webhook-id"), id);
    assert!(
        delivered
            .header("x-webhook-timestamp")
            .parse::<i64>()
            .is_ok()
    );
    assert_eq!(delivered.header("x-webhook-hmac-algorithm"), "sha512");
    assert_eq!(
        delivered.header("x-webhook-hmac"),
        hmac_hex(secret, &delivered.body)
    );
    assert!(delivered.header("webhook-signature").starts_with("v1,"));
    assert_eq!(delivered.header("x-team"), "support");
}

#[tokio::test]
async fn an_incoming_message_is_posted_signed() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let session = sandbox.pair(alice).await;
    let mut receiver = Receiver::start().await;
    let body = json!({
        "url": receiver.url(), "events": ["message"], "secret": "a secret", "sessionId": session.id,
        "customHeaders": {"X-Team": "support"},
    });
    let webhook = sandbox
        .api
        .post("/api/v1/webhooks", &body)
        .await
        .expect(201);
    assert!(webhook.get("secret").is_none());
    assert_eq!(
        webhook["retryPolicy"],
        json!({"policy": "exponential", "delaySeconds": 2, "attempts": 15})
    );

    for turn in 0..5 {
        sandbox
            .simulated
            .send_text(bob, alice, &format!("posted {turn}"))
            .await;
    }
    for turn in 0..5 {
        let delivered = receiver.next().await;
        check_headers(&delivered, "a secret");
        assert_eq!(
            delivered.json()["payload"]["body"],
            format!("posted {turn}"),
            "in order"
        );
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn a_failed_delivery_comes_again_with_the_same_id() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    sandbox.pair(alice).await;
    let mut receiver = Receiver::start().await;
    receiver.answer_with(500);
    let body = json!({
        "url": receiver.url(), "events": ["message"],
        "retryPolicy": {"policy": "constant", "delaySeconds": 0, "attempts": 3},
    });
    let made = sandbox
        .api
        .post("/api/v1/webhooks", &body)
        .await
        .expect(201);
    sandbox.simulated.send_text(bob, alice, "again").await;
    let first = receiver.next().await;
    receiver.answer_with(200);
    let second = receiver.next().await;
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    assert_eq!(first.body, second.body, "the same bytes");

    // And once more when somebody asks for it.
    let path = format!("/api/v1/webhooks/{}", made["id"].as_str().unwrap());
    let secret = sandbox.api.get(&format!("{path}/signing-secret")).await;
    assert!(secret["secret"].as_str().unwrap().starts_with("whsec_"));
    let listed = sandbox.api.get(&format!("{path}/deliveries")).await;
    let delivery = listed["data"][0]["id"].as_str().unwrap();
    let replay = format!("{path}/deliveries/{delivery}:replay");
    let answer = sandbox.api.call(Method::POST, &replay, None).await;
    assert_eq!(answer.expect(202)["replay"], true);
    let third = receiver.next().await;
    assert_eq!(third.body, first.body);
    sandbox.stop().await;
}

#[tokio::test]
async fn webhooks_are_managed() {
    let sandbox = TestSandbox::start().await;
    let body = json!({"url": "https://example.com/hook", "events": ["*"], "secret": "s"});
    let made = sandbox
        .api
        .post("/api/v1/webhooks", &body)
        .await
        .expect(201);
    let path = format!("/api/v1/webhooks/{}", made["id"].as_str().unwrap());
    let list = sandbox.api.get("/api/v1/webhooks").await;
    assert_eq!(list["data"], json!([made]));
    let changed = sandbox
        .api
        .call(Method::PATCH, &path, Some(&json!({"active": false})))
        .await
        .expect(200);
    assert_eq!(
        (&changed["active"], &changed["url"]),
        (&json!(false), &made["url"])
    );
    assert_eq!(sandbox.api.get(&path).await, changed);
    assert_eq!(
        sandbox.api.call(Method::DELETE, &path, None).await.status,
        204
    );
    sandbox.api.call(Method::GET, &path, None).await.expect(404);
    sandbox.stop().await;
}

fn field_faults(answer: &Value) -> Vec<&str> {
    let faults = answer["error"]["details"]["errors"]
        .as_array()
        .expect("faults");
    faults
        .iter()
        .filter_map(|fault| fault["field"].as_str())
        .collect()
}

#[tokio::test]
async fn private_addresses_and_bad_fields_are_refused() {
    let sandbox = TestSandbox::start().await;
    for url in [
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "http://[fd00::1]/",
        "http://0x0a000001/",
        "ftp://example.com/",
        "http://user:pass@example.com/",
        "not a url",
    ] {
        let answer = sandbox
            .api
            .post("/api/v1/webhooks", &json!({"url": url, "events": ["*"]}))
            .await;
        assert_eq!(field_faults(&answer.expect(400)), ["url"], "{url}");
    }
    let body =
        json!({"url": "https://example.com", "events": ["nope"], "customHeaders": {"Host": "x"}});
    let answer = sandbox
        .api
        .post("/api/v1/webhooks", &body)
        .await
        .expect(400);
    assert_eq!(field_faults(&answer), ["events[0]", "customHeaders.Host"]);
    assert_eq!(
        sandbox.api.get("/api/v1/webhooks").await["data"],
        json!([]),
        "nothing was stored"
    );
    sandbox.stop().await;
}
