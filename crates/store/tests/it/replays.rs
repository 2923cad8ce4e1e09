//! Events of a time range, queued once more.

use std::ops::Bound;

use wagate_model::{EventId, EventKind, OrganizationId, ReplayScope, Webhook};
use wagate_store::testing::{self, START_MS, TestStore};
use wagate_store::{DeliveryFilter, DeliveryOutcome, DeliveryStatus, EventFilter};

use crate::deliveries::{LIMITS, claim, emit, finish, setup};
use crate::events::webhook;
use crate::write;

async fn ids(
    store: &TestStore,
    organization: OrganizationId,
    filter: &EventFilter,
) -> Vec<EventId> {
    let from = Bound::Included(EventId::from_parts(0, 0));
    let until = EventId::from_parts(u64::try_from(START_MS).unwrap() + 10_000, 0);
    let mut tx = store.read().await.unwrap();
    tx.event_ids_between(organization, from, until, filter, 100)
        .await
        .unwrap()
}

async fn replay(store: &TestStore, hook: &Webhook, events: &[EventId], scope: ReplayScope) -> u64 {
    let (organization, id, events) = (hook.organization_id, hook.id, events.to_vec());
    write!(store, organization, |tx| {
        tx.replay_events(organization, id, &events, scope, START_MS + 50)
            .await
    })
    .unwrap()
}

#[tokio::test]
async fn what_waits_is_left_out_and_each_scope_takes_its_own() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let stranger = store.organization().await;
    let session = store.session(organization).await;
    let hook = webhook(organization, &["*"]);
    let foreign = webhook(stranger, &["*"]);
    setup(std::slice::from_ref(&foreign), stranger, &store).await;
    // The first came before the webhook was there.
    emit(&store, organization, session, &[None]).await;
    setup(std::slice::from_ref(&hook), organization, &store).await;
    emit(&store, organization, session, &[None, None, None]).await;
    let events = ids(&store, organization, &EventFilter::default()).await;
    assert_eq!(events.len(), 4);
    let claimed = claim(&store, "w", LIMITS, START_MS).await;
    let outcomes = [DeliveryOutcome::Delivered, DeliveryOutcome::Dead];
    for (one, outcome) in claimed.iter().zip(outcomes) {
        finish(&store, one, outcome, START_MS + 1).await;
    }
    // The last one waits.
    assert_eq!(claimed.len(), 3);

    let all = |scope| replay(&store, &hook, &events, scope);
    assert_eq!(all(ReplayScope::Dead).await, 1);
    assert_eq!(all(ReplayScope::Dead).await, 0, "it waits by now");
    assert_eq!(all(ReplayScope::Missing).await, 1);
    assert_eq!(all(ReplayScope::Missing).await, 0);
    assert_eq!(all(ReplayScope::All).await, 1, "what was accepted");
    assert_eq!(all(ReplayScope::All).await, 0);
    // Nobody reaches another's events, or has them sent to another's webhook.
    assert_eq!(replay(&store, &foreign, &events, ReplayScope::All).await, 0);
    assert!(
        ids(&store, stranger, &EventFilter::default())
            .await
            .is_empty()
    );

    let again = claim(&store, "w", LIMITS, START_MS + 60).await;
    let mut replayed: Vec<_> = again.iter().map(|one| one.event_id).collect();
    replayed.sort();
    assert_eq!(replayed, events[..3]);
    assert!(again.iter().all(|one| one.is_replay && one.attempts == 0));
    // Delivered by the replay, the dead one is not meant any more; dead once more, it is.
    let dead = again.iter().find(|one| one.event_id == events[2]).unwrap();
    finish(&store, dead, DeliveryOutcome::Dead, START_MS + 70).await;
    assert_eq!(all(ReplayScope::Dead).await, 1);
    let once_more = claim(&store, "w", LIMITS, START_MS + 80).await.remove(0);
    assert_eq!(once_more.event_id, events[2]);
    finish(
        &store,
        &once_more,
        DeliveryOutcome::Delivered,
        START_MS + 90,
    )
    .await;
    assert_eq!(all(ReplayScope::Dead).await, 0);
}

#[tokio::test]
async fn ranges_and_kinds_bound_what_is_looked_at() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let hook = webhook(organization, &["*"]);
    setup(std::slice::from_ref(&hook), organization, &store).await;
    emit(&store, organization, session, &[None]).await;
    store.clock.advance_ms(1_000);
    emit(&store, organization, session, &[None, None]).await;
    let all = ids(&store, organization, &EventFilter::default()).await;
    let at = |ms: i64| EventId::from_parts(u64::try_from(START_MS + ms).unwrap(), 0);
    let between = async |from, until, limit| {
        let mut tx = store.read().await.unwrap();
        let filter = EventFilter::default();
        tx.event_ids_between(organization, from, until, &filter, limit)
            .await
            .unwrap()
    };
    let from = Bound::Included(at(0));
    assert_eq!(between(from, at(1_000), 9).await, all[..1]);
    assert_eq!(between(from, at(1_001), 2).await, all[..2]);
    let after = Bound::Excluded(all[1]);
    assert_eq!(between(after, at(1_001), 9).await, all[2..]);
    let filter = |kind, of| EventFilter {
        session: of,
        kinds: Some(vec![kind]),
    };
    let other = store.session(organization).await;
    for (filter, count) in [
        (filter(EventKind::Message, Some(session)), 3),
        (filter(EventKind::AuthQr, None), 0),
        (filter(EventKind::Message, Some(other)), 0),
    ] {
        assert_eq!(ids(&store, organization, &filter).await.len(), count);
    }
    // Deliveries are listed by the kinds of their events.
    let mut tx = store.read().await.unwrap();
    for (kind, count) in [(EventKind::Message, 3), (EventKind::AuthQr, 0)] {
        let filter = DeliveryFilter {
            kind: Some(kind),
            status: Some(DeliveryStatus::Pending),
            ..DeliveryFilter::default()
        };
        let found = tx
            .deliveries(organization, hook.id, &filter, None, 10)
            .await;
        assert_eq!(found.unwrap().len(), count);
    }
}
