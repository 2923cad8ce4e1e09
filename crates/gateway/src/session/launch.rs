//! From a claim to a running task, and from its end to a lease given back.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use tokio::sync::mpsc;
use tokio::time::Instant;
use wagate_model::OrganizationId;
use wagate_store::{Fence, Lane, StoreError};

use super::actor::{Actor, End};
use super::closing::say_goodbye;
use super::handle::{Command, Session};
use super::pause::Pause;
use crate::backoff::random_backoff;
use crate::context::Context;

/// Enters a session that was claimed and starts its task.
pub(crate) fn launch(
    cx: &Arc<Context>,
    organization: OrganizationId,
    fence: Fence,
    lease_ends_at: Instant,
) -> Arc<Session> {
    let config = &cx.config;
    let (mailbox, commands) = mpsc::channel(config.sessions.mailbox.max(1));
    let session = Arc::new(Session::new(
        organization,
        fence,
        lease_ends_at,
        mailbox,
        config.outbox.max_callers,
    ));
    let earlier = cx.registry.insert(session.clone());
    if let Some(earlier) = &earlier {
        earlier.lose("the session was claimed again");
    }
    cx.tasks
        .spawn(supervise(cx.clone(), session.clone(), earlier, commands));
    session
}

/// Runs the session's task until it ends; a panic ends only the run, not the session.
async fn supervise(
    cx: Arc<Context>,
    session: Arc<Session>,
    earlier: Option<Arc<Session>>,
    mut commands: mpsc::Receiver<Command>,
) {
    if let Some(earlier) = earlier {
        // One client at a time, also within one process.
        earlier.ended.cancelled().await;
    }
    session.count_in();
    let config = &cx.config.sessions;
    let mut failures = 0_u32;
    let end = loop {
        let began_at = Instant::now();
        let run = Box::pin(Actor::run(&cx, &session, &mut commands, failures));
        match AssertUnwindSafe(run).catch_unwind().await {
            Ok(Ok(end)) => break end,
            Ok(Err(StoreError::Fenced)) => break End::Lost,
            Ok(Err(error)) => {
                tracing::warn!(session.id = %session.id(), error = %error, "the session is interrupted");
            }
            Err(_) => {
                tracing::error!(session.id = %session.id(), "the session's task panicked");
                metrics::counter!("wagate_gateway_panics_total", "task" => "session").increment(1);
            }
        }
        session.interrupt();
        if let Some(connection) = session.take_connection() {
            // A run that panicked left it open, and sends under way hold it too.
            say_goodbye(&connection).await;
        }
        if began_at.elapsed() > config.max_backoff {
            failures = 0;
        }
        failures += 1;
        let wait = random_backoff(failures, config.min_backoff, config.max_backoff);
        let paused = Pause::new(&cx, &session, Instant::now() + wait);
        if let Some(end) = paused.wait(&mut commands).await {
            break end;
        }
    };
    // From here on nobody finds the session, so no command is lost in its mailbox.
    cx.registry.remove(&session);
    commands.close();
    session.closing.cancel();
    session.end();
    if matches!(end, End::Release) {
        release(&cx, &session).await;
    }
    tracing::debug!(session.id = %session.id(), "the session has ended here");
}

/// Gives the lease back, so that the session can be claimed at once.
async fn release(cx: &Context, session: &Session) {
    let fence = session.fence.clone();
    let released = cx
        .store
        .write(Lane::SHARED, move |tx| {
            Box::pin(async move { tx.admin().release_lease(&fence).await })
        })
        .await;
    match released {
        Ok(_) => cx.bus.publish(wagate_cluster::Signal::SessionsWanted),
        // It runs out by itself.
        Err(error) => {
            tracing::warn!(session.id = %session.id(), error = %error, "a lease was not released");
        }
    }
}
