//! Sending messages.

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};
use wagate_cluster::{CommandReply, IdempotencyKey, Refusal, SendCommand, SessionAction};
use wagate_model::{MessageStatus, OutboxId, SendMode, SendResult};

use crate::harness::{Reply, Service, refuse};

struct World {
    service: Service,
    key: String,
    path: String,
}

async fn world() -> World {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    let path = format!("/api/v1/sessions/{session}/messages");
    World {
        service,
        key: tenant.key,
        path,
    }
}

impl World {
    async fn send(&self, query: &str, idempotency_key: Option<&str>, body: &Value) -> Reply {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}{query}", self.path))
            .header("x-api-key", &self.key)
            .header("content-type", "application/json");
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Body::from(body.to_string())).unwrap();
        self.service.request(request).await
    }

    fn sent(&self) -> SendCommand {
        match self.service.gateway.last().action {
            SessionAction::Send(send) => *send,
            other => panic!("{other:?}"),
        }
    }
}

fn text() -> Value {
    json!({ "type": "text", "to": "+15551234567", "text": "hello" })
}

#[tokio::test]
async fn a_message_is_sent_and_its_result_given() {
    let world = world().await;
    world.service.gateway.answer(|_| {
        Ok(CommandReply::Send(SendResult {
            file_message_ids: None,
            mode: SendMode::Sync,
            outbox_id: None,
            replayed: None,
            status: Some(MessageStatus::Sent),
            timestamp: Some(5),
            wa_message_id: Some("3EB0".into()),
        }))
    });
    let reply = world.send("", None, &text()).await.ok(200);
    let expected =
        json!({ "mode": "sync", "status": "sent", "timestamp": 5, "waMessageId": "3EB0" });
    assert_eq!(reply, expected);
    let sent = world.sent();
    assert_eq!((sent.mode, sent.idempotency), (SendMode::Sync, None));
    assert_eq!(sent.task.request().unwrap().text.as_deref(), Some("hello"));
}

#[tokio::test]
async fn pending_is_200_for_those_who_waited_and_202_for_others() {
    let world = world().await;
    let outbox_id = OutboxId::from_parts(1, 1);
    world.service.gateway.answer(move |_| {
        Ok(CommandReply::SendPending {
            outbox_id,
            wa_message_id: "3EB0".into(),
            is_replay: true,
        })
    });
    for (query, status, mode) in [("", 200, "sync"), ("?async=true", 202, "async")] {
        let reply = world.send(query, None, &text()).await.ok(status);
        assert_eq!(
            reply,
            json!({ "mode": mode, "status": "pending", "outboxId": outbox_id.to_string(),
                "waMessageId": "3EB0", "replayed": true })
        );
    }
    assert_eq!(
        world.send("?async=maybe", None, &text()).await.faults(),
        ["async"]
    );
}

#[tokio::test]
async fn keys_go_with_a_hash_of_the_request() {
    let world = world().await;
    world.service.gateway.answer(refuse(Refusal::KeyReused));
    let mut hashes = Vec::new();
    for (query, body) in [
        ("", text()),
        // Another order of the members is the same request.
        (
            "",
            serde_json::from_str(r#"{"text":"hello","to":"+15551234567","type":"text"}"#).unwrap(),
        ),
        (
            "",
            json!({ "type": "text", "to": "+15551234567", "text": "other" }),
        ),
        // So is one whose caller does not wait.
        ("?async=true", text()),
    ] {
        let error = world
            .send(query, Some("order-7"), &body)
            .await
            .error(409, "conflict");
        assert_eq!(error["details"]["reason"], "idempotency_key_reused");
        let Some(IdempotencyKey { key, body_hash }) = world.sent().idempotency else {
            panic!()
        };
        assert_eq!(key, "order-7");
        hashes.push(body_hash);
    }
    assert_eq!(hashes[0], hashes[1]);
    assert_ne!(hashes[0], hashes[2]);
    assert_eq!(hashes[0], hashes[3]);
    for key in ["a b", &"k".repeat(256)] {
        let reply = world.send("", Some(key), &text()).await;
        assert_eq!(reply.faults(), ["Idempotency-Key"]);
    }
}

#[tokio::test]
async fn only_a_send_with_a_key_is_repeated_when_no_answer_comes() {
    let world = world().await;
    for (key, asked) in [
        (None, vec!["send"]),
        (Some("order-7"), vec!["send", "send"]),
    ] {
        let script = |_: &SessionAction| panic!("the gateway dies in the middle");
        world.service.gateway.answer(script);
        let reply = world.send("", key, &text()).await;
        reply.error(503, "gateway_unavailable");
        assert_eq!(world.service.gateway.asked(), asked);
    }
}

#[tokio::test]
async fn faults_of_the_request_do_not_reach_the_gateway() {
    let world = world().await;
    let body = json!({ "type": "text", "to": "nobody", "text": " ", "replyTo": "" });
    assert_eq!(
        world.send("", None, &body).await.faults(),
        ["to", "text", "replyTo"]
    );
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}?async=maybe", world.path))
        .header("x-api-key", &world.key);
    for key in ["a", "b"] {
        request = request.header("idempotency-key", key);
    }
    let request = request.body(Body::from(body.to_string())).unwrap();
    assert_eq!(
        world.service.request(request).await.faults(),
        ["async", "Idempotency-Key", "to", "text", "replyTo"]
    );
    let unreadable = world.send("?async=maybe", Some("a b"), &json!([])).await;
    assert_eq!(unreadable.faults(), ["async", "Idempotency-Key", "body"]);
    let body = json!({ "type": "text", "to": "status@broadcast", "text": "x" });
    assert_eq!(world.send("", None, &body).await.faults(), ["to"]);
    assert!(world.service.gateway.asked().is_empty());
}

#[tokio::test]
async fn whatsapps_own_refusal_is_a_conflict() {
    let world = world().await;
    let refusal = Refusal::Rejected {
        code: Some(463),
        message: "no".into(),
    };
    world.service.gateway.answer(refuse(refusal));
    let error = world.send("", None, &text()).await.error(409, "conflict");
    assert_eq!(error["details"]["whatsappCode"], 463);
    let refusal = Refusal::Invalid {
        field: "replyTo".into(),
        message: "is unknown".into(),
    };
    world.service.gateway.answer(refuse(refusal));
    assert_eq!(world.send("", None, &text()).await.faults(), ["replyTo"]);
}
