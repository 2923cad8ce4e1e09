//! What waits for a lane's writer, and in which order it comes.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use wagate_model::SessionId;

use crate::error::{Result, StoreError};
use crate::tx::Tx;

/// A job of any result type, with the caller's answer inside.
pub(crate) struct Job {
    pub(super) work: Box<dyn AnyJob>,
    /// The session whose lease the job will check.
    pub(super) session: Option<SessionId>,
}

pub(super) trait AnyJob: Send {
    /// Runs the job and keeps its result; whether it succeeded.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;
    /// Replaces a success by a failure that was noticed afterwards.
    fn fail(&mut self, error: StoreError);
    /// Answers the caller, with the fate of the group where the job itself succeeded.
    fn answer(self: Box<Self>, group: Result<(), StoreError>);
}

struct TypedJob<F, T, E> {
    work: Option<F>,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> AnyJob for TypedJob<F, T, E>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        Box::pin(async move {
            let Some(work) = self.work.take() else {
                return false;
            };
            // The closure itself may panic too, before there is a future.
            let outcome = AssertUnwindSafe(async { work(tx).await })
                .catch_unwind()
                .await;
            let result = outcome.unwrap_or_else(|_| {
                tracing::error!("a database job panicked");
                Err(StoreError::JobPanicked.into())
            });
            let succeeded = result.is_ok();
            self.result = Some(result);
            succeeded
        })
    }

    fn fail(&mut self, error: StoreError) {
        self.result = Some(Err(error.into()));
    }

    fn answer(self: Box<Self>, group: Result<(), StoreError>) {
        let result = match (self.result, group) {
            (Some(Err(own)), _) => Err(own),
            (_, Err(error)) => Err(error.into()),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::Closed.into()),
        };
        // A caller that is gone is none of the writer's business.
        let _ = self.reply.send(result);
    }
}

impl Job {
    pub(crate) fn new<F, T, E>(
        session: Option<SessionId>,
        work: F,
    ) -> (Self, oneshot::Receiver<Result<T, E>>)
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = TypedJob {
            work: Some(work),
            result: None,
            reply,
        };
        let work = Box::new(job);
        (Self { work, session }, answer)
    }
}

/// Jobs that wait before all others; those who give them wait for each.
const MAX_URGENT: usize = 64;

/// The bounded queue of a lane.
pub(crate) struct JobQueue {
    jobs: mpsc::Sender<Job>,
    urgent: mpsc::Sender<Job>,
}

/// The writer's end of a lane's queue.
pub(crate) struct Jobs {
    jobs: mpsc::Receiver<Job>,
    urgent: mpsc::Receiver<Job>,
}

impl JobQueue {
    pub(crate) fn bounded(max_waiting: usize) -> (Self, Jobs) {
        let (jobs, waiting) = mpsc::channel(max_waiting);
        let (urgent, waiting_urgent) = mpsc::channel(MAX_URGENT);
        let ends = Jobs {
            jobs: waiting,
            urgent: waiting_urgent,
        };
        (Self { jobs, urgent }, ends)
    }

    pub(crate) async fn push(&self, job: Job, is_urgent: bool) -> Result<()> {
        let queue = if is_urgent { &self.urgent } else { &self.jobs };
        queue.send(job).await.map_err(|_| StoreError::Closed)
    }
}

impl Jobs {
    /// The next jobs that share a commit: urgent ones before all others. Nothing once the
    /// queue is closed and empty.
    ///
    /// While the database is away, others go with the urgent ones: each group then takes as
    /// long as an outage may last, new urgent jobs wait behind it every time, and whoever
    /// waits behind those would never be told that the database is away.
    pub(super) async fn next(&mut self, max_group: usize, is_away: bool) -> VecDeque<Job> {
        let (mut urgent, mut others) = (Vec::new(), Vec::new());
        loop {
            let is_urgent_open = !(self.urgent.is_closed() && self.urgent.is_empty());
            tokio::select! {
                biased;
                count = self.urgent.recv_many(&mut urgent, max_group), if is_urgent_open => {
                    if count > 0 {
                        if is_away {
                            self.add_others(&mut urgent, max_group);
                        }
                        return urgent.into();
                    }
                }
                _ = self.jobs.recv_many(&mut others, max_group) => return others.into(),
            }
        }
    }

    /// Fills a group with jobs that wait, in their order.
    fn add_others(&mut self, group: &mut Vec<Job>, max_group: usize) {
        while group.len() < max_group
            && let Ok(job) = self.jobs.try_recv()
        {
            group.push(job);
        }
    }

    pub(super) fn close(&mut self) {
        self.jobs.close();
        self.urgent.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        Job::new::<_, (), StoreError>(None, |_| Box::pin(async { Ok(()) })).0
    }

    #[tokio::test]
    async fn others_go_with_urgent_jobs_while_the_database_is_away() {
        let (queue, mut jobs) = JobQueue::bounded(8);
        for is_urgent in [false, true, false, true] {
            queue.push(job(), is_urgent).await.unwrap();
        }
        assert_eq!(jobs.next(8, false).await.len(), 2, "urgent ones alone");
        queue.push(job(), true).await.unwrap();
        assert_eq!(jobs.next(2, true).await.len(), 2, "as many as fit");
        assert_eq!(jobs.next(8, true).await.len(), 1, "what is left");
    }
}
