//! What one organization has, and does, is not seen by another.

use std::sync::Arc;

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use wagate_cluster::EventCopy;
use wagate_model::{EventKind, limits};

use crate::harness::Service;
use crate::operations::{Need, Operation, guarded, operations};
use crate::outbox_gateway::OutboxGateway;
use crate::realtime::{Socket, connect, frame};
use crate::references::beside;
use crate::world::{Headers, Place, World, bearer, cookie};

impl Operation {
    /// Whoever of an organization may do most there.
    pub(crate) fn as_owner(&self, place: &Place) -> Headers {
        match self.need {
            Need::Capability(_) => bearer(&place.key.0),
            Need::Role(_) if !self.takes_cookie => bearer(&place.owner.token),
            _ => cookie(&place.owner.secret),
        }
    }

    /// Whether it only reads what an organization has.
    fn reads(&self) -> bool {
        self.method == Method::GET && self.need != Need::SuperAdmin
    }
}

/// Everything that an organization can read.
async fn everything(world: &World, place: &Place) -> Vec<(String, String)> {
    world
        .service
        .gateway
        .answer(|_| Ok(wagate_cluster::CommandReply::QrPending));
    let mut found = Vec::new();
    for operation in guarded().filter(Operation::reads) {
        let (path, headers) = (operation.within(place), operation.as_owner(place));
        let reply = operation.ask(&world.service, &path, &headers).await;
        let text = String::from_utf8(reply.bytes).unwrap();
        found.push((
            operation.id,
            format!("{} {:?} {text}", reply.status, reply.headers),
        ));
    }
    found
}

#[tokio::test]
async fn no_answer_names_what_others_have() {
    let world = World::new().await;
    let answers = everything(&world, &world.own).await;
    assert!(answers.len() >= 19);
    for (operation, text) in &answers {
        for mark in world.foreign.marks() {
            assert!(!text.contains(&mark), "{operation} tells of {mark}: {text}");
        }
        assert!(!text.contains("orchard"), "{operation}: {text}");
    }
    // The marks are what their own organization is told.
    let whole: String = everything(&world, &world.foreign)
        .await
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    for mark in world.foreign.marks() {
        let people = [
            &world.foreign.owner,
            &world.foreign.admin,
            &world.foreign.member,
        ];
        let mut people = people.into_iter();
        let is_hidden = mark == world.foreign.key.0
            || mark.starts_with("login_")
            || people.any(|person| [&person.secret, &person.token].contains(&&mark));
        assert!(is_hidden || whole.contains(&mark), "{mark}");
    }
}

#[tokio::test]
async fn nothing_that_is_asked_of_others_changes_them() {
    let world = World::new().await;
    // Reading leaves lines in the audit log, which says who read.
    let stable = |answers: Vec<(String, String)>| -> Vec<_> {
        answers
            .into_iter()
            .filter(|(operation, _)| operation != "listAudit")
            .map(|(operation, text)| {
                let at = text.find("\"x-request-id\"").unwrap();
                let end = at + text[at..].find(',').unwrap();
                (operation, format!("{}{}", &text[..at], &text[end..]))
            })
            // Each answer has a link of its own.
            .map(|(operation, text)| match text.split_once("?token=") {
                Some((before, after)) => {
                    let end = after.find('"').unwrap();
                    (operation, format!("{before}{}", &after[end..]))
                }
                None => (operation, text),
            })
            .collect()
    };
    let before = stable(everything(&world, &world.foreign).await);
    let body = json!({ "name": "taken", "label": "taken", "role": "member", "active": false });
    for operation in guarded().filter(|operation| operation.method != Method::GET) {
        let (path, headers) = (
            operation.within(&world.foreign),
            operation.as_owner(&world.own),
        );
        if operation.parameters().is_empty() {
            continue;
        }
        for body in [None, Some(&body)] {
            let method = operation.method.clone();
            let reply = world.service.ask(method, &path, &headers, body).await;
            let is_refused = matches!(reply.status.as_u16(), 401 | 403 | 404);
            assert!(is_refused, "{}: {}", operation.id, reply.status);
        }
    }
    let after = stable(everything(&world, &world.foreign).await);
    assert_eq!(before, after);
}

#[tokio::test]
async fn cursors_fit_one_list_of_one_organization() {
    let world = World::new().await;
    let paged = operations().into_iter().filter(|operation| {
        operation.need != Need::SuperAdmin && operation.query.iter().any(|name| name == "cursor")
    });
    for operation in paged {
        let is_tried = world.own.cursors.iter().any(|(id, _)| *id == operation.id);
        assert!(is_tried, "{}: add it to Place::lists", operation.id);
    }
    for place in [&world.own, &world.foreign] {
        for (list, path, headers) in place.lists() {
            for maker in [&world.own, &world.foreign] {
                for (origin, cursor) in &maker.cursors {
                    let path = format!("{path}?cursor={cursor}");
                    let reply = world.service.ask(Method::GET, &path, &headers, None).await;
                    if *origin == list && maker.organization == place.organization {
                        reply.ok(200);
                    } else {
                        assert_eq!(reply.faults(), ["cursor"], "{origin} in {list}");
                    }
                }
            }
        }
    }
}

async fn open(world: &World, place: &Place, body: Value) -> Socket {
    let address = world.service.listen().await;
    let key = bearer(&place.key.0);
    let at = "/api/v1/realtime/ticket";
    let ticket = world.service.ask(Method::POST, at, &key, Some(&body)).await;
    let ticket = ticket.ok(200)["ticket"].as_str().unwrap().to_owned();
    let mut socket = connect(address, &ticket).await.unwrap();
    assert_eq!(frame(&mut socket).await["event"], "connected");
    socket
}

#[tokio::test]
async fn a_socket_hears_its_own_organization_only() {
    let world = World::new().await;
    let (service, own, foreign) = (&world.service, &world.own, &world.foreign);
    let mut sockets = Vec::new();
    for body in [
        json!({}),
        json!({ "scope": "session", "session": own.session.to_string() }),
        json!({ "since": own.event.to_string() }),
    ] {
        sockets.push(open(&world, own, body).await);
    }
    let mut theirs = open(&world, foreign, json!({})).await;
    let kind = EventKind::PresenceUpdate;
    let copy = EventCopy {
        id: beside(&own.event.to_string())
            .replace("evt_0", "evt_7")
            .parse()
            .unwrap(),
        kind,
        // Even if it were told of a session of this organization.
        session_id: own.session,
        json: Arc::from(r#"{"event":"presence","payload":{"n":99}}"#),
    };
    service.announce(foreign.organization, vec![copy]);
    service
        .emit(foreign.organization, foreign.session, 10..12)
        .await;
    service.emit(own.organization, own.session, 20..22).await;
    for socket in &mut sockets {
        let mut heard = Vec::new();
        while heard.last() != Some(&json!(21)) {
            let event = frame(socket).await;
            assert_eq!(event["organization"], own.organization.to_string());
            heard.push(event["payload"]["n"].clone());
        }
        assert!(
            !heard.contains(&json!(10)) && !heard.contains(&json!(99)),
            "{heard:?}"
        );
    }
    while frame(&mut theirs).await["payload"]["n"] != 11 {}
}

#[tokio::test]
async fn revoking_what_others_have_ends_nothing_of_theirs() {
    let world = World::new().await;
    let (service, foreign) = (&world.service, &world.foreign);
    let mut socket = open(&world, foreign, json!({})).await;
    let organization = world.own.organization;
    let (key, member) = (foreign.key.1, foreign.member.user.id);
    let owner = cookie(&world.own.owner.secret);
    for rest in [format!("api-keys/{key}"), format!("members/{member}")] {
        let path = format!("/api/auth/organizations/{organization}/{rest}");
        let reply = service.ask(Method::DELETE, &path, &owner, None).await;
        reply.error(404, "not_found");
    }
    service
        .emit(foreign.organization, foreign.session, 10..11)
        .await;
    assert_eq!(frame(&mut socket).await["payload"]["n"], 10);
    let keys = format!(
        "/api/auth/organizations/{}/api-keys/{key}",
        foreign.organization
    );
    let owner = cookie(&foreign.owner.secret);
    service
        .ask(Method::DELETE, &keys, &owner, None)
        .await
        .ok(204);
    assert_eq!(frame(&mut socket).await["error"], "unauthorized");
    let end = futures::StreamExt::next(&mut socket).await;
    assert!(matches!(end, Some(Ok(Message::Close(_)))));
}

#[tokio::test]
async fn webhooks_get_their_own_organizations_events_only() {
    let world = World::new().await;
    let (service, own, foreign) = (&world.service, &world.own, &world.foreign);
    let theirs = service
        .emit(foreign.organization, foreign.session, 10..14)
        .await;
    let ours = service.emit(own.organization, own.session, 20..22).await;
    for (place, last, count) in [(own, ours[1], 5), (foreign, theirs[3], 7)] {
        let path = format!("/api/v1/webhooks/{}/deliveries", place.webhook);
        let page = service.get(&path, &place.key.0).await.ok(200);
        let rows = page["data"].as_array().unwrap();
        assert_eq!(rows.len(), count);
        let is_there = rows.iter().any(|row| row["eventId"] == last.to_string());
        assert!(is_there, "{last}");
        for row in rows {
            assert_eq!(row["sessionId"], place.session.to_string());
        }
    }
}

#[tokio::test]
async fn idempotency_keys_are_an_organizations_own() {
    let world = World::new().await;
    let store = world.service.store.handle();
    world
        .service
        .gateway
        .hand_over(Arc::new(OutboxGateway { store }));
    let send = async |place: &Place, text: &str| {
        let mut headers = bearer(&place.key.0);
        headers.push(("idempotency-key", b"order-1".to_vec()));
        let path = format!("/api/v1/sessions/{}/messages?async=true", place.session);
        let body = json!({ "type": "text", "to": "15551234567", "text": text });
        world
            .service
            .ask(Method::POST, &path, &headers, Some(&body))
            .await
    };
    let first = send(&world.own, "mine").await.ok(202);
    let other = send(&world.foreign, "theirs").await.ok(202);
    assert!(first.get("replayed").is_none() && other.get("replayed").is_none());
    assert_ne!(first["outboxId"], other["outboxId"]);
    for (place, text, made) in [
        (&world.own, "mine", first),
        (&world.foreign, "theirs", other),
    ] {
        let again = send(place, text).await.ok(202);
        assert_eq!(
            (&again["outboxId"], &again["replayed"]),
            (&made["outboxId"], &json!(true))
        );
        let reused = send(place, "else").await.error(409, "conflict");
        assert_eq!(reused["details"]["reason"], "idempotency_key_reused");
    }
}

#[tokio::test]
async fn limits_are_an_organizations_own() {
    let service = Service::with(|config| config.max_sockets_per_organization = 1).await;
    let (own, other) = (service.tenant().await, service.tenant().await);
    let webhook = || json!({ "url": "https://e.example/" });
    for _ in 0..limits::WEBHOOKS {
        service
            .post("/api/v1/webhooks", &own.key, webhook())
            .await
            .ok(201);
    }
    let full = service.post("/api/v1/webhooks", &own.key, webhook()).await;
    full.error(409, "conflict");
    service
        .post("/api/v1/webhooks", &other.key, webhook())
        .await
        .ok(201);
    let address = service.listen().await;
    let ticket = async |key: &str| {
        let made = service
            .post("/api/v1/realtime/ticket", key, json!({}))
            .await;
        made.ok(200)["ticket"].as_str().unwrap().to_owned()
    };
    let mut open = Vec::new();
    open.push(connect(address, &ticket(&own.key).await).await.unwrap());
    let crowded = connect(address, &ticket(&own.key).await).await;
    assert_eq!(crowded.unwrap_err(), 429);
    open.push(connect(address, &ticket(&other.key).await).await.unwrap());
}

#[tokio::test]
async fn nobody_takes_another_organizations_memory() {
    let service = Service::with(|config| {
        config.media_body_limit_bytes = 1 << 20;
        // As little as possible: one body of the largest size, and 1 MiB more.
        config.body_memory_bytes_per_organization = 0;
    })
    .await;
    let (own, other) = (service.tenant().await, service.tenant().await);
    let path = async |tenant: &crate::harness::Tenant| {
        let session = service.store.session(tenant.organization).await;
        format!("/api/v1/sessions/{session}/messages")
    };
    let (ours, theirs) = (path(&own).await, path(&other).await);
    let mut uploads = Vec::new();
    for _ in 0..2 {
        uploads.push(crate::bodies::begin_upload(&service, &ours, &own.key).await);
    }
    let large = || Body::from(vec![b' '; 1_000_000]);
    let ask = async |path: &str, key: &str| {
        let request = http::Request::builder().method(Method::POST).uri(path);
        let request = request.header("x-api-key", key).body(large()).unwrap();
        service.request(request).await
    };
    ask(&ours, &own.key).await.error(429, "rate_limited");
    assert_eq!(ask(&theirs, &other.key).await.faults(), ["body"]);
    for upload in uploads {
        upload.abort();
    }
}
