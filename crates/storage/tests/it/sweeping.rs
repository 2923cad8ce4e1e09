//! Files that go.

use wagate_model::{MediaStatus, SessionStorage};
use wagate_storage::ReadError;
use wagate_store::StoreError;

use crate::world::World;

#[tokio::test]
async fn files_are_kept_as_long_as_their_session_says() {
    let world = World::new().await;
    let kept = SessionStorage {
        bucket_id: None,
        capture: false,
        retention_days: Some(2),
    };
    world.keep_in(kept).await;
    world.put("a", Ok("hello"));
    let id = world.attach("a").await;
    world.read(id, None).await.unwrap();
    world.store.clock.advance_ms(2 * 86_400_000 - 1);
    assert_eq!(world.files.sweep().await.unwrap(), 0);
    world.store.clock.advance_ms(1);
    assert_eq!(world.files.sweep().await.unwrap(), 1);
    assert_eq!(world.status(id).await, MediaStatus::Expired);
    assert_eq!(world.files_on_disk(), 0);
    let refused = world.read(id, None).await.unwrap_err();
    assert!(matches!(refused, ReadError::Expired));
    assert_eq!(world.told().await, ["media.ready", "media.expired"]);
    assert_eq!(world.files.sweep().await.unwrap(), 0);
}

#[tokio::test]
async fn files_go_with_their_session() {
    let world = World::new().await;
    world.put("a", Ok("hello"));
    let id = world.attach("a").await;
    world.read(id, None).await.unwrap();
    assert_eq!(world.files_on_disk(), 1);
    let (organization, session) = (world.organization, world.session);
    world
        .store
        .write::<_, StoreError, _>(organization, move |tx| {
            Box::pin(async move { tx.delete_session(organization, session, 5).await })
        })
        .await
        .unwrap();
    world.purge().await;
    assert_eq!(world.files.sweep().await.unwrap(), 1);
    assert_eq!(world.files_on_disk(), 0);
    assert_eq!(world.files.sweep().await.unwrap(), 0);
}

#[tokio::test]
async fn a_file_that_is_gone_already_holds_up_nothing() {
    let world = World::new().await;
    world.put("a", Ok("hello"));
    let id = world.attach("a").await;
    world.read(id, None).await.unwrap();
    let path = format!("{}/{}/{id}", world.organization, world.session);
    std::fs::remove_file(world.folder.path().join(path)).unwrap();
    let refused = world.read(id, None).await.unwrap_err();
    assert!(matches!(refused, ReadError::Expired));
    let (organization, session) = (world.organization, world.session);
    world
        .store
        .write::<_, StoreError, _>(organization, move |tx| {
            Box::pin(async move { tx.delete_session(organization, session, 5).await })
        })
        .await
        .unwrap();
    world.purge().await;
    assert_eq!(world.files.sweep().await.unwrap(), 1);
    assert_eq!(world.files.sweep().await.unwrap(), 0);
}
