use serde_json::value::to_raw_value;
use wagate_model::{
    ApiKey, ApiKeyId, ApiKeySecret, Capabilities, Capability, OrganizationId, SessionId,
    UpdateSession,
};
use wagate_store::testing::{self, START_MS};
use wagate_store::{Lane, StoreError};

use crate::{fresh, write};

#[tokio::test]
async fn organizations_are_added_once() {
    let store = testing::store().await;
    let id = store.organization().await;
    let mut tx = store.read().await.unwrap();
    let found = tx.organization(id).await.unwrap().unwrap();
    assert_eq!(
        (found.id, found.name.as_str(), found.created_at),
        (id, "Test", START_MS)
    );
    assert_eq!(tx.organization(fresh!(OrganizationId)).await.unwrap(), None);
    let twice = write!(store, Lane::SHARED, |tx| tx
        .insert_organization(id, "x", 1)
        .await);
    assert!(matches!(twice, Err(StoreError::Duplicate(_))), "{twice:?}");
}

#[tokio::test]
async fn keys_are_found_by_hash_and_revoked_by_their_organization() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let stranger = store.organization().await;
    let secret = ApiKeySecret::from_bytes([3; 32]);
    let key = ApiKey {
        id: fresh!(ApiKeyId),
        organization_id: organization,
        name: "ci".into(),
        hint: secret.hint(),
        capabilities: [Capability::Read, Capability::Send]
            .into_iter()
            .collect::<Capabilities>(),
        session_ids: Some(vec![fresh!(SessionId)]),
        expires_at: Some(START_MS + 5),
        revoked_at: None,
        created_at: START_MS,
        last_used_at: None,
    };
    let (stored, hash) = (key.clone(), secret.hash());
    write!(store, organization, |tx| tx
        .insert_api_key(organization, &stored, &hash)
        .await)
    .unwrap();
    let mut tx = store.read().await.unwrap();
    assert_eq!(
        tx.admin().api_key_by_hash(&hash).await.unwrap().as_ref(),
        Some(&key)
    );
    assert_eq!(tx.admin().api_key_by_hash(&[0; 32]).await.unwrap(), None);
    assert_eq!(
        tx.api_keys(organization).await.unwrap(),
        std::slice::from_ref(&key)
    );
    assert!(tx.api_keys(stranger).await.unwrap().is_empty());
    let id = key.id;
    write!(store, Lane::SHARED, |tx| {
        tx.admin()
            .touch_api_keys(&[(id, START_MS + 9), (id, START_MS + 3)])
            .await
    })
    .unwrap();
    let revoke =
        async |by: OrganizationId| write!(store, by, |tx| tx.revoke_api_key(by, id).await).unwrap();
    let revoked_lately = async || {
        let mut tx = store.read().await.unwrap();
        tx.admin().api_keys_revoked_within(60_000).await.unwrap()
    };
    assert_eq!(revoked_lately().await, []);
    assert!(!revoke(stranger).await);
    assert!(revoke(organization).await);
    assert!(!revoke(organization).await);
    assert_eq!(revoked_lately().await, [id]);
    assert_eq!(tx.admin().api_keys_revoked_within(-1).await.unwrap(), []);
    let found = tx.admin().api_key_by_hash(&hash).await.unwrap().unwrap();
    assert!(found.revoked_at.is_some());
    assert_eq!(found.last_used_at, Some(START_MS + 9));
}

#[tokio::test]
async fn a_ticket_works_once_and_not_after_its_time() {
    let store = testing::store().await;
    let organization = store.organization().await;
    write!(store, organization, |tx| {
        let scope = to_raw_value(&serde_json::json!({"scope": "organization"}))?;
        tx.insert_ticket(Some(organization), &[1; 32], &scope, 0, 100)
            .await?;
        tx.insert_ticket(Some(organization), &[2; 32], &scope, 0, 100)
            .await
    })
    .unwrap();
    let take = async |hash: [u8; 32], now_ms: i64| {
        write!(store, Lane::SHARED, |tx| tx
            .admin()
            .take_ticket(&hash, now_ms)
            .await)
        .unwrap()
    };
    assert_eq!(
        take([1; 32], 99).await,
        Some((
            Some(organization),
            "{\"scope\":\"organization\"}".to_owned()
        ))
    );
    assert_eq!(take([1; 32], 99).await, None);
    assert_eq!(take([2; 32], 100).await, None);
    assert_eq!(take([3; 32], 0).await, None);
}

#[tokio::test]
async fn settings_are_replaced() {
    let store = testing::store().await;
    let read = write!(store, Lane::SHARED, |tx| {
        let mut admin = tx.admin();
        let nothing: Option<u32> = admin.setting("version").await?;
        assert_eq!(nothing, None);
        admin.put_setting("version", &1, 5).await?;
        admin.put_setting("version", &2, 6).await?;
        admin.setting::<u32>("version").await
    });
    assert_eq!(read.unwrap(), Some(2));
}

#[tokio::test]
async fn a_session_is_changed_by_its_organization_only() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let stranger = store.organization().await;
    let session = store.session(organization).await;
    let update = async |by: OrganizationId| {
        let change = UpdateSession {
            label: Some("Sales\0".into()),
            rate_per_min: Some(0),
            ..UpdateSession::default()
        };
        write!(store, by, |tx| tx
            .update_session(by, session, &change, START_MS + 7)
            .await)
        .unwrap()
    };
    assert!(!update(stranger).await);
    assert!(update(organization).await);
    let mut tx = store.read().await.unwrap();
    let record = tx.session(organization, session).await.unwrap().unwrap();
    assert_eq!(record.session.label.as_deref(), Some("Sales\u{fffd}"));
    assert_eq!(
        (record.session.rate_per_min, record.session.rate_per_hour),
        (0, 200)
    );
    assert!(record.session.auto_read && !record.session.presence_typing);
    assert_eq!(record.session.updated_at, START_MS + 7);
    assert!(tx.session(stranger, session).await.unwrap().is_none());
    assert_eq!(tx.session_owner(stranger, session).await.unwrap(), None);
    assert_eq!(
        tx.admin().session_organization(session).await.unwrap(),
        Some(organization)
    );
    let delete = write!(store, stranger, |tx| tx
        .delete_session(stranger, session, 1)
        .await);
    assert!(!delete.unwrap());
    let wanted = write!(store, stranger, |tx| {
        tx.set_session_wanted(stranger, session, false, 1).await
    });
    assert!(!wanted.unwrap());
}
