use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use wagate_identity::{AuthError, NewApiKey};
use wagate_model::{Actor, ApiKeyId, ApiKeySecret, OrganizationId};

use crate::harness::{Service, new_key};

async fn created(service: &Service) -> (OrganizationId, ApiKeyId, String) {
    let organization = service.organization("Acme").await;
    let created = service
        .identity
        .create_api_key(organization, new_key("ci"), &Actor::operator())
        .await
        .unwrap();
    (organization, created.key.id, created.secret.reveal())
}

async fn last_used_at(service: &Service, organization: OrganizationId) -> Option<i64> {
    service.identity.api_keys(organization).await.unwrap()[0].last_used_at
}

#[tokio::test]
async fn wrong_texts_and_unknown_keys_are_refused() {
    let service = &Service::start().await;
    let (_, _, good) = created(service).await;
    for text in [
        "",
        "wa_",
        "Bearer x",
        &good[..good.len() - 1],
        &format!("{good}A"),
    ] {
        let refused = service.identity.authenticate(text).await;
        assert!(matches!(refused, Err(AuthError::Malformed)), "{text}");
    }
    let unknown = ApiKeySecret::from_bytes([1; 32]).reveal();
    for _ in 0..2 {
        let refused = service.identity.authenticate(&unknown).await;
        assert!(matches!(refused, Err(AuthError::Unknown)));
    }
    assert!(service.identity.authenticate(&good).await.is_ok());
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once() {
    let service = &Service::start().await;
    let (organization, id, text) = created(service).await;
    let identity = &service.identity;
    assert!(identity.authenticate(&text).await.is_ok());
    identity
        .revoke_api_key(organization, id, &Actor::operator())
        .await
        .unwrap();
    assert!(matches!(
        identity.authenticate(&text).await,
        Err(AuthError::Revoked)
    ));
    let listed = identity.api_keys(organization).await.unwrap();
    assert!(listed[0].revoked_at.is_some());
    identity
        .revoke_api_key(organization, id, &Actor::operator())
        .await
        .unwrap();
    assert_eq!(identity.api_keys(organization).await.unwrap(), listed);
}

#[tokio::test]
async fn no_caller_gets_in_after_a_revocation_however_many_there_are() {
    let service = &Service::start().await;
    let (organization, id, text) = created(service).await;
    let calls = (0..50).map(|_| {
        let (identity, text) = (service.identity.clone(), text.clone());
        tokio::spawn(async move {
            while identity.authenticate(&text).await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
    });
    let calls: Vec<_> = calls.collect();
    service
        .identity
        .revoke_api_key(organization, id, &Actor::operator())
        .await
        .unwrap();
    let after = service.identity.authenticate(&text).await;
    assert!(matches!(after, Err(AuthError::Revoked)));
    // Each of them is refused from now on, so each of them ends.
    futures::future::join_all(calls)
        .await
        .into_iter()
        .for_each(Result::unwrap);
}

#[tokio::test]
async fn other_processes_refuse_a_revoked_key_when_told_and_by_themselves_in_time() {
    let service = &Service::start().await;
    let (organization, id, text) = created(service).await;
    let (told, untold) = (service.another_process(), service.another_process());
    assert!(told.authenticate(&text).await.is_ok());
    assert!(untold.authenticate(&text).await.is_ok());
    service
        .identity
        .revoke_api_key(organization, id, &Actor::operator())
        .await
        .unwrap();

    told.forget(id);
    assert!(matches!(
        told.authenticate(&text).await,
        Err(AuthError::Revoked)
    ));
    // Still from its cache, which shows that there is one.
    assert!(untold.authenticate(&text).await.is_ok());
    service.clock.advance_ms(60_000);
    assert!(matches!(
        untold.authenticate(&text).await,
        Err(AuthError::Revoked)
    ));
}

#[tokio::test]
async fn forgetting_everything_asks_the_store_again() {
    let service = &Service::start().await;
    let (organization, id, text) = created(service).await;
    let other = service.another_process();
    assert!(other.authenticate(&text).await.is_ok());
    service
        .identity
        .revoke_api_key(organization, id, &Actor::operator())
        .await
        .unwrap();
    other.forget_all();
    assert!(matches!(
        other.authenticate(&text).await,
        Err(AuthError::Revoked)
    ));
}

#[tokio::test]
async fn an_expired_key_is_refused_also_from_the_cache() {
    let service = &Service::start().await;
    let organization = service.organization("Acme").await;
    let new = NewApiKey {
        expires_at: Some(service.now_ms() + 1000),
        ..new_key("short")
    };
    let created = service
        .identity
        .create_api_key(organization, new, &Actor::operator())
        .await
        .unwrap();
    let text = created.secret.reveal();
    service.clock.advance_ms(999);
    assert!(service.identity.authenticate(&text).await.is_ok());
    service.clock.advance_ms(1);
    assert!(matches!(
        service.identity.authenticate(&text).await,
        Err(AuthError::Expired)
    ));
}

#[tokio::test]
async fn times_of_use_are_written_at_most_once_a_minute() {
    let service = &Service::start().await;
    let (organization, _, text) = created(service).await;
    let identity = &service.identity;
    let first = service.now_ms();
    identity.authenticate(&text).await.unwrap();
    assert_eq!(last_used_at(service, organization).await, None);
    identity.write_last_used().await.unwrap();
    assert_eq!(last_used_at(service, organization).await, Some(first));

    service.clock.advance_ms(59_999);
    identity.authenticate(&text).await.unwrap();
    identity.write_last_used().await.unwrap();
    assert_eq!(last_used_at(service, organization).await, Some(first));

    service.clock.advance_ms(1);
    identity.authenticate(&text).await.unwrap();
    identity.write_last_used().await.unwrap();
    assert_eq!(
        last_used_at(service, organization).await,
        Some(first + 60_000)
    );
}

#[tokio::test]
async fn what_is_not_written_yet_is_written_when_the_service_stops() {
    let service = &Service::start().await;
    let (organization, _, text) = created(service).await;
    service.identity.authenticate(&text).await.unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    service.identity.run(stop).await;
    assert_eq!(
        last_used_at(service, organization).await,
        Some(service.now_ms())
    );
}

#[tokio::test]
async fn a_known_key_costs_no_question_to_the_store_and_little_time() {
    let service = &Service::start().await;
    let (_, _, text) = created(service).await;
    service.identity.authenticate(&text).await.unwrap();
    service.store.close().await;
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let began = Instant::now();
        for _ in 0..100 {
            service.identity.authenticate(&text).await.unwrap();
        }
        best = best.min(began.elapsed() / 100);
    }
    assert!(best < Duration::from_micros(50), "{best:?}");

    let unseen = ApiKeySecret::from_bytes([1; 32]).reveal();
    let refused = service.identity.authenticate(&unseen).await;
    assert!(matches!(refused, Err(AuthError::Unavailable(_))));
}
