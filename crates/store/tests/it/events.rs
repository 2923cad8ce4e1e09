use std::collections::BTreeSet;

use wagate_model::{
    EventId, EventKind, OrganizationId, RetryPolicy, SessionId, Webhook, WebhookId,
};
use wagate_store::testing::{self, START_MS, TestStore};
use wagate_store::{DeliveryFilter, EventFilter, Lane, NewEvent, SecretChange, Store, StoreError};

use crate::{fresh, write};

async fn append(store: &Store, organization: OrganizationId, session: SessionId, kind: EventKind) {
    write!(store, organization, |tx| {
        let event = NewEvent::new(
            organization,
            session,
            kind,
            42,
            &serde_json::json!({"a": 1}),
        )?;
        tx.append_event(event.in_chat("chat"));
        Ok(())
    })
    .unwrap();
}

pub(crate) fn webhook(organization: OrganizationId, events: &[&str]) -> Webhook {
    Webhook {
        active: true,
        created_at: START_MS,
        custom_headers: None,
        disabled_reason: None,
        events: events.iter().map(|&name| name.to_owned()).collect(),
        id: fresh!(WebhookId),
        organization_id: organization,
        retry_policy: RetryPolicy::default(),
        session_id: None,
        updated_at: START_MS,
        url: "https://example.com/hook".to_owned(),
    }
}

#[tokio::test]
async fn the_envelope_has_seven_fields_and_the_same_bytes_everywhere() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = fresh!(SessionId);
    append(&store, organization, session, EventKind::SessionStatus).await;
    write!(store, organization, |_tx| Ok(())).unwrap();
    let committed = store.commits.take().pop().unwrap().pop().unwrap();
    let mut tx = store.read().await.unwrap();
    let stored = tx
        .events_after(organization, None, &EventFilter::default(), 10)
        .await
        .unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].0, committed.id);
    assert_eq!(*stored[0].1, *committed.envelope);
    let json: serde_json::Value = serde_json::from_str(&committed.envelope).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "schema": "v1", "id": committed.id, "event": "session.status", "session": session,
            "organization": organization, "timestamp": 42, "payload": {"a": 1}
        })
    );
    let read = tx.event(organization, committed.id).await.unwrap().unwrap();
    assert_eq!(read.id, committed.id);
    assert_eq!(
        tx.last_event_id(organization).await.unwrap(),
        Some(committed.id)
    );
    assert!(tx.has_event(organization, committed.id).await.unwrap());
    let stranger = fresh!(OrganizationId);
    assert!(!tx.has_event(stranger, committed.id).await.unwrap());
    assert!(tx.event(stranger, committed.id).await.unwrap().is_none());
    assert_eq!(tx.last_event_id(stranger).await.unwrap(), None);
}

#[tokio::test]
async fn ids_grow_also_when_the_clock_goes_back() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = fresh!(SessionId);
    for now_ms in [START_MS, START_MS, START_MS - 5_000, START_MS + 1] {
        store.clock.set_ms(now_ms);
        append(&store, organization, session, EventKind::Message).await;
    }
    let mut tx = store.read().await.unwrap();
    let ids: Vec<_> = tx
        .events_after(organization, None, &EventFilter::default(), 10)
        .await
        .unwrap()
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(ids.len(), 4);
    assert!(ids.is_sorted());
    drop(tx);
    write!(store, organization, |_tx| Ok(())).unwrap();
    let heard: Vec<_> = store
        .commits
        .take()
        .into_iter()
        .flatten()
        .map(|event| event.id)
        .collect();
    assert_eq!(heard, ids);
}

#[tokio::test]
async fn who_reads_up_to_an_id_misses_nothing_while_two_processes_write() {
    const EACH: usize = 40;
    let store = testing::store().await;
    let other = store.second().await.unwrap();
    let organization = store.organization().await;
    let session = fresh!(SessionId);
    let writers: Vec<_> = [store.handle(), other.clone()]
        .into_iter()
        .map(|store| {
            tokio::spawn(async move {
                for _ in 0..EACH {
                    append(&store, organization, session, EventKind::Message).await;
                }
            })
        })
        .collect();
    let mut seen = Vec::new();
    let mut cursor: Option<EventId> = None;
    while seen.len() < 2 * EACH {
        let mut tx = store.read().await.unwrap();
        let page = tx
            .events_after(organization, cursor, &EventFilter::default(), 7)
            .await
            .unwrap();
        seen.extend(page.iter().map(|(id, _)| *id));
        cursor = seen.last().copied();
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 2 * EACH);
    other.close().await;
}

#[tokio::test]
async fn lists_are_filtered_by_organization_session_and_kind() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let stranger = store.organization().await;
    let (one, two) = (fresh!(SessionId), fresh!(SessionId));
    append(&store, organization, one, EventKind::Message).await;
    append(&store, organization, two, EventKind::Message).await;
    append(&store, organization, one, EventKind::AuthQr).await;
    append(&store, stranger, one, EventKind::Message).await;
    let mut tx = store.read().await.unwrap();
    let mut count = async |filter: EventFilter| {
        tx.events_after(organization, None, &filter, 100)
            .await
            .unwrap()
            .len()
    };
    assert_eq!(count(EventFilter::default()).await, 3);
    assert_eq!(
        count(EventFilter {
            session: Some(one),
            kinds: None
        })
        .await,
        2
    );
    let kinds = Some(vec![EventKind::AuthQr]);
    assert_eq!(
        count(EventFilter {
            session: Some(one),
            kinds: kinds.clone()
        })
        .await,
        1
    );
    assert_eq!(
        count(EventFilter {
            session: Some(two),
            kinds
        })
        .await,
        0
    );
    assert_eq!(
        count(EventFilter {
            session: None,
            kinds: Some(Vec::new())
        })
        .await,
        0
    );
}

#[tokio::test]
async fn each_matching_webhook_gets_one_delivery_in_the_same_commit() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let other_session = store.session(organization).await;
    let everything = webhook(organization, &["*"]);
    let one_kind = webhook(organization, &["message", "auth.qr"]);
    let nothing = webhook(organization, &[]);
    let off = Webhook {
        active: false,
        ..webhook(organization, &["*"])
    };
    let of_session = Webhook {
        session_id: Some(other_session),
        ..webhook(organization, &["*"])
    };
    let all = [&everything, &one_kind, &nothing, &off, &of_session].map(Clone::clone);
    write!(store, organization, |tx| {
        for webhook in &all {
            tx.insert_webhook(organization, webhook, None).await?;
        }
        Ok(())
    })
    .unwrap();
    append(&store, organization, session, EventKind::Message).await;
    append(&store, organization, other_session, EventKind::CallIncoming).await;
    write!(store, organization, |_tx| Ok(())).unwrap();
    let counts: Vec<_> = store
        .commits
        .take()
        .into_iter()
        .flatten()
        .map(|event| event.delivery_count)
        .collect();
    assert_eq!(counts, [2, 2]);
    let mut tx = store.read().await.unwrap();
    for (webhook, expected) in [
        (&everything, 2),
        (&one_kind, 1),
        (&nothing, 0),
        (&off, 0),
        (&of_session, 1),
    ] {
        let found = tx
            .deliveries(
                organization,
                webhook.id,
                &DeliveryFilter::default(),
                None,
                10,
            )
            .await
            .unwrap();
        assert_eq!(found.len(), expected);
    }
    let result: Result<(), StoreError> = write!(store, organization, |tx| {
        // More rows than one statement takes.
        for number in 0..450 {
            let session = fresh!(SessionId);
            let event = NewEvent::new(organization, session, EventKind::Message, number, &number)?;
            tx.append_event(event);
        }
        Ok(())
    });
    result.unwrap();
    let filter = DeliveryFilter::default();
    let found = tx
        .deliveries(organization, one_kind.id, &filter, None, 1000)
        .await
        .unwrap();
    assert_eq!(found.len(), 451);
}

/// For how many webhooks an event is queued.
async fn posted(store: &TestStore, organization: OrganizationId, session: SessionId) -> usize {
    append(store, organization, session, EventKind::Message).await;
    // The listener hears of a commit before the next one begins.
    write!(store, organization, |_tx| Ok(())).unwrap();
    let committed = store.commits.take().concat();
    committed.last().unwrap().delivery_count
}

#[tokio::test]
async fn every_writer_heeds_webhooks_that_another_changes() {
    let store = testing::store().await;
    let other = store.second().await.unwrap();
    let organization = store.organization().await;
    let session = fresh!(SessionId);
    let posted = async || posted(&store, organization, session).await;
    assert_eq!(posted().await, 0);
    let hook = webhook(organization, &["message"]);
    let id = hook.id;
    let stored = hook.clone();
    write!(other, organization, |tx| tx
        .insert_webhook(organization, &stored, None)
        .await)
    .unwrap();
    assert_eq!(posted().await, 1);
    let changed = Webhook {
        events: vec!["auth.qr".into()],
        ..hook.clone()
    };
    write!(other, organization, |tx| tx
        .update_webhook(organization, &changed, &SecretChange::Keep, START_MS)
        .await)
    .unwrap();
    assert_eq!(posted().await, 0);
    write!(other, organization, |tx| tx
        .update_webhook(organization, &hook, &SecretChange::Keep, START_MS)
        .await)
    .unwrap();
    assert_eq!(posted().await, 1);
    write!(other, Lane::SHARED, |tx| tx
        .admin()
        .disable_webhook(id, "gone", START_MS)
        .await)
    .unwrap();
    assert_eq!(posted().await, 0);
    write!(other, organization, |tx| tx
        .delete_webhook(organization, id)
        .await)
    .unwrap();
    assert_eq!(posted().await, 0);
    other.close().await;
}

#[tokio::test]
async fn what_a_failed_group_read_of_webhooks_is_forgotten() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let hook = webhook(organization, &["*"]);
    let stored = hook.clone();
    // The group fails at its very end, after it has read the webhooks.
    store
        .execute("ALTER TABLE event RENAME TO event_away")
        .await;
    let lost = write!(store, organization, |tx| {
        tx.insert_webhook(organization, &stored, None).await?;
        let kind = EventKind::Message;
        tx.append_event(NewEvent::new(organization, session, kind, 1, &0)?);
        Ok(())
    });
    assert!(lost.is_err());
    store
        .execute("ALTER TABLE event_away RENAME TO event")
        .await;
    let changed = Webhook {
        events: Vec::new(),
        ..hook
    };
    write!(store, organization, |tx| tx
        .insert_webhook(organization, &changed, None)
        .await)
    .unwrap();
    assert_eq!(posted(&store, organization, session).await, 0);
}

#[tokio::test]
async fn a_webhook_with_unreadable_events_does_not_stop_the_others() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = fresh!(SessionId);
    let (broken, sound) = (webhook(organization, &["*"]), webhook(organization, &["*"]));
    write!(store, organization, |tx| tx
        .insert_webhook(organization, &broken, None)
        .await)
    .unwrap();
    store.execute("UPDATE webhook SET events = '['").await;
    write!(store, organization, |tx| tx
        .insert_webhook(organization, &sound, None)
        .await)
    .unwrap();
    assert_eq!(posted(&store, organization, session).await, 1);
}
