use wagate_model::{AttachmentId, OrganizationId, OutboxId, SessionId};
use wagate_store::testing::{self, START_MS};
use wagate_store::{Lane, NewScheduled, StoreError};

use crate::{fresh, write};

fn at(session: SessionId, send_at_ms: i64) -> NewScheduled {
    NewScheduled {
        id: fresh!(OutboxId),
        session_id: session,
        wa_message_id: "3EB0".into(),
        chat_jid: "1@s.whatsapp.net".into(),
        request: b"words".to_vec(),
        send_at_ms,
    }
}

async fn insert(store: &testing::TestStore, organization: OrganizationId, new: &[NewScheduled]) {
    let new = new.to_vec();
    store
        .write::<_, StoreError, _>(organization, move |tx| {
            let new = new.clone();
            Box::pin(async move {
                for new in &new {
                    tx.insert_scheduled(organization, new, START_MS).await?;
                }
                Ok(())
            })
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn what_waits_is_listed_by_its_time_and_by_its_organization_only() {
    let store = testing::store().await;
    let (organization, other) = (store.organization().await, store.organization().await);
    let session = store.session(organization).await;
    let all = [
        at(session, START_MS + 9),
        at(session, START_MS + 5),
        at(session, START_MS + 9),
    ];
    insert(&store, organization, &all).await;
    let mut tx = store.read().await.unwrap();
    let listed = tx.scheduled(organization, session, None, 10).await.unwrap();
    let times: Vec<_> = listed.iter().map(|row| row.send_at_ms - START_MS).collect();
    assert_eq!(times, [5, 9, 9]);
    assert_eq!(listed[0].request.as_deref(), Some(b"words".as_slice()));
    let after = Some((listed[1].send_at_ms, listed[1].id));
    let rest = tx
        .scheduled(organization, session, after, 10)
        .await
        .unwrap();
    assert_eq!(rest.len(), 1);
    assert!(rest[0].id == listed[2].id);
    assert!(
        tx.scheduled(other, session, None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(tx.scheduled_count(organization, session).await.unwrap(), 3);
    assert_eq!(tx.scheduled_count(other, session).await.unwrap(), 0);
    let one = tx
        .scheduled_message(other, session, all[0].id)
        .await
        .unwrap();
    assert!(one.is_none());
}

#[tokio::test]
async fn of_an_owner_and_a_caller_who_takes_it_back_one_wins() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let (taken, withdrawn) = (at(session, START_MS), at(session, START_MS));
    insert(&store, organization, &[taken.clone(), withdrawn.clone()]).await;
    let file = fresh!(AttachmentId);
    write!(store, organization, |tx| {
        tx.insert_attachment(organization, session, file, 1, START_MS)
            .await?;
        let claimed = tx
            .claim_for_scheduled(organization, session, &[file], taken.id)
            .await?;
        assert!(claimed);
        let mut owned = tx.owned(&fence).await?;
        assert!(owned.take_scheduled(taken.id).await?);
        // Its file is the outbox entry's to claim.
        assert!(owned.claim_attachment(file, taken.id).await?);
        assert!(!owned.take_scheduled(taken.id).await?, "once");
        let is_there = tx.delete_scheduled(organization, session, taken.id).await?;
        assert!(!is_there, "its time has come");
        let is_there = tx
            .delete_scheduled(organization, session, withdrawn.id)
            .await?;
        assert!(is_there);
        let mut owned = tx.owned(&fence).await?;
        assert!(!owned.take_scheduled(withdrawn.id).await?);
        Ok(())
    })
    .unwrap();
}

#[tokio::test]
async fn what_is_due_is_found_by_the_gateway_that_holds_the_session() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let idle = store.session(organization).await;
    let fence = store.claim(session).await;
    let (due, later) = (at(session, START_MS), at(session, START_MS + 10));
    insert(
        &store,
        organization,
        &[due.clone(), later.clone(), at(idle, START_MS)],
    )
    .await;
    let found = async |now_ms| {
        let mut tx = store.read().await.unwrap();
        let mut admin = tx.admin();
        let found = admin.due_scheduled(&fence.gateway_id, now_ms, 10).await;
        let due = found.unwrap().into_iter().map(|due| due.id);
        due.collect::<Vec<_>>()
    };
    assert_eq!(found(START_MS).await, [due.id]);
    let held = fence.clone();
    write!(store, organization, |tx| {
        let mut owned = tx.owned(&held).await?;
        owned.defer_scheduled(&[due.id], START_MS + 20).await?;
        assert!(owned.fail_scheduled(later.id, "gone", START_MS).await?);
        assert!(!owned.fail_scheduled(later.id, "gone", START_MS).await?);
        let waiting = owned.waiting_scheduled(10).await?;
        assert_eq!(waiting.len(), 1);
        Ok(())
    })
    .unwrap();
    assert_eq!(found(START_MS + 15).await, []);
    assert_eq!(found(START_MS + 20).await, [due.id]);
    let mut tx = store.read().await.unwrap();
    let listed = tx.scheduled(organization, session, None, 10).await.unwrap();
    assert_eq!(listed[1].error.as_deref(), Some("gone"));
    drop(tx);
    let purge = |before_ms| {
        store.write::<_, StoreError, _>(Lane::SHARED, move |tx| {
            Box::pin(async move { tx.admin().purge_scheduled(before_ms, 10).await })
        })
    };
    assert_eq!(purge(START_MS).await.unwrap(), 0);
    assert_eq!(purge(START_MS + 1).await.unwrap(), 1);
}

#[tokio::test]
async fn however_much_is_due_for_one_session_the_others_have_their_turn() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let (busy, other) = (
        store.session(organization).await,
        store.session(organization).await,
    );
    let fence = store.claim(busy).await;
    store.claim(other).await;
    let mut all: Vec<_> = (0..25).map(|n| at(busy, START_MS + n)).collect();
    let last = at(other, START_MS + 50);
    all.push(last.clone());
    insert(&store, organization, &all).await;
    let due = async |limit| {
        let mut tx = store.read().await.unwrap();
        let mut admin = tx.admin();
        let due = admin.due_scheduled(&fence.gateway_id, START_MS + 60, limit);
        let due = due.await.unwrap().into_iter().map(|due| due.id);
        due.collect::<Vec<_>>()
    };
    assert_eq!(due(2).await, [all[0].id, last.id]);
    let mut expected: Vec<_> = all[..20].iter().map(|new| new.id).collect();
    expected.insert(1, last.id);
    assert_eq!(due(100).await, expected);
}
