//! Who may claim what: fairness, chats, pauses, failures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wagate_model::Webhook;
use wagate_store::testing::{self, START_MS, TestStore};
use wagate_store::{
    AttemptRecord, ClaimLimits, ClaimedDelivery, Claims, DeliveryFilter, DeliveryOutcome,
    DeliveryStatus, IgnoreCommits, Lane, MASTER_KEY_LEN, MasterKeys, SecretChange, Store,
    WebhookHealth, Workload,
};

use crate::deliveries::{LIMITS, chats, claim, emit, finish, setup};
use crate::events::webhook;
use crate::write;

const HOUR_MS: i64 = 3_600_000;

async fn claim_beside(store: &TestStore, limits: ClaimLimits, load: Workload) -> Claims {
    write!(store, Lane::SHARED, |tx| {
        let mut admin = tx.admin();
        admin.claim_deliveries("w", limits, load, START_MS).await
    })
    .unwrap()
}

async fn finish_with(
    store: &TestStore,
    claimed: &ClaimedDelivery,
    attempt: AttemptRecord,
    now_ms: i64,
) -> WebhookHealth {
    let claim = claimed.claim.clone();
    let outcome = DeliveryOutcome::Retry { at_ms: now_ms };
    write!(store, Lane::SHARED, |tx| {
        tx.admin()
            .finish_attempt(&claim, &attempt, outcome, now_ms)
            .await
    })
    .unwrap()
    .unwrap()
}

#[tokio::test]
async fn a_webhook_that_cannot_be_read_is_disabled_and_holds_nobody_up() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let (broken, sound) = (webhook(organization, &["*"]), webhook(organization, &["*"]));
    let (broken_id, sound_id) = (broken.id, sound.id);
    setup(&[sound], organization, &store).await;
    // Sealed with a key that the store does not have.
    let stranger = Store::open(
        store.config().clone(),
        store.clock.clone(),
        MasterKeys::new([9; MASTER_KEY_LEN].into(), Vec::new()),
        Arc::new(IgnoreCommits),
    )
    .await
    .unwrap();
    write!(stranger, organization, |tx| tx
        .insert_webhook(organization, &broken, Some("s3cret"))
        .await)
    .unwrap();
    stranger.close().await;
    emit(&store, organization, session, &[None; 2]).await;

    let claims = claim_beside(&store, LIMITS, Workload::default()).await;
    let targets: BTreeSet<_> = claims.deliveries.iter().map(|one| one.target.id).collect();
    assert_eq!((targets, claims.deliveries.len()), ([sound_id].into(), 2));
    let unreadable: Vec<_> = claims.unreadable.iter().map(|one| one.id).collect();
    assert_eq!(unreadable, [broken_id]);
    let mut tx = store.read().await.unwrap();
    let off = tx.webhook(organization, broken_id).await.unwrap().unwrap();
    assert_eq!(
        (off.active, off.disabled_reason.as_deref()),
        (false, Some("unreadable"))
    );
}

#[tokio::test]
async fn an_organization_takes_no_more_than_it_leaves_free() {
    let store = testing::store().await;
    let (greedy, modest) = (store.organization().await, store.organization().await);
    for (organization, count) in [(greedy, 5), (modest, 1)] {
        let session = store.session(organization).await;
        let webhooks: Vec<_> = (0..count).map(|_| webhook(organization, &["*"])).collect();
        setup(&webhooks, organization, &store).await;
        emit(&store, organization, session, &[None; 20]).await;
    }
    let limits = ClaimLimits { total: 8, ..LIMITS };
    let claims = claim_beside(&store, limits, Workload::default()).await;
    let mut taken = BTreeMap::new();
    for one in &claims.deliveries {
        *taken.entry(one.target.organization).or_insert(0) += 1;
    }
    assert!((1..=4).contains(&taken[&greedy]), "{taken:?}");
    assert!((1..=4).contains(&taken[&modest]), "{taken:?}");
    // What is under way in the worker counts.
    let limits = ClaimLimits { total: 4, ..LIMITS };
    let load = Workload {
        under_way: [(greedy, 4)].into(),
        last_served: None,
    };
    let claims = claim_beside(&store, limits, load).await;
    assert!(!claims.deliveries.is_empty());
    let mut organizations = claims.deliveries.iter().map(|one| one.target.organization);
    assert!(organizations.all(|organization| organization == modest));
}

#[tokio::test]
async fn webhooks_take_turns() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let webhooks: Vec<_> = (0..3).map(|_| webhook(organization, &["*"])).collect();
    setup(&webhooks, organization, &store).await;
    emit(&store, organization, session, &[None; 9]).await;
    let limits = ClaimLimits { total: 1, ..LIMITS };
    let mut served = Vec::new();
    let mut last_served = None;
    for _ in 0..6 {
        let load = Workload {
            last_served,
            ..Workload::default()
        };
        let claims = claim_beside(&store, limits, load).await;
        last_served = claims.last_served;
        served.extend(claims.deliveries.iter().map(|one| one.target.id));
    }
    assert_eq!(served.len(), 6);
    assert_eq!(served[..3], served[3..]);
    assert_eq!(served[..3].iter().collect::<BTreeSet<_>>().len(), 3);
}

#[tokio::test]
async fn a_chat_with_a_long_queue_does_not_hide_the_others() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    setup(&[webhook(organization, &["*"])], organization, &store).await;
    let mut events = vec![Some("busy"); 700];
    events.push(Some("quiet"));
    emit(&store, organization, session, &events).await;
    let first = claim(&store, "w", LIMITS, START_MS).await;
    assert_eq!(chats(&first), ["busy", "quiet"]);
    // What waits for its chat is not due: nobody looks at it again before its turn.
    let mut tx = store.read().await.unwrap();
    let next = tx.admin().next_delivery_at().await.unwrap();
    assert_eq!(next, Some(START_MS + LIMITS.lease_ms));
    emit(&store, organization, session, &[Some("busy"), Some("new")]).await;
    let second = claim(&store, "w", LIMITS, START_MS).await;
    assert_eq!(chats(&second), ["new"]);

    let mut busy = first.into_iter().next().unwrap();
    for outcome in [
        DeliveryOutcome::Delivered,
        DeliveryOutcome::Dead,
        DeliveryOutcome::Retry {
            at_ms: START_MS + 500,
        },
    ] {
        finish(&store, &busy, outcome, START_MS).await;
        let mut next = claim(&store, "w", LIMITS, START_MS).await;
        assert_eq!(chats(&next), ["busy"]);
        assert!(next[0].event_id > busy.event_id);
        busy = next.remove(0);
    }
    // A lease that runs out leaves the order as it is.
    let later = START_MS + LIMITS.lease_ms;
    let again = claim(&store, "w2", LIMITS, later).await;
    let first_attempts: Vec<_> = again
        .iter()
        .filter(|one| one.attempts == 0)
        .map(|one| one.event_id)
        .collect();
    assert!(first_attempts.contains(&busy.event_id));
    assert_eq!(first_attempts.len(), 3, "busy, quiet and new");
}

#[tokio::test]
async fn a_pause_holds_every_delivery_of_its_webhook_until_it_ends_or_the_address_changes() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let hook = webhook(organization, &["*"]);
    setup(std::slice::from_ref(&hook), organization, &store).await;
    emit(&store, organization, session, &[None; 3]).await;
    let limits = ClaimLimits {
        per_webhook: 1,
        ..LIMITS
    };
    let asked_until = START_MS + 90_000;
    let pause = AttemptRecord {
        was_requested: true,
        pause_until_ms: Some(asked_until),
        ..AttemptRecord::default()
    };
    let first = claim(&store, "w", limits, START_MS).await.remove(0);
    finish_with(&store, &first, pause.clone(), START_MS).await;
    let early = claim(&store, "w", limits, asked_until - 1).await;
    assert!(early.is_empty());
    let mut tx = store.read().await.unwrap();
    let next = tx.admin().next_delivery_at().await.unwrap();
    assert_eq!(next, Some(asked_until));
    let second = claim(&store, "w", limits, asked_until).await.remove(0);

    let pause = AttemptRecord {
        pause_until_ms: Some(asked_until + 90_000),
        ..pause
    };
    finish_with(&store, &second, pause, asked_until).await;
    assert!(claim(&store, "w", limits, asked_until).await.is_empty());
    let moved = Webhook {
        url: "https://example.org/".into(),
        ..hook
    };
    write!(store, organization, |tx| tx
        .update_webhook(organization, &moved, &SecretChange::Keep, START_MS)
        .await)
    .unwrap();
    assert_eq!(claim(&store, "w", limits, asked_until).await.len(), 1);
}

#[tokio::test]
async fn failures_count_until_a_success_or_a_day_without_any() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    setup(&[webhook(organization, &["*"])], organization, &store).await;
    emit(&store, organization, session, &[None]).await;
    let attempt = async |was_requested: bool, now_ms: i64| {
        let claimed = claim(&store, "w", LIMITS, now_ms).await.remove(0);
        let record = AttemptRecord {
            was_requested,
            ..AttemptRecord::default()
        };
        let health = finish_with(&store, &claimed, record, now_ms).await;
        (health.failing_since, health.failure_count)
    };
    assert_eq!(attempt(true, START_MS).await, (Some(START_MS), 1));
    let second = START_MS + 24 * HOUR_MS;
    assert_eq!(attempt(true, second).await, (Some(START_MS), 2));
    assert_eq!(attempt(false, second).await, (None, 0));
    assert_eq!(attempt(true, second).await, (Some(START_MS), 3));
    let late = second + 24 * HOUR_MS + 1;
    assert_eq!(attempt(true, late).await, (Some(late), 1));
    emit(&store, organization, session, &[None]).await;
    let both = claim(&store, "w", LIMITS, late).await;
    finish(&store, &both[1], DeliveryOutcome::Delivered, late).await;
    let health = finish(&store, &both[0], DeliveryOutcome::Dead, late + 1).await;
    assert_eq!(
        health,
        Some(WebhookHealth {
            failing_since: Some(late + 1),
            failure_count: 1
        })
    );
}

#[tokio::test]
async fn a_delivery_that_no_worker_survives_is_given_up() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let hook = webhook(organization, &["*"]);
    setup(std::slice::from_ref(&hook), organization, &store).await;
    emit(&store, organization, session, &[Some("a"), Some("a")]).await;
    let mut now_ms = START_MS;
    let mut first = None;
    for _ in 0..10 {
        let claimed = claim(&store, "w", LIMITS, now_ms).await.remove(0);
        assert_eq!(*first.get_or_insert(claimed.claim.id), claimed.claim.id);
        // What is given back in order does not count.
        let returned = claimed.claim.clone();
        write!(store, Lane::SHARED, |tx| tx
            .admin()
            .return_delivery(&returned, now_ms)
            .await)
        .unwrap();
        assert_eq!(claim(&store, "w", LIMITS, now_ms).await.len(), 1);
        now_ms += LIMITS.lease_ms;
    }
    let mut left = claim(&store, "w", LIMITS, now_ms).await;
    if left.is_empty() {
        left = claim(&store, "w", LIMITS, now_ms).await;
    }
    assert_eq!(left.len(), 1);
    assert_ne!(Some(left[0].claim.id), first);
    let mut tx = store.read().await.unwrap();
    let dead = DeliveryFilter {
        status: Some(DeliveryStatus::Dead),
        ..DeliveryFilter::default()
    };
    let dead = tx
        .deliveries(organization, hook.id, &dead, None, 10)
        .await
        .unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(Some(dead[0].id), first);
    assert!(dead[0].last_error.as_deref().unwrap().contains("given up"));
}

#[tokio::test]
async fn workers_that_claim_at_once_never_get_the_same_delivery() {
    let store = testing::store().await;
    let second = store.second().await.unwrap();
    let organization = store.organization().await;
    let session = store.session(organization).await;
    setup(&[webhook(organization, &["*"])], organization, &store).await;
    emit(&store, organization, session, &[None; 60]).await;
    let limits = ClaimLimits {
        per_webhook: 1_000,
        total: 7,
        lease_ms: 1_000_000,
    };
    let workers = [
        store.handle(),
        second.clone(),
        store.handle(),
        second.clone(),
    ]
    .map(|store| {
        tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let claimed = write!(store, Lane::SHARED, |tx| {
                    let mut admin = tx.admin();
                    admin
                        .claim_deliveries("w", limits, Workload::default(), START_MS)
                        .await
                })
                .unwrap()
                .deliveries;
                if claimed.is_empty() {
                    return mine;
                }
                mine.extend(claimed.into_iter().map(|one| one.claim.id));
            }
        })
    });
    let mut all = Vec::new();
    for worker in workers {
        all.extend(worker.await.unwrap());
    }
    // A claim that meets another one may skip what that one is taking.
    all.extend(
        claim(&store, "w", LIMITS, START_MS)
            .await
            .into_iter()
            .map(|one| one.claim.id),
    );
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!((all.len(), count), (60, 60));
    second.close().await;
}
