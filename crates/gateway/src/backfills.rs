//! Jobs that pull a session's contacts and groups again: in memory, one of a session at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wagate_engine::{Connection, KnownPerson};
use wagate_model::{BackfillJob, BackfillStatus, Jid, OrganizationId, SessionId};
use wagate_store::{ContactFilter, IdentityFacts, StoreError};

use crate::context::Context;
use crate::groups::{SyncError, sync_all};
use crate::session::Session;

/// Sessions of which the latest job is remembered.
const MAX_JOBS: usize = 1_024;
/// People that WhatsApp is asked about at once.
const PEOPLE_AT_ONCE: usize = 100;

/// The latest job of each session.
#[derive(Debug, Default)]
pub(crate) struct Backfills(Mutex<HashMap<SessionId, BackfillJob>>);

impl Backfills {
    fn jobs(&self) -> MutexGuard<'_, HashMap<SessionId, BackfillJob>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The job of a session that runs, or the latest that ran.
    pub(crate) fn of(
        &self,
        organization: OrganizationId,
        session: SessionId,
    ) -> Option<BackfillJob> {
        let jobs = self.jobs();
        let job = jobs.get(&session)?;
        (job.organization_id == organization).then(|| job.clone())
    }

    /// Puts a job in the place of an earlier one, unless that runs.
    fn begin(&self, job: &BackfillJob) -> bool {
        let mut jobs = self.jobs();
        let is_running = |job: &BackfillJob| job.status == BackfillStatus::Running;
        if jobs.get(&job.session_id).is_some_and(is_running) {
            return false;
        }
        if jobs.len() >= MAX_JOBS && !jobs.contains_key(&job.session_id) {
            let ended = jobs.values().filter(|job| !is_running(job));
            let oldest = ended.min_by_key(|job| job.started_at);
            let Some(oldest) = oldest.map(|job| job.session_id) else {
                return false;
            };
            jobs.remove(&oldest);
        }
        jobs.insert(job.session_id, job.clone());
        true
    }

    fn change(&self, session: SessionId, change: impl FnOnce(&mut BackfillJob)) {
        if let Some(job) = self.jobs().get_mut(&session) {
            change(job);
        }
    }
}

/// A job that runs for as long as this lives.
struct Running {
    cx: Arc<Context>,
    session: SessionId,
    /// Why it ends, where it does not end well.
    error: Option<&'static str>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let now_ms = self.cx.now_ms();
        let error = self.error.take();
        self.cx.backfills.change(self.session, |job| {
            job.status = if error.is_some() {
                BackfillStatus::Failed
            } else {
                BackfillStatus::Succeeded
            };
            job.error = error.map(str::to_owned);
            job.finished_at = Some(now_ms);
        });
    }
}

/// Begins a job, unless one runs; whether it was begun.
pub(crate) fn begin(
    cx: &Arc<Context>,
    session: &Arc<Session>,
    connection: Connection,
    job: &BackfillJob,
) -> bool {
    if !cx.backfills.begin(job) {
        return false;
    }
    let running = Running {
        cx: cx.clone(),
        session: job.session_id,
        // A panic ends it as well.
        error: Some("the job ended unexpectedly"),
    };
    let (cx, session) = (cx.clone(), session.clone());
    cx.tasks.clone().spawn(async move {
        let mut running = running;
        let outcome = tokio::select! {
            () = session.lost.cancelled() => Err("the session went to another gateway"),
            () = session.closing.cancelled() => Err("the session was stopped"),
            outcome = Box::pin(pull(&cx, &session, &connection)) => {
                outcome.map_err(|error| told(&error))
            }
        };
        running.error = outcome.err();
        if let Some(error) = running.error {
            tracing::warn!(session.id = %session.id(), reason = error, "a backfill failed");
        }
    });
    true
}

const fn told(error: &SyncError) -> &'static str {
    match error {
        SyncError::Request(_) => "WhatsApp did not answer",
        SyncError::Store(_) => "the database did not answer",
    }
}

async fn pull(
    cx: &Arc<Context>,
    session: &Arc<Session>,
    connection: &Connection,
) -> Result<(), SyncError> {
    contacts(cx, session, connection).await?;
    let id = session.id();
    sync_all(cx, session, connection, |synced| {
        cx.backfills.change(id, |job| {
            job.groups = synced.groups;
            job.group_members = synced.members;
        });
    })
    .await
    .map(drop)
}

/// Asks about all people that are stored, a part at a time.
async fn contacts(
    cx: &Arc<Context>,
    session: &Arc<Session>,
    connection: &Connection,
) -> Result<(), SyncError> {
    let (organization, id) = (session.organization, session.id());
    let filter = ContactFilter::default();
    let limit = i64::try_from(PEOPLE_AT_ONCE).unwrap_or(i64::MAX);
    let mut after = None;
    loop {
        let mut tx = cx.store.read().await?;
        let page = tx.contacts(organization, id, &filter, after, limit).await?;
        drop(tx);
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.identity.id);
        let addresses = page.iter().filter_map(|contact| {
            let identity = &contact.identity;
            let address = identity.phone_jid.as_ref().or(identity.lid.as_ref())?;
            address.parse::<Jid>().ok()
        });
        let addresses: Vec<_> = addresses.collect();
        let found = connection.people(&addresses).await?;
        store_people(cx, session, found).await?;
        let asked = i64::try_from(addresses.len()).unwrap_or(0);
        cx.backfills.change(id, |job| job.contacts += asked);
    }
}

async fn store_people(
    cx: &Arc<Context>,
    session: &Arc<Session>,
    people: Vec<KnownPerson>,
) -> Result<(), StoreError> {
    let facts = people.into_iter().map(|person| IdentityFacts {
        lid: person.lid.as_ref().map(Jid::to_string),
        phone_jid: person.phone.as_ref().map(Jid::to_string),
        business_name: person.business_name,
        ..IdentityFacts::default()
    });
    let facts: Arc<Vec<IdentityFacts>> = Arc::new(facts.collect());
    let now_ms = cx.now_ms();
    session
        .persist(|| {
            let facts = facts.clone();
            session.commit(&cx.store, move |owned| {
                let facts = facts.clone();
                Box::pin(async move {
                    for facts in facts.iter() {
                        owned.upsert_identity(facts, now_ms).await?;
                    }
                    Ok(())
                })
            })
        })
        .await
}

#[cfg(test)]
mod tests {
    use wagate_model::BackfillId;

    use super::*;

    fn job(number: u128) -> BackfillJob {
        BackfillJob {
            contacts: 0,
            error: None,
            finished_at: None,
            group_members: 0,
            groups: 0,
            id: BackfillId::from_parts(1, number),
            organization_id: OrganizationId::from_parts(1, 1),
            session_id: SessionId::from_parts(1, number),
            started_at: i64::try_from(number).unwrap(),
            status: BackfillStatus::Running,
        }
    }

    #[test]
    fn one_of_a_session_runs_and_the_oldest_are_forgotten() {
        let jobs = Backfills::default();
        assert!(jobs.begin(&job(0)));
        assert!(!jobs.begin(&job(0)));
        let (organization, session) = (job(0).organization_id, job(0).session_id);
        jobs.change(session, |job| job.status = BackfillStatus::Failed);
        assert!(jobs.begin(&job(0)));
        jobs.change(session, |job| job.status = BackfillStatus::Succeeded);
        assert!(jobs.of(organization, session).is_some());
        let other = OrganizationId::from_parts(1, 2);
        assert!(jobs.of(other, session).is_none());
        for number in 1..=u128::try_from(MAX_JOBS).unwrap() {
            assert!(jobs.begin(&job(number)));
        }
        assert!(jobs.of(organization, session).is_none());
        // All of them run: there is no room.
        assert!(!jobs.begin(&job(0)));
    }
}
