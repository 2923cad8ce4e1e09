//! The end of an organization, as its clients and its gateways notice it.

use serde_json::json;
use wagate_cluster::{CommandReply, Refusal};
use wagate_core::{Error, StreamItem, StreamScope, TicketRequest};
use wagate_model::{Actor, AuditAction, Draft, Faults, PlatformRole, Role};

use crate::harness::{Service, refuse};

fn request(session: Option<String>) -> Draft<TicketRequest> {
    let request = TicketRequest {
        scope: match session {
            Some(_) => StreamScope::Session,
            None => StreamScope::Organization,
        },
        session,
        ..TicketRequest::default()
    };
    Draft::new(request, Faults::new())
}

#[tokio::test]
async fn nobody_comes_in_and_everybody_inside_is_let_out() {
    let service = Service::start().await;
    let (gone, kept) = (service.tenant().await, service.tenant().await);
    let session = service.store.session(gone.organization).await;
    service.store.session(gone.organization).await;
    service.store.claim(session).await;
    let member = service
        .person(Some((gone.organization, Role::Member)), PlatformRole::User)
        .await;
    // The operator has one of its sessions open, and is no member.
    let operator = service.person(None, PlatformRole::SuperAdmin).await;
    let program = service.core.authenticate(&gone.key).await.unwrap();
    let core = &service.core;
    let mut streams = Vec::new();
    for (caller, session) in [
        (&program, None),
        (&member.caller, None),
        (&operator.caller, Some(session.to_string())),
    ] {
        let ticket = core.create_ticket(caller, request(session)).await.unwrap();
        let found = core.find_ticket(&ticket.secret).await.unwrap();
        streams.push(core.open_stream(found).await.unwrap());
    }
    let unused = core.create_ticket(&program, request(None)).await.unwrap();
    service.gateway.asked();
    service.store.clock.advance_ms(1);
    core.end_organization(gone.organization, &Actor::operator())
        .await
        .unwrap();
    assert_eq!(
        service.gateway.asked(),
        ["delete"],
        "only where one owned it"
    );
    for path in ["sessions", "webhooks", "events"] {
        let path = format!("/api/v1/{path}");
        service
            .get(&path, &gone.key)
            .await
            .error(401, "unauthorized");
        service.get(&path, &kept.key).await.ok(200);
    }
    let found = core.find_ticket(&unused.secret).await;
    assert!(matches!(found, Err(Error::Unauthorized)), "{found:?}");
    let operators = streams.pop().unwrap();
    assert!(!operators.is_permitted().await.unwrap());
    for mut stream in streams {
        assert_eq!(stream.next().await.unwrap(), StreamItem::Revoked);
    }
    // With a credential that is still remembered somewhere, there is nothing to see or change.
    assert_eq!(core.list_sessions(&program).await.unwrap().data, []);
    assert_eq!(core.list_webhooks(&program).await.unwrap().data, []);
    let new = Draft::new(wagate_model::CreateSession::default(), Faults::new());
    let refused = core.create_session(&program, new).await;
    assert!(matches!(refused, Err(Error::Unauthorized)), "{refused:?}");
    let refused = core.create_ticket(&program, request(None)).await;
    assert!(matches!(refused, Err(Error::Unauthorized)), "{refused:?}");
    let session = session.to_string();
    let opened = core.open_session(&operator.caller, &session).await;
    assert!(matches!(opened, Err(Error::NotFound(_))));
    let line = service.lines().await.remove(0);
    assert_eq!(line.action, AuditAction::OrganizationDeleted);
    assert_eq!(line.organization_id, None);
    assert_eq!(line.resource_id, gone.organization.to_string());
    assert_eq!(json!(line.details), json!({ "name": "Test" }));
    let actor = Actor::operator();
    let again = core.end_organization(gone.organization, &actor).await;
    assert!(matches!(again, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn an_owner_that_does_not_answer_holds_nothing_up() {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    for _ in 0..3 {
        let session = service.store.session(tenant.organization).await;
        service.store.claim(session).await;
    }
    service.gateway.answer(refuse(Refusal::Unavailable));
    service
        .core
        .end_organization(tenant.organization, &Actor::operator())
        .await
        .unwrap();
    assert_eq!(service.gateway.asked(), ["delete"; 3]);
    service.gateway.answer(|_| Ok(CommandReply::Done));
    let mut tx = service.store.read().await.unwrap();
    assert!(tx.admin().sessions().await.unwrap().is_empty());
}
