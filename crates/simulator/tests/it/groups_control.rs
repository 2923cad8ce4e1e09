//! Groups by the control API.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::phone_control::{api, call, two_phones};

#[tokio::test]
async fn groups_are_made_and_changed() {
    let api = api().await;
    two_phones(&api).await;
    let groups = "/sim/v1/phones/15550000001/groups";
    let body = json!({ "subject": "Friends", "participants": ["15550000002"], "approval": true });
    let (status, group) = call(&api, "POST", groups, body).await;
    assert_eq!(status, StatusCode::CREATED);
    let jid = group["jid"].as_str().unwrap().to_owned();
    let members = group["participants"].as_array().unwrap();
    assert_eq!(members.len(), 2);
    assert_eq!(
        (&members[0]["role"], &members[1]["role"]),
        (&json!("superadmin"), &json!("member"))
    );
    assert!(members[1]["lid"].as_str().unwrap().ends_with("@lid"));
    assert_eq!(group["approval"], true);

    let act = |verb: &str| format!("{groups}/{jid}:{verb}");
    let bob = json!({ "participants": ["15550000002"] });
    for (verb, role) in [("promote", "admin"), ("demote", "member")] {
        let (status, group) = call(&api, "POST", &act(verb), bob.clone()).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(group["participants"][1]["role"], role);
        assert_eq!(group["results"], json!([{ "participant": "15550000002" }]));
    }
    let body = json!({ "subject": "Old friends" });
    let (_, group) = call(&api, "POST", &act("subject"), body).await;
    assert_eq!(group["subject"], "Old friends");
    let body = json!({ "description": "since school" });
    let (_, group) = call(&api, "POST", &act("description"), body).await;
    assert_eq!(group["description"], "since school");
    let body =
        json!({ "announce": true, "memberAddMode": "admin_add", "ephemeralSeconds": 86_400 });
    let (_, group) = call(&api, "POST", &act("settings"), body).await;
    assert_eq!(
        (&group["announce"], &group["ephemeralSeconds"]),
        (&json!(true), &json!(86_400))
    );
    let (status, faults) = call(
        &api,
        "POST",
        &act("settings"),
        json!({ "memberAddMode": 1 }),
    )
    .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(
        faults["error"]["details"]["errors"][0]["field"],
        "memberAddMode"
    );

    let message = json!({ "to": jid, "type": "text", "text": "hello" });
    let path = "/sim/v1/phones/15550000001/messages";
    let (status, sent) = call(&api, "POST", path, message.clone()).await;
    assert_eq!(status, StatusCode::CREATED);
    let path = "/sim/v1/phones/15550000002/messages";
    let (_, got) = call(&api, "GET", &format!("{path}?waitMs=20000"), Value::Null).await;
    assert_eq!(
        (&got["data"][0]["id"], &got["data"][0]["chatJid"]),
        (&sent["id"], &json!(jid))
    );
    let (status, refused) = call(&api, "POST", path, message).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(refused["error"]["details"]["serverCode"], 420);

    let (_, group) = call(&api, "POST", &act("remove"), bob).await;
    assert_eq!(group["participants"].as_array().unwrap().len(), 1);
    let body = json!({ "number": "15550000003" });
    call(&api, "POST", "/sim/v1/phones", body).await;
    let (_, invite) = call(&api, "POST", &act("revoke-invite"), Value::Null).await;
    let (_, same) = call(&api, "POST", &act("invite"), Value::Null).await;
    assert_eq!(invite, same);
    let join = "/sim/v1/phones/15550000003/groups:join";
    let (_, asked) = call(&api, "POST", join, invite).await;
    assert_eq!(asked, json!({ "jid": jid, "status": "requested" }));
    let carol = json!({ "participants": ["15550000003"] });
    let (_, group) = call(&api, "POST", &act("approve"), carol).await;
    assert_eq!(group["participants"].as_array().unwrap().len(), 2);
    let (status, _) = call(&api, "POST", &act("leave"), Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (_, listed) = call(&api, "GET", "/sim/v1/groups", Value::Null).await;
    assert_eq!(
        listed["data"][0]["participants"][0]["number"],
        "15550000003"
    );
    let (_, found) = call(&api, "GET", &format!("/sim/v1/groups/{jid}"), Value::Null).await;
    assert_eq!(found, listed["data"][0]);
    let (status, _) = call(&api, "GET", "/sim/v1/groups/1@g.us", Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
