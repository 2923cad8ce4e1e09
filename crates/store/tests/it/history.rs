use wagate_model::{HistorySync, HistorySyncStatus};
use wagate_store::{EngineBackend, HistoryStep, testing};

use crate::write;

fn step(progress: impl Into<Option<i64>>, messages: i64, is_last: bool) -> HistoryStep {
    HistoryStep {
        progress: progress.into(),
        messages,
        chats: 1,
        is_last,
        is_beginning: false,
    }
}

fn beginning(progress: i64, messages: i64) -> HistoryStep {
    HistoryStep {
        is_beginning: true,
        ..step(progress, messages, true)
    }
}

#[tokio::test]
async fn a_history_is_counted_until_its_end_and_begun_anew_after_it() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let history = async || {
        let mut tx = store.read().await.unwrap();
        let record = tx.session(organization, session).await.unwrap().unwrap();
        record.session.history_sync
    };
    assert_eq!(history().await, None);
    let (running, done) = (HistorySyncStatus::Running, HistorySyncStatus::Done);
    // The step, and then: status, progress, messages, chats, when it began.
    for (now_ms, step, expected) in [
        (10, step(None, 1, true), (running, 0, 1, 1, 10)),
        (11, step(20, 200, false), (running, 20, 201, 2, 10)),
        (12, step(60, 5, true), (running, 60, 206, 3, 10)),
        // Deliveries overtake each other.
        (13, step(40, 1, true), (running, 60, 207, 4, 10)),
        (14, step(100, 1, false), (running, 100, 208, 5, 10)),
        (15, step(100, 1, true), (done, 100, 209, 6, 10)),
        // Names follow, and what is sent again.
        (16, step(None, 0, true), (done, 100, 209, 7, 10)),
        (17, step(100, 2, false), (done, 100, 211, 8, 10)),
        // Older history than that which ended.
        (18, step(20, 3, true), (running, 20, 214, 9, 10)),
        (19, step(100, 0, true), (done, 100, 214, 10, 10)),
        // The number was paired anew.
        (20, beginning(5, 3), (running, 5, 3, 1, 20)),
        (21, beginning(5, 2), (running, 5, 5, 2, 20)),
        (22, step(100, 1, true), (done, 100, 6, 3, 20)),
        // And once more, with a history that ends as it begins.
        (23, beginning(100, 7), (done, 100, 7, 1, 23)),
    ] {
        let fence = fence.clone();
        write!(store, organization, |tx| {
            tx.owned(&fence).await?.note_history(step, now_ms).await
        })
        .unwrap();
        let (status, progress, messages, chats, started_at) = expected;
        let expected = HistorySync {
            chats,
            messages,
            progress,
            started_at,
            status,
            updated_at: now_ms,
        };
        assert_eq!(history().await, Some(expected), "at {now_ms}");
    }
}

#[tokio::test]
async fn a_part_is_kept_until_its_last_page_and_each_page_is_new_once() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let open = || EngineBackend::open((*store).clone(), organization, fence.clone());
    let backend = open().await.unwrap();
    let keep = async |id: &str, notice: &[u8]| {
        let kept = backend.keep_history_parts([(id, notice)]);
        let fence = fence.clone();
        write!(store, organization, |tx| {
            let mut owned = tx.owned(&fence).await?;
            kept.apply(&mut owned).await
        })
        .unwrap();
    };
    let page = async |id: &'static str, index: i64, is_last: bool| {
        let fence = fence.clone();
        write!(store, organization, |tx| {
            let mut owned = tx.owned(&fence).await?;
            owned.note_history_page(id, index, is_last).await
        })
        .unwrap()
    };
    keep("B", b"first").await;
    store.clock.advance_ms(1_000);
    keep("A", b"second").await;
    // Delivered again: it stays as it was, and where it was.
    keep("B", b"again").await;
    let left = async || {
        let parts = open().await.unwrap().history_parts().await.unwrap();
        let parts = parts.into_iter();
        parts.map(|part| (part.id, part.notice)).collect::<Vec<_>>()
    };
    let part = |id: &str, notice: &[u8]| (id.to_owned(), notice.to_vec());
    assert_eq!(left().await, [part("B", b"first"), part("A", b"second")]);
    assert!(page("B", 0, false).await);
    assert!(!page("B", 0, false).await, "it comes again after a crash");
    assert!(page("B", 1, false).await);
    assert!(!page("unknown", 0, false).await);
    keep("B", b"again").await;
    assert!(!page("B", 1, false).await);
    assert!(page("B", 2, true).await);
    assert!(!page("B", 2, true).await, "the part is over");
    assert_eq!(left().await, [part("A", b"second")]);
}
