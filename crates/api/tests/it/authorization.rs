//! Every operation of the document, against those who may not.

use axum::body::Body;
use http::{HeaderMap, Method, Request};
use serde_json::Value;
use wagate_model::{Actor, Capabilities, Capability};

use crate::harness::{Reply, Service, Tenant, UNKNOWN};

pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    /// What `x-capability` names: a capability, or what no key has.
    pub(crate) needs: Option<String>,
}

/// The operations of the document.
pub(crate) fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(wagate_api::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push(Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                needs: operation["x-capability"].as_str().map(str::to_owned),
            });
        }
    }
    assert!(operations.len() > 20);
    operations
}

impl Operation {
    /// The path with the given ids in it.
    fn at(&self, session: &str, webhook: &str) -> String {
        self.path
            .replace("{session}", session)
            .replace("{id}", webhook)
            .replace("{cid}", "15551234567%40s.whatsapp.net")
            .replace("{deliveryId}", &format!("dlv_{UNKNOWN}"))
    }

    fn is_on_a_resource(&self) -> bool {
        self.path.contains("{session}") || self.path.contains("{id}")
    }

    /// Asks with a body that is not even JSON: whatever is checked before the body shows.
    async fn ask(&self, service: &Service, path: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = Request::builder().method(self.method.clone()).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request = request.header("content-type", "application/json");
        service
            .request(request.body(Body::from("{")).unwrap())
            .await
    }
}

struct World {
    service: Service,
    owner: Tenant,
    session: String,
    webhook: String,
}

async fn world() -> World {
    let service = Service::start().await;
    let owner = service.tenant().await;
    let session = service.store.session(owner.organization).await.to_string();
    let body = serde_json::json!({ "url": "https://example.com/" });
    let webhook = service
        .post("/api/v1/webhooks", &owner.key, body)
        .await
        .ok(201);
    let webhook = webhook["id"].as_str().unwrap().to_owned();
    World {
        service,
        owner,
        session,
        webhook,
    }
}

#[tokio::test]
async fn nothing_works_without_a_credential() {
    let World {
        service,
        session,
        webhook,
        ..
    } = world().await;
    let garbage = format!("Bearer wa_{}", "A".repeat(43));
    for operation in operations() {
        let path = operation.at(&session, &webhook);
        for headers in [
            vec![],
            vec![("authorization", "Bearer ")],
            vec![("authorization", "Bearer nonsense")],
            vec![("authorization", garbage.as_str())],
            vec![("authorization", "Basic dTpw")],
            vec![("authorization", "Bearer")],
            vec![("x-api-key", "")],
            vec![("x-api-key", "wa_")],
        ] {
            let reply = operation.ask(&service, &path, &headers).await;
            reply.error(401, "unauthorized");
            assert!(
                reply.headers.contains_key("www-authenticate"),
                "{}",
                operation.id
            );
        }
    }
}

#[tokio::test]
async fn each_operation_needs_its_capability() {
    let World {
        service,
        owner,
        session,
        webhook,
    } = world().await;
    for operation in operations() {
        let key = match operation.needs.as_deref() {
            None => {
                assert_eq!(operation.id, "openRealtime");
                continue;
            }
            // No key is a person's login.
            Some("admin" | "super_admin") => owner.key.clone(),
            Some(capability) => {
                let capability: Capability = capability.parse().unwrap();
                service.key_without(owner.organization, capability).await
            }
        };
        for path in [
            operation.at(&session, &webhook),
            operation.at(UNKNOWN, "wh_x"),
        ] {
            let reply = operation.ask(&service, &path, &[("x-api-key", &key)]).await;
            reply.error(403, "forbidden");
        }
    }
}

/// Everything that a client can see, but the request's own id.
fn visible(mut reply: Reply) -> (u16, HeaderMap, Vec<u8>) {
    reply.headers.remove("x-request-id").unwrap();
    (reply.status.as_u16(), reply.headers, reply.bytes)
}

#[tokio::test]
async fn foreign_ids_are_unknown_ids() {
    let World {
        service,
        session,
        webhook,
        ..
    } = world().await;
    let stranger = service.tenant().await;
    let key = [("x-api-key", stranger.key.as_str())];
    let unknown_webhook = format!("wh_{UNKNOWN}");
    for operation in operations()
        .iter()
        .filter(|operation| operation.is_on_a_resource())
    {
        let foreign = operation
            .ask(&service, &operation.at(&session, &webhook), &key)
            .await;
        foreign.error(404, "not_found");
        let foreign = visible(foreign);
        for (session, webhook) in [
            (UNKNOWN, unknown_webhook.as_str()),
            ("%00", "%ff"),
            ("x", "y"),
        ] {
            let unknown = operation
                .ask(&service, &operation.at(session, webhook), &key)
                .await;
            assert_eq!(visible(unknown), foreign, "{}", operation.id);
        }
    }
    assert!(service.gateway.asked().is_empty());
}

#[tokio::test]
async fn a_restricted_key_sees_its_sessions_only() {
    let World {
        service,
        owner,
        session,
        webhook,
    } = world().await;
    let own = service.store.session(owner.organization).await;
    let (key, _) = service
        .key(owner.organization, Capabilities::all(), Some(vec![own]))
        .await;
    let headers = [("x-api-key", key.as_str())];
    for operation in operations()
        .iter()
        .filter(|operation| operation.is_on_a_resource())
    {
        let other = operation
            .ask(&service, &operation.at(&session, &webhook), &headers)
            .await;
        let unknown_path = operation.at(UNKNOWN, &format!("wh_{UNKNOWN}"));
        let unknown = operation.ask(&service, &unknown_path, &headers).await;
        other.error(404, "not_found");
        assert_eq!(visible(other), visible(unknown), "{}", operation.id);
    }
    let ids = |list: Value| list["data"].as_array().unwrap().len();
    assert_eq!(ids(service.get("/api/v1/sessions", &key).await.ok(200)), 1);
    assert_eq!(ids(service.get("/api/v1/webhooks", &key).await.ok(200)), 0);
    service
        .get(&format!("/api/v1/sessions/{own}"), &key)
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
    let World { service, owner, .. } = world().await;
    service.get("/api/v1/sessions", &owner.key).await.ok(200);
    service
        .identity
        .revoke_api_key(owner.organization, owner.key_id, &Actor::operator())
        .await
        .unwrap();
    service
        .get("/api/v1/sessions", &owner.key)
        .await
        .error(401, "unauthorized");
}

#[tokio::test]
async fn both_headers_carry_a_key() {
    let World { service, owner, .. } = world().await;
    let key = ("x-api-key", owner.key.as_str());
    let bearer = format!("bEaReR {}", owner.key);
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
    let World {
        service,
        owner,
        session,
        ..
    } = world().await;
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
