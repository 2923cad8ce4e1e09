use wagate_identity::{IdentityError, NewApiKey};
use wagate_model::{Actor, ApiKeyId, Capabilities, Capability, OrganizationId, SessionId};

use crate::harness::{Service, new_key};

#[tokio::test]
async fn keys_are_made_listed_and_shown_once() {
    let service = &Service::start().await;
    let organization = service.organization("Acme").await;
    let other = service.organization("Beta").await;
    let created = service
        .identity
        .create_api_key(organization, new_key("ci"), &Actor::operator())
        .await
        .unwrap();
    let text = created.secret.reveal();
    assert!(text.starts_with("wa_"));
    assert!(text.starts_with(&created.key.hint));
    assert!(!format!("{created:?}").contains(&text));
    let listed = service.identity.api_keys(organization).await.unwrap();
    assert_eq!(listed, [created.key]);
    assert!(!format!("{listed:?}").contains(&text));
    assert_eq!(service.identity.api_keys(other).await.unwrap(), []);
}

#[tokio::test]
async fn every_fault_of_a_key_is_told() {
    let service = &Service::start().await;
    let organization = service.organization("Acme").await;
    let wrong = NewApiKey {
        name: String::new(),
        capabilities: Capabilities::NONE,
        session_ids: Some(Vec::new()),
        expires_at: Some(service.now_ms()),
    };
    let refused = service
        .identity
        .create_api_key(organization, wrong, &Actor::operator())
        .await;
    let error = refused.unwrap_err();
    assert!(error.to_string().starts_with("name must not be empty; "));
    let IdentityError::Invalid(faults) = error else {
        panic!("the key should be refused for its faults");
    };
    let fields: Vec<_> = faults
        .into_vec()
        .into_iter()
        .map(|fault| fault.field)
        .collect();
    assert_eq!(fields, ["name", "permissions", "expiresAt", "sessionIds"]);
}

#[tokio::test]
async fn a_key_is_bound_to_sessions_of_its_organization_only() {
    let service = &Service::start().await;
    let organization = service.organization("Acme").await;
    let other = service.organization("Beta").await;
    let own = service.session(organization).await;
    let foreign = service.session(other).await;
    let bound_to = |session_ids: &[SessionId]| NewApiKey {
        session_ids: Some(session_ids.to_vec()),
        ..new_key("bound")
    };
    let created = service
        .identity
        .create_api_key(organization, bound_to(&[own]), &Actor::operator())
        .await
        .unwrap();
    let caller = service.key_principal(&created).await;
    assert!(caller.reaches(own));
    assert!(!caller.reaches(foreign));

    let unknown = SessionId::from_parts(1, 1);
    let refused = service
        .identity
        .create_api_key(
            organization,
            bound_to(&[own, foreign, unknown]),
            &Actor::operator(),
        )
        .await;
    let Err(IdentityError::Invalid(faults)) = refused else {
        panic!("the key should be refused");
    };
    let faults = faults.into_vec();
    let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(fields, ["sessionIds[1]", "sessionIds[2]"]);
    assert_eq!(faults[0].message, faults[1].message);
}

#[tokio::test]
async fn a_key_grants_what_it_was_given() {
    let service = &Service::start().await;
    let organization = service.organization("Acme").await;
    let new = NewApiKey {
        capabilities: [Capability::Read, Capability::Events].into_iter().collect(),
        ..new_key("reader")
    };
    let created = service
        .identity
        .create_api_key(organization, new, &Actor::operator())
        .await
        .unwrap();
    let caller = service.key_principal(&created).await;
    assert_eq!(
        (caller.key_id, caller.organization_id),
        (created.key.id, organization)
    );
    assert!(caller.may(Capability::Read) && caller.may(Capability::Events));
    assert!(!caller.may(Capability::Send) && !caller.may(Capability::Manage));
}

#[tokio::test]
async fn unknown_and_foreign_keys_and_organizations_are_not_found() {
    let service = &Service::start().await;
    let organization = service.organization("Acme").await;
    let other = service.organization("Beta").await;
    let created = service
        .identity
        .create_api_key(organization, new_key("ci"), &Actor::operator())
        .await
        .unwrap();
    let identity = &service.identity;

    let foreign = identity
        .revoke_api_key(other, created.key.id, &Actor::operator())
        .await;
    assert!(matches!(foreign, Err(IdentityError::NotFound)));
    let unknown = identity
        .revoke_api_key(organization, ApiKeyId::from_parts(1, 1), &Actor::operator())
        .await;
    assert!(matches!(unknown, Err(IdentityError::NotFound)));
    assert!(
        identity
            .authenticate(&created.secret.reveal())
            .await
            .is_ok()
    );

    let nowhere = OrganizationId::from_parts(1, 1);
    let orphan = identity
        .create_api_key(nowhere, new_key("ci"), &Actor::operator())
        .await;
    assert!(matches!(orphan, Err(IdentityError::NotFound)));
}
