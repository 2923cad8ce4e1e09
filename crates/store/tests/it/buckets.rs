//! Two processes that change the same bucket, or where the same session keeps its files.

use wagate_model::{BucketId, OrganizationId, SessionId, SessionStorage, StorageBucket};
use wagate_store::testing::{self, TestStore};
use wagate_store::{BucketKeys, Store};

use crate::{fresh, write};

struct World {
    store: TestStore,
    organization: OrganizationId,
    session: SessionId,
    bucket: BucketId,
}

async fn world() -> World {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let bucket = fresh!(BucketId);
    let new = StorageBucket {
        bucket: "files".into(),
        created_at: 1,
        endpoint: "https://s3.example/".into(),
        id: bucket,
        name: "archive".into(),
        path_style: true,
        region: "eu".into(),
        retention_days: None,
        updated_at: 1,
    };
    let keys = BucketKeys {
        access_key: "AKIA".into(),
        secret_key: "secret".into(),
    };
    write!(store, organization, |tx| {
        tx.insert_bucket(organization, &new, &keys).await
    })
    .unwrap();
    World {
        store,
        organization,
        session,
        bucket,
    }
}

/// How often each of four changes something.
const TIMES: i64 = 10;

fn one_more(days: Option<i64>) -> i64 {
    days.unwrap_or(0) + 1
}

#[tokio::test]
async fn no_change_is_lost_between_two_processes() {
    let world = world().await;
    let second = world.store.second().await.unwrap();
    let (organization, session, bucket) = (world.organization, world.session, world.bucket);
    let stores = [
        world.store.handle(),
        second.clone(),
        world.store.handle(),
        second.clone(),
    ];
    let racing = stores.map(|store: Store| {
        tokio::spawn(async move {
            for _ in 0..TIMES {
                write!(store, organization, |tx| {
                    let found = tx.bucket_for_update(organization, bucket).await?;
                    let (mut found, keys) = found.unwrap();
                    found.retention_days = Some(one_more(found.retention_days));
                    assert!(tx.update_bucket(organization, &found, &keys).await?);
                    let found = tx.session_storage_for_update(organization, session).await?;
                    let storage = SessionStorage {
                        retention_days: Some(one_more(found.unwrap().retention_days)),
                        bucket_id: Some(bucket),
                        capture: true,
                    };
                    let is_set = tx.set_session_storage(organization, session, &storage, 2);
                    assert!(is_set.await?);
                    Ok(())
                })
                .unwrap();
            }
        })
    });
    for racer in racing {
        racer.await.unwrap();
    }
    let mut tx = world.store.read().await.unwrap();
    let (found, _) = tx.bucket(organization, bucket).await.unwrap().unwrap();
    assert_eq!(found.retention_days, Some(4 * TIMES));
    let storage = tx.session_storage(organization, session).await.unwrap();
    assert_eq!(storage.unwrap().retention_days, Some(4 * TIMES));
    drop(tx);
    second.close().await;
}

#[tokio::test]
async fn a_bucket_is_held_by_its_own_organization_only() {
    let world = world().await;
    let (organization, bucket) = (world.organization, world.bucket);
    let elsewhere = world.store.organization().await;
    let held = write!(world.store, organization, |tx| {
        Ok([
            tx.hold_bucket(organization, bucket).await?,
            tx.hold_bucket(elsewhere, bucket).await?,
            tx.bucket_for_update(elsewhere, bucket).await?.is_some(),
        ])
    });
    assert_eq!(held.unwrap(), [true, false, false]);
}
