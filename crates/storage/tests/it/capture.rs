//! Files that are fetched as they come.

use std::sync::atomic::Ordering;

use tokio_util::sync::CancellationToken;
use wagate_model::{MediaProblem, MediaStatus};
use wagate_storage::FetchFailure;

use crate::world::{World, files};

#[tokio::test]
async fn pending_files_are_fetched_and_told_of() {
    let world = World::new().await;
    world.put("a", Ok("hello"));
    world.put("b", Err(FetchFailure::Corrupt));
    let (good, bad) = (world.attach("a").await, world.attach("b").await);
    assert_eq!(world.status(good).await, MediaStatus::Pending);
    let stop = CancellationToken::new();
    let capturing = tokio::spawn({
        let (files, stop) = (world.files.clone(), stop.clone());
        async move { files.capture(stop).await }
    });
    world.until(good, MediaStatus::Ready).await;
    world.until(bad, MediaStatus::Failed).await;
    stop.cancel();
    capturing.await.unwrap();
    assert_eq!(world.read(good, None).await.unwrap(), "hello");
    assert_eq!(world.told().await, ["media.ready"]);
}

#[tokio::test]
async fn what_is_under_way_when_the_process_stops_goes_on_elsewhere() {
    let world = World::new().await;
    world.put("a", Ok("hello"));
    let id = world.attach("a").await;
    let closed = world.whatsapp.gate.acquire().await.unwrap();
    let stop = CancellationToken::new();
    let capturing = tokio::spawn({
        let (files, stop) = (world.files.clone(), stop.clone());
        async move { files.capture(stop).await }
    });
    while world.whatsapp.fetched.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    capturing.await.unwrap();
    drop(closed);
    let record = world.record(id).await;
    assert_eq!(
        (record.file.status, record.attempts),
        (MediaStatus::Pending, 0)
    );
    assert_eq!(world.files_on_disk(), 0);
    let stop = CancellationToken::new();
    let other = files(&world.store, &world.whatsapp, &world.folder);
    let capturing = tokio::spawn({
        let stop = stop.clone();
        async move { other.capture(stop).await }
    });
    world.until(id, MediaStatus::Ready).await;
    stop.cancel();
    capturing.await.unwrap();
}

#[tokio::test]
async fn a_full_disk_pauses_the_capture_and_nothing_else() {
    let world = World::new().await;
    world.put("a", Err(FetchFailure::Full));
    let id = world.attach("a").await;
    let stop = CancellationToken::new();
    let capturing = tokio::spawn({
        let (files, stop) = (world.files.clone(), stop.clone());
        async move { files.capture(stop).await }
    });
    while world.files.takes_files() {
        tokio::task::yield_now().await;
    }
    let other = world.attach("a").await;
    assert_eq!(world.record(id).await.attempts, 0);
    world.put("a", Ok("hello"));
    world.store.clock.advance_ms(30_000);
    assert!(world.files.takes_files());
    world.until(id, MediaStatus::Ready).await;
    world.until(other, MediaStatus::Ready).await;
    stop.cancel();
    capturing.await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_reached_is_tried_again_and_given_up_at_last() {
    let world = World::new().await;
    world.put("a", Err(FetchFailure::Unreachable));
    let id = world.attach("a").await;
    let stop = CancellationToken::new();
    let capturing = tokio::spawn({
        let (files, stop) = (world.files.clone(), stop.clone());
        async move { files.capture(stop).await }
    });
    for attempts in 1..8 {
        while world.record(id).await.attempts < attempts {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.status(id).await, MediaStatus::Pending);
        world.store.clock.advance_ms(3_600_000);
    }
    world.until(id, MediaStatus::Failed).await;
    stop.cancel();
    capturing.await.unwrap();
    assert_eq!(world.whatsapp.fetched.load(Ordering::SeqCst), 8);
    let problem = world.record(id).await.file.problem;
    assert_eq!(problem, Some(MediaProblem::Unreachable));
    // Whoever asks for it has it tried once more.
    world.put("a", Ok("hello"));
    assert_eq!(world.read(id, None).await.unwrap(), "hello");
}
