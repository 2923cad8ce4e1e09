//! Communities, groups from before the pairing, and messages in groups.

use reqwest::Method;
use serde_json::{Value, json};
use wagate_testing::TestSandbox;

use crate::group_world::world;

#[tokio::test]
async fn groups_from_before_the_pairing_are_there() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (sandbox.phones[0].clone(), sandbox.phones[1].clone());
    let body = json!({ "subject": "Old", "participants": [alice] });
    let path = format!("/phones/{bob}/groups");
    let made = sandbox
        .simulated
        .call(Method::POST, &path, Some(&body))
        .await;
    let session = sandbox.pair(&alice).await;
    let groups = session.path("/groups");
    let search = async {
        loop {
            let list = sandbox.api.get(&groups).await;
            if let Some(group) = list["data"].get(0) {
                return group.clone();
            }
        }
    };
    let group = tokio::time::timeout(std::time::Duration::from_secs(30), search)
        .await
        .expect("the groups are asked for");
    assert_eq!(
        (&group["groupJid"], &group["subject"]),
        (&made["jid"], &json!("Old"))
    );
    let members = format!("{groups}/{}/members", made["jid"].as_str().unwrap());
    let members = sandbox.api.get(&members).await;
    assert_eq!(members["data"].as_array().unwrap().len(), 2);
    let events = sandbox.api.events_after(None).await;
    let is_of_groups = |event: &Value| {
        event["event"]
            .as_str()
            .is_some_and(|e| e.starts_with("group."))
    };
    assert!(!events.iter().any(is_of_groups), "{events:#?}");

    // The operator has everything pulled again.
    let operator = sandbox.operator().await.api().await;
    let status = format!("/api/v1/admin/sessions/{}/backfill", session.id);
    operator.call(Method::GET, &status, None).await.expect(404);
    let start = format!("/api/v1/admin/sessions/{}:backfill", session.id);
    sandbox
        .api
        .call(Method::POST, &start, None)
        .await
        .expect(403);
    let begun = operator.call(Method::POST, &start, None).await.expect(202);
    let search = async {
        loop {
            let job = operator.get(&status).await;
            assert_eq!(job["id"], begun["id"]);
            if job["status"] != "running" {
                return job;
            }
        }
    };
    let job = tokio::time::timeout(std::time::Duration::from_secs(30), search)
        .await
        .expect("the job ends");
    assert_eq!(job["status"], "succeeded", "{job}");
    assert_eq!(
        (&job["groups"], &job["groupMembers"]),
        (&json!(1), &json!(2))
    );
    assert!(job["contacts"].as_i64().unwrap() >= 1, "{job}");
    sandbox.api.act(&session.path(":stop")).await;
    operator.call(Method::POST, &start, None).await.expect(409);
    assert_eq!(operator.get(&status).await, job);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_community_has_groups() {
    let world = world().await;
    let group = world.made().await;
    let api = &world.sandbox.api;
    let communities = world.session.path("/communities");
    let body = json!({ "name": "Coast", "description": "All harbours" });
    let made = api.post(&communities, &body).await.expect(201);
    let community = made["groupJid"].as_str().unwrap().to_owned();
    let list = api.get(&communities).await;
    assert_eq!(list["data"][0]["groupJid"], made["groupJid"]);
    assert_eq!(list["data"][0]["subject"], "Coast");
    let groups = format!("{communities}/{community}/groups");
    let body = json!({ "groups": [group] });
    let linked = api.post(&groups, &body).await.expect(200);
    assert_eq!(linked, json!({ "done": [group], "refused": [] }));
    // Beside it there are the groups that every community has.
    let is_in_it = async || {
        let list = api.get(&groups).await;
        let shown = list["data"].as_array().unwrap();
        assert!(shown.iter().any(|it| it["isAnnouncements"] == true));
        shown.iter().any(|it| it["groupJid"] == group.as_str())
    };
    assert!(is_in_it().await);
    let unlinked = api.call(Method::DELETE, &groups, Some(&body)).await;
    assert_eq!(unlinked.expect(200)["done"], json!([group]));
    assert!(!is_in_it().await);
    let nowhere = format!("{communities}/999@g.us/groups");
    let refused = api.post(&nowhere, &body).await;
    refused.expect(404);
    world.sandbox.stop().await;
}

#[tokio::test]
async fn texts_go_to_a_group_and_come_from_it() {
    let world = world().await;
    let group = world.made().await;
    world.session.send_text(&group, "to all").await;
    let heard = world
        .sandbox
        .simulated
        .wait_for(&world.bob, |message| message.body() == "to all")
        .await;
    assert_eq!(heard.0["chatJid"], group.as_str());
    let ticket = json!({ "events": ["message"] });
    let mut socket = world.sandbox.api.realtime(&ticket).await;
    world
        .sandbox
        .simulated
        .send_text(&world.bob, &group, "aye")
        .await;
    let event = socket.wait_for(|frame| frame["event"] == "message").await;
    let payload = &event["payload"];
    assert_eq!(
        (&payload["chatJid"], &payload["body"]),
        (&json!(group), &json!("aye"))
    );
    assert_eq!(payload["senderLid"], world.lid(&world.bob).await);
    let chat = world.session.path(&format!("/chats/{group}"));
    assert_eq!(world.sandbox.api.get(&chat).await["name"], "Harbour");
    world.sandbox.stop().await;
}
