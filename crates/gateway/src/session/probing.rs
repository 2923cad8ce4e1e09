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
        for session in cx.registry.all() {
            if !is_due(&cx, &session) {
                continue;
            }
            // When all are taken the rest has its turn at the next tick.
            let Ok(permit) = permits.clone().try_acquire_owned() else {
                break;
            };
            let cx = cx.clone();
            cx.tasks.clone().spawn(async move {
                probe(&cx, &session).await;
                drop(permit);
            });
        }
    }
}

fn is_due(cx: &Context, session: &Session) -> bool {
    let Some(connection) = session.working_connection() else {
        return false;
    };
    let last_ms = connection.last_traffic_ms().unwrap_or(0);
    let silent_ms = cx.now_ms().saturating_sub(last_ms);
    silent_ms >= millis(cx.config.sessions.probe_after) && session.begin_probe()
}

async fn probe(cx: &Context, session: &Session) {
    let Some(connection) = session.working_connection() else {
        session.end_probe();
        return;
    };
    let answer = tokio::select! {
        () = session.ended.cancelled() => return,
        answer = connection.probe(cx.config.sessions.probe_timeout) => answer,
    };
    session.end_probe();
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
