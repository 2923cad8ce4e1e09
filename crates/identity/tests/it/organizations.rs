use wagate_identity::IdentityError;
use wagate_model::{Actor, OrganizationId};

use crate::harness::Service;

#[tokio::test]
async fn organizations_are_made_listed_and_found() {
    let service = &Service::start().await;
    let first = service
        .identity
        .create_organization(" Acme ", &Actor::operator())
        .await
        .unwrap();
    service.clock.advance_ms(1);
    let second = service
        .identity
        .create_organization("Beta", &Actor::operator())
        .await
        .unwrap();
    assert_eq!(first.name, "Acme");
    assert_eq!(
        service.identity.organization(first.id).await.unwrap(),
        first
    );
    assert_eq!(
        service.identity.organizations().await.unwrap(),
        [first, second]
    );
    let unknown = OrganizationId::from_parts(1, 1);
    let missing = service.identity.organization(unknown).await;
    assert!(matches!(missing, Err(IdentityError::NotFound)));
}

#[tokio::test]
async fn names_are_checked() {
    let service = &Service::start().await;
    for name in ["", "  ", "a\0b", &"x".repeat(101)] {
        let refused = service
            .identity
            .create_organization(name, &Actor::operator())
            .await;
        assert!(
            matches!(refused, Err(IdentityError::Invalid(_))),
            "{name:?}"
        );
    }
}

#[tokio::test]
async fn the_default_organization_is_made_once_also_when_asked_for_together() {
    let service = &Service::start().await;
    let asking = (0..8).map(|_| service.identity.ensure_default_organization());
    let given: Vec<_> = futures::future::join_all(asking)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert!(given.iter().all(|organization| *organization == given[0]));
    assert_eq!(service.identity.organizations().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_existing_organization_is_the_default() {
    let service = &Service::start().await;
    let made = service
        .identity
        .create_organization("Acme", &Actor::operator())
        .await
        .unwrap();
    assert_eq!(
        service
            .identity
            .ensure_default_organization()
            .await
            .unwrap(),
        made
    );
}
