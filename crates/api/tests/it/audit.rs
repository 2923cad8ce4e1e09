//! The audit log: who changes something leaves one line, who reads leaves none.

use http::Method;
use serde_json::{Value, json};
use wagate_cluster::{CommandReply, SessionAction};
use wagate_core::{AuditQuery, Error, Page};
use wagate_model::{
    Actor, ActorKind, AuditAction, Draft, EventKind, Faults, Invitation, InvitationId, MediaId,
    PlatformRole, Role, SessionId,
};
use wagate_store::{Lane, StoreError};

use crate::harness::{Person, Service, Tenant};
use crate::sessions::pair;

/// Operations that change something and leave no line: they change nothing that lasts, or only
/// the person's own browsers.
///
/// What takes the capability `send` leaves none either: it is told on WhatsApp, in messages
/// and events, by the account itself.
const UNTOLD: &[&str] = &[
    "adminStartSessionBackfill",
    "checkContacts",
    "createRealtimeTicket",
    "endLogin",
    "logIn",
    "logOut",
    "offerTotp",
    "previewInvitation",
    "requestPasswordReset",
    "switchOrganization",
    "testWebhook",
];

/// Operations that take a password, a code or a link's secret, which this test has not.
const BY_OTHER_PROOFS: &[&str] = &[
    "acceptInvitation",
    "changePassword",
    "confirmEmail",
    "confirmTotp",
    "disableTotp",
    "renewRecoveryCodes",
    "resetPassword",
    "signUp",
];

/// Operations that read, and leave a line because of what they show.
const TOLD_READS: &[&str] = &["getWebhookSigningSecret"];

struct Request {
    id: String,
    method: Method,
    path: String,
    body: Option<Value>,
    /// Whether it takes the capability `send`.
    is_about_whatsapp: bool,
}

/// A request of each operation in the document, with the body of its example.
fn requests() -> Vec<Request> {
    let document = serde_json::to_value(wagate_api::openapi()).unwrap();
    let mut requests = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let body = &operation["requestBody"]["content"]["application/json"]["example"];
            requests.push(Request {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                body: Some(body.clone()).filter(Value::is_object),
                is_about_whatsapp: operation["x-capability"] == "send",
            });
        }
    }
    assert!(requests.len() > 20);
    requests
}

struct World {
    service: Service,
    tenant: Tenant,
    session: SessionId,
    webhook: String,
    bucket: String,
    media: MediaId,
    delivery: String,
    owner: Person,
    member: Person,
    operator: Person,
    invitation: InvitationId,
}

/// A stopped session without a phone, a webhook with a delivery, an owner, a member, and
/// somebody who is invited.
async fn world() -> World {
    let service = Service::start().await;
    service.gateway.answer(|action| {
        Ok(match action {
            SessionAction::RequestPairingCode { .. } => {
                CommandReply::PairingCode("ABCD-1234".into())
            }
            _ => CommandReply::Done,
        })
    });
    let tenant = service.tenant().await;
    let session = service
        .post("/api/v1/sessions", &tenant.key, json!({}))
        .await;
    let session: SessionId = session.ok(201)["id"].as_str().unwrap().parse().unwrap();
    let hook = json!({ "url": "https://example.com/hook?token=hunter2" });
    let hook = service.post("/api/v1/webhooks", &tenant.key, hook).await;
    let webhook = hook.ok(201)["id"].as_str().unwrap().to_owned();
    let bucket = json!({
        "name": "archive", "endpoint": "https://s3.example", "bucket": "archive",
        "accessKey": "AKIA", "secretKey": "hunter2",
    });
    let bucket = service
        .post("/api/v1/storage/buckets", &tenant.key, bucket)
        .await;
    let bucket = bucket.ok(201)["id"].as_str().unwrap().to_owned();
    let media = service.attach(session, "offer.pdf").await;
    let payload = vec![json!({})];
    service
        .commit(tenant.organization, session, EventKind::Message, payload)
        .await;
    let deliveries = format!("/api/v1/webhooks/{webhook}/deliveries");
    let deliveries = service.get(&deliveries, &tenant.key).await.ok(200);
    let organization = tenant.organization;
    let person = async |role| {
        let membership = Some((organization, role));
        service.person(membership, PlatformRole::User).await
    };
    let (owner, member) = (person(Role::Owner).await, person(Role::Member).await);
    let operator = service.person(None, PlatformRole::SuperAdmin).await;
    let invitation = Invitation {
        id: InvitationId::from_parts(1, 1),
        organization_id: organization,
        email: "carol@example.com".parse().unwrap(),
        role: Role::Member,
        invited_by: "Ann".into(),
        created_at: 0,
        expires_at: i64::MAX,
    };
    let id = invitation.id;
    service
        .store
        .write::<_, StoreError, _>(organization, move |tx| {
            Box::pin(async move { tx.put_invitation(organization, &invitation, &[1; 32]).await })
        })
        .await
        .unwrap();
    World {
        owner,
        member,
        operator,
        invitation: id,
        delivery: deliveries["data"][0]["id"].as_str().unwrap().to_owned(),
        service,
        tenant,
        session,
        webhook,
        bucket,
        media,
    }
}

impl World {
    fn path(&self, template: &str) -> String {
        template
            .replace("{session}", &self.session.to_string())
            .replace("{id}", &self.webhook)
            .replace("{bucket}", &self.bucket)
            .replace("{media}", &self.media.to_string())
            .replace("{cid}", "15551234567")
            .replace("{deliveryId}", &self.delivery)
            .replace("{organization}", &self.tenant.organization.to_string())
            .replace("{user}", &self.member.id.to_string())
            .replace("{invitation}", &self.invitation.to_string())
            .replace("{key}", &self.tenant.key_id.to_string())
            .replace("{label}", "7")
            .replace("{login}", "login_01J9ZX8K2QHV0M3T6R7P4N5W8C")
    }

    /// Who carries an operation out, with the header that says so.
    async fn credential(&self, request: &Request) -> ((&'static str, String), Actor) {
        let person = match request.id.as_str() {
            // An owner cannot.
            "leaveOrganization" => &self.member,
            _ => &self.owner,
        };
        if request.path.starts_with("/api/auth") {
            return (("cookie", person.cookie.clone()), person.caller.actor());
        }
        if request.path.starts_with("/api/v1/admin") {
            let cookie = ("cookie", self.operator.cookie.clone());
            let token = self
                .service
                .call_with(cookie, Method::GET, "/api/auth/token", None)
                .await
                .ok(200);
            let token = format!("Bearer {}", token["token"].as_str().unwrap());
            return (("authorization", token), self.operator.caller.actor());
        }
        let actor = Actor {
            id: self.tenant.key_id.to_string(),
            kind: ActorKind::ApiKey,
            name: "test".into(),
        };
        (("x-api-key", self.tenant.key.clone()), actor)
    }

    /// The example of the document, about somebody who is there.
    fn body(&self, request: &Request) -> Option<Value> {
        let mut body = request.body.clone();
        if let Some(user) = body.as_mut().and_then(|body| body.get_mut("userId")) {
            *user = json!(self.member.id);
        }
        if let Some(bucket) = body.as_mut().and_then(|body| body.get_mut("bucketId")) {
            *bucket = json!(self.bucket);
        }
        if let Some(at) = body.as_mut().and_then(|body| body.get_mut("expiresAt")) {
            *at = json!(self.service.store.now_ms() + 1_000_000);
        }
        body
    }

    /// What has to be so for an operation to change something.
    async fn prepare(&self, id: &str) {
        match id {
            "logoutSession" => pair(&self.service, self.session).await,
            "stopSession" => {
                let start = self.path("/api/v1/sessions/{session}:start");
                let started = self
                    .service
                    .call(Method::POST, &start, &self.tenant.key, None);
                started.await.ok(200);
            }
            "replayWebhook" => {
                let given_up = "UPDATE webhook_delivery SET status = 'dead'";
                self.service.store.execute(given_up).await;
            }
            "adminUnbanUser" | "adminRemoveUserTotp" => {
                let user = self.member.id;
                self.service
                    .store
                    .write::<_, StoreError, _>(Lane::SHARED, move |tx| {
                        Box::pin(async move {
                            let mut admin = tx.admin();
                            admin.set_ban(user, None, true, 1).await?;
                            admin.offer_totp(user, b"secret").await?;
                            admin.confirm_totp(user, 1).await
                        })
                    })
                    .await
                    .unwrap();
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn each_change_leaves_one_line_and_no_reading_does() {
    let mut changes = 0;
    let quiet = world().await;
    for request in requests() {
        if BY_OTHER_PROOFS.contains(&request.id.as_str()) {
            continue;
        }
        // What reads does not need a world of its own.
        let fresh = match request.method {
            Method::GET => None,
            _ => Some(world().await),
        };
        let world = fresh.as_ref().unwrap_or(&quiet);
        world.prepare(&request.id).await;
        let before = world.service.lines().await;
        let (credential, actor) = world.credential(&request).await;
        let (method, path) = (request.method.clone(), world.path(&request.path));
        let reply = world
            .service
            .call_with(credential, method, &path, world.body(&request))
            .await;
        let mut lines = world.service.lines().await;
        lines.retain(|line| !before.contains(line));
        let name = request.id.as_str();
        let expected = match name {
            // Its maker joins it.
            "createOrganization" => 2,
            _ if request.method == Method::GET => usize::from(TOLD_READS.contains(&name)),
            _ if request.is_about_whatsapp => 0,
            _ => usize::from(!UNTOLD.contains(&name)),
        };
        assert_eq!(lines.len(), expected, "{name}: {}: {lines:?}", reply.status);
        let Some(line) = lines.pop() else { continue };
        changes += 1;
        assert!(reply.status.is_success(), "{name}: {}", reply.status);
        let organization = Some(world.tenant.organization);
        // A new organization has a log of its own, one that has ended has none any more; a
        // person may be of several, or of none.
        if !request.path.starts_with("/api/v1/admin/users") {
            let is_own = line.organization_id == organization;
            let is_elsewhere = ["createOrganization", "deleteOrganization"].contains(&name);
            assert_eq!(is_own, !is_elsewhere, "{name}");
        }
        assert_eq!(line.actor, actor, "{name}");
        // The details hold names and switches, nothing of what was said or where it goes.
        let details = serde_json::to_string(&line.details).unwrap();
        for secret in ["hunter2", "15551234567", "example.com/", "Support", "Sales"] {
            assert!(!details.contains(secret), "{name}: {details}");
        }
    }
    assert!(changes > 20, "{changes}");
}

#[tokio::test]
async fn what_changes_nothing_leaves_no_line() {
    let world = world().await;
    let (service, key) = (&world.service, &world.tenant.key);
    let session = world.path("/api/v1/sessions/{session}");
    let hook = world.path("/api/v1/webhooks/{id}");
    let current = service.get(&session, key).await.ok(200);
    let before = service.lines().await.len();
    for (method, path, body, status) in [
        (
            Method::PATCH,
            session.clone(),
            Some(json!({ "label": "", "ratePerMin": current["ratePerMin"] })),
            200,
        ),
        (Method::POST, format!("{session}:stop"), None, 200),
        (Method::POST, format!("{session}:logout"), None, 200),
        (
            Method::PATCH,
            hook.clone(),
            Some(json!({ "active": true })),
            200,
        ),
        (
            Method::PATCH,
            hook.clone(),
            Some(json!({ "url": "x" })),
            400,
        ),
    ] {
        service.call(method, &path, key, body).await.ok(status);
    }
    assert_eq!(service.lines().await.len(), before);
    // And names of what does change are told.
    let change = json!({ "label": "A", "autoRead": current["autoRead"], "ratePerHour": 7 });
    let changed = service.call(Method::PATCH, &session, key, Some(change));
    changed.await.ok(200);
    let change = json!({ "active": true, "secret": "s3cret", "events": ["message"] });
    let changed = service.call(Method::PATCH, &hook, key, Some(change));
    changed.await.ok(200);
    let lines = service.lines().await;
    let details = |action| {
        let line = lines.iter().find(|line| line.action == action).unwrap();
        Value::from(line.details.clone())
    };
    assert_eq!(
        details(AuditAction::SessionUpdated),
        json!({ "settings": ["label", "ratePerHour"] })
    );
    assert_eq!(
        details(AuditAction::WebhookUpdated),
        json!({ "fields": ["events", "secret"] })
    );
    // A secret that is never shown leaves nothing either.
    let count = service.lines().await.len();
    let secret = service.get(&format!("{hook}/signing-secret"), key).await;
    assert!(!secret.status.is_server_error());
    assert_eq!(service.lines().await.len(), count);
}

fn query(change: impl FnOnce(&mut AuditQuery)) -> Draft<AuditQuery> {
    let mut query = AuditQuery::default();
    change(&mut query);
    Draft::new(query, Faults::new())
}

#[tokio::test]
async fn administrators_read_it_in_pages() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let stranger = service.tenant().await;
    let membership = |role| Some((tenant.organization, role));
    let admin = service
        .person(membership(Role::Admin), PlatformRole::User)
        .await;
    for _ in 0..3 {
        service.store.clock.advance_ms(1);
        service
            .post("/api/v1/sessions", &tenant.key, json!({}))
            .await
            .ok(201);
    }
    let mut pages = Vec::new();
    let mut cursor = None;
    loop {
        let page = Page { limit: 3, cursor };
        let list = service
            .core
            .list_audit(&admin.caller, query(|query| query.page = page))
            .await
            .unwrap();
        pages.push(list.data.iter().map(|line| line.action).collect::<Vec<_>>());
        cursor = list.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    let (made, key) = (AuditAction::SessionCreated, AuditAction::ApiKeyCreated);
    assert_eq!(pages, [vec![made; 3], vec![key]]);
    let found = async |change: &dyn Fn(&mut AuditQuery)| {
        let list = service.core.list_audit(&admin.caller, query(change)).await;
        list.unwrap().data.len()
    };
    let by_key = tenant.key_id.to_string();
    assert_eq!(found(&|query| query.actor = Some(by_key.clone())).await, 3);
    let created = |query: &mut AuditQuery| query.action = Some("api_key.created".into());
    assert_eq!(found(&created).await, 1);
    assert_eq!(
        found(&|query| query.resource = Some(by_key.clone())).await,
        1
    );
    // The JSON is that of the document.
    let list = service
        .core
        .list_audit(&admin.caller, query(created))
        .await
        .unwrap();
    let json = serde_json::to_value(&list).unwrap();
    let line = &json["data"][0];
    assert_eq!(line["organizationId"], tenant.organization.to_string());
    assert_eq!(line["actor"]["kind"], "operator");
    assert_eq!(line["resourceId"], by_key);
    assert_eq!(line["details"]["name"], "test");
    assert!(line["createdAt"].is_i64());
    // Who may not, and what is wrong.
    let member = service
        .person(membership(Role::Member), PlatformRole::User)
        .await;
    let program = service.core.authenticate(&tenant.key).await.unwrap();
    for caller in [&member.caller, &program] {
        let refused = service.core.list_audit(caller, query(|_| ())).await;
        assert!(matches!(refused, Err(Error::Forbidden)));
    }
    let of_another = service
        .person(
            Some((stranger.organization, Role::Owner)),
            PlatformRole::User,
        )
        .await;
    let first = Page {
        limit: 1,
        cursor: None,
    };
    let list = service
        .core
        .list_audit(&admin.caller, query(|query| query.page = first))
        .await
        .unwrap();
    let forged = Page {
        limit: 1,
        cursor: list.next_cursor,
    };
    let refused = service
        .core
        .list_audit(&of_another.caller, query(|query| query.page = forged))
        .await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    let wrong = query(|query| query.action = Some("session.eaten".into()));
    let refused = service.core.list_audit(&admin.caller, wrong).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
}
