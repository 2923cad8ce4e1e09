//! Channels, restrictions and stories in the control API.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::phone_control::{api, call, two_phones};

#[tokio::test]
async fn channels_are_made_followed_and_read_and_faults_are_named() {
    let api = api().await;
    two_phones(&api).await;
    let path = "/sim/v1/phones/15550000001/channels";
    let (status, answer) = call(&api, "POST", path, json!({ "odd": 1 })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(
        answer["error"]["details"]["errors"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let (status, made) = call(&api, "POST", path, json!({ "name": "News" })).await;
    assert_eq!(status, StatusCode::CREATED);
    let jid = made["jid"].as_str().unwrap();
    assert!(made["inviteCode"].is_string());

    let bob = format!("/sim/v1/phones/15550000002/channels/{jid}");
    let (status, _) = call(&api, "POST", &format!("{bob}:follow"), Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let text = json!({ "text": "hello" });
    let (status, _) = call(&api, "POST", &format!("{bob}/messages"), text.clone()).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let alice = format!("/sim/v1/phones/15550000001/channels/{jid}/messages");
    let (status, posted) = call(&api, "POST", &alice, text).await;
    assert_eq!(status, StatusCode::CREATED);
    let react = json!({ "serverId": posted["serverId"], "emoji": "👍" });
    let (status, _) = call(&api, "POST", &format!("{bob}:react"), react).await;
    assert_eq!(status, StatusCode::NO_CONTENT);

    let (_, shown) = call(&api, "GET", &format!("/sim/v1/channels/{jid}"), Value::Null).await;
    assert_eq!(shown["subscribers"], 2);
    let post = &shown["messages"][0];
    assert_eq!(
        (&post["body"], &post["id"]),
        (&json!("hello"), &posted["id"])
    );
    assert_eq!(post["reactions"], json!({ "👍": 1 }));
    for path in ["/sim/v1/channels/1@newsletter", "/sim/v1/channels/1@g.us"] {
        let (status, _) = call(&api, "GET", path, Value::Null).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn restrictions_and_who_sees_stories_are_set_by_phone() {
    let api = api().await;
    two_phones(&api).await;
    let act = async |verb: &str, body: Value| {
        let path = format!("/sim/v1/phones/15550000001:{verb}");
        call(&api, "POST", &path, body).await.0
    };
    let lock = json!({ "reachoutUntil": 4_102_444_800_000_i64 });
    assert_eq!(act("restrict", lock).await, StatusCode::NO_CONTENT);
    assert_eq!(
        act("restrict", json!({ "until": 1 })).await,
        StatusCode::BAD_REQUEST
    );
    let body = json!({ "to": "15550000002", "type": "text", "text": "hello" });
    let path = "/sim/v1/phones/15550000001/messages";
    let (status, answer) = call(&api, "POST", path, body.clone()).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(answer["error"]["details"]["serverCode"], 463);
    assert_eq!(act("restrict", Value::Null).await, StatusCode::NO_CONTENT);
    let (status, _) = call(&api, "POST", path, body).await;
    assert_eq!(status, StatusCode::CREATED);
    let nobody = json!({ "list": "whitelist", "users": [] });
    assert_eq!(act("status-privacy", nobody).await, StatusCode::NO_CONTENT);
    let odd = json!({ "list": "everybody" });
    assert_eq!(act("status-privacy", odd).await, StatusCode::BAD_REQUEST);
}
