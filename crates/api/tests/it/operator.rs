//! The operator of the installation, who reaches every organization.

use serde_json::json;
use wagate_core::{AuditQuery, Error};
use wagate_model::{
    AuditAction, CreateSession, Draft, Faults, PlatformRole, Role, StorageBucketBody, WebhookBody,
};

use crate::harness::{Service, UNKNOWN};

#[tokio::test]
async fn every_organizations_sessions_and_webhooks_are_reached() {
    let service = Service::start().await;
    let (first, second) = (service.tenant().await, service.tenant().await);
    let operator = service.person(None, PlatformRole::SuperAdmin).await;
    let owner = service
        .person(Some((second.organization, Role::Owner)), PlatformRole::User)
        .await;
    let mut sessions = Vec::new();
    for tenant in [&first, &second] {
        let session = service.store.session(tenant.organization).await;
        sessions.push(session);
        let hook = json!({ "url": "https://example.com/" });
        let hook = service.post("/api/v1/webhooks", &tenant.key, hook).await;
        let hook = hook.ok(201)["id"].as_str().unwrap().to_owned();
        let opened = service
            .core
            .open_session(&operator.caller, &session.to_string())
            .await
            .unwrap();
        assert_eq!(opened.organization_id(), tenant.organization);
        let opened = service.core.open_webhook(&operator.caller, &hook).await;
        let webhook = service.core.get_webhook(opened.unwrap());
        assert_eq!(webhook.organization_id, tenant.organization);
        let is_own = tenant.organization == second.organization;
        let by_owner = service
            .core
            .open_session(&owner.caller, &session.to_string())
            .await;
        assert_eq!(by_owner.is_ok(), is_own);
        let by_owner = service.core.open_webhook(&owner.caller, &hook).await;
        assert_eq!(by_owner.is_ok(), is_own);
    }
    let unknown = service.core.open_session(&operator.caller, UNKNOWN).await;
    assert!(matches!(unknown, Err(Error::NotFound(_))));
    let all = service.core.admin_list_sessions(&operator.caller).await;
    let mut all: Vec<_> = all.unwrap().data.iter().map(|session| session.id).collect();
    all.sort();
    sessions.sort();
    assert_eq!(all, sessions);
    // What the operator does is in the log of whose it is.
    let session = service
        .core
        .open_session(&operator.caller, &sessions[0].to_string())
        .await
        .unwrap();
    service.store.clock.advance_ms(1);
    service.core.delete_session(&session).await.unwrap();
    let line = service.lines().await.remove(0);
    assert_eq!(line.action, AuditAction::SessionDeleted);
    assert_eq!(line.organization_id, Some(session.organization_id()));
    assert_eq!(line.actor.id, operator.id.to_string());
}

#[tokio::test]
async fn without_an_active_organization_nothing_is_made_whatever_the_request_says() {
    let service = Service::start().await;
    let operator = service.person(None, PlatformRole::SuperAdmin).await;
    let (core, caller) = (&service.core, &operator.caller);
    let faults = || Faults::one("label", "is wrong");
    let session = Draft::new(CreateSession::default(), faults());
    let session = core.create_session(caller, session).await;
    assert!(matches!(session, Err(Error::Forbidden)));
    let webhook = Draft::new(WebhookBody::default(), faults());
    let webhook = core.create_webhook(caller, webhook).await;
    assert!(matches!(webhook, Err(Error::Forbidden)));
    let bucket = Draft::new(StorageBucketBody::default(), faults());
    let bucket = core.create_bucket(caller, bucket).await;
    assert!(matches!(bucket, Err(Error::Forbidden)));
}

#[tokio::test]
async fn nobody_else_sees_the_installation() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let owner = service
        .person(Some((tenant.organization, Role::Owner)), PlatformRole::User)
        .await;
    let operator = service.person(None, PlatformRole::SuperAdmin).await;
    let program = service.core.authenticate(&tenant.key).await.unwrap();
    let query = || Draft::new(AuditQuery::default(), Faults::new());
    for caller in [&owner.caller, &program] {
        let sessions = service.core.admin_list_sessions(caller).await;
        assert!(matches!(sessions, Err(Error::Forbidden)));
        let audit = service.core.admin_list_audit(caller, query()).await;
        assert!(matches!(audit, Err(Error::Forbidden)));
    }
    let audit = service
        .core
        .admin_list_audit(&operator.caller, query())
        .await
        .unwrap();
    assert_eq!(audit.data, service.lines().await);
    // Without an active organization there is none whose log it could be.
    let none = service.core.list_audit(&operator.caller, query()).await;
    assert!(matches!(none, Err(Error::Forbidden)));
}
