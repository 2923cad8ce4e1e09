//! Files that are fetched when somebody asks for them.

use std::sync::atomic::Ordering;

use futures::future::join_all;
use wagate_model::{MediaProblem, MediaStatus, SessionStorage};
use wagate_storage::{FetchFailure, Part, PhoneAnswer, ReadError};

use crate::world::World;

const ON_DEMAND: SessionStorage = SessionStorage {
    bucket_id: None,
    capture: false,
    retention_days: None,
};

#[tokio::test]
async fn many_who_ask_at_once_have_it_fetched_once() {
    let world = World::new().await;
    world.keep_in(ON_DEMAND).await;
    world.put("a", Ok("hello"));
    let id = world.attach("a").await;
    assert_eq!(world.status(id).await, MediaStatus::Available);
    let all = join_all((0..5).map(|_| world.read(id, None))).await;
    for text in all {
        assert_eq!(text.unwrap(), "hello");
    }
    assert_eq!(world.whatsapp.fetched.load(Ordering::SeqCst), 1);
    let part = |start, end| Some(Part { start, end });
    assert_eq!(world.read(id, part(1, 3)).await.unwrap(), "el");
    assert_eq!(world.read(id, part(3, 99)).await.unwrap(), "lo");
    assert_eq!(world.read(id, part(99, 100)).await.unwrap(), "");
    assert_eq!(world.told().await, ["media.ready"]);
    assert_eq!(world.record(id).await.file.size, Some(5));
    assert_eq!(world.files_on_disk(), 1);
}

#[tokio::test]
async fn a_phone_that_sends_it_again_helps_and_one_that_has_it_not_ends_it() {
    let world = World::new().await;
    world.keep_in(ON_DEMAND).await;
    world.put("new", Ok("again"));
    let (helped, lost, later) = (
        world.attach("old").await,
        world.attach("old").await,
        world.attach("old").await,
    );
    let answer = |answer| *world.whatsapp.phone.lock().unwrap() = (answer, b"new".to_vec());
    answer(PhoneAnswer::SentAgain);
    assert_eq!(world.read(helped, None).await.unwrap(), "again");
    assert_eq!(world.whatsapp.fetched.load(Ordering::SeqCst), 2);
    answer(PhoneAnswer::Gone);
    for _ in 0..2 {
        let refused = world.read(lost, None).await.unwrap_err();
        assert!(matches!(refused, ReadError::Expired), "{refused}");
    }
    assert_eq!(world.whatsapp.asked.load(Ordering::SeqCst), 2);
    let file = world.record(lost).await.file;
    assert_eq!(
        (file.status, file.problem),
        (MediaStatus::Expired, Some(MediaProblem::Gone))
    );
    answer(PhoneAnswer::Away);
    let refused = world.read(later, None).await.unwrap_err();
    assert!(matches!(refused, ReadError::NotNow), "{refused}");
    assert_eq!(world.status(later).await, MediaStatus::Pending);
    answer(PhoneAnswer::SentAgain);
    assert_eq!(world.read(later, None).await.unwrap(), "again");
    assert_eq!(
        world.told().await,
        ["media.ready", "media.expired", "media.ready"]
    );
}

#[tokio::test]
async fn what_is_not_what_was_sent_is_not_kept() {
    let world = World::new().await;
    world.keep_in(ON_DEMAND).await;
    world.put("a", Err(FetchFailure::Corrupt));
    let id = world.attach("a").await;
    let refused = world.read(id, None).await.unwrap_err();
    let expected = Some(MediaProblem::Corrupt);
    assert!(matches!(refused, ReadError::Failed(problem) if problem == expected));
    // It is not fetched again and again.
    world.read(id, None).await.unwrap_err();
    assert_eq!(world.whatsapp.fetched.load(Ordering::SeqCst), 1);
    assert_eq!(world.files_on_disk(), 0);
}
