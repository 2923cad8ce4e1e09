//! What one may take of what all share.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wagate_model::{MediaId, MediaStatus, OrganizationId, SessionStorage};
use wagate_storage::{FilesConfig, ReadError};
use wagate_store::StoreError;

use crate::world::{World, eventually};

const ON_DEMAND: SessionStorage = SessionStorage {
    bucket_id: None,
    capture: false,
    retention_days: None,
};

#[tokio::test]
async fn no_more_files_are_fetched_on_demand_than_there_are_places() {
    let config = FilesConfig {
        on_demand: 1,
        patience: Duration::from_millis(200),
        ..FilesConfig::default()
    };
    let world = World::with(config).await;
    world.keep_in(ON_DEMAND).await;
    world.put("a", Ok("hello"));
    let (first, second) = (world.attach("a").await, world.attach("a").await);
    let closed = world.whatsapp.gate.acquire().await.unwrap();
    let (files, record) = (world.files.clone(), world.record(first).await);
    let asking = tokio::spawn(async move { files.read(&record, None).await.map(drop) });
    world.until_fetched(1).await;
    let refused = world.read(second, None).await.unwrap_err();
    assert!(matches!(refused, ReadError::NotNow), "{refused}");
    assert_eq!(world.whatsapp.fetched.load(Ordering::SeqCst), 1);
    // It was not even claimed, so that who has a place may.
    assert_eq!(world.status(second).await, MediaStatus::Available);
    drop(closed);
    let _ = asking.await.unwrap();
    for id in [first, second] {
        eventually(async || world.read(id, None).await.is_ok()).await;
    }
    assert_eq!(world.whatsapp.fetched.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_fetching_that_panics_is_made_anew_for_the_next_who_asks() {
    let config = FilesConfig {
        patience: Duration::from_secs(10),
        ..FilesConfig::default()
    };
    let world = World::with(config).await;
    world.keep_in(ON_DEMAND).await;
    world.put("a", Ok("hello"));
    let id = world.attach("a").await;
    world.whatsapp.panics.store(true, Ordering::SeqCst);
    world.read(id, None).await.unwrap_err();
    world.whatsapp.panics.store(false, Ordering::SeqCst);
    let lease = FilesConfig::default().lease;
    let lease_ms = i64::try_from(lease.as_millis()).unwrap();
    world.store.clock.advance_ms(lease_ms);
    assert_eq!(world.read(id, None).await.unwrap(), "hello");
}

#[tokio::test]
async fn one_organization_has_half_of_the_captures_places() {
    let world = World::new().await;
    world.put("a", Ok("hello"));
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(world.attach("a").await);
    }
    let other = world.store.organization().await;
    let session = world.store.session(other).await;
    let fence = world.store.claim(session).await;
    let others = world.attach_of((other, fence), "a", None).await;
    let closed = world.whatsapp.gate.acquire().await.unwrap();
    let stop = CancellationToken::new();
    let capturing = tokio::spawn({
        let (files, stop) = (world.files.clone(), stop.clone());
        async move { files.capture(stop).await }
    });
    // Two of the four, and the one that came after all of them.
    world.until_fetched(3).await;
    let mut waiting = 0;
    for id in &ids {
        waiting += usize::from(!world.is_claimed(world.organization, *id).await);
    }
    assert_eq!(waiting, 2);
    assert!(world.is_claimed(other, others).await);
    drop(closed);
    for id in ids {
        world.until(id, MediaStatus::Ready).await;
    }
    stop.cancel();
    capturing.await.unwrap();
}

#[tokio::test]
async fn large_files_wait_until_somebody_asks() {
    let config = FilesConfig {
        capture_limit_bytes: 5,
        ..FilesConfig::default()
    };
    let world = World::with(config).await;
    world.put("a", Ok("hello"));
    world.put("b", Ok("hello, large"));
    let small = world.attach_of_size("a", Some(5)).await;
    let said = world.attach_of_size("b", Some(12)).await;
    let unsaid = world.attach_of_size("b", Some(1)).await;
    let stop = CancellationToken::new();
    let capturing = tokio::spawn({
        let (files, stop) = (world.files.clone(), stop.clone());
        async move { files.capture(stop).await }
    });
    world.until(small, MediaStatus::Ready).await;
    world.until(said, MediaStatus::Available).await;
    world.until(unsaid, MediaStatus::Available).await;
    stop.cancel();
    capturing.await.unwrap();
    // What was said to be large was not even begun.
    assert_eq!(world.whatsapp.fetched.load(Ordering::SeqCst), 2);
    assert_eq!(world.files_on_disk(), 1);
    for id in [said, unsaid] {
        assert_eq!(world.read(id, None).await.unwrap(), "hello, large");
    }
}

impl World {
    /// Whether somebody is fetching a file.
    async fn is_claimed(&self, organization: OrganizationId, id: MediaId) -> bool {
        let now_ms = self.store.now_ms();
        let is_free = self
            .store
            .write::<_, StoreError, _>(organization, move |tx| {
                Box::pin(async move {
                    // Taken and given back.
                    tx.claim_one_media(organization, id, "test", now_ms, 1)
                        .await?;
                    tx.postpone_media(organization, id, "test", false, now_ms, now_ms)
                        .await
                })
            });
        !is_free.await.unwrap()
    }
}
