//! Groups: made, joined, changed and left, and what others do in them.

use reqwest::Method;
use serde_json::{Value, json};
use wagate_testing::{Session, TestSandbox};

/// A session of the first phone, with a second and a third phone beside it.
struct World {
    sandbox: TestSandbox,
    session: Session,
    alice: String,
    bob: String,
    carol: String,
}

async fn world() -> World {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (sandbox.phones[0].clone(), sandbox.phones[1].clone());
    let carol = sandbox.simulated.phone().await;
    let session = sandbox.pair(&alice).await;
    World {
        sandbox,
        session,
        alice,
        bob,
        carol,
    }
}

impl World {
    async fn call(&self, method: Method, rest: &str, body: Option<&Value>, status: u16) -> Value {
        let path = self.session.path(&format!("/groups{rest}"));
        let answer = self.sandbox.api.call(method, &path, body).await;
        answer.expect(status)
    }

    /// Has a simulated phone do something.
    async fn phone(&self, number: &str, rest: &str, body: Value) -> Value {
        let path = format!("/phones/{number}/groups{rest}");
        self.sandbox
            .simulated
            .call(Method::POST, &path, Some(&body))
            .await
    }

    /// A group as the simulated server has it.
    async fn on_whatsapp(&self, group: &str) -> Value {
        let path = format!("/groups/{group}");
        self.sandbox.simulated.call(Method::GET, &path, None).await
    }

    /// A group that the session makes with Bob.
    async fn made(&self) -> String {
        let body = json!({ "name": "Harbour", "participants": [self.bob] });
        let made = self.call(Method::POST, "", Some(&body), 201).await;
        made["groupJid"].as_str().unwrap().to_owned()
    }

    /// The stored members of a group: LIDs with roles.
    async fn members(&self, group: &str) -> Vec<(String, String)> {
        let rest = format!("/{group}/members");
        let page = self.call(Method::GET, &rest, None, 200).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut members: Vec<_> = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| (text(&member["lid"]), text(&member["role"])))
            .collect();
        members.sort();
        members
    }

    async fn lid(&self, number: &str) -> String {
        let path = format!("/phones/{number}");
        let phone = self.sandbox.simulated.call(Method::GET, &path, None).await;
        phone["lid"].as_str().unwrap().to_owned()
    }

    /// Everything that was told of groups, without times.
    async fn told(&self) -> Vec<(String, Value)> {
        let events = self.sandbox.api.events_after(None).await;
        let about_groups = events.into_iter().filter_map(|mut event| {
            let kind = event["event"].as_str().unwrap().to_owned();
            kind.starts_with("group.").then(|| {
                let mut payload = event["payload"].take();
                payload.as_object_mut().unwrap().remove("timestamp");
                (kind, payload)
            })
        });
        about_groups.collect()
    }

    /// Waits for an event of groups.
    async fn wait_for(&self, is_wanted: impl Fn(&str, &Value) -> bool) -> Value {
        let search = async {
            loop {
                let told = self.told().await;
                let found = told.into_iter().find(|(kind, it)| is_wanted(kind, it));
                if let Some((_, payload)) = found {
                    return payload;
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), search)
            .await
            .expect("the event comes in time")
    }

    /// Waits until everything is in that WhatsApp has sent so far: one more change by Bob, who
    /// is in the group, comes behind it.
    async fn settle(&self, group: &str, subject: &str) {
        let body = json!({ "subject": subject });
        self.phone(&self.bob, &format!("/{group}:subject"), body)
            .await;
        self.wait_for(|_, payload| payload["subject"] == subject)
            .await;
    }
}

#[tokio::test]
async fn a_group_is_made_and_its_settings_are_told_once() {
    let world = world().await;
    let (own, bob) = (world.lid(&world.alice).await, world.lid(&world.bob).await);
    let body = json!({ "name": "Harbour", "participants": [world.bob, world.alice] });
    let made = world.call(Method::POST, "", Some(&body), 201).await;
    let group = made["groupJid"].as_str().unwrap().to_owned();
    assert_eq!(
        made,
        json!({
            "groupJid": group, "subject": "Harbour", "isAnnounce": false, "isLocked": false,
            "ownerJid": own, "participants": 2
        })
    );
    let list = world.call(Method::GET, "", None, 200).await;
    assert_eq!(list["data"][0]["groupJid"], group.as_str());
    assert_eq!(list["data"][0]["participantCount"], 2);
    let mut expected = vec![
        (own.clone(), "superadmin".to_owned()),
        (bob, "member".to_owned()),
    ];
    expected.sort();
    assert_eq!(world.members(&group).await, expected);

    let at = format!("/{group}");
    let changes = json!({
        "subject": "Crew", "description": "Boats", "announce": true, "locked": true,
        "approvalRequired": true, "memberAddMode": "admins", "disappearingSeconds": 86_400
    });
    world.call(Method::PATCH, &at, Some(&changes), 204).await;
    let there = world.on_whatsapp(&group).await;
    for (field, value) in [
        ("subject", json!("Crew")),
        ("description", json!("Boats")),
        ("announce", json!(true)),
        ("locked", json!(true)),
        ("approval", json!(true)),
        ("memberAddMode", json!("admin_add")),
        ("ephemeralSeconds", json!(86_400)),
    ] {
        assert_eq!(there[field], value, "{field}");
    }
    let stored = world.call(Method::GET, &at, None, 200).await;
    assert_eq!(
        (&stored["subject"], &stored["description"]),
        (&json!("Crew"), &json!("Boats"))
    );
    let open = json!({ "description": "", "locked": false, "announce": false });
    world.call(Method::PATCH, &at, Some(&open), 204).await;
    world.call(Method::PATCH, &at, Some(&open), 204).await;
    world.settle(&group, "Quay").await;

    // What comes back from WhatsApp is known already.
    let told: Vec<_> = world.told().await;
    let expected = [
        (
            "group.participant",
            json!({ "join": [own], "subject": "Harbour" }),
        ),
        (
            "group.update",
            json!({ "subject": "Crew", "description": "Boats", "isAnnounce": true, "isLocked": true }),
        ),
        (
            "group.update",
            json!({ "description": "", "isAnnounce": false, "isLocked": false }),
        ),
        ("group.update", json!({ "subject": "Quay" })),
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for ((kind, payload), (wanted, parts)) in told.iter().zip(&expected) {
        assert_eq!(kind, wanted);
        assert_eq!(payload["groupJid"], group.as_str());
        for (field, value) in parts.as_object().unwrap() {
            assert_eq!(&payload[field], value, "{field}");
        }
    }
    world.sandbox.stop().await;
}

#[tokio::test]
async fn members_come_and_go_and_rise_and_fall() {
    let world = world().await;
    let group = world.made().await;
    let carol = world.lid(&world.carol).await;
    let members = format!("/{group}/members");
    let add = json!({ "participants": [world.carol, world.bob] });
    world.call(Method::POST, &members, Some(&add), 204).await;
    // Both addresses are the same person.
    for address in [&world.carol, &carol] {
        let promote = format!("{members}/{address}/promote");
        world.call(Method::POST, &promote, None, 204).await;
    }
    let roles = world.members(&group).await;
    assert!(roles.contains(&(carol.clone(), "admin".to_owned())));
    for address in [&carol, &world.carol] {
        let demote = format!("{members}/{address}/demote");
        world.call(Method::POST, &demote, None, 204).await;
    }
    for _ in 0..2 {
        let remove = format!("{members}/{}", world.carol);
        world.call(Method::DELETE, &remove, None, 204).await;
    }
    let promote = format!("{members}/{}/promote", world.carol);
    world.call(Method::POST, &promote, None, 404).await;
    world.settle(&group, "Quay").await;
    let of_carol = |(_, payload): &&(String, Value)| payload.to_string().contains(&carol);
    let told = world.told().await;
    let told: Vec<_> = told.iter().filter(of_carol).collect();
    let kinds = ["join", "promote", "demote", "leave"];
    assert_eq!(told.len(), kinds.len(), "{told:#?}");
    for ((kind, payload), wanted) in told.iter().zip(kinds) {
        assert_eq!(kind, "group.participant");
        assert_eq!(payload[wanted], json!([carol]), "{payload}");
    }
    assert_eq!(world.members(&group).await.len(), 2);

    // Whoever is no admin may not.
    let by_bob = world
        .phone(
            &world.bob,
            "",
            json!({ "subject": "Bob's", "participants": [world.alice, world.carol] }),
        )
        .await;
    let foreign = by_bob["jid"].as_str().unwrap().to_owned();
    world
        .wait_for(|_, payload| payload["groupJid"] == foreign.as_str())
        .await;
    let member = format!("/{foreign}/members/{}", world.carol);
    world.call(Method::DELETE, &member, None, 403).await;
    let promote = format!("{member}/promote");
    world.call(Method::POST, &promote, None, 403).await;
    let invite = format!("/{foreign}/invite");
    world.call(Method::DELETE, &invite, None, 403).await;
    world.call(Method::POST, "/999@g.us:leave", None, 404).await;

    world
        .call(Method::POST, &format!("/{group}:leave"), None, 204)
        .await;
    let list = world.call(Method::GET, "", None, 200).await;
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    world
        .call(Method::GET, &format!("/{group}"), None, 200)
        .await;

    world.sandbox.api.act(&world.session.path(":stop")).await;
    for (method, rest, body) in [
        (
            Method::POST,
            String::new(),
            Some(json!({ "name": "x", "participants": [world.bob] })),
        ),
        (
            Method::PATCH,
            format!("/{foreign}"),
            Some(json!({ "subject": "x" })),
        ),
        (Method::GET, invite, None),
        (Method::POST, format!("/{foreign}:leave"), None),
        (
            Method::POST,
            ":join".into(),
            Some(json!({ "invite": "HG4pQ2mRz7c8KdT1vWxYbN" })),
        ),
    ] {
        let refused = world.call(method, &rest, body.as_ref(), 409).await;
        let details = &refused["error"]["details"];
        assert_eq!(details["reason"], "session_not_connected");
    }
    world.sandbox.stop().await;
}

#[tokio::test]
async fn what_others_do_is_told_and_stored() {
    let world = world().await;
    let (own, bob, carol) = (
        world.lid(&world.alice).await,
        world.lid(&world.bob).await,
        world.lid(&world.carol).await,
    );
    let body = json!({ "subject": "Bob's", "participants": [world.alice] });
    let made = world.phone(&world.bob, "", body).await;
    let group = made["jid"].as_str().unwrap().to_owned();
    let entered = world
        .wait_for(|_, payload| payload["groupJid"] == group.as_str())
        .await;
    assert_eq!(
        (&entered["join"], &entered["sender"]),
        (&json!([own]), &json!(bob))
    );
    assert_eq!(world.members(&group).await.len(), 2);
    let by_bob = async |verb: &str, body: Value| {
        let rest = format!("/{group}:{verb}");
        world.phone(&world.bob, &rest, body).await
    };
    let people = |number: &str| json!({ "participants": [number] });
    by_bob("add", people(&world.carol)).await;
    by_bob("promote", people(&world.alice)).await;
    by_bob("description", json!({ "description": "Sails" })).await;
    by_bob("settings", json!({ "announce": true, "locked": true })).await;
    by_bob("revoke-invite", json!({})).await;
    by_bob("remove", people(&world.carol)).await;
    by_bob("demote", people(&world.alice)).await;
    by_bob("remove", people(&world.alice)).await;
    world
        .wait_for(|_, payload| payload["leave"] == json!([own]))
        .await;
    let told = world.told().await;
    let code = world.on_whatsapp(&group).await["inviteCode"].clone();
    let link = format!("https://chat.whatsapp.com/{}", code.as_str().unwrap());
    let expected = [
        ("group.participant", "join", json!([own])),
        ("group.participant", "join", json!([carol])),
        ("group.participant", "promote", json!([own])),
        ("group.update", "description", json!("Sails")),
        ("group.update", "isAnnounce", json!(true)),
        ("group.update", "isLocked", json!(true)),
        ("group.update", "newInviteLink", json!(link)),
        ("group.participant", "leave", json!([carol])),
        ("group.participant", "demote", json!([own])),
        ("group.participant", "leave", json!([own])),
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (kind, field, value) in &expected {
        let is_told = told.iter().any(|(told, payload)| {
            told == kind && &payload[field] == value && payload["sender"] == bob.as_str()
        });
        assert!(is_told, "{kind} {field}: {told:#?}");
    }
    let list = world.call(Method::GET, "", None, 200).await;
    assert!(list["data"].as_array().unwrap().is_empty());
    world
        .call(Method::GET, &format!("/{group}"), None, 200)
        .await;
    world.sandbox.stop().await;
}

#[tokio::test]
async fn invites_lead_in_and_admins_let_people_in() {
    let world = world().await;
    let own = world.lid(&world.alice).await;
    let body = json!({ "subject": "Bob's", "participants": [world.carol] });
    let made = world.phone(&world.bob, "", body).await;
    let (group, code) = (
        made["jid"].as_str().unwrap().to_owned(),
        made["inviteCode"].as_str().unwrap().to_owned(),
    );
    let preview = format!(":preview?invite={code}");
    let found = world.call(Method::GET, &preview, None, 200).await;
    assert_eq!(found["groupJid"], group.as_str());
    assert_eq!(
        (&found["subject"], &found["participantCount"]),
        (&json!("Bob's"), &json!(2))
    );
    let link = json!({ "invite": format!("https://chat.whatsapp.com/{code}") });
    for _ in 0..2 {
        let joined = world.call(Method::POST, ":join", Some(&link), 200).await;
        assert_eq!(joined, json!({ "groupJid": group }));
    }
    assert_eq!(world.members(&group).await.len(), 3);
    let nowhere = json!({ "invite": "HG4pQ2mRz7c8KdT1vWxYbN" });
    let refused = world.call(Method::POST, ":join", Some(&nowhere), 400).await;
    assert_eq!(refused["error"]["details"]["errors"][0]["field"], "invite");

    // In a group of its own the account lets people in.
    let group = world.made().await;
    let at = format!("/{group}");
    let approval = json!({ "approvalRequired": true });
    world.call(Method::PATCH, &at, Some(&approval), 204).await;
    let invite = format!("{at}/invite");
    let first = world.call(Method::GET, &invite, None, 200).await;
    let second = world.call(Method::DELETE, &invite, None, 200).await;
    assert_ne!(first, second);
    let code = second["invite"].as_str().unwrap().rsplit('/').next();
    let dave = world.sandbox.simulated.phone().await;
    for number in [&world.carol, &dave] {
        let asked = world
            .phone(number, ":join", json!({ "code": code.unwrap() }))
            .await;
        assert_eq!(asked["status"], "requested");
    }
    let requests = format!("{at}/requests");
    let waiting = world.call(Method::GET, &requests, None, 200).await;
    assert_eq!(waiting["data"].as_array().unwrap().len(), 2, "{waiting}");
    let reject = json!({ "participants": [world.carol] });
    world
        .call(
            Method::POST,
            &format!("{at}/members:reject"),
            Some(&reject),
            204,
        )
        .await;
    world
        .call(Method::POST, &format!("{at}/members:approve"), None, 204)
        .await;
    let dave = world.lid(&dave).await;
    let members = world.members(&group).await;
    assert!(members.iter().any(|(lid, _)| lid == &dave), "{members:?}");
    assert_eq!(members.len(), 3);
    let waiting = world.call(Method::GET, &requests, None, 200).await;
    assert_eq!(waiting, json!({ "data": [] }));
    world.settle(&group, "Quay").await;
    let told = world.told().await;
    let count = |field: &str, value: Value| {
        let is_it = |(_, payload): &&(String, Value)| payload[field] == value;
        told.iter().filter(is_it).count()
    };
    assert_eq!(count("join", json!([own])), 2);
    assert_eq!(count("join", json!([dave])), 1);
    assert_eq!(count("newInviteLink", second["invite"].clone()), 1);
    world.sandbox.stop().await;
}

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
    let jids = async || {
        let list = api.get(&groups).await;
        let shown = list["data"].as_array().unwrap().clone();
        let plain = shown
            .into_iter()
            .filter(|it| it["isAnnouncements"] == false);
        plain.map(|it| it["groupJid"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(jids().await, [json!(group)]);
    let unlinked = api.call(Method::DELETE, &groups, Some(&body)).await;
    assert_eq!(unlinked.expect(200)["done"], json!([group]));
    assert!(jids().await.is_empty());
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
