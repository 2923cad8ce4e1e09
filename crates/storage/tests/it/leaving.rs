//! What is left behind while files come and go, by those who come in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wagate_model::{BucketId, MediaId, MediaStatus, SessionStorage};
use wagate_storage::{FetchFailure, FilesConfig, ReadError};
use wagate_store::StoreError;

use crate::buckets::{ObjectStore, with_bucket};
use crate::world::{World, eventually};

/// A store of objects that hangs up on whoever speaks; gives its URL and counts.
async fn hanging_up() -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(connection);
        }
    });
    (url, count)
}

async fn point_at(world: &World, bucket: BucketId, endpoint: String) {
    let organization = world.organization;
    let written = world
        .store
        .write::<_, StoreError, _>(organization, move |tx| {
            Box::pin(async move {
                let (mut found, keys) = tx.bucket(organization, bucket).await?.unwrap();
                found.endpoint = endpoint;
                tx.update_bucket(organization, &found, &keys).await
            })
        });
    assert!(written.await.unwrap());
}

/// Has a file claimed and begun to be stored where its session keeps its files.
async fn begin_storing(world: &World, id: MediaId, bucket: Option<BucketId>) -> bool {
    let (organization, now_ms) = (world.organization, world.store.now_ms());
    let begun = world
        .store
        .write::<_, StoreError, _>(organization, move |tx| {
            Box::pin(async move {
                tx.claim_one_media(organization, id, "other", now_ms, 100)
                    .await?;
                tx.begin_storing_media(organization, id, "other", bucket, now_ms)
                    .await
            })
        });
    begun.await.unwrap()
}

#[tokio::test]
async fn a_bucket_that_is_away_is_tried_once_in_a_round() {
    let world = World::new().await;
    let objects = ObjectStore::default();
    let bucket = with_bucket(&world, objects.start().await, Some(1)).await;
    world.put("a", Ok("hello"));
    for _ in 0..3 {
        let id = world.attach("a").await;
        world.read(id, None).await.unwrap();
    }
    let (url, count) = hanging_up().await;
    point_at(&world, bucket, url).await;
    world.store.clock.advance_ms(86_400_000);
    assert_eq!(world.files.sweep().await.unwrap(), 0);
    let once = count.load(Ordering::SeqCst);
    assert_eq!(once, 1);
    // Whoever has waited for long enough is forgotten all the same.
    world.store.clock.advance_ms(7 * 86_400_000);
    assert_eq!(world.files.sweep().await.unwrap(), 3);
    assert_eq!(count.load(Ordering::SeqCst), once + 1);
}

#[tokio::test]
async fn an_earlier_attempts_file_does_not_stay_in_another_bucket() {
    let world = World::new().await;
    let objects = ObjectStore::default();
    let bucket = with_bucket(&world, objects.start().await, None).await;
    world.put("a", Ok("hello"));
    let id = world.attach("a").await;
    assert!(begin_storing(&world, id, Some(bucket)).await);
    let path = format!("/files/{}/{}/{id}", world.organization, world.session);
    let bytes = axum::body::Bytes::from_static(b"hello");
    objects.objects.lock().unwrap().insert(path, bytes);
    let on_disk = SessionStorage {
        bucket_id: None,
        capture: false,
        retention_days: None,
    };
    world.keep_in(on_disk).await;
    world.store.clock.advance_ms(100);
    assert!(!begin_storing(&world, id, None).await, "it is elsewhere");
    world.store.clock.advance_ms(100);
    assert_eq!(world.read(id, None).await.unwrap(), "hello");
    assert!(objects.paths().is_empty());
    assert_eq!(world.files_on_disk(), 1);
}

#[tokio::test]
async fn nothing_is_begun_in_a_bucket_that_was_deleted_meanwhile() {
    let world = World::new().await;
    let bucket = with_bucket(&world, "http://127.0.0.1:1/".into(), None).await;
    let id = world.attach("a").await;
    let organization = world.organization;
    let deleted = world
        .store
        .write::<_, StoreError, _>(organization, move |tx| {
            Box::pin(async move { tx.delete_bucket(organization, bucket).await })
        });
    assert!(deleted.await.unwrap());
    assert!(!begin_storing(&world, id, Some(bucket)).await);
}

#[tokio::test]
async fn a_file_that_is_deleted_on_its_way_leaves_nothing() {
    let world = World::new().await;
    world.put("a", Ok("hello"));
    let id = world.attach("a").await;
    let closed = world.whatsapp.gate.acquire().await.unwrap();
    let stop = CancellationToken::new();
    let capturing = tokio::spawn({
        let (files, stop) = (world.files.clone(), stop.clone());
        async move { files.capture(stop).await }
    });
    world.until_fetched(1).await;
    let (organization, session) = (world.organization, world.session);
    world
        .store
        .write::<_, StoreError, _>(organization, move |tx| {
            Box::pin(async move { tx.delete_session(organization, session, 5).await })
        })
        .await
        .unwrap();
    world.purge().await;
    assert!(!world.is_unwanted(id).await, "it may still come");
    drop(closed);
    // The end of fetching gives the row back, and the next round takes it.
    world.until_unwanted(id).await;
    world.files.sweep().await.unwrap();
    assert!(!world.is_known(id).await);
    assert_eq!(world.files_on_disk(), 0);
    stop.cancel();
    capturing.await.unwrap();
}

#[tokio::test]
async fn asking_for_files_does_not_make_the_pause_longer() {
    let world = World::new().await;
    world.put("a", Err(FetchFailure::Full));
    let id = world.attach("a").await;
    world.read(id, None).await.unwrap_err();
    assert!(!world.files.takes_files());
    world.store.clock.advance_ms(20_000);
    let refused = world.read(id, None).await.unwrap_err();
    assert!(matches!(refused, ReadError::NotNow), "{refused}");
    assert_eq!(world.whatsapp.fetched.load(Ordering::SeqCst), 1);
    world.store.clock.advance_ms(10_000);
    assert!(world.files.takes_files());
    world.put("a", Ok("hello"));
    assert_eq!(world.read(id, None).await.unwrap(), "hello");
}

#[tokio::test]
async fn a_long_fetch_keeps_its_claim() {
    let config = FilesConfig {
        lease: Duration::from_millis(300),
        ..FilesConfig::default()
    };
    let world = World::with(config).await;
    world.put("a", Ok("hello"));
    let id = world.attach("a").await;
    let closed = world.whatsapp.gate.acquire().await.unwrap();
    let stop = CancellationToken::new();
    let capturing = tokio::spawn({
        let (files, stop) = (world.files.clone(), stop.clone());
        async move { files.capture(stop).await }
    });
    world.until_fetched(1).await;
    let ends_ms = world.store.now_ms() + 300;
    world.store.clock.advance_ms(200);
    eventually(async || !world.is_due(ends_ms).await).await;
    drop(closed);
    world.until(id, MediaStatus::Ready).await;
    stop.cancel();
    capturing.await.unwrap();
}

impl World {
    async fn is_due(&self, now_ms: i64) -> bool {
        let mut tx = self.store.read().await.unwrap();
        let mut admin = tx.admin();
        let waiting = admin.organizations_with_due_media(now_ms).await.unwrap();
        !waiting.is_empty()
    }

    async fn is_unwanted(&self, id: MediaId) -> bool {
        let mut tx = self.store.read().await.unwrap();
        let now_ms = self.store.now_ms();
        let unwanted = tx.admin().unwanted_media(None, now_ms, 10).await.unwrap();
        unwanted.iter().any(|gone| gone.id() == id)
    }

    async fn until_unwanted(&self, id: MediaId) {
        eventually(async || self.is_unwanted(id).await).await;
    }

    async fn is_known(&self, id: MediaId) -> bool {
        let mut tx = self.store.read().await.unwrap();
        tx.admin().media_organization(id).await.unwrap().is_some()
    }
}
