//! Groups: made, joined, changed and left, and what others do in them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::group_world::world;

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

    // What comes back from WhatsApp is known already; which of the two is first is open, and
    // so is whether changes of one request come together.
    let mut told: Vec<_> = world
        .told()
        .await
        .iter()
        .flat_map(|(_, payload)| payload.as_object().unwrap().clone())
        .filter(|(field, _)| !matches!(field.as_str(), "groupJid" | "sender"))
        .map(|(field, value)| format!("{field}: {value}"))
        .collect();
    told.sort();
    let mut expected = vec![
        format!("join: {}", json!([own])),
        r#"subject: "Harbour""#.to_owned(),
        r#"subject: "Crew""#.to_owned(),
        r#"subject: "Quay""#.to_owned(),
        r#"description: "Boats""#.to_owned(),
        r#"description: """#.to_owned(),
        "disappearingSeconds: 86400".to_owned(),
    ];
    for field in ["isAnnounce", "isLocked"] {
        expected.extend([format!("{field}: true"), format!("{field}: false")]);
    }
    expected.sort();
    assert_eq!(told, expected);
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
async fn a_request_to_join_is_taken_back() {
    let world = world().await;
    let body = json!({ "subject": "Bob's", "participants": [world.carol], "approval": true });
    let made = world.phone(&world.bob, "", body).await;
    let group = made["jid"].as_str().unwrap();
    let link = json!({ "invite": made["inviteCode"] });
    world.call(Method::POST, ":join", Some(&link), 200).await;
    let waiting = world.on_whatsapp(group).await;
    assert_eq!(waiting["requests"], json!([world.alice]));
    let request = format!("/{group}/requests");
    world.call(Method::DELETE, &request, None, 204).await;
    assert_eq!(world.on_whatsapp(group).await["requests"], json!([]));
    // There is none any more, there is no such group, and that is no group.
    for rest in [
        &*request,
        "/120363000000000009@g.us/requests",
        "/15551234567/requests",
    ] {
        world.call(Method::DELETE, rest, None, 404).await;
    }
    world.sandbox.stop().await;
}

#[tokio::test]
async fn a_group_has_a_picture_until_it_is_taken_down() {
    // The beginning of a JPEG, which is what tells it.
    const JPEG: &str = "/9j/4AAQSkZJRgABAQAAAQABAAA=";
    let world = world().await;
    let group = world.made().await;
    let at = format!("/{group}/picture");
    let picture = json!({ "jpeg": JPEG });
    world.call(Method::PUT, &at, Some(&picture), 204).await;
    let contact = world.session.path(&format!("/contacts/{group}/picture"));
    let shown = world.sandbox.api.get(&contact).await;
    assert!(shown["url"].is_string(), "{shown}");
    world.call(Method::DELETE, &at, None, 204).await;
    let gone = world.sandbox.api.call(Method::GET, &contact, None).await;
    gone.expect(404);
    let other = json!({ "jpeg": "YSxiCg==" });
    let refused = world.call(Method::PUT, &at, Some(&other), 400).await;
    assert_eq!(refused["error"]["details"]["errors"][0]["field"], "jpeg");
}
