//! Every operation of the document, against those who may not.

use axum::body::Body;
use http::Request;
use serde_json::Value;
use wagate_cluster::{CommandReply, Refusal, SessionAction};
use wagate_model::{Actor, Capabilities};

use crate::harness::{Service, UNKNOWN};
use crate::operations::{Need, Operation, guarded, visible};
use crate::world::{World, bearer};

#[tokio::test]
async fn others_are_refused_before_anything_is_looked_at() {
    let world = World::new().await;
    for operation in guarded() {
        // In an organization of one's own: that it is another's is told first.
        let mut paths = vec![operation.within(&world.own)];
        if matches!(operation.need, Need::Capability(_) | Need::SuperAdmin) {
            paths.extend([operation.nowhere(), operation.within(&world.foreign)]);
        }
        for headers in operation.refused(&world, &world.own).await {
            for path in &paths {
                let reply = operation.ask(&world.service, path, &headers).await;
                let context = format!("{} at {path} with {headers:?}", operation.id);
                assert_eq!(reply.status, 403, "{context}");
                let error = reply.error(403, "forbidden");
                assert!(error.get("details").is_none(), "{context}");
            }
        }
    }
    assert!(world.service.gateway.asked().is_empty());
}

#[tokio::test]
async fn keys_reach_no_people_wherever_they_point() {
    let world = World::new().await;
    for operation in guarded().filter(|operation| matches!(operation.need, Need::Role(_))) {
        let key = bearer(&world.own.key.0);
        for path in [operation.nowhere(), operation.within(&world.foreign)] {
            let reply = operation.ask(&world.service, &path, &key).await;
            reply.error(403, "forbidden");
        }
    }
}

#[tokio::test]
async fn foreign_ids_are_unknown_ids() {
    let world = World::new().await;
    let (own, foreign) = (&world.own, &world.foreign);
    let mut count = 0;
    for operation in guarded() {
        let parameters = operation.parameters();
        let fill = |place| parameters.iter().map(|p| (p.of)(place)).collect();
        let (mine, theirs): (Vec<String>, Vec<String>) = (fill(own), fill(foreign));
        for headers in operation.allowed(&world, own).await {
            for (index, parameter) in parameters.iter().enumerate() {
                if !operation.is_stored(parameter) {
                    continue;
                }
                let at = |value: &str, rest: &[String]| {
                    let before = mine[..index].iter().map(String::as_str);
                    let after = rest[index + 1..].iter().map(String::as_str);
                    operation.at(before.chain([value]).chain(after))
                };
                let unknown = parameter.not_there().map(|value| at(value, &mine));
                let mut paths: Vec<_> = unknown.collect();
                // The operator's users are of no organization.
                if operation.need != Need::SuperAdmin {
                    paths.extend([at(&theirs[index], &mine), at(&theirs[index], &theirs)]);
                }
                let mut first = None;
                for path in paths {
                    let reply = operation.ask(&world.service, &path, &headers).await;
                    let context = format!("{} at {path}", operation.id);
                    assert_eq!(reply.status, 404, "{context}");
                    reply.error(404, "not_found");
                    let seen = visible(reply);
                    assert_eq!(
                        *first.get_or_insert_with(|| seen.clone()),
                        seen,
                        "{context}"
                    );
                    count += 1;
                }
            }
        }
    }
    assert!(count > 400, "{count}");
    assert!(world.service.gateway.asked().is_empty());
}

#[tokio::test]
async fn bodies_are_read_for_those_who_may() {
    let world = World::new().await;
    for operation in guarded().filter(|operation| operation.body.is_some()) {
        let path = operation.within(&world.own);
        for headers in operation.allowed(&world, &world.own).await {
            let reply = operation.ask(&world.service, &path, &headers).await;
            assert_eq!(reply.status, 400, "{} with {headers:?}", operation.id);
            assert_eq!(reply.faults(), ["body"], "{}", operation.id);
        }
    }
    assert!(world.service.gateway.asked().is_empty());
}

#[tokio::test]
async fn whoever_may_gets_an_answer() {
    let world = World::new().await;
    world.service.gateway.answer(|action| match action {
        SessionAction::Live(_) => Err(Refusal::Missing),
        _ => Ok(CommandReply::QrPending),
    });
    let has_parameters = |operation: &Operation| !operation.parameters().is_empty();
    for operation in guarded() {
        // What changes something was answered for already: about its parameters, or its body.
        let is_shown = operation.method == http::Method::GET;
        if !is_shown && (has_parameters(&operation) || operation.body.is_some()) {
            continue;
        }
        let path = operation.within(&world.own);
        for headers in operation.allowed(&world, &world.own).await {
            let reply = operation.ask(&world.service, &path, &headers).await;
            let context = format!("{} with {headers:?}", operation.id);
            // No phone is attached, and no code is ready yet.
            let is_answered = match operation.id.as_str() {
                "sessionMe" | "sessionQR" => reply.status == 404,
                // WhatsApp knows nobody in these tests, and a number and an invite are asked
                // about by the query.
                "checkContact" | "previewGroupInvite" => reply.status == 400,
                _ if operation.is_live => reply.status == 404,
                _ => reply.status.is_success(),
            };
            assert!(is_answered, "{context}: {}", reply.status);
        }
    }
}

#[tokio::test]
async fn a_restricted_key_sees_its_sessions_only() {
    let World { service, own, .. } = World::new().await;
    let session = service.store.session(own.organization).await;
    let restriction = Some(vec![session]);
    let (key, _) = service
        .key(own.organization, Capabilities::all(), restriction)
        .await;
    let headers = bearer(&key);
    let with_key = guarded().filter(|operation| matches!(operation.need, Need::Capability(_)));
    for operation in with_key.filter(|operation| !operation.parameters().is_empty()) {
        let paths = [operation.within(&own), operation.nowhere()];
        let other = operation.ask(&service, &paths[0], &headers).await;
        let unknown = operation.ask(&service, &paths[1], &headers).await;
        other.error(404, "not_found");
        assert_eq!(visible(other), visible(unknown), "{}", operation.id);
    }
    let ids = |list: Value| list["data"].as_array().unwrap().len();
    assert_eq!(ids(service.get("/api/v1/sessions", &key).await.ok(200)), 1);
    assert_eq!(ids(service.get("/api/v1/webhooks", &key).await.ok(200)), 0);
    service
        .get(&format!("/api/v1/sessions/{session}"), &key)
        .await
        .ok(200);
    // It may not make what it could not see.
    let body = serde_json::json!({});
    service
        .post("/api/v1/sessions", &key, body)
        .await
        .error(403, "forbidden");
    let body = serde_json::json!({ "label": 5 });
    service
        .post("/api/v1/sessions", &key, body)
        .await
        .error(403, "forbidden");
    let body = serde_json::json!({ "url": "https://example.com/" });
    assert_eq!(
        service.post("/api/v1/webhooks", &key, body).await.faults(),
        ["sessionId"]
    );
}

#[tokio::test]
async fn a_revoked_key_stops_working() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    service.get("/api/v1/sessions", &tenant.key).await.ok(200);
    service
        .identity
        .revoke_api_key(tenant.organization, tenant.key_id, &Actor::operator())
        .await
        .unwrap();
    service
        .get("/api/v1/sessions", &tenant.key)
        .await
        .error(401, "unauthorized");
}

#[tokio::test]
async fn both_headers_carry_a_key() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let key = ("x-api-key", tenant.key.as_str());
    let bearer = format!("bEaReR {}", tenant.key);
    for headers in [
        vec![key],
        vec![("authorization", bearer.as_str())],
        // What another scheme says is for somebody else.
        vec![("authorization", "Basic dTpw"), key],
        vec![("authorization", "Negotiate"), key],
        vec![
            ("authorization", bearer.as_str()),
            ("x-api-key", "nonsense"),
        ],
    ] {
        let mut request = Request::builder().uri("/api/v1/sessions");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        service
            .request(request.body(Body::empty()).unwrap())
            .await
            .ok(200);
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_before_what_is_malformed() {
    let service = Service::start().await;
    let owner = service.tenant().await;
    let session = service.store.session(owner.organization).await;
    for path in [
        format!("/api/v1/sessions/{UNKNOWN}/chats?limit=x"),
        format!("/api/v1/sessions/{session}/chats/15559999999/messages?limit=x&cursor=x"),
        format!("/api/v1/events?session={UNKNOWN}&limit=x&after=x"),
        format!("/api/v1/webhooks/wh_{UNKNOWN}/deliveries?limit=x"),
    ] {
        let reply = service.get(&path, &owner.key).await;
        reply.error(404, "not_found");
    }
    let tickets = "/api/v1/realtime/ticket";
    let body = serde_json::json!({ "scope": "firehose", "since": 5, "x": 1 });
    let reply = service.post(tickets, &owner.key, body).await;
    reply.error(403, "forbidden");
    let body = serde_json::json!({ "scope": "session", "session": UNKNOWN, "since": 5 });
    let reply = service.post(tickets, &owner.key, body).await;
    reply.error(404, "not_found");
}
