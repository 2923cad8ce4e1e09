//! The document itself.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wagate_model::limits;

use crate::harness::Service;

fn refs(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get("$ref") {
                found.insert(target.clone());
            }
            members.values().for_each(|member| refs(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| refs(item, found)),
        _ => {}
    }
}

#[test]
fn it_is_the_same_every_time() {
    let text = || wagate_api::openapi().to_pretty_json().unwrap();
    assert_eq!(text(), text());
}

#[test]
fn every_reference_resolves() {
    let document = serde_json::to_value(wagate_api::openapi()).unwrap();
    let mut found = BTreeSet::new();
    refs(&document, &mut found);
    assert!(found.len() > 20);
    for target in found {
        let pointer = target.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{target}");
    }
}

#[test]
fn what_files_events_say_and_what_a_full_list_answers_is_there() {
    let document = serde_json::to_value(wagate_api::openapi()).unwrap();
    let payload = &document["components"]["schemas"]["MediaEventPayload"];
    assert!(payload["properties"]["waMessageId"].is_object());
    let operation = &document["paths"]["/api/v1/storage/buckets"]["post"];
    assert!(operation["responses"]["409"].is_object());
}

#[test]
fn every_operation_is_explained_and_exemplified() {
    let document = serde_json::to_value(wagate_api::openapi()).unwrap();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (_, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id), "{id} twice");
            assert!(
                operation["summary"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{id}"
            );
            assert!(
                operation["description"]
                    .as_str()
                    .is_some_and(|text| text.len() > 20),
                "{id}"
            );
            if let Some(body) = operation.get("requestBody") {
                assert!(
                    body["content"]["application/json"]["example"].is_object(),
                    "{id}"
                );
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].is_string(), "{id} {parameter}");
            }
            let named: Vec<_> = path.split(['{', '}']).skip(1).step_by(2).collect();
            for name in named {
                let parameters = operation["parameters"].as_array().unwrap();
                assert!(
                    parameters
                        .iter()
                        .any(|p| p["name"] == name && p["in"] == "path"),
                    "{id}"
                );
            }
            for (status, response) in operation["responses"].as_object().unwrap() {
                if let Some(media) = response["content"].get("application/json") {
                    assert!(media["example"].is_object(), "{id} {status}");
                }
            }
            assert!(operation["responses"]["401"].is_object(), "{id}");
            assert!(operation["responses"]["500"].is_object(), "{id}");
        }
    }
}

#[test]
fn limits_are_in_the_document() {
    let document = serde_json::to_value(wagate_api::openapi()).unwrap();
    for (place, keyword, limit) in [
        (
            "CreateSessionInputBody/label",
            "maxLength",
            json!(limits::LABEL_CHARS),
        ),
        (
            "UpdateSessionInputBody/label",
            "maxLength",
            json!(limits::LABEL_CHARS),
        ),
        (
            "UpdateSessionInputBody/ratePerHour",
            "maximum",
            json!(limits::RATE),
        ),
        (
            "UpdateSessionInputBody/ratePerMin",
            "maximum",
            json!(limits::RATE),
        ),
        ("UpdateSessionInputBody/ratePerMin", "minimum", json!(-1)),
        ("SendRequest/text", "maxLength", json!(limits::TEXT_CHARS)),
        ("SendRequest/to", "maxLength", json!(limits::JID_CHARS)),
        (
            "SendRequest/replyTo",
            "maxLength",
            json!(limits::MESSAGE_ID_CHARS),
        ),
        ("SendRequest/mentions", "maxItems", json!(limits::MENTIONS)),
        ("WebhookBody/url", "maxLength", json!(limits::URL_CHARS)),
        (
            "WebhookBody/secret",
            "maxLength",
            json!(limits::WEBHOOK_SECRET_CHARS),
        ),
        (
            "RotateWebhookSecretInputBody/secret",
            "maxLength",
            json!(limits::WEBHOOK_SECRET_CHARS),
        ),
        (
            "RetryPolicyInput/attempts",
            "maximum",
            json!(limits::WEBHOOK_ATTEMPTS),
        ),
        (
            "RetryPolicyInput/delaySeconds",
            "maximum",
            json!(limits::WEBHOOK_DELAY_SECONDS),
        ),
        (
            "RetryPolicyInput/policy",
            "maxLength",
            json!(limits::WEBHOOK_POLICY_CHARS),
        ),
    ] {
        let (schema, field) = place.split_once('/').unwrap();
        let property = &document["components"]["schemas"][schema]["properties"][field];
        assert_eq!(property[keyword], limit, "{place} {keyword}");
    }
    let send = &document["paths"]["/api/v1/sessions/{session}/messages"]["post"];
    let parameters = send["parameters"].as_array().unwrap();
    let key = parameters.iter().find(|p| p["name"] == "Idempotency-Key");
    let key = &key.unwrap()["schema"];
    assert_eq!(key["maxLength"], limits::IDEMPOTENCY_KEY_CHARS);
}

#[test]
fn examples_fit_their_schemas() {
    // Names of members only: types are held by the handlers' own types.
    let document = serde_json::to_value(wagate_api::openapi()).unwrap();
    for (_, item) in document["paths"].as_object().unwrap() {
        for (_, operation) in item.as_object().unwrap() {
            let answers = operation["responses"].as_object().unwrap().values();
            for part in answers.chain([&operation["requestBody"]]) {
                let media = &part["content"]["application/json"];
                let Some(example) = media["example"].as_object() else {
                    continue;
                };
                let schema = media["schema"]["$ref"]
                    .as_str()
                    .unwrap()
                    .strip_prefix('#')
                    .unwrap();
                let schema = document.pointer(schema).unwrap();
                for name in example.keys() {
                    assert!(
                        schema["properties"].get(name).is_some(),
                        "{name} {operation}"
                    );
                }
                for name in schema["required"].as_array().into_iter().flatten() {
                    assert!(
                        example.contains_key(name.as_str().unwrap()),
                        "{name} {operation}"
                    );
                }
            }
        }
    }
}

#[test]
fn tags_and_credentials_are_as_in_the_contract() {
    let document = serde_json::to_value(wagate_api::openapi()).unwrap();
    let tags = document["tags"].as_array().unwrap();
    let tags: Vec<_> = tags
        .iter()
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        tags[..12],
        [
            "Sessions",
            "Messages",
            "Chats",
            "Contacts",
            "Groups",
            "Channels",
            "Presence",
            "Status",
            "Webhooks",
            "Backup",
            "OAuth Apps",
            "Admin"
        ]
    );
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["bearerAuth"]["type"], "http");
    assert_eq!(schemes["bearerAuth"]["scheme"], "bearer");
    assert_eq!(schemes["bearerAuth"]["bearerFormat"], "JWT");
    assert_eq!(schemes["apiKeyHeader"]["type"], "apiKey");
    assert_eq!(schemes["apiKeyHeader"]["in"], "header");
    assert_eq!(schemes["apiKeyHeader"]["name"], "x-api-key");
    assert_eq!(
        document["security"],
        serde_json::json!([{ "bearerAuth": [] }, { "apiKeyHeader": [] }])
    );
}

#[tokio::test]
async fn it_is_served_with_a_page_that_needs_nothing_else() {
    let service = Service::start().await;
    let json = service.get("/api/v1/openapi.json", "").await;
    assert_eq!(json.ok(200)["info"]["title"], "wagate");
    let yaml = service.get("/api/v1/openapi.yaml", "").await;
    assert!(yaml.bytes.starts_with(b"openapi:"));
    let page = service.get("/docs", "").await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    let html = String::from_utf8(page.bytes).unwrap();
    assert!(
        !html.contains("//") && !html.contains("<style") && !html.contains("style="),
        "{html}"
    );
    for path in ["/docs/page.css", "/docs/page.js"] {
        assert!(html.contains(path));
        let part = service.get(path, "").await;
        assert_eq!(part.status, 200);
        let text = String::from_utf8(part.bytes).unwrap();
        assert!(
            !text.contains("https:") && !text.contains("http:"),
            "{path}"
        );
    }
}
