//! One ticker for all sessions that makes sure that `working` is true.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;

use super::handle::Session;
use crate::context::{Context, millis};

/// How often the sessions are looked at.
const EVERY: Duration = Duration::from_secs(2);
/// Probes under way at the same time.
const MAX_PROBES: usize = 128;

/// Probes sessions that WhatsApp has been silent to, until the gateway has drained.
pub(crate) async fn probe_sessions(cx: Arc<Context>) {
    let permits = Arc::new(Semaphore::new(MAX_PROBES));
    let mut ticks = tokio::time::interval(EVERY.min(cx.config.sessions.probe_after));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cx.draining.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let silent_since = cx
            .now_ms()
            .saturating_sub(millis(cx.config.sessions.probe_after));
        for session in due(&cx, silent_since) {
            // However many are due, all have their turn: the next one follows as soon as
            // one is answered.
            let permit = tokio::select! {
                () = cx.draining.cancelled() => return,
                permit = permits.clone().acquire_owned() => permit,
            };
            let Ok(permit) = permit else { return };
            let Some(turn) = Session::begin_probe(&session) else {
                continue;
            };
            let cx = cx.clone();
            cx.tasks.clone().spawn(async move {
                probe(&cx, &session).await;
                drop((turn, permit));
            });
        }
    }
}

/// Sessions that WhatsApp has been silent to since before a time, the most silent ones first.
fn due(cx: &Context, silent_since: i64) -> Vec<Arc<Session>> {
    let mut due: Vec<_> = cx
        .registry
        .all()
        .into_iter()
        .filter_map(|session| {
            let last_ms = session.working_connection()?.last_traffic_ms().unwrap_or(0);
            (last_ms <= silent_since).then_some((last_ms, session))
        })
        .collect();
    due.sort_unstable_by_key(|(last_ms, _)| *last_ms);
    due.into_iter().map(|(_, session)| session).collect()
}

async fn probe(cx: &Context, session: &Session) {
    let Some(connection) = session.working_connection() else {
        return;
    };
    let answer = tokio::select! {
        () = session.ended.cancelled() => return,
        answer = connection.probe(cx.config.sessions.probe_timeout) => answer,
    };
    match answer {
        Ok(time) => {
            metrics::counter!("wagate_gateway_probes_total", "answer" => "yes").increment(1);
            metrics::histogram!("wagate_gateway_probe_seconds").record(time.as_secs_f64());
        }
        Err(error) => {
            tracing::warn!(session.id = %session.id(), error = %error, "a probe was not answered");
            metrics::counter!("wagate_gateway_probes_total", "answer" => "no").increment(1);
            session.note_deaf();
        }
    }
}
