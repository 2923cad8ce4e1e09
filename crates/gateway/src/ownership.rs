//! Whose sessions: heartbeats, leases kept and lost, sessions claimed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wagate_cluster::{Signal, Subscription, Topic};
use wagate_model::{EventKind, OrganizationId, SessionId, SessionStatus};
use wagate_store::{Fence, Lane, NewEvent, StoreError, Tx};

use crate::backoff::jitter;
use crate::context::Context;
use crate::session::{self, Session, Standing};

/// Until when the leases that were renewed last may be relied on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validity {
    renewed_at: Instant,
    lasts: Duration,
}

impl Validity {
    /// A renewal that was asked for at a time: the lease cannot end earlier than this
    /// says, because the database set it after that time.
    pub(crate) fn since(asked_at: Instant, lease_ttl: Duration, safety_margin: Duration) -> Self {
        Self {
            renewed_at: asked_at,
            lasts: lease_ttl.saturating_sub(safety_margin),
        }
    }

    /// When clients must have stopped.
    pub(crate) fn ends_at(self) -> Instant {
        self.renewed_at + self.lasts
    }
}

/// Reports the gateway as alive and renews its leases until it has drained.
///
/// Where the database does not take the renewal in time, the leases may run out and
/// another gateway may take the sessions: their clients are stopped before that.
pub(crate) async fn keep_leases(cx: Arc<Context>) {
    let config = &cx.config.ownership;
    let mut is_start = true;
    loop {
        let held: Vec<Arc<Session>> = cx.registry.all();
        let asked_at = Instant::now();
        let give_up_at = first_end(&held).unwrap_or(asked_at + config.lease_ttl);
        let renewal = renew(&cx, &held, is_start);
        let wait = match tokio::time::timeout_at(give_up_at, renewal).await {
            Ok(Ok(renewed)) => {
                is_start = false;
                metrics::histogram!("wagate_gateway_lease_renew_seconds")
                    .record(asked_at.elapsed().as_secs_f64());
                let validity = Validity::since(asked_at, config.lease_ttl, config.safety_margin);
                keep_or_lose(&held, &renewed, validity);
                config.renew_every
            }
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "leases were not renewed");
                metrics::counter!("wagate_gateway_lease_renew_failures_total").increment(1);
                config.renew_every / 8
            }
            Err(_) => {
                metrics::counter!("wagate_gateway_lease_renew_failures_total").increment(1);
                config.renew_every / 8
            }
        };
        lose_expired(&cx.registry.all());
        let next_end = first_end(&cx.registry.all());
        let next = Instant::now() + wait;
        tokio::time::sleep_until(next_end.map_or(next, |end| end.min(next))).await;
        lose_expired(&cx.registry.all());
        if cx.draining.is_cancelled() && cx.registry.all().is_empty() {
            return;
        }
    }
}

/// When the first of the leases can no longer be relied on.
fn first_end(held: &[Arc<Session>]) -> Option<Instant> {
    let still_held = held.iter().filter(|session| !session.lost.is_cancelled());
    still_held.map(|session| session.lease_ends_at()).min()
}

async fn renew(
    cx: &Context,
    held: &[Arc<Session>],
    is_start: bool,
) -> Result<Vec<SessionId>, StoreError> {
    let leases: Vec<_> = held
        .iter()
        .map(|session| (session.id(), session.fence.epoch))
        .collect();
    let (gateway, version) = (cx.config.id.clone(), cx.config.version.clone());
    let (ttl_ms, is_draining) = (cx.lease_ttl_ms(), cx.draining.is_cancelled());
    // Behind all that waits, it could come too late in a busy hour, for all sessions at once.
    cx.store
        .write_urgently(Lane::SHARED, move |tx| {
            Box::pin(async move {
                let mut admin = tx.admin();
                admin
                    .report_gateway(&gateway, &version, is_draining, is_start)
                    .await?;
                admin.renew_leases(&gateway, &leases, ttl_ms).await
            })
        })
        .await
}

fn keep_or_lose(held: &[Arc<Session>], renewed: &[SessionId], validity: Validity) {
    let renewed: std::collections::HashSet<_> = renewed.iter().collect();
    for session in held {
        if renewed.contains(&session.id()) {
            session.extend_lease(validity.ends_at());
        } else if !session.ended.is_cancelled() {
            session.lose("the lease was taken over");
        }
    }
}

fn lose_expired(held: &[Arc<Session>]) {
    let now = Instant::now();
    for session in held {
        if session.lease_ends_at() <= now {
            session.lose("the lease could not be renewed");
        }
    }
}

/// Takes over sessions that wait for an owner until the gateway drains.
pub(crate) async fn claim_sessions(cx: Arc<Context>) {
    let mut wanted = cx.bus.subscribe(Topic::Sessions).await.ok();
    loop {
        match claim(&cx).await {
            Ok(count) if count >= claim_batch(&cx) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(error = %error, "sessions could not be claimed"),
        }
        let pause = cx.config.ownership.claim_every;
        tokio::select! {
            () = cx.draining.cancelled() => return,
            () = tokio::time::sleep(pause.mul_f64(0.75) + jitter(pause / 2)) => {}
            () = next_wish(&mut wanted) => {}
        }
    }
}

fn claim_batch(cx: &Context) -> usize {
    usize::try_from(cx.config.ownership.claim_batch)
        .unwrap_or(usize::MAX)
        .max(1)
}

async fn next_wish(wanted: &mut Option<Subscription>) {
    let Some(subscription) = wanted else {
        return std::future::pending().await;
    };
    match subscription.recv().await {
        Some(Ok(Signal::SessionsWanted) | Err(_)) => {}
        Some(Ok(_)) => std::future::pending().await,
        None => *wanted = None,
    }
}

async fn claim(cx: &Arc<Context>) -> Result<usize, StoreError> {
    let (gateway, ttl_ms) = (cx.config.id.clone(), cx.lease_ttl_ms());
    let limit = cx.config.ownership.claim_batch;
    let waiting = cx.store.read().await?.admin().has_wanted_sessions().await?;
    if !waiting || cx.draining.is_cancelled() {
        return Ok(0);
    }
    let _claiming = cx.claiming.lock().await;
    let asked_at = Instant::now();
    let now_ms = cx.now_ms();
    let claimed = cx
        .store
        .write(Lane::SHARED, move |tx| {
            Box::pin(async move {
                let claimed = tx
                    .admin()
                    .claim_wanted_sessions(&gateway, ttl_ms, limit)
                    .await?;
                for claim in &claimed {
                    note_start(tx, &claim.fence, now_ms).await?;
                }
                Ok::<_, StoreError>(claimed)
            })
        })
        .await?;
    let count = claimed.len();
    if count > 0 {
        tracing::info!(sessions = count, "sessions were claimed");
    }
    for claim in claimed {
        launch(cx, claim.organization_id, claim.fence, asked_at);
    }
    Ok(count)
}

/// Claims one session, because somebody wants it to run; nothing where another owns it.
pub(crate) async fn claim_one(
    cx: &Arc<Context>,
    organization: OrganizationId,
    id: SessionId,
) -> Result<Option<Arc<Session>>, StoreError> {
    let _claiming = cx.claiming.lock().await;
    // Somebody else may have been quicker; a second claim would end the first one's.
    if let Some(session) = cx.registry.get(id) {
        return Ok(Some(session));
    }
    let (gateway, ttl_ms, now_ms) = (cx.config.id.clone(), cx.lease_ttl_ms(), cx.now_ms());
    let asked_at = Instant::now();
    let fence = cx
        .store
        .write(organization, move |tx| {
            Box::pin(async move {
                let Some(fence) = tx.admin().claim_lease(id, &gateway, ttl_ms).await? else {
                    return Ok::<_, StoreError>(None);
                };
                tx.set_session_wanted(organization, id, true, now_ms)
                    .await?;
                note_start(tx, &fence, now_ms).await?;
                Ok(Some(fence))
            })
        })
        .await?;
    Ok(fence.map(|fence| launch(cx, organization, fence, asked_at)))
}

/// Says with the claim that the session starts: until its task does, nobody may take what
/// the last owner wrote for the present.
async fn note_start(tx: &mut Tx, fence: &Fence, now_ms: i64) -> Result<(), StoreError> {
    let mut owned = tx.owned(fence).await?;
    let status = SessionStatus::Starting;
    let before = owned.record().await?.map(|record| record.stored_status);
    owned.set_status(status, None, None, now_ms).await?;
    if before != Some(status) {
        let payload = Standing::new(status).payload();
        let (organization, session) = (owned.organization(), owned.session());
        let kind = EventKind::SessionStatus;
        let event = NewEvent::new(organization, session, kind, now_ms, &payload)?;
        owned.append_event(event);
    }
    Ok(())
}

/// Starts the task of a session that was claimed.
fn launch(
    cx: &Arc<Context>,
    organization: OrganizationId,
    fence: Fence,
    asked_at: Instant,
) -> Arc<Session> {
    let config = &cx.config.ownership;
    let validity = Validity::since(asked_at, config.lease_ttl, config.safety_margin);
    session::launch(cx, organization, fence, validity.ends_at())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn clients_stop_before_the_lease_can_end() {
        let asked_at = Instant::now();
        let ttl = Duration::from_secs(6);
        let validity = Validity::since(asked_at, ttl, Duration::from_millis(1_500));
        assert!(validity.ends_at() < asked_at + ttl);
        assert_eq!(validity.ends_at(), asked_at + Duration::from_millis(4_500));
    }
}
