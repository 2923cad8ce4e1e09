use serde_json::value::to_raw_value;
use wagate_model::{AttachmentId, EventKind, OutboxId, SendMode, Webhook};
use wagate_store::testing::{self, START_MS};
use wagate_store::{
    AttemptRecord, ClaimLimits, DeliveryFilter, DeliveryOutcome, GroupFacts, IdempotencyKey,
    IdentityFacts, IgnoreCommits, Lane, MASTER_KEY_LEN, MasterKeys, NewEvent, NewOutbox, Rotated,
    SealedColumn, SecretChange, Store, StoreError, Workload,
};

use crate::deliveries::{LIMITS, claim, emit, setup};
use crate::events::webhook;
use crate::webhook_secrets::rotation;
use crate::{fresh, write};

#[tokio::test]
async fn events_go_by_age_in_bounded_steps_but_not_while_a_webhook_waits() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let hook = webhook(organization, &["auth.qr"]);
    let stored = hook.clone();
    write!(store, organization, |tx| tx
        .insert_webhook(organization, &stored, None)
        .await)
    .unwrap();
    for kind in [
        EventKind::Message,
        EventKind::Message,
        EventKind::Message,
        EventKind::AuthQr,
    ] {
        write!(store, organization, |tx| {
            tx.append_event(NewEvent::new(organization, session, kind, 1, &0)?);
            Ok(())
        })
        .unwrap();
    }
    let last = store
        .read()
        .await
        .unwrap()
        .last_event_id(organization)
        .await
        .unwrap();
    let purge = async |before: i64, limit: i64| {
        write!(store, Lane::SHARED, |tx| tx
            .admin()
            .purge_events(before, limit)
            .await)
        .unwrap()
    };
    assert_eq!(purge(START_MS, 10).await, 0);
    assert_eq!(purge(START_MS + 1, 2).await, 2);
    assert_eq!(purge(START_MS + 1, 2).await, 1);
    assert_eq!(purge(START_MS + 1, 2).await, 0, "the webhook's event stays");
    let limits = ClaimLimits {
        per_webhook: 1,
        total: 1,
        lease_ms: 1,
    };
    write!(store, Lane::SHARED, |tx| {
        let mut admin = tx.admin();
        let claimed = admin
            .claim_deliveries("w", limits, Workload::default(), START_MS)
            .await?
            .deliveries
            .remove(0);
        let attempt = AttemptRecord::default();
        let outcome = DeliveryOutcome::Delivered;
        admin
            .finish_attempt(&claimed.claim, &attempt, outcome, START_MS + 5)
            .await
    })
    .unwrap();
    assert_eq!(purge(START_MS + 1, 2).await, 1);
    let mut tx = store.read().await.unwrap();
    assert_eq!(
        tx.last_event_id(organization).await.unwrap(),
        last,
        "ids do not start again"
    );
    let purge = async |before: i64| {
        write!(store, Lane::SHARED, |tx| tx
            .admin()
            .purge_deliveries(before, 10)
            .await)
        .unwrap()
    };
    assert_eq!(purge(START_MS + 5).await, 0);
    assert_eq!(purge(START_MS + 6).await, 1);
    let left = tx
        .deliveries(organization, hook.id, &DeliveryFilter::default(), None, 10)
        .await;
    assert!(left.unwrap().is_empty());
}

#[tokio::test]
async fn what_waits_for_a_webhook_that_is_off_is_given_up_in_time() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let hook = webhook(organization, &["*"]);
    let id = hook.id;
    setup(&[hook], organization, &store).await;
    emit(&store, organization, session, &[Some("a"); 3]).await;
    // The claim sets the second and the third aside.
    assert_eq!(claim(&store, "w", LIMITS, START_MS).await.len(), 1);
    store.clock.advance_ms(10);
    emit(&store, organization, session, &[Some("a")]).await;
    assert!(claim(&store, "w", LIMITS, START_MS + 10).await.is_empty());
    let bury = async |before: i64| {
        write!(store, Lane::SHARED, |tx| tx
            .admin()
            .bury_deliveries(before, START_MS + 20, 10)
            .await)
        .unwrap()
    };
    assert_eq!(bury(START_MS + 10).await, 0, "the webhook is on");
    write!(store, Lane::SHARED, |tx| tx
        .admin()
        .disable_webhook(id, "gone", START_MS + 20)
        .await)
    .unwrap();
    assert_eq!(bury(START_MS + 10).await, 3);
    assert_eq!(bury(START_MS + 10).await, 0, "the fourth is young");
    let purged = write!(store, Lane::SHARED, |tx| tx
        .admin()
        .purge_events(START_MS + 30, 10)
        .await);
    assert_eq!(purged.unwrap(), 3);
    let mut tx = store.read().await.unwrap();
    let current = tx.webhook(organization, id).await.unwrap().unwrap();
    let on = Webhook {
        active: true,
        ..current
    };
    write!(store, organization, |tx| tx
        .update_webhook(organization, &on, &SecretChange::Keep, START_MS + 30)
        .await)
    .unwrap();
    // Nothing is before it any more.
    assert_eq!(claim(&store, "w", LIMITS, START_MS + 30).await.len(), 1);
}

#[tokio::test]
async fn outbox_entries_stay_as_long_as_their_keys_and_keys_while_unfinished() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let entry = |key: &str| NewOutbox {
        id: fresh!(OutboxId),
        session_id: session,
        wa_message_id: "A".into(),
        chat_jid: "1@lid".into(),
        mode: SendMode::Sync,
        request: Vec::new(),
        idempotency: Some(IdempotencyKey {
            key: key.into(),
            body_hash: [0; 32],
        }),
        next_attempt_at_ms: 0,
    };
    let (finished, open) = (entry("finished"), entry("open"));
    write!(store, organization, |tx| {
        tx.enqueue(organization, &finished, 10).await?;
        tx.enqueue(organization, &open, 10).await?;
        let result = to_raw_value(&1)?;
        tx.owned(&fence)
            .await?
            .finish_send(finished.id, true, &result, 20)
            .await
    })
    .unwrap();
    let outbox = async |before: i64| {
        write!(store, Lane::SHARED, |tx| tx
            .admin()
            .purge_outbox(before, 10)
            .await)
        .unwrap()
    };
    let keys = async |before: i64| {
        write!(store, Lane::SHARED, |tx| tx
            .admin()
            .purge_idempotency_keys(before, 10)
            .await)
        .unwrap()
    };
    assert_eq!(outbox(100).await, 0);
    assert_eq!(keys(10).await, 0);
    assert_eq!(keys(100).await, 1);
    assert_eq!(outbox(20).await, 0);
    assert_eq!(outbox(100).await, 1);
    write!(store, organization, |tx| {
        tx.insert_ticket(Some(organization), &[1; 32], &to_raw_value(&1)?, 0, 100)
            .await
    })
    .unwrap();
    let tickets = async |before: i64| {
        write!(store, Lane::SHARED, |tx| tx
            .admin()
            .purge_tickets(before, 10)
            .await)
        .unwrap()
    };
    assert_eq!((tickets(100).await, tickets(101).await), (0, 1));
}

#[tokio::test]
async fn a_deleted_session_is_purged_in_steps() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let kept = store.session(organization).await;
    for session in [session, kept] {
        let fence = store.claim(session).await;
        let hook = Webhook {
            session_id: Some(session),
            ..webhook(organization, &["*"])
        };
        write!(store, organization, |tx| {
            tx.insert_webhook(organization, &hook, None).await?;
            let mut owned = tx.owned(&fence).await?;
            let chat = testing::person_chat("1@lid");
            let chat_id = owned.upsert_chat(&chat, 1).await?.id;
            for number in 0..5 {
                let message = testing::text_message(chat_id, format!("{number}"));
                owned.insert_message(&message, 1).await?;
            }
            let group = GroupFacts {
                jid: "1@g.us".into(),
                ..GroupFacts::default()
            };
            let group = owned.upsert_group(&group, 1).await?;
            let person = IdentityFacts {
                lid: Some("1@lid".into()),
                ..IdentityFacts::default()
            };
            let person = owned.upsert_identity(&person, 1).await?.unwrap();
            owned
                .upsert_group_member(group, person.identity.id, "member", None, 1)
                .await?;
            owned.append_event(NewEvent::new(
                organization,
                session,
                EventKind::Message,
                1,
                &0,
            )?);
            let file = fresh!(AttachmentId);
            owned
                .insert_attachment(organization, session, file, 3, 1)
                .await?;
            for place in 0..3 {
                owned
                    .insert_attachment_piece(organization, file, place, b"x")
                    .await?;
            }
            Ok(())
        })
        .unwrap();
    }
    write!(store, organization, |tx| tx
        .delete_session(organization, session, 5)
        .await)
    .unwrap();
    let mut steps = Vec::new();
    loop {
        let count = write!(store, Lane::SHARED, |tx| tx
            .admin()
            .purge_deleted_sessions(START_MS, 2)
            .await)
        .unwrap();
        if count == 0 {
            break;
        }
        steps.push(count);
    }
    // 3 pieces of a file by twos, 5 messages too; then a member, a group, a chat, a person, a
    // delivery, the file, the session.
    assert_eq!(steps, [2, 1 + 2, 2, 8]);
    let mut tx = store.read().await.unwrap();
    for (session, waiting) in [(session, 0), (kept, 3)] {
        let bytes = tx.attachment_bytes(organization, session).await;
        assert_eq!(bytes.unwrap(), waiting);
    }
    let chat = tx.chat(organization, kept, "1@lid").await.unwrap().unwrap();
    assert_eq!(
        tx.messages(organization, kept, chat.id, None, 10)
            .await
            .unwrap()
            .len(),
        5
    );
    assert_eq!(
        tx.group_members(organization, kept, "1@g.us")
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(tx.webhooks(organization).await.unwrap().len(), 1);
}

#[tokio::test]
async fn values_are_sealed_again_with_a_new_master_key() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let mut hooks: Vec<_> = (0..5).map(|_| webhook(organization, &["*"])).collect();
    hooks.sort_by_key(|hook| hook.id);
    let stored = hooks.clone();
    write!(store, organization, |tx| {
        for (number, hook) in stored.iter().enumerate() {
            let secret = format!("secret {number}");
            tx.insert_webhook(organization, hook, (number != 2).then_some(&*secret))
                .await?;
        }
        Ok(())
    })
    .unwrap();
    let old = [7; MASTER_KEY_LEN];
    let fresh_key = [8; MASTER_KEY_LEN];
    let open = async |keys: MasterKeys| {
        Store::open(
            store.config().clone(),
            store.clock.clone(),
            keys,
            std::sync::Arc::new(IgnoreCommits),
        )
        .await
        .unwrap()
    };
    let rotated = open(MasterKeys::new(fresh_key.into(), vec![old.into()])).await;
    let column = SealedColumn::ALL[0];
    let mut total = 0;
    let mut after: Option<String> = None;
    let mut rounds = 0;
    loop {
        let from = after.clone();
        let progress = write!(rotated, Lane::SHARED, |tx| {
            tx.admin().reseal(column, from.as_deref(), 2).await
        })
        .unwrap();
        total += progress.resealed;
        rounds += 1;
        after = progress.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((total, rounds), (4, 3));
    for column in SealedColumn::ALL {
        let column = *column;
        let again = write!(rotated, Lane::SHARED, |tx| tx
            .admin()
            .reseal(column, None, 10)
            .await);
        assert_eq!(again.unwrap().resealed, 0);
    }
    rotated.close().await;
    // The old key is not needed any more, and no longer enough.
    let id = hooks[0].id;
    let rotate = async |store: &Store| {
        write!(store, Lane::SHARED, |tx| {
            tx.rotate_webhook_secret(organization, id, &rotation("next"), 1)
                .await
        })
    };
    assert!(matches!(rotate(&store).await, Err(StoreError::Seal(_))));
    let only_new = open(MasterKeys::new(fresh_key.into(), Vec::new())).await;
    assert_eq!(rotate(&only_new).await.unwrap(), Some(Rotated::Now));
    only_new.close().await;
}
