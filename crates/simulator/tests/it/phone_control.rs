//! The control API, spoken to as a script would.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use wagate_simulator::control::{ControlInfo, router};
use wagate_simulator::journal::Journal;
use wagate_simulator::phone::Phones;
use wagate_simulator::server::{Server, ServerConfig};

pub(crate) async fn api() -> Router {
    let server = Server::open(ServerConfig::default(), Journal::memory()).unwrap();
    let phones = Phones::start(server.clone()).await.unwrap();
    let info = ControlInfo {
        root_public_key: "ab".repeat(32),
        ..ControlInfo::default()
    };
    router(server, phones, info)
}

pub(crate) async fn call(
    api: &Router,
    method: &str,
    path: &str,
    body: Value,
) -> (StatusCode, Value) {
    let body = if body.is_null() {
        Body::empty()
    } else {
        Body::from(body.to_string())
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1:7000")
        .body(body)
        .unwrap();
    let response = api.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let value = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes).unwrap()
    };
    (status, value)
}

pub(crate) async fn two_phones(api: &Router) {
    for (number, name) in [("15550000001", "Alice"), ("15550000002", "Bob")] {
        let body = json!({ "number": number, "pushName": name });
        let (status, _) = call(api, "POST", "/sim/v1/phones", body).await;
        assert_eq!(status, StatusCode::CREATED);
    }
}

#[tokio::test]
async fn the_simulator_tells_where_it_is() {
    let api = api().await;
    let (status, answer) = call(&api, "GET", "/sim/v1", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["chatUrl"], "ws://127.0.0.1:7000/ws/chat");
    assert_eq!(answer["rootPublicKey"], "ab".repeat(32));
    assert!(answer["version"].is_string());
    assert_eq!(answer.as_object().unwrap().len(), 3);
}

#[tokio::test]
async fn phones_are_made_listed_and_deleted() {
    let api = api().await;
    let body = json!({ "number": "15550000001", "pushName": "Alice" });
    let (status, phone) = call(&api, "POST", "/sim/v1/phones", body.clone()).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(phone["number"], "15550000001");
    assert_eq!(phone["jid"], "15550000001@s.whatsapp.net");
    assert!(phone["lid"].as_str().unwrap().ends_with("@lid"));
    assert_eq!(phone["pushName"], "Alice");
    assert_eq!(phone["online"], true);
    assert_eq!(phone["devices"], json!([]));

    let (status, answer) = call(&api, "POST", "/sim/v1/phones", body).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(answer["error"]["code"], "conflict");

    let (status, other) = call(&api, "POST", "/sim/v1/phones", Value::Null).await;
    assert_eq!(status, StatusCode::CREATED);
    let number = other["number"].as_str().unwrap();
    assert!(number.bytes().all(|byte| byte.is_ascii_digit()));

    let (_, list) = call(&api, "GET", "/sim/v1/phones", Value::Null).await;
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
    let (_, same) = call(&api, "GET", "/sim/v1/phones/15550000001", Value::Null).await;
    assert_eq!(same, phone);

    let path = format!("/sim/v1/phones/{number}");
    let (status, _) = call(&api, "DELETE", &path, Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, answer) = call(&api, "GET", &path, Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(answer["error"]["code"], "not_found");
}

#[tokio::test]
async fn messages_are_sent_read_and_accounted_for() {
    let api = api().await;
    two_phones(&api).await;
    let body = json!({ "to": "15550000002", "type": "text", "text": "hello" });
    let path = "/sim/v1/phones/15550000001/messages";
    let (status, sent) = call(&api, "POST", path, body).await;
    assert_eq!(status, StatusCode::CREATED);
    let id = sent["id"].as_str().unwrap().to_owned();
    assert!(sent["timestamp"].as_i64().unwrap() > 1_600_000_000_000);

    let path = "/sim/v1/phones/15550000002/messages?peer=15550000001&waitMs=20000";
    let (status, list) = call(&api, "GET", path, Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    let message = &list["data"][0];
    assert_eq!(message["id"], *id);
    assert_eq!(message["chatJid"], "15550000001@s.whatsapp.net");
    assert_eq!(message["senderJid"], "15550000001@s.whatsapp.net");
    assert_eq!(message["fromMe"], false);
    assert_eq!(message["type"], "text");
    assert_eq!(message["body"], "hello");
    assert_eq!(message["status"], "received");
    assert_eq!(message["duplicates"], 0);
    assert!(message["timestamp"].is_i64() && message["receivedAt"].is_i64());

    let base = format!("/sim/v1/phones/15550000002/messages/{id}");
    let (status, _) = call(&api, "POST", &format!("{base}:read"), Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = call(
        &api,
        "POST",
        &format!("{base}:react"),
        json!({"emoji": "👍"}),
    )
    .await;
    assert_eq!(status, StatusCode::CREATED);
    let path = format!("/sim/v1/phones/15550000001/messages?afterId={id}&waitMs=20000");
    let (_, list) = call(&api, "GET", &path, Value::Null).await;
    assert_eq!(list["data"][0]["type"], "reaction");
    assert_eq!(list["data"][0]["targetId"], *id);

    let (_, books) = call(&api, "GET", "/sim/v1/accounting", Value::Null).await;
    let pair = books["pairs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|pair| pair["from"] == "15550000001")
        .unwrap();
    assert_eq!(pair["to"], "15550000002");
    for column in ["accepted", "delivered", "acknowledged"] {
        assert_eq!(pair[column], 1, "{column}");
    }
    assert_eq!(
        (&pair["duplicates"], &pair["pending"]),
        (&json!(0), &json!(0))
    );
    let (_, books) = call(&api, "GET", "/sim/v1/accounting?ids=true", Value::Null).await;
    let accepted = books["pairs"].as_array().unwrap().iter();
    let accepted: Vec<_> = accepted.map(|pair| &pair["accepted"]).collect();
    assert!(accepted.contains(&&json!([id])));
}

#[tokio::test]
async fn faults_are_made_listed_and_deleted() {
    let api = api().await;
    let body = json!({ "kind": "delay", "target": "15550000001", "count": 2, "delayMs": 5 });
    let (status, fault) = call(&api, "POST", "/sim/v1/faults", body).await;
    assert_eq!(status, StatusCode::CREATED);
    let id = fault["id"].as_str().unwrap();
    let (_, list) = call(&api, "GET", "/sim/v1/faults", Value::Null).await;
    assert_eq!(list["data"][0]["id"], *id);
    let path = format!("/sim/v1/faults/{id}");
    let (status, _) = call(&api, "DELETE", &path, Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = call(&api, "DELETE", &path, Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_mistake_gets_the_envelope() {
    let api = api().await;
    two_phones(&api).await;
    let phone = "/sim/v1/phones/15550000001";
    for (method, path, body, status, code) in [
        ("GET", "/sim/v2".to_owned(), Value::Null, 404, "not_found"),
        ("PUT", "/sim/v1".to_owned(), Value::Null, 404, "not_found"),
        ("POST", phone.to_owned(), Value::Null, 404, "not_found"),
        (
            "POST",
            format!("{phone}:fly"),
            Value::Null,
            404,
            "not_found",
        ),
        (
            "POST",
            "/sim/v1/phones/1:offline".to_owned(),
            Value::Null,
            404,
            "not_found",
        ),
        (
            "POST",
            format!("{phone}:scan"),
            json!({"qr": "x"}),
            400,
            "validation_error",
        ),
        (
            "POST",
            format!("{phone}:enter-code"),
            json!({"code": "x"}),
            400,
            "validation_error",
        ),
        (
            "POST",
            format!("{phone}:enter-code"),
            json!({"code": "ABCD1234"}),
            409,
            "conflict",
        ),
        (
            "POST",
            format!("{phone}:unlink"),
            json!({"deviceId": 7}),
            404,
            "not_found",
        ),
        (
            "POST",
            format!("{phone}/messages/X:read"),
            Value::Null,
            404,
            "not_found",
        ),
        (
            "POST",
            "/sim/v1/faults".to_owned(),
            json!({"kind": "storm"}),
            400,
            "validation_error",
        ),
        (
            "GET",
            format!("{phone}/messages?limit=x"),
            Value::Null,
            400,
            "validation_error",
        ),
        (
            "POST",
            "/sim/v1/phones".to_owned(),
            json!({"number": "12"}),
            400,
            "validation_error",
        ),
    ] {
        let (got, answer) = call(&api, method, &path, body).await;
        assert_eq!(got.as_u16(), status, "{method} {path}");
        assert_eq!(answer["error"]["code"], code, "{method} {path}");
        assert!(answer["error"]["message"].is_string(), "{method} {path}");
    }
    let text = json!({ "to": "15550000002", "type": "text", "text": "x".repeat(3 << 20) });
    let (status, answer) = call(&api, "POST", &format!("{phone}/messages"), text).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer["error"]["code"], "validation_error");
    let nulls = json!({ "to": "15550000002", "type": "text", "text": "x", "options": null });
    let (status, _) = call(&api, "POST", &format!("{phone}/messages"), nulls).await;
    assert_eq!(status, StatusCode::CREATED);
    let body = json!({ "to": 1, "type": "text", "colour": "red" });
    let (_, answer) = call(&api, "POST", &format!("{phone}/messages"), body).await;
    let faults = answer["error"]["details"]["errors"].as_array().unwrap();
    let fields: Vec<&str> = faults
        .iter()
        .map(|f| f["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["to", "text", "colour"]);
}

#[tokio::test]
async fn a_phone_goes_offline_and_changes_its_ways() {
    let api = api().await;
    two_phones(&api).await;
    let phone = "/sim/v1/phones/15550000001";
    let (status, answer) = call(&api, "POST", &format!("{phone}:offline"), Value::Null).await;
    assert_eq!((status, &answer["online"]), (StatusCode::OK, &json!(false)));
    let (status, answer) = call(&api, "POST", &format!("{phone}:online"), Value::Null).await;
    assert_eq!((status, &answer["online"]), (StatusCode::OK, &json!(true)));
    let body = json!({ "autoReply": true });
    let (status, answer) = call(&api, "POST", &format!("{phone}:behaviour"), body).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer, json!({ "autoReply": true, "autoRead": false }));
    let body = json!({ "to": "15550000002", "state": "recording" });
    let (status, _) = call(&api, "POST", &format!("{phone}:typing"), body).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let body = json!({ "state": "online" });
    let (status, _) = call(&api, "POST", &format!("{phone}:presence"), body).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
}

/// Requests of which some are understood, but none makes the simulator wait or fail on purpose.
fn requests() -> impl Strategy<Value = (&'static str, String, Vec<u8>)> {
    let path = (
        "(phones|faults|accounting|[a-z]{0,5})?",
        "(/15550000001|/\\+15550000002|/[0-9]{1,3}|/[ -~]{0,5})?",
        select(vec![
            "",
            ":scan",
            ":unlink",
            ":offline",
            ":online",
            ":typing",
            ":presence",
            ":behaviour",
            ":forget-sessions",
            ":",
            "/messages",
            "/messages/X:read",
            "/messages/X:react",
            "/messages/X:edit",
            "/messages/X:revoke",
            "/messages?limit=0",
            "/messages?peer=1:999",
            "?ids=true",
            "?ids=%zz",
        ]),
    );
    let member = (
        select(vec![
            "number",
            "pushName",
            "to",
            "type",
            "text",
            "qr",
            "deviceId",
            "state",
            "autoReply",
            "emoji",
            "target",
            "count",
            "x",
        ]),
        select(vec![
            "null",
            "true",
            "0",
            "-1",
            "65536",
            "1.5",
            "\"\"",
            "\"text\"",
            "\"online\"",
            "\"15550000002\"",
            "\"+15550000003\"",
            "\"15550000002:999@s.whatsapp.net\"",
            "\"joe@work\"",
            "\"2@r,x,y,z\"",
            "[]",
            "{}",
        ]),
    );
    let object = proptest::collection::vec(member, 0..5).prop_map(|members| {
        let members: Vec<_> = members
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    });
    let body = prop_oneof![
        1 => Just(Vec::new()),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        4 => object,
    ];
    (
        select(vec!["GET", "POST", "POST", "POST", "DELETE"]),
        path,
        body,
    )
        .prop_map(|(method, path, body)| (method, format!("{}{}{}", path.0, path.1, path.2), body))
}

#[test]
fn any_request_is_answered() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut runner = TestRunner::new(ProptestConfig::with_cases(32));
    let requests = proptest::collection::vec(requests(), 1..10);
    let outcome = runner.run(&requests, |requests| {
        runtime.block_on(async {
            let api = api().await;
            two_phones(&api).await;
            for (method, path, body) in requests {
                let request = Request::builder()
                    .method(method)
                    .uri(format!("/sim/v1/{path}"))
                    .body(Body::from(body));
                let Ok(request) = request else {
                    continue;
                };
                let response = api.clone().oneshot(request).await.unwrap();
                let status = response.status();
                prop_assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR);
                let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
                if status != StatusCode::NO_CONTENT {
                    let answer: Value = serde_json::from_slice(&bytes).unwrap();
                    prop_assert_eq!(answer.get("error").is_some(), !status.is_success());
                }
            }
            Ok(())
        })
    });
    outcome.unwrap();
}
