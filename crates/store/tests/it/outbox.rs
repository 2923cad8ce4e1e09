use serde_json::value::to_raw_value;
use wagate_model::{OutboxId, SendMode, SessionId};
use wagate_store::testing::{self, START_MS};
use wagate_store::{Enqueued, IdempotencyKey, NewOutbox, OutboxState, RateDecision, RateLimits};

use crate::{fresh, write};

fn new(session_id: SessionId, key: Option<(&str, u8)>) -> NewOutbox {
    NewOutbox {
        id: fresh!(OutboxId),
        session_id,
        wa_message_id: "3EB0".into(),
        chat_jid: "1@lid".into(),
        mode: SendMode::Async,
        request: b"{\"text\":\"hi\"}".to_vec(),
        idempotency: key.map(|(key, body)| IdempotencyKey {
            key: key.into(),
            body_hash: [body; 32],
        }),
        next_attempt_at_ms: START_MS,
    }
}

#[tokio::test]
async fn a_repeated_key_finds_the_first_request() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let other = store.organization().await;
    let session = store.session(organization).await;
    let other_session = store.session(other).await;
    let first = new(session, Some(("k", 1)));
    let id = first.id;
    let put = async |organization, new: NewOutbox| {
        write!(store, organization, |tx| tx
            .enqueue(organization, &new, 5)
            .await)
        .unwrap()
    };
    assert_eq!(put(organization, first).await, Enqueued::New);
    assert_eq!(
        put(organization, new(session, Some(("k", 1)))).await,
        Enqueued::Replayed(id)
    );
    assert_eq!(
        put(organization, new(session, Some(("k", 2)))).await,
        Enqueued::OtherRequest
    );
    assert_eq!(
        put(other, new(other_session, Some(("k", 2)))).await,
        Enqueued::New
    );
    assert_eq!(put(organization, new(session, None)).await, Enqueued::New);
    let mut tx = store.read().await.unwrap();
    let key = IdempotencyKey {
        key: "k".into(),
        body_hash: [1; 32],
    };
    let found = tx.outbox_by_key(organization, &key).await.unwrap();
    assert_eq!(found, Some(Enqueued::Replayed(id)));
    assert_eq!(
        tx.outbox_by_key(other, &key).await.unwrap(),
        Some(Enqueued::OtherRequest)
    );
    let unused = IdempotencyKey {
        key: "unused".into(),
        body_hash: [1; 32],
    };
    assert_eq!(tx.outbox_by_key(organization, &unused).await.unwrap(), None);
    assert_eq!(tx.outbox_depth(organization, session).await.unwrap(), 2);
    assert!(tx.outbox(other, id).await.unwrap().is_none());
    let record = tx.outbox(organization, id).await.unwrap().unwrap();
    assert_eq!(
        (record.state, record.mode),
        (OutboxState::Pending, SendMode::Async)
    );
}

#[tokio::test]
async fn of_two_processes_with_one_key_one_wins() {
    let store = testing::store().await;
    let second = store.second().await.unwrap();
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let racing = [
        store.handle(),
        second.clone(),
        store.handle(),
        second.clone(),
    ]
    .map(|store| {
        tokio::spawn(async move {
            let new = new(session, Some(("k", 1)));
            let put = write!(store, organization, |tx| {
                Ok((new.id, tx.enqueue(organization, &new, 5).await?))
            });
            put.unwrap()
        })
    });
    let mut winners = Vec::new();
    let mut told = Vec::new();
    for racer in racing {
        match racer.await.unwrap() {
            (id, Enqueued::New) => winners.push(id),
            (_, Enqueued::Replayed(id)) => told.push(id),
            (_, Enqueued::OtherRequest) => panic!("it was the same request"),
        }
    }
    assert_eq!(winners.len(), 1);
    assert!(told.iter().all(|id| *id == winners[0]));
    second.close().await;
}

#[tokio::test]
async fn a_chat_with_many_entries_hides_no_other() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let found = write!(store, organization, |tx| {
        for (number, chat) in ["1@lid", "1@lid", "1@lid", "2@lid"].into_iter().enumerate() {
            let entry = NewOutbox {
                id: OutboxId::from_parts(1, number as u128),
                chat_jid: chat.into(),
                ..new(session, None)
            };
            tx.enqueue(organization, &entry, 5).await?;
        }
        let mut owned = tx.owned(&fence).await?;
        let found = owned.due_outbox(START_MS, 2, 3).await?;
        Ok(found
            .into_iter()
            .map(|due| (due.record.id.ulid().random(), due.record.chat_jid))
            .collect::<Vec<_>>())
    })
    .unwrap();
    let expected = [(0, "1@lid"), (3, "2@lid"), (1, "1@lid")];
    assert_eq!(
        found,
        expected.map(|(number, chat)| (number, chat.to_owned()))
    );
}

#[tokio::test]
async fn an_entry_is_sent_once_with_the_reserved_id() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    write!(store, organization, |tx| {
        let first = new(session, None);
        let (id, request) = (first.id, first.request.clone());
        tx.enqueue(organization, &first, 5).await?;
        let mut owned = tx.owned(&fence).await?;
        assert_eq!(owned.next_outbox_at().await?, Some(START_MS));
        assert!(owned.due_outbox(START_MS - 1, 10, 10).await?.is_empty());
        let due = owned.due_outbox(START_MS, 10, 10).await?;
        assert_eq!(due.len(), 1);
        assert_eq!((due[0].record.id, &due[0].request), (id, &Some(request)));
        assert!(owned.begin_send(id).await?);
        // A gateway that died while it was sending: the next one finds it due.
        let again = owned.due_outbox(START_MS, 10, 10).await?;
        assert_eq!(again[0].record.state, OutboxState::Sending);
        assert_eq!(
            (
                again[0].record.attempts,
                again[0].record.wa_message_id.as_str()
            ),
            (1, "3EB0")
        );
        assert!(owned.defer_send(id, START_MS + 10).await?);
        assert!(owned.due_outbox(START_MS, 10, 10).await?.is_empty());
        assert!(owned.begin_send(id).await?);
        let result = to_raw_value(&serde_json::json!({"status": "sent"}))?;
        assert!(owned.finish_send(id, true, &result, 77).await?);
        assert!(!owned.finish_send(id, false, &result, 78).await?);
        assert!(!owned.begin_send(id).await? && !owned.defer_send(id, 1).await?);
        assert_eq!(owned.next_outbox_at().await?, None);
        let record = owned.outbox(organization, id).await?.unwrap();
        assert_eq!((record.state, record.attempts), (OutboxState::Sent, 2));
        assert_eq!(record.result.as_deref(), Some("{\"status\":\"sent\"}"));
        assert_eq!(record.finished_at_ms, Some(77));
        Ok(())
    })
    .unwrap();
}

#[tokio::test]
async fn an_outbox_needs_its_session() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let orphan = new(fresh!(SessionId), None);
    let failed = write!(store, organization, |tx| tx
        .enqueue(organization, &orphan, 5)
        .await);
    // It is found only at the end of the group, which is lost with it.
    assert!(failed.is_err(), "{failed:?}");
}

#[tokio::test]
async fn limits_hold_over_both_windows_and_a_restart() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let limits = RateLimits {
        per_minute: 2,
        per_hour: 3,
    };
    let take = async |store: &wagate_store::Store, limits: RateLimits, now_ms: i64| {
        let fence = fence.clone();
        write!(store, organization, |tx| tx
            .owned(&fence)
            .await?
            .take_rate(limits, now_ms)
            .await)
        .unwrap()
    };
    let limited = |retry_after_seconds| RateDecision::Limited {
        retry_after_seconds,
    };
    assert_eq!(take(&store, limits, START_MS).await, RateDecision::Allowed);
    assert_eq!(
        take(&store, limits, START_MS + 1).await,
        RateDecision::Allowed
    );
    assert_eq!(take(&store, limits, START_MS + 10_000).await, limited(50));
    // What was refused was not counted: the hour still has room for one.
    let again = store.second().await.unwrap();
    assert_eq!(
        take(&again, limits, START_MS + 60_000).await,
        RateDecision::Allowed
    );
    assert_eq!(
        take(&again, limits, START_MS + 61_000).await,
        limited(3_539)
    );
    let unlimited = RateLimits {
        per_minute: 0,
        per_hour: -1,
    };
    assert_eq!(
        take(&again, unlimited, START_MS + 61_000).await,
        RateDecision::Allowed
    );
    again.close().await;
}
