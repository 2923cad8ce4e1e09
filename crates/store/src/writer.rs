//! The writer of a lane: many jobs, each in its savepoint, one commit for all.

mod queue;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wagate_model::Clock;

pub(crate) use self::queue::{Job, JobQueue, Jobs};
use crate::connect::Target;
use crate::error::{Result, StoreError};
use crate::events::{CommitListener, CommittedEvent, Subscriptions};
use crate::seal::MasterKeys;
use crate::tx::{DatabaseKind, JobMark, Link, Tx, sql};

const FIRST_RECONNECT_DELAY: Duration = Duration::from_millis(50);
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(2);
/// How long jobs wait for a lost database before they fail (retryably).
pub(crate) const MAX_OUTAGE: Duration = Duration::from_secs(10);

/// How a group ended.
enum Fate {
    /// The transaction is committed.
    Committed(Vec<CommittedEvent>),
    /// The transaction is lost, and with it what its jobs wrote.
    Lost(StoreError),
}

pub(crate) struct Writer {
    pub(crate) target: Target,
    pub(crate) keys: Arc<MasterKeys>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) listener: Arc<dyn CommitListener>,
    pub(crate) max_group: usize,
    pub(crate) max_outage: Duration,
    pub(crate) closing: CancellationToken,
}

impl Writer {
    /// Serves a lane until the store is closed and its queue is empty.
    pub(crate) async fn run(self, mut jobs: Jobs) {
        let mut tx = None;
        let mut is_closed = false;
        let mut is_away = false;
        loop {
            tokio::select! {
                biased;
                group = jobs.next(self.max_group, is_away) => {
                    if group.is_empty() {
                        break;
                    }
                    is_away = !self.commit_all(&mut tx, group).await;
                }
                () = self.closing.cancelled(), if !is_closed => {
                    is_closed = true;
                    jobs.close();
                }
            }
        }
        if let Some(tx) = tx {
            close(tx).await;
        }
    }

    /// Runs jobs until each has its answer; a lost connection ends only the group that used it.
    ///
    /// Whether the database took the jobs; where it is away, all of them have failed.
    async fn commit_all(&self, tx: &mut Option<Tx>, mut waiting: VecDeque<Job>) -> bool {
        while !waiting.is_empty() {
            let mut open = match self.begin(tx.take()).await {
                Ok(open) => open,
                Err(error) => {
                    let reason = error.to_string();
                    for job in waiting.drain(..) {
                        job.work
                            .answer(Err(StoreError::Unavailable(reason.clone())));
                    }
                    return false;
                }
            };
            let mut done = Vec::with_capacity(waiting.len());
            let fate = self.run_group(&mut open, &mut waiting, &mut done).await;
            metrics::histogram!("wagate_store_group_jobs").record(count_as_f64(done.len()));
            match fate {
                Fate::Committed(events) => {
                    *tx = Some(open);
                    for job in done {
                        job.work.answer(Ok(()));
                    }
                    self.listener.committed(events);
                }
                Fate::Lost(error) => {
                    tracing::warn!(error = %error, jobs = done.len(), "a group of database jobs was lost");
                    metrics::counter!("wagate_store_groups_lost_total").increment(1);
                    *tx = self.recover(open).await;
                    let reason = error.to_string();
                    for job in done {
                        job.work
                            .answer(Err(StoreError::NotCommitted(reason.clone())));
                    }
                }
            }
        }
        true
    }

    async fn run_group(
        &self,
        tx: &mut Tx,
        waiting: &mut VecDeque<Job>,
        done: &mut Vec<Job>,
    ) -> Fate {
        tx.reset();
        let outcome = if waiting.len() > 1 {
            run_shared(tx, waiting, done).await
        } else {
            run_alone(tx, waiting, done).await
        };
        match outcome {
            Ok(Ran::ToCommit) => {}
            Ok(Ran::Undone) => return Fate::Committed(Vec::new()),
            Err(error) => return Fate::Lost(error),
        }
        let started = Instant::now();
        let written = match tx.write_deferred().await {
            Ok(()) => tx.flush_events(self.clock.now_ms()).await,
            Err(error) => Err(error),
        };
        let events = match written {
            Ok(events) => events,
            Err(error) => return Fate::Lost(error),
        };
        // PostgreSQL answers COMMIT of an aborted transaction with a silent rollback: the
        // statement before it makes that an error.
        let commit = sql!(tx, sqlite: "COMMIT", postgres: "SELECT 1; COMMIT");
        let committed = tx.run(commit).await;
        metrics::histogram!("wagate_store_commit_seconds").record(started.elapsed().as_secs_f64());
        match committed {
            Ok(()) => Fate::Committed(events),
            Err(error) => Fate::Lost(error),
        }
    }

    /// Begins a transaction, on a new connection where the last one is lost.
    async fn begin(&self, tx: Option<Tx>) -> Result<Tx> {
        let give_up_at = Instant::now() + self.max_outage;
        let mut delay = FIRST_RECONNECT_DELAY;
        let mut tx = tx;
        loop {
            let attempt = async {
                let mut open = match tx.take() {
                    Some(open) => open,
                    None => Tx::new(self.target.writer().await?, self.keys.clone()),
                };
                let begin = sql!(open, sqlite: "BEGIN IMMEDIATE", postgres: "BEGIN");
                open.run(begin).await?;
                Ok(open)
            };
            match attempt.await {
                Ok(open) => return Ok(open),
                Err(error) => {
                    let error: StoreError = error;
                    if Instant::now() + delay > give_up_at || self.closing.is_cancelled() {
                        return Err(error);
                    }
                    tracing::warn!(error = %error, "the database does not answer, trying again");
                    tokio::time::sleep(delay).await;
                    delay = (delay * 2).min(MAX_RECONNECT_DELAY);
                }
            }
        }
    }

    /// Keeps the connection after a failed group where it still works.
    async fn recover(&self, mut tx: Tx) -> Option<Tx> {
        tx.reset();
        // What the group read of itself at its end was never committed.
        tx.subscriptions = Subscriptions::default();
        // An error may have ended the transaction already, which makes this fail: then
        // the connection's state is not known, and a new one is cheap.
        tx.run("ROLLBACK").await.is_ok().then_some(tx)
    }
}

/// What is left to do after the jobs of a group.
enum Ran {
    ToCommit,
    /// The transaction is rolled back already.
    Undone,
}

/// Runs one job: it and the transaction end alike.
async fn run_alone(tx: &mut Tx, waiting: &mut VecDeque<Job>, done: &mut Vec<Job>) -> Result<Ran> {
    let Some(mut job) = waiting.pop_front() else {
        return Ok(Ran::ToCommit);
    };
    let has_succeeded = job.work.run(tx).await;
    done.push(job);
    if has_succeeded {
        return Ok(Ran::ToCommit);
    }
    tx.reset();
    tx.run("ROLLBACK").await?;
    Ok(Ran::Undone)
}

/// Runs several jobs, each in a savepoint, so that one that fails undoes only its own part.
///
/// A savepoint is released together with the beginning of the next one: every statement
/// is a round trip to the database's thread or server. Whatever ends this early, each job
/// is in `waiting`, to be run in another group, or in `done`, to be told of the end.
async fn run_shared(tx: &mut Tx, waiting: &mut VecDeque<Job>, done: &mut Vec<Job>) -> Result<Ran> {
    let sessions = waiting.iter().filter_map(|job| job.session).collect();
    if let Err(error) = tx.confirm_fences(&sessions).await {
        done.extend(waiting.pop_front());
        return Err(error);
    }
    let mut before = tx.mark();
    let mut is_open = false;
    while !waiting.is_empty() {
        if is_open && let Err(error) = tx.run("RELEASE SAVEPOINT job; SAVEPOINT job").await {
            undo_last(tx, done, before, Some(error)).await?;
            is_open = false;
        }
        if !is_open && let Err(error) = tx.run("SAVEPOINT job").await {
            // One job less, so that this cannot go round for ever.
            done.extend(waiting.pop_front());
            return Err(error);
        }
        let Some(mut job) = waiting.pop_front() else {
            break;
        };
        before = tx.mark();
        is_open = job.work.run(tx).await;
        done.push(job);
        if !is_open {
            undo_last(tx, done, before, None).await?;
        }
    }
    // SQLite's COMMIT releases it.
    if is_open
        && tx.database() == DatabaseKind::Postgres
        && let Err(error) = tx.run("RELEASE SAVEPOINT job").await
    {
        undo_last(tx, done, before, Some(error)).await?;
    }
    Ok(Ran::ToCommit)
}

/// Undoes the part of the job that ran last.
///
/// With an error where the job itself succeeded, but hid that its part was aborted, which
/// PostgreSQL tells when the savepoint is released.
async fn undo_last(
    tx: &mut Tx,
    done: &mut [Job],
    before: JobMark,
    hidden: Option<StoreError>,
) -> Result<()> {
    tx.undo(before);
    tx.run("ROLLBACK TO SAVEPOINT job; RELEASE SAVEPOINT job")
        .await?;
    if let (Some(error), Some(job)) = (hidden, done.last_mut()) {
        job.work.fail(error);
    }
    Ok(())
}

async fn close(tx: Tx) {
    let closed = match tx.into_link() {
        Link::SqliteWriter(conn) => sqlx::Connection::close(*conn).await,
        Link::PostgresWriter(conn) => sqlx::Connection::close(*conn).await,
        Link::SqliteReader(_) | Link::PostgresReader(_) => Ok(()),
    };
    if let Err(error) = closed {
        tracing::debug!(error = %error, "a writer's connection was not closed in order");
    }
}

fn count_as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio_util::sync::CancellationToken;
    use wagate_model::SystemClock;

    use super::{Job, JobQueue, Writer};
    use crate::connect::{StoreConfig, Target};
    use crate::error::StoreError;
    use crate::store::Lane;
    use crate::testing;

    /// The queue of a writer whose database is away, and stays so.
    fn queue_of_nothing() -> JobQueue {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("wagate.db").display());
        let (queue, jobs) = JobQueue::bounded(8);
        let writer = Writer {
            target: Target::of(&StoreConfig::new(url)).unwrap(),
            keys: Arc::new(testing::keys()),
            clock: Arc::new(SystemClock),
            listener: Arc::new(testing::RecordedCommits::default()),
            max_group: 8,
            max_outage: Duration::from_millis(100),
            closing: CancellationToken::new(),
        };
        // The folder goes here.
        tokio::spawn(writer.run(jobs));
        queue
    }

    #[tokio::test]
    async fn while_the_database_is_away_nobody_waits_for_ever_behind_urgent_jobs() {
        let queue = queue_of_nothing();
        let give = async |is_urgent| {
            let (job, told) = Job::new::<_, (), StoreError>(None, |_| Box::pin(async { Ok(()) }));
            queue.push(job, is_urgent).await.unwrap();
            Some(told)
        };
        let mut urgent = give(true).await.unwrap();
        // The writer takes it; what is given from here on waits for the next group.
        tokio::task::yield_now().await;
        let mut other = give(false).await.unwrap();
        for _ in 0..3 {
            // As when leases are to be renewed: the next one waits before the last one fails.
            let next = give(true).await.unwrap();
            let failed = std::mem::replace(&mut urgent, next).await.unwrap();
            assert!(failed.unwrap_err().is_retryable());
        }
        let told = other.try_recv().expect("it was told");
        assert!(told.unwrap_err().is_retryable());
    }

    #[tokio::test]
    async fn an_urgent_job_goes_before_those_that_wait() {
        let store = testing::store().await;
        let (start, started) = oneshot::channel();
        let (release, released) = oneshot::channel::<()>();
        let holding = store.write::<(), StoreError, _>(Lane::SHARED, |_| {
            Box::pin(async move {
                let _ = start.send(());
                let _ = released.await;
                Ok(())
            })
        });
        let done = Arc::new(Mutex::new(Vec::new()));
        let note = |name| {
            let done = done.clone();
            async move {
                done.lock().unwrap().push(name);
                Ok(())
            }
        };
        let waiting = async {
            started.await.unwrap();
            let mut others = pin!(futures::future::join_all(["first", "second"].map(|name| {
                let noted = note(name);
                store.write::<(), StoreError, _>(Lane::SHARED, move |_| Box::pin(noted))
            })));
            let noted = note("urgent");
            let mut urgent = pin!(
                store.write_urgently::<(), StoreError, _>(Lane::SHARED, move |_| Box::pin(noted))
            );
            assert!(futures::poll!(others.as_mut()).is_pending());
            assert!(futures::poll!(urgent.as_mut()).is_pending());
            release.send(()).unwrap();
            let (others, urgent) = tokio::join!(others, urgent);
            urgent.unwrap();
            others.into_iter().for_each(Result::unwrap);
        };
        let (held, ()) = tokio::join!(holding, waiting);
        held.unwrap();
        assert_eq!(*done.lock().unwrap(), ["urgent", "first", "second"]);
    }

    #[tokio::test]
    async fn a_lost_transaction_fails_its_job_and_the_next_one_goes_on() {
        let store = testing::store().await;
        let lost = store
            .write::<(), StoreError, _>(Lane::SHARED, |tx| {
                Box::pin(async move {
                    testing::lose_transaction(tx).await;
                    Ok(())
                })
            })
            .await;
        assert!(
            matches!(&lost, Err(error) if error.is_retryable()),
            "{lost:?}"
        );
        let next = store
            .write::<_, StoreError, _>(Lane::SHARED, |tx| {
                Box::pin(async move { tx.database_now_ms().await })
            })
            .await;
        assert!(next.is_ok(), "{next:?}");
    }
}
