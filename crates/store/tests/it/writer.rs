use futures::poll;
use tokio::sync::oneshot;
use wagate_model::{EventKind, OrganizationId, OutboxId, SendMode, SessionId};
use wagate_store::testing::{self, TestStore};
use wagate_store::{EventFilter, Fence, Lane, NewEvent, NewOutbox, Result, Store, StoreError, Tx};

use crate::{fresh, write};

/// Holds the writer up until the sender is used, so that later jobs wait together.
async fn hold(store: &TestStore, lane: Lane) -> (oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let (open, gate) = oneshot::channel::<()>();
    let (begun, begins) = oneshot::channel::<()>();
    let store = store.handle();
    let task = tokio::spawn(async move {
        store
            .write::<_, StoreError, _>(lane, move |_tx| {
                Box::pin(async move {
                    begun.send(()).unwrap();
                    gate.await.unwrap();
                    Ok(())
                })
            })
            .await
            .unwrap();
    });
    begins.await.unwrap();
    (open, task)
}

fn event(organization: OrganizationId, number: u32) -> NewEvent {
    NewEvent::new(
        organization,
        fresh!(wagate_model::SessionId),
        EventKind::Message,
        1,
        &number,
    )
    .unwrap()
}

async fn names(store: &Store) -> Vec<String> {
    let mut tx = store.read().await.unwrap();
    let organizations = tx.admin().organizations().await.unwrap();
    organizations
        .into_iter()
        .map(|organization| organization.name)
        .collect()
}

#[tokio::test]
async fn jobs_that_wait_share_a_commit() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let (open, held) = hold(&store, organization.into()).await;
    let mut jobs = Vec::new();
    for number in 0..20 {
        let mut job = Box::pin(store.write::<_, StoreError, _>(organization, move |tx| {
            Box::pin(async move {
                tx.append_event(event(organization, number));
                Ok(number)
            })
        }));
        assert!(poll!(job.as_mut()).is_pending());
        jobs.push(job);
    }
    open.send(()).unwrap();
    let answers = futures::future::try_join_all(jobs).await.unwrap();
    held.await.unwrap();
    assert_eq!(answers, (0..20).collect::<Vec<_>>());
    // A second job makes sure that the listener has heard of the first group.
    write!(store, organization, |_tx| Ok(())).unwrap();
    let commits = store.commits.take();
    assert_eq!(commits.iter().map(Vec::len).collect::<Vec<_>>(), [20]);
}

#[tokio::test]
async fn a_failing_or_panicking_job_undoes_only_itself() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let (open, held) = hold(&store, organization.into()).await;
    let mut jobs = Vec::new();
    for number in 0..6_u32 {
        let mut job = Box::pin(store.write::<_, StoreError, _>(organization, move |tx| {
            Box::pin(async move {
                let id = fresh!(OrganizationId);
                tx.insert_organization(id, &format!("job {number}"), 1)
                    .await?;
                tx.append_event(event(organization, number));
                match number {
                    1 => return Err(StoreError::Fenced),
                    3 => panic!("a job that panics"),
                    4 => tx.insert_organization(id, "twice", 1).await?,
                    _ => {}
                }
                Ok(())
            })
        }));
        assert!(poll!(job.as_mut()).is_pending());
        jobs.push(job);
    }
    open.send(()).unwrap();
    let answers = futures::future::join_all(jobs).await;
    held.await.unwrap();
    assert!(matches!(answers[1], Err(StoreError::Fenced)));
    assert!(matches!(answers[3], Err(StoreError::JobPanicked)));
    assert!(matches!(answers[4], Err(StoreError::Duplicate(_))));
    assert!(answers[0].is_ok() && answers[2].is_ok() && answers[5].is_ok());
    let mut stored = names(&store).await;
    stored.sort();
    assert_eq!(stored, ["Test", "job 0", "job 2", "job 5"]);
    let mut tx = store.read().await.unwrap();
    let events = tx
        .events_after(organization, None, &EventFilter::default(), 10)
        .await
        .unwrap();
    let payloads: Vec<_> = events
        .iter()
        .map(|(_, text)| {
            serde_json::from_str::<serde_json::Value>(text).unwrap()["payload"].clone()
        })
        .collect();
    assert_eq!(payloads, [0, 2, 5]);
}

#[tokio::test]
async fn a_connection_that_is_lost_in_a_group_leaves_no_job_without_a_true_answer() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let (open, held) = hold(&store, organization.into()).await;
    let mut jobs = Vec::new();
    for number in 0..4_u32 {
        let mut job = Box::pin(store.write::<_, StoreError, _>(organization, move |tx| {
            Box::pin(async move {
                tx.insert_organization(fresh!(OrganizationId), &format!("job {number}"), 1)
                    .await?;
                if number == 1 {
                    testing::lose_transaction(tx).await;
                }
                Ok(())
            })
        }));
        assert!(poll!(job.as_mut()).is_pending());
        jobs.push(job);
    }
    open.send(()).unwrap();
    let answers = futures::future::join_all(jobs).await;
    held.await.unwrap();
    let stored = names(&store).await;
    for (number, answer) in answers.iter().enumerate() {
        let is_stored = stored.contains(&format!("job {number}"));
        assert_eq!(answer.is_ok(), is_stored, "{number}: {answer:?}");
        if let Err(error) = answer {
            assert!(error.is_retryable(), "{number}: {error}");
        }
    }
    assert!(answers[1].is_err());
}

#[tokio::test]
async fn a_job_that_is_alone_is_undone_too() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let failed = write!(store, organization, |tx| {
        tx.insert_organization(fresh!(OrganizationId), "undone", 1)
            .await?;
        tx.append_event(event(organization, 1));
        Err::<(), _>(StoreError::Fenced)
    });
    assert!(matches!(failed, Err(StoreError::Fenced)));
    write!(store, organization, |_tx| Ok(())).unwrap();
    assert_eq!(names(&store).await, ["Test"]);
    assert!(store.commits.take().is_empty());
}

#[tokio::test]
async fn a_job_that_hides_an_error_is_not_reported_as_stored_when_it_is_not() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let answer = write!(store, organization, |tx| {
        tx.insert_organization(fresh!(OrganizationId), "kept", 1)
            .await?;
        let _ = tx.insert_organization(organization, "twice", 1).await;
        Ok(())
    });
    // SQLite goes on after a failed statement; PostgreSQL gives the transaction up.
    let is_stored = names(&store).await.contains(&"kept".to_owned());
    assert_eq!(answer.is_ok(), is_stored);
}

/// Adds an entry to the outbox, which waits in memory for the end of the group.
async fn enqueue(
    tx: &mut Tx,
    organization: OrganizationId,
    session: SessionId,
) -> Result<OutboxId> {
    let new = NewOutbox {
        id: fresh!(OutboxId),
        session_id: session,
        wa_message_id: "3EB0".into(),
        chat_jid: "1@lid".into(),
        mode: SendMode::Async,
        request: b"{}".to_vec(),
        idempotency: None,
        next_attempt_at_ms: 1,
    };
    tx.enqueue(organization, &new, 1).await?;
    Ok(new.id)
}

#[tokio::test]
async fn rows_that_wait_for_the_end_of_the_group_are_undone_with_their_job_only() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let (open, held) = hold(&store, organization.into()).await;
    let mut jobs = Vec::new();
    for number in 0..5_u32 {
        let mut job = Box::pin(store.write::<_, StoreError, _>(organization, move |tx| {
            Box::pin(async move {
                let id = enqueue(tx, organization, session).await?;
                // Writes the rows of earlier jobs too, in a part that may be undone.
                if number == 2 || number == 3 {
                    assert!(tx.outbox(organization, id).await?.is_some());
                }
                if number == 1 || number == 3 {
                    return Err(StoreError::Fenced);
                }
                Ok(id)
            })
        }));
        assert!(poll!(job.as_mut()).is_pending());
        jobs.push(job);
    }
    open.send(()).unwrap();
    let answers = futures::future::join_all(jobs).await;
    held.await.unwrap();
    let mut tx = store.read().await.unwrap();
    assert_eq!(tx.outbox_depth(organization, session).await.unwrap(), 3);
    for (number, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(id) => assert!(tx.outbox(organization, id).await.unwrap().is_some()),
            Err(_) => assert!(number == 1 || number == 3),
        }
    }
}

#[tokio::test]
async fn a_lease_that_is_taken_over_in_a_group_fences_the_jobs_behind_it() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    // One lane, whatever the database has: the claim and the owner's jobs share a group.
    let (open, held) = hold(&store, organization.into()).await;
    let owned = |fence: &Fence| {
        Box::pin(
            store.write_owned::<_, StoreError, _>(organization, fence.clone(), |owned| {
                Box::pin(async move { Ok(owned.session()) })
            }),
        )
    };
    let mut before = owned(&fence);
    let gateway = fence.gateway_id.clone();
    let mut claim = Box::pin(store.write::<_, StoreError, _>(organization, move |tx| {
        Box::pin(async move { tx.admin().claim_lease(session, &gateway, 3_600_000).await })
    }));
    let mut after = owned(&fence);
    assert!(poll!(before.as_mut()).is_pending());
    assert!(poll!(claim.as_mut()).is_pending());
    assert!(poll!(after.as_mut()).is_pending());
    open.send(()).unwrap();
    held.await.unwrap();
    assert_eq!(before.await.unwrap(), session);
    let next = claim.await.unwrap().unwrap();
    assert!(matches!(after.await, Err(StoreError::Fenced)));
    assert_eq!(owned(&next).await.unwrap(), session);
}

#[tokio::test]
async fn a_job_runs_also_when_its_caller_is_gone() {
    let store = testing::store().await;
    let (open, held) = hold(&store, Lane::SHARED).await;
    {
        let mut job = Box::pin(store.write::<_, StoreError, _>(Lane::SHARED, |tx| {
            Box::pin(async move {
                tx.insert_organization(fresh!(OrganizationId), "done", 1)
                    .await
            })
        }));
        assert!(poll!(job.as_mut()).is_pending());
    }
    open.send(()).unwrap();
    held.await.unwrap();
    write!(store, Lane::SHARED, |_tx| Ok(())).unwrap();
    assert_eq!(names(&store).await, ["done"]);
}

#[tokio::test]
async fn readers_cannot_write() {
    let store = testing::store().await;
    let mut tx = store.read().await.unwrap();
    let failed = tx
        .insert_organization(fresh!(OrganizationId), "no", 1)
        .await;
    assert!(matches!(failed, Err(StoreError::Database(_))), "{failed:?}");
    drop(tx);
    assert!(names(&store).await.is_empty());
}

#[tokio::test]
async fn a_closed_store_has_done_what_it_was_given_and_takes_no_more() {
    let store = testing::store().await;
    let (open, held) = hold(&store, Lane::SHARED).await;
    let mut job = Box::pin(store.write::<_, StoreError, _>(Lane::SHARED, |tx| {
        Box::pin(async move {
            tx.insert_organization(fresh!(OrganizationId), "last", 1)
                .await
        })
    }));
    assert!(poll!(job.as_mut()).is_pending());
    let mut closing = Box::pin(store.close());
    assert!(poll!(closing.as_mut()).is_pending());
    let refused = write!(store, Lane::SHARED, |_tx| Ok(()));
    assert!(matches!(refused, Err(StoreError::Closed)));
    open.send(()).unwrap();
    closing.await;
    held.await.unwrap();
    job.await.unwrap();
    let again = store.second().await.unwrap();
    assert_eq!(names(&again).await, ["last"]);
}

#[tokio::test]
async fn a_full_queue_holds_callers_back() {
    let store = testing::store_with(|config| config.max_waiting = 1).await;
    let (open, held) = hold(&store, Lane::SHARED).await;
    let mut jobs: Vec<_> = (0..3)
        .map(|_| {
            Box::pin(store.write::<_, StoreError, _>(Lane::SHARED, |tx| {
                Box::pin(
                    async move { tx.insert_organization(fresh!(OrganizationId), "x", 1).await },
                )
            }))
        })
        .collect();
    for job in &mut jobs {
        assert!(poll!(job.as_mut()).is_pending());
    }
    open.send(()).unwrap();
    futures::future::try_join_all(jobs).await.unwrap();
    held.await.unwrap();
    assert_eq!(names(&store).await.len(), 3);
}

#[tokio::test]
async fn the_store_answers_pings_and_tells_the_databases_time() {
    let store = testing::store().await;
    store.ping().await.unwrap();
    let mut tx = store.read().await.unwrap();
    let first = tx.database_now_ms().await.unwrap();
    assert!(first > testing::START_MS);
    assert!(tx.database_now_ms().await.unwrap() >= first);
}
