use wagate_model::{ApiKey, ApiKeyId, ApiKeySecret, Capabilities, SessionStatus};
use wagate_store::testing::{self, START_MS};
use wagate_store::{Diagnosis, Lane};

use crate::{fresh, write};

#[tokio::test]
async fn what_should_be_looked_into_is_counted() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let other = store.organization().await;
    let key = ApiKey {
        id: fresh!(ApiKeyId),
        organization_id: organization,
        name: "ci".into(),
        hint: "wa_".into(),
        capabilities: Capabilities::all(),
        session_ids: None,
        expires_at: Some(START_MS + 5),
        revoked_at: None,
        created_at: START_MS,
        last_used_at: None,
    };
    let owned = store.session(organization).await;
    store.session(other).await;
    let fence = store.claim(owned).await;
    write!(store, organization, |tx| {
        let hash = ApiKeySecret::from_bytes([3; 32]).hash();
        tx.insert_api_key(organization, &key, &hash).await?;
        tx.owned(&fence)
            .await?
            .set_status(SessionStatus::Starting, None, None, START_MS)
            .await
    })
    .unwrap();
    let look = async |now_ms: i64| {
        let mut tx = store.read().await.unwrap();
        tx.admin().diagnosis(15_000, 60_000, now_ms).await.unwrap()
    };
    let expected = Diagnosis {
        organizations: 2,
        organizations_without_key: 1,
        leases_without_gateway: 1,
        sessions_without_owner: 1,
        sessions_stuck: 0,
        webhooks_disabled: 0,
        deliveries_dead: 0,
    };
    assert_eq!(look(START_MS).await, expected);

    write!(store, Lane::SHARED, |tx| {
        let gateway = "gw-1".parse().unwrap();
        tx.admin().report_gateway(&gateway, "1", false, true).await
    })
    .unwrap();
    // Later the key has expired, and the session that was starting still is; how the other
    // one begins does not matter here.
    let later = look(START_MS + 60_001).await;
    assert_eq!(later.leases_without_gateway, 0);
    assert_eq!(later.organizations_without_key, 2);
    assert!(later.sessions_stuck >= 1);
}

#[tokio::test]
async fn the_database_tells_of_itself() {
    let store = testing::store().await;
    let mut tx = store.read().await.unwrap();
    let version = tx.admin().database_version().await.unwrap();
    assert!(version.starts_with(|c: char| c.is_ascii_digit()));
    assert!(tx.admin().integrity_faults().await.unwrap().is_empty());
    assert!(!tx.admin().prove_master_keys().await.unwrap());
}
