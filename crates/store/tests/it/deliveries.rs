use std::collections::BTreeMap;

use wagate_model::{DeliveryId, EventId, EventKind, OrganizationId, SessionId, Webhook, WebhookId};
use wagate_store::testing::{self, START_MS, TestStore};
use wagate_store::{
    AttemptRecord, ClaimLimits, ClaimedDelivery, DeliveryFilter, DeliveryOutcome, DeliveryStatus,
    Lane, NewEvent, Rotated, SecretChange, SecretRotation, WebhookHealth, Workload,
};

use crate::events::webhook;
use crate::{fresh, write};

pub(crate) const LIMITS: ClaimLimits = ClaimLimits {
    per_webhook: 10,
    total: 100,
    lease_ms: 1_000,
};

pub(crate) async fn setup(webhooks: &[Webhook], organization: OrganizationId, store: &TestStore) {
    let webhooks = webhooks.to_vec();
    write!(store, organization, |tx| {
        for webhook in &webhooks {
            tx.insert_webhook(organization, webhook, Some("s3cret"))
                .await?;
        }
        Ok(())
    })
    .unwrap();
}

pub(crate) async fn emit(
    store: &TestStore,
    organization: OrganizationId,
    session: SessionId,
    chats: &[Option<&str>],
) {
    let chats: Vec<_> = chats.iter().map(|chat| chat.map(str::to_owned)).collect();
    write!(store, organization, |tx| {
        for chat in chats {
            let mut event = NewEvent::new(organization, session, EventKind::Message, 1, &chat)?;
            event.chat_key = chat;
            tx.append_event(event);
        }
        Ok(())
    })
    .unwrap();
}

pub(crate) async fn claim(
    store: &TestStore,
    owner: &str,
    limits: ClaimLimits,
    now_ms: i64,
) -> Vec<ClaimedDelivery> {
    let owner = owner.to_owned();
    write!(store, Lane::SHARED, |tx| {
        let mut admin = tx.admin();
        admin
            .claim_deliveries(&owner, limits, Workload::default(), now_ms)
            .await
    })
    .unwrap()
    .deliveries
}

pub(crate) async fn finish(
    store: &TestStore,
    claimed: &ClaimedDelivery,
    outcome: DeliveryOutcome,
    now_ms: i64,
) -> Option<WebhookHealth> {
    let claim = claimed.claim.clone();
    let attempt = AttemptRecord {
        started_at_ms: now_ms,
        duration_ms: 3,
        status_code: Some(if outcome == DeliveryOutcome::Delivered {
            200
        } else {
            500
        }),
        error: (outcome != DeliveryOutcome::Delivered).then(|| "status 500".to_owned()),
        answer: Some("answer".to_owned()),
        was_requested: true,
        pause_until_ms: None,
    };
    write!(store, Lane::SHARED, |tx| {
        tx.admin()
            .finish_attempt(&claim, &attempt, outcome, now_ms)
            .await
    })
    .unwrap()
}

pub(crate) fn chats(claimed: &[ClaimedDelivery]) -> Vec<serde_json::Value> {
    let envelope = |one: &ClaimedDelivery| one.envelope.clone().unwrap();
    claimed
        .iter()
        .map(|one| {
            serde_json::from_str::<serde_json::Value>(&envelope(one)).unwrap()["payload"].clone()
        })
        .collect()
}

#[tokio::test]
async fn first_attempts_of_a_chat_go_out_in_order() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    setup(&[webhook(organization, &["*"])], organization, &store).await;
    emit(
        &store,
        organization,
        session,
        &[Some("a"), Some("a"), Some("b"), None, None, Some("a")],
    )
    .await;
    let first = claim(&store, "w1", LIMITS, START_MS).await;
    assert_eq!(
        chats(&first),
        serde_json::json!(["a", "b", null, null])
            .as_array()
            .unwrap()
            .clone()
    );
    assert!(first.iter().map(|one| one.event_id).is_sorted());
    assert!(claim(&store, "w2", LIMITS, START_MS).await.is_empty());
    // The first attempt fails: its repetition does not hold the chat up.
    let retry = DeliveryOutcome::Retry {
        at_ms: START_MS + 500,
    };
    assert!(
        finish(&store, &first[0], retry, START_MS + 1)
            .await
            .is_some()
    );
    let second = claim(&store, "w2", LIMITS, START_MS + 1).await;
    assert_eq!(second.len(), 1);
    assert!(second[0].event_id > first[0].event_id);
    let done = finish(&store, &second[0], DeliveryOutcome::Delivered, START_MS + 2).await;
    assert_eq!(done, Some(WebhookHealth::default()));
    let third = claim(&store, "w1", LIMITS, START_MS + 500).await;
    let attempts: Vec<_> = third.iter().map(|one| one.attempts).collect();
    assert_eq!(attempts, [1, 0]);
}

#[tokio::test]
async fn what_a_killed_worker_held_is_due_once_it_is_taken_back() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    setup(&[webhook(organization, &["*"])], organization, &store).await;
    emit(&store, organization, session, &[Some("a"), Some("a")]).await;
    let held = claim(&store, "w1", LIMITS, START_MS).await;
    assert!(claim(&store, "w2", LIMITS, START_MS + 1).await.is_empty());
    let released = write!(store, Lane::SHARED, |tx| tx
        .admin()
        .release_deliveries(START_MS + 2)
        .await);
    assert_eq!(released.unwrap(), 1);
    let again = claim(&store, "w2", LIMITS, START_MS + 2).await;
    assert_eq!((again.len(), again[0].claim.id), (1, held[0].claim.id));
    let late = finish(&store, &held[0], DeliveryOutcome::Delivered, START_MS + 3).await;
    assert!(late.is_none());
}

#[tokio::test]
async fn a_lease_that_ran_out_is_claimed_again_and_its_holder_is_too_late() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    setup(&[webhook(organization, &["*"])], organization, &store).await;
    emit(&store, organization, session, &[Some("a")]).await;
    let late = claim(&store, "w1", LIMITS, START_MS).await;
    assert!(claim(&store, "w1", LIMITS, START_MS + 999).await.is_empty());
    let next = write!(store, Lane::SHARED, |tx| tx
        .admin()
        .next_delivery_at()
        .await)
    .unwrap();
    assert_eq!(next, Some(START_MS + 1_000));
    let again = claim(&store, "w1", LIMITS, START_MS + 1_000).await;
    assert_eq!(again[0].claim.number, 2);
    assert!(
        finish(
            &store,
            &late[0],
            DeliveryOutcome::Delivered,
            START_MS + 1_001
        )
        .await
        .is_none()
    );
    let returned = again[0].claim.clone();
    assert!(
        write!(store, Lane::SHARED, |tx| {
            tx.admin()
                .return_delivery(&returned, START_MS + 1_002)
                .await
        })
        .unwrap()
    );
    assert!(
        finish(
            &store,
            &again[0],
            DeliveryOutcome::Delivered,
            START_MS + 1_003
        )
        .await
        .is_none()
    );
    let third = claim(&store, "w2", LIMITS, START_MS + 1_003).await;
    assert!(
        finish(
            &store,
            &third[0],
            DeliveryOutcome::Delivered,
            START_MS + 1_004
        )
        .await
        .is_some()
    );
    assert!(
        claim(&store, "w2", LIMITS, START_MS + 9_000)
            .await
            .is_empty()
    );
    let next = write!(store, Lane::SHARED, |tx| tx
        .admin()
        .next_delivery_at()
        .await)
    .unwrap();
    assert_eq!(next, None);
}

#[tokio::test]
async fn one_slow_webhook_does_not_hold_the_others_up() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let webhooks = [webhook(organization, &["*"]), webhook(organization, &["*"])];
    setup(&webhooks, organization, &store).await;
    emit(&store, organization, session, &[None; 5]).await;
    let limits = ClaimLimits {
        per_webhook: 2,
        total: 3,
        lease_ms: 1_000,
    };
    let count = |claimed: &[ClaimedDelivery]| {
        let mut counts = BTreeMap::new();
        for one in claimed {
            *counts.entry(one.target.id).or_insert(0) += 1;
        }
        counts
    };
    let first = claim(&store, "w1", limits, START_MS).await;
    // An organization takes no more than it leaves free.
    assert_eq!(first.len(), 2);
    let second = claim(&store, "w2", limits, START_MS).await;
    assert_eq!(second.len(), 2);
    let together: Vec<_> = first.iter().chain(&second).cloned().collect();
    assert_eq!(
        count(&together).values().copied().collect::<Vec<_>>(),
        [2, 2]
    );
    assert!(claim(&store, "w3", limits, START_MS).await.is_empty());
    finish(&store, &first[0], DeliveryOutcome::Dead, START_MS).await;
    let third = claim(&store, "w3", limits, START_MS).await;
    assert_eq!(third.len(), 1);
    assert_eq!(third[0].target.id, first[0].target.id);
    let (pending, dead) =
        write!(store, Lane::SHARED, |tx| tx.admin().delivery_counts().await).unwrap();
    assert_eq!((pending, dead), (9, 1));
}

#[tokio::test]
async fn attempts_are_listed_with_their_answers_and_the_dead_can_be_replayed() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let stranger = store.organization().await;
    let session = store.session(organization).await;
    let hook = webhook(organization, &["*"]);
    setup(std::slice::from_ref(&hook), organization, &store).await;
    emit(&store, organization, session, &[Some("a")]).await;
    let retry = DeliveryOutcome::Retry {
        at_ms: START_MS + 10,
    };
    let first = claim(&store, "w", LIMITS, START_MS).await.remove(0);
    assert_eq!(first.target.secrets.current.as_deref(), Some("s3cret"));
    finish(&store, &first, retry, START_MS + 5).await;
    let second = claim(&store, "w", LIMITS, START_MS + 10).await.remove(0);
    finish(&store, &second, DeliveryOutcome::Dead, START_MS + 11).await;

    let mut tx = store.read().await.unwrap();
    let id = first.claim.id;
    let record = tx.delivery(organization, id).await.unwrap().unwrap();
    assert_eq!((record.status, record.attempts), (DeliveryStatus::Dead, 2));
    assert_eq!(
        (record.last_status_code, record.next_attempt_at_ms),
        (Some(500), None)
    );
    assert!(tx.delivery(stranger, id).await.unwrap().is_none());
    let attempts = tx.delivery_attempts(organization, id).await.unwrap();
    assert_eq!(
        attempts.iter().map(|one| one.number).collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(attempts[0].answer.as_deref(), Some("answer"));
    assert!(tx.delivery_attempts(stranger, id).await.unwrap().is_empty());

    let event = first.event_id;
    let replay = async |by: OrganizationId, webhook: WebhookId, event: EventId| {
        write!(store, by, |tx| tx
            .replay_event(by, webhook, event, START_MS + 20)
            .await)
        .unwrap()
    };
    assert_eq!(replay(stranger, hook.id, event).await, None);
    assert_eq!(replay(organization, hook.id, fresh!(EventId)).await, None);
    let replayed = replay(organization, hook.id, event).await.unwrap();
    let third = claim(&store, "w", LIMITS, START_MS + 20).await.remove(0);
    assert_eq!((third.claim.id, third.is_replay), (replayed, true));
    assert_eq!(third.envelope, first.envelope);
    finish(&store, &third, DeliveryOutcome::Delivered, START_MS + 21).await;

    let mut list = async |filter: DeliveryFilter, before: Option<DeliveryId>| -> Vec<DeliveryId> {
        let found = tx
            .deliveries(organization, hook.id, &filter, before, 10)
            .await
            .unwrap();
        found.into_iter().map(|record| record.id).collect()
    };
    assert_eq!(list(DeliveryFilter::default(), None).await, [replayed, id]);
    assert_eq!(list(DeliveryFilter::default(), Some(replayed)).await, [id]);
    let dead = DeliveryFilter {
        status: Some(DeliveryStatus::Dead),
        ..DeliveryFilter::default()
    };
    assert_eq!(list(dead, None).await, [id]);
    let narrow = DeliveryFilter {
        event_id: Some(event),
        from_ms: Some(START_MS + 20),
        until_ms: Some(START_MS + 21),
        ..DeliveryFilter::default()
    };
    assert_eq!(list(narrow, None).await, [replayed]);
}

#[tokio::test]
async fn webhooks_are_changed_rotated_switched_off_and_deleted_by_their_organization() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let stranger = store.organization().await;
    let session = store.session(organization).await;
    let hook = Webhook {
        custom_headers: Some(BTreeMap::from([("x-a".to_owned(), "1".to_owned())])),
        session_id: Some(session),
        ..webhook(organization, &["message"])
    };
    setup(std::slice::from_ref(&hook), organization, &store).await;
    let mut tx = store.read().await.unwrap();
    assert_eq!(
        tx.webhook(organization, hook.id).await.unwrap().as_ref(),
        Some(&hook)
    );
    assert_eq!(
        tx.webhooks(organization).await.unwrap(),
        std::slice::from_ref(&hook)
    );
    assert!(tx.webhook(stranger, hook.id).await.unwrap().is_none());
    assert!(tx.webhooks(stranger).await.unwrap().is_empty());

    let rotate = async |by: OrganizationId, id: WebhookId| {
        let rotation = SecretRotation {
            secret: "n3w".into(),
            derived: "d3rived".into(),
            valid_until_ms: START_MS + 100,
        };
        write!(store, by, |tx| {
            tx.rotate_webhook_secret(by, id, &rotation, START_MS).await
        })
        .unwrap()
    };
    assert_eq!(rotate(stranger, hook.id).await, None);
    assert_eq!(rotate(organization, hook.id).await, Some(Rotated::Now));
    emit(&store, organization, session, &[None, None, None]).await;
    let one = ClaimLimits {
        per_webhook: 10,
        total: 1,
        lease_ms: 1_000,
    };
    let early = claim(&store, "w", one, START_MS).await.remove(0);
    assert_eq!(early.target.secrets.current.as_deref(), Some("n3w"));
    assert_eq!(early.target.secrets.earlier, ["s3cret"]);
    assert_eq!(early.target.custom_headers["x-a"], "1");
    let later = claim(&store, "w", one, START_MS + 100).await.remove(0);
    assert!(later.target.secrets.earlier.is_empty());

    finish(&store, &later, DeliveryOutcome::Dead, START_MS + 101).await;
    let disable = async || {
        let id = hook.id;
        write!(store, Lane::SHARED, |tx| tx
            .admin()
            .disable_webhook(id, "gone", 8)
            .await)
        .unwrap()
    };
    assert!(disable().await);
    assert!(!disable().await);
    assert!(claim(&store, "w", LIMITS, START_MS + 200).await.is_empty());
    let off = tx.webhook(organization, hook.id).await.unwrap().unwrap();
    assert_eq!(
        (off.active, off.disabled_reason.as_deref()),
        (false, Some("gone"))
    );

    let update = async |by: OrganizationId, webhook: Webhook, secret: SecretChange| {
        write!(store, by, |tx| tx
            .update_webhook(by, &webhook, &secret, START_MS + 300)
            .await)
        .unwrap()
    };
    let changed = Webhook {
        url: "https://example.org/".into(),
        session_id: None,
        ..hook.clone()
    };
    assert!(!update(stranger, changed.clone(), SecretChange::Keep).await);
    assert!(update(organization, changed.clone(), SecretChange::Keep).await);
    let kept = claim(&store, "w", one, START_MS + 300).await.remove(0);
    assert_eq!(kept.target.url, "https://example.org/");
    assert_eq!(kept.target.secrets.current.as_deref(), Some("n3w"));
    let again = DeliveryOutcome::Retry {
        at_ms: START_MS + 301,
    };
    let health = finish(&store, &kept, again, START_MS + 300).await.unwrap();
    assert_eq!(health.failure_count, 1, "switched on again: a clean record");
    assert!(
        update(
            organization,
            changed.clone(),
            SecretChange::Replace("3rd".into())
        )
        .await
    );
    let replaced = claim(&store, "w", one, START_MS + 5_000).await.remove(0);
    assert_eq!(replaced.target.secrets.current.as_deref(), Some("3rd"));
    assert!(replaced.target.secrets.earlier.is_empty());
    assert!(update(organization, changed, SecretChange::Remove).await);
    assert_eq!(rotate(organization, hook.id).await, Some(Rotated::Now));

    assert!(
        !write!(store, stranger, |tx| tx
            .delete_webhook(stranger, hook.id)
            .await)
        .unwrap()
    );
    let id = hook.id;
    assert!(
        write!(store, organization, |tx| tx
            .delete_webhook(organization, id)
            .await)
        .unwrap()
    );
    assert!(
        claim(&store, "w", LIMITS, START_MS + 99_000)
            .await
            .is_empty()
    );
    let (pending, dead) =
        write!(store, Lane::SHARED, |tx| tx.admin().delivery_counts().await).unwrap();
    assert_eq!((pending, dead), (0, 0));
}
