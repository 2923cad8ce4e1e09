use wagate_model::{HistorySync, HistorySyncStatus};
use wagate_store::HistoryStep;
use wagate_store::testing;

use crate::write;

fn step(progress: impl Into<Option<i64>>, messages: i64, is_last: bool) -> HistoryStep {
    HistoryStep {
        progress: progress.into(),
        messages,
        chats: 1,
        is_last,
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
        // The number was paired anew.
        (18, step(5, 3, true), (running, 5, 3, 1, 18)),
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
