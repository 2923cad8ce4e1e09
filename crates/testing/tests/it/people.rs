//! People through the whole service: signed in, given a role, and shut out at once.

use reqwest::Method;
use serde_json::json;
use wagate_testing::{Person, TestSandbox};

#[tokio::test]
async fn a_person_runs_a_number_by_login_alone() {
    let sandbox = TestSandbox::start().await;
    let ann = Person::sign_up(&sandbox.api, "ann@example.com").await;
    // Without an organization there is nothing to see.
    let nobody = ann.api().await;
    let refused = nobody.call(Method::GET, "/api/v1/sessions", None).await;
    refused.expect(403);
    ann.found("Ünal & Söhne").await;
    let api = ann.api().await;
    let session = api.create_session().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    sandbox.simulated.scan(alice, &session.qr().await).await;
    session.wait_for_status("working").await;
    session.send_text(bob, "by login").await;
    sandbox
        .simulated
        .wait_for(bob, |message| message.body() == "by login")
        .await;
    let row = session.row().await;
    assert_eq!(row["createdByUserId"], ann.id().await);
    // Nobody of another organization sees it: nor the demo key, nor its owner's lists.
    let path = session.path("");
    let foreign = sandbox.api.call(Method::GET, &path, None).await;
    foreign.expect(404);
    // The operator does, by its id and in the list of all.
    let operator = sandbox.operator().await.api().await;
    assert_eq!(operator.get(&path).await["id"], row["id"]);
    let all = operator.get("/api/v1/admin/sessions").await;
    assert_eq!(all["data"].as_array().unwrap().len(), 1);
    let own = operator.get("/api/v1/sessions").await;
    assert!(own["data"].as_array().unwrap().is_empty());
    let refused = api.call(Method::GET, "/api/v1/admin/sessions", None).await;
    refused.expect(403);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_banned_user_is_out_at_once() {
    let sandbox = TestSandbox::start().await;
    let ann = Person::sign_up(&sandbox.api, "ann@example.com").await;
    ann.found("Acme").await;
    let (api, id) = (ann.api().await, ann.id().await);
    let mut socket = api.realtime(&json!({})).await;
    api.get("/api/v1/sessions").await;
    let operator = sandbox.operator().await.api().await;
    let ban = format!("/api/v1/admin/users/{id}:ban");
    let banned = operator.post(&ban, &json!({ "reason": "spam" })).await;
    assert!(banned.expect(200)["bannedAt"].is_i64());
    // In this process from the answer on.
    let refused = api.call(Method::GET, "/api/v1/sessions", None).await;
    refused.expect(401);
    let farewell = socket.wait_for(|frame| frame["event"] == "error").await;
    assert_eq!(farewell["error"], "unauthorized");
    ann.call(Method::GET, "/api/auth/session", None)
        .await
        .expect(401);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_role_counts_as_it_is_now() {
    let sandbox = TestSandbox::start().await;
    let ann = Person::sign_up(&sandbox.api, "ann@example.com").await;
    let bob = Person::sign_up(&sandbox.api, "bob@example.com").await;
    let acme = ann.found("Acme").await;
    bob.join(&ann, &acme, "bob@example.com", "admin").await;
    let (api, id) = (bob.api().await, bob.id().await);
    api.get("/api/v1/sessions").await;
    api.get("/api/v1/audit").await;
    let mut socket = api.realtime(&json!({})).await;
    let member = format!("/api/auth/organizations/{acme}/members/{id}");
    let body = json!({ "role": "member" });
    ann.call(Method::PATCH, &member, Some(&body))
        .await
        .expect(200);
    // The same token, which says `admin`.
    let refused = api.call(Method::GET, "/api/v1/sessions", None).await;
    refused.expect(403);
    let refused = api.call(Method::GET, "/api/v1/audit", None).await;
    refused.expect(403);
    api.get("/api/v1/events").await;
    // What a member may have stays open, until there is no member.
    let by_ann = ann.api().await;
    by_ann.create_session().await;
    ann.call(Method::DELETE, &member, None).await.expect(204);
    let farewell = socket.wait_for(|frame| frame["event"] == "error").await;
    assert_eq!(farewell["error"], "unauthorized");
    let refused = api.call(Method::GET, "/api/v1/events", None).await;
    refused.expect(403);
    sandbox.stop().await;
}

#[tokio::test]
async fn logging_out_ends_the_tokens_made_from_it() {
    let sandbox = TestSandbox::start().await;
    let ann = Person::sign_up(&sandbox.api, "ann@example.com").await;
    ann.found("Acme").await;
    let api = ann.api().await;
    api.get("/api/v1/sessions").await;
    ann.post("/api/auth/logout", &json!({})).await.expect(204);
    let refused = api.call(Method::GET, "/api/v1/sessions", None).await;
    refused.expect(401);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_deleted_organization_is_gone_with_its_numbers_and_no_other() {
    let sandbox = TestSandbox::start().await;
    let (alice, bob) = (&sandbox.phones[0], &sandbox.phones[1]);
    let kept = sandbox.pair(bob).await;
    let ann = Person::sign_up(&sandbox.api, "ann@example.com").await;
    let acme = ann.found("Acme").await;
    let api = ann.api().await;
    let session = api.create_session().await;
    sandbox.simulated.scan(alice, &session.qr().await).await;
    session.wait_for_status("working").await;
    let keys = format!("/api/auth/organizations/{acme}/api-keys");
    let body = json!({ "name": "CRM", "permissions": ["read", "manage", "events"] });
    let key = ann.post(&keys, &body).await.expect(201);
    let by_key = sandbox.api.with_key(key["key"].as_str());
    let mut socket = by_key.realtime(&json!({})).await;

    let path = format!("/api/auth/organizations/{acme}");
    ann.call(Method::DELETE, &path, None).await.expect(204);
    let refused = by_key.call(Method::GET, "/api/v1/sessions", None).await;
    refused.expect(401);
    let refused = api.call(Method::GET, "/api/v1/sessions", None).await;
    refused.expect(403);
    let gone = ann.call(Method::GET, &path, None).await;
    gone.expect(404);
    let farewell = socket.wait_for(|frame| frame["event"] == "error").await;
    assert_eq!(farewell["error"], "unauthorized");
    // The other organization's number goes on.
    kept.send_text(alice, "still here").await;
    sandbox
        .simulated
        .wait_for(alice, |message| message.body() == "still here")
        .await;
    let log = sandbox.operator().await.api().await;
    let query = format!("/api/v1/admin/audit?resource={acme}&action=organization.deleted");
    let lines = log.get(&query).await;
    assert_eq!(lines["data"].as_array().unwrap().len(), 1);
    sandbox.stop().await;
}
