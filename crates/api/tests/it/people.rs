//! People through HTTP: signing in, organizations, invitations, keys.

use axum::body::Body;
use http::{Method, Request, header};
use serde_json::{Value, json};
use wagate_identity::NewUser;
use wagate_model::{OrganizationId, PlatformRole, Role};

use crate::harness::{Reply, Service};

const PASSWORD: &str = "correct horse battery";

/// A browser: it keeps its cookie, and says that its pages are ours.
struct Browser<'s> {
    service: &'s Service,
    cookie: Option<String>,
}

impl<'s> Browser<'s> {
    const fn new(service: &'s Service) -> Self {
        Self {
            service,
            cookie: None,
        }
    }

    async fn ask(&mut self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "api.example")
            .header("sec-fetch-site", "same-origin")
            .header("user-agent", "test");
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let reply = self.service.request(request.body(body).unwrap()).await;
        if let Some(set) = reply.headers.get(header::SET_COOKIE) {
            let (pair, _) = set.to_str().unwrap().split_once(';').unwrap();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        reply
    }

    async fn get(&mut self, path: &str) -> Reply {
        self.ask(Method::GET, path, None).await
    }

    async fn post(&mut self, path: &str, body: Value) -> Reply {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn log_in(&mut self, email: &str) -> Value {
        let body = json!({ "email": email, "password": PASSWORD });
        self.post("/api/auth/login", body).await.ok(200)
    }
}

/// Makes an account, in an organization where one is given.
async fn user(service: &Service, email: &str, place: Option<(OrganizationId, Role)>) {
    let new = NewUser {
        email: email.parse().unwrap(),
        name: "Ann".into(),
        password: Some(PASSWORD.to_owned().into()),
        platform_role: PlatformRole::User,
        is_email_confirmed: true,
        membership: place,
    };
    service.identity.create_user(new, None).await.unwrap();
}

/// A browser that is signed in as a member of an organization.
async fn signed_in<'s>(
    service: &'s Service,
    email: &str,
    place: Option<(OrganizationId, Role)>,
) -> Browser<'s> {
    user(service, email, place).await;
    let mut browser = Browser::new(service);
    browser.log_in(email).await;
    browser
}

fn token_of(link: &Value) -> String {
    let (_, token) = link.as_str().unwrap().split_once("#token=").unwrap();
    token.to_owned()
}

#[tokio::test]
async fn a_browser_signs_in_and_out() {
    let service = Service::start().await;
    let organization = service.store.organization().await;
    user(
        &service,
        "ann@example.com",
        Some((organization, Role::Admin)),
    )
    .await;
    let mut browser = Browser::new(&service);
    browser
        .get("/api/auth/session")
        .await
        .error(401, "unauthorized");
    let body = json!({ "email": "ANN@example.com", "password": PASSWORD });
    let reply = browser.post("/api/auth/login", body).await;
    let login = reply.ok(200);
    assert_eq!(login["activeOrganizationId"], organization.to_string());
    assert_eq!(login["organizations"][0]["role"], "admin");
    assert_eq!(login["user"]["email"], "ann@example.com");
    let cookie = reply.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(
        cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"),
        "{cookie}"
    );
    let seen = browser.get("/api/auth/session").await.ok(200);
    assert_eq!(seen["id"], login["id"]);

    let mut other = Browser::new(&service);
    other.log_in("ann@example.com").await;
    let logins = other.get("/api/auth/logins").await.ok(200);
    let entries = logins["data"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    let path = format!("/api/auth/logins/{}", login["id"].as_str().unwrap());
    other.ask(Method::DELETE, &path, None).await.ok(204);
    other
        .ask(Method::DELETE, &path, None)
        .await
        .error(404, "not_found");
    // The browser whose login was ended is told to forget it.
    browser
        .get("/api/auth/session")
        .await
        .error(401, "unauthorized");
    assert_eq!(browser.cookie, None);

    let reply = other.post("/api/auth/logout", json!({})).await;
    reply.ok(204);
    assert_eq!(other.cookie, None);
}

#[tokio::test]
async fn a_refused_login_says_why_and_later_when_to_come_again() {
    let service = Service::start().await;
    user(&service, "ann@example.com", None).await;
    let mut browser = Browser::new(&service);
    let mut texts = Vec::new();
    for email in ["nobody@example.com", "ann@example.com"] {
        let body = json!({ "email": email, "password": "a wrong password" });
        let reply = browser.post("/api/auth/login", body).await;
        let error = reply.error(401, "unauthorized");
        assert_eq!(error["details"]["reason"], "wrong_credentials");
        texts.push(reply.bytes);
    }
    assert_eq!(texts[0], texts[1]);
    let body = json!({ "email": "ann@example.com", "password": "a wrong password" });
    for _ in 0..4 {
        browser.post("/api/auth/login", body.clone()).await;
    }
    let reply = browser.post("/api/auth/login", body).await;
    let error = reply.error(429, "rate_limited");
    assert_eq!(error["details"]["retryAfterSeconds"], 1);
    assert_eq!(reply.headers[header::RETRY_AFTER], "1");
}

#[tokio::test]
async fn faults_of_a_body_are_told_together() {
    let service = Service::start().await;
    let mut browser = Browser::new(&service);
    let body = json!({ "email": "x", "password": "p".repeat(10_000), "x": 1 });
    let reply = browser.post("/api/auth/login", body).await;
    let mut faults = reply.faults();
    faults.sort();
    assert_eq!(faults, ["email", "password", "x"]);
    // Closed, it says so whatever the body is.
    let reply = browser.post("/api/auth/sign-up", json!({})).await;
    reply.error(403, "forbidden");
}

#[tokio::test]
async fn pages_of_other_sites_can_do_nothing() {
    let service = Service::start().await;
    let browser = signed_in(&service, "ann@example.com", None).await;
    let cookie = browser.cookie.unwrap();
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
    ] {
        for path in ["/api/auth/logout", "/api/auth/login"] {
            let request = Request::builder()
                .method(Method::POST)
                .uri(path)
                .header("host", "api.example")
                .header(header::COOKIE, &cookie)
                .header(name, value);
            let reply = service
                .request(request.body(Body::from("{}")).unwrap())
                .await;
            reply.error(403, "forbidden");
        }
    }
    let mut browser = Browser {
        service: &service,
        cookie: Some(cookie),
    };
    browser.get("/api/auth/session").await.ok(200);
    // The cookie is for people's routes only.
    browser
        .get("/api/v1/sessions")
        .await
        .error(401, "unauthorized");
}

#[tokio::test]
async fn a_second_factor_is_set_up_and_asked_for() {
    let service = Service::start().await;
    let mut browser = signed_in(&service, "ann@example.com", None).await;
    let body = json!({ "password": PASSWORD });
    let offer = browser.post("/api/auth/totp", body).await.ok(200);
    assert!(offer["url"].as_str().unwrap().starts_with("otpauth://"));
    let wrong = browser
        .post("/api/auth/totp:confirm", json!({ "code": "000000" }))
        .await;
    assert_eq!(wrong.faults(), ["code"]);
    let login = browser.get("/api/auth/session").await.ok(200);
    assert_eq!(login["user"]["secondFactor"], false);
}

#[tokio::test]
async fn an_owner_invites_and_the_invited_works_there() {
    let service = Service::start().await;
    let mut ann = signed_in(&service, "ann@example.com", None).await;
    let body = json!({ "name": "Ünal & Söhne 🚲" });
    let made = ann.post("/api/auth/organizations", body).await.ok(201);
    assert_eq!(made["role"], "owner");
    let place = format!("/api/auth/organizations/{}", made["id"].as_str().unwrap());
    let body = json!({ "organizationId": made["id"] });
    let switched = ann
        .post("/api/auth/session:switch-organization", body)
        .await
        .ok(200);
    assert_eq!(switched["activeOrganizationId"], made["id"]);

    let body = json!({ "email": "bob@example.com" });
    let invitations = format!("{place}/invitations");
    let invitation = ann.post(&invitations, body).await.ok(201);
    let listed = ann.get(&invitations).await.ok(200);
    assert!(listed["data"][0].get("link").is_none());
    let token = token_of(&invitation["link"]);
    let mut bob = Browser::new(&service);
    let preview = bob
        .post("/api/auth/invitations:preview", json!({ "token": token }))
        .await
        .ok(200);
    assert_eq!(preview["organizationName"], "Ünal & Söhne 🚲");
    let incomplete = bob
        .post("/api/auth/invitations:accept", json!({ "token": token }))
        .await;
    assert_eq!(incomplete.faults(), ["name", "password"]);
    let body = json!({ "token": token, "name": "Bob", "password": PASSWORD });
    bob.post("/api/auth/invitations:accept", body).await.ok(200);
    let login = bob.get("/api/auth/session").await.ok(200);
    assert_eq!(login["activeOrganizationId"], made["id"]);

    let members = format!("{place}/members");
    let listed = bob.get(&members).await.ok(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
    let bobs = login["user"]["id"].as_str().unwrap();
    let path = format!("{members}/{bobs}");
    let promote = Some(json!({ "role": "admin" }));
    bob.ask(Method::PATCH, &path, promote.clone())
        .await
        .error(403, "forbidden");
    ann.ask(Method::PATCH, &path, promote).await.ok(200);
    bob.get(&invitations).await.ok(200);
    ann.ask(Method::DELETE, &path, None).await.ok(204);
    bob.get(&members).await.error(404, "not_found");
    let left = ann.post(&format!("{place}:leave"), json!({})).await;
    assert_eq!(
        left.error(409, "conflict")["details"]["reason"],
        "last_owner"
    );
}

#[tokio::test]
async fn keys_are_made_by_people_and_work_until_they_are_revoked() {
    let service = Service::start().await;
    let organization = service.store.organization().await;
    let session = service.store.session(organization).await;
    let mut admin = signed_in(
        &service,
        "ann@example.com",
        Some((organization, Role::Admin)),
    )
    .await;
    let mut member = signed_in(
        &service,
        "bob@example.com",
        Some((organization, Role::Member)),
    )
    .await;
    let keys = format!("/api/auth/organizations/{organization}/api-keys");
    let body = json!({ "name": "CRM", "permissions": ["read", "manage"] });
    member
        .post(&keys, body.clone())
        .await
        .error(403, "forbidden");
    let wrong = json!({
        "name": "", "permissions": [], "sessionIds": ["x"], "expiresAt": 5
    });
    let mut faults = admin.post(&keys, wrong).await.faults();
    faults.sort();
    assert_eq!(
        faults,
        ["expiresAt", "name", "permissions", "sessionIds[0]"]
    );
    let made = admin.post(&keys, body).await.ok(201);
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with(made["prefix"].as_str().unwrap()));
    let seen = service.get("/api/v1/sessions", key).await.ok(200);
    assert_eq!(seen["data"][0]["id"], session.to_string());
    let listed = admin.get(&keys).await.ok(200);
    assert!(listed["data"][0].get("key").is_none());
    // A key manages no keys, whatever it may do.
    service.get(&keys, key).await.error(403, "forbidden");

    let path = format!("{keys}/{}", made["id"].as_str().unwrap());
    for _ in 0..2 {
        admin.ask(Method::DELETE, &path, None).await.ok(204);
    }
    service
        .get("/api/v1/sessions", key)
        .await
        .error(401, "unauthorized");
    let listed = admin.get(&keys).await.ok(200);
    assert!(listed["data"][0]["revokedAt"].is_i64());
}

#[tokio::test]
async fn links_open_pages_that_need_nothing_else() {
    let service = Service::start().await;
    for page in ["reset-password", "invitation", "confirm"] {
        let reply = service.get(&format!("/account/{page}"), "").await;
        assert_eq!(reply.status, 200);
        let policy = reply.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
        let html = String::from_utf8(reply.bytes).unwrap();
        assert!(!html.contains("//"), "{html}");
    }
    let script = service.get("/account/page.js", "").await;
    let script = String::from_utf8(script.bytes).unwrap();
    let document = serde_json::to_value(wagate_api::openapi()).unwrap();
    let mut called = 0;
    for call in script.split("post(\"").skip(1) {
        let (path, _) = call.split_once('"').unwrap();
        let path = &document["paths"][format!("/api/auth/{path}")];
        assert!(path["post"].is_object(), "{call}");
        called += 1;
    }
    assert_eq!(called, 4);
}
