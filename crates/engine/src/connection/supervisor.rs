//! One attempt after the other, until the session is over.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::FutureExt;
use whatsapp_rust::wacore::store::DeviceCommand;

use super::Session;
use super::attempt::Outcome;
use super::backoff::Backoff;
use crate::{ClientVersion, Disconnect, DropReason, EndReason, EngineEvent};

/// What to do after an attempt.
enum Next {
    Retry,
    End(EndReason),
}

pub(super) async fn supervise(session: Arc<Session>) {
    let mut backoff = Backoff::default();
    loop {
        let version = claim_version(&session).await;
        let limits_before = session.client.stats().reconnect_errors;
        attempt(&session).await;
        session.acks.fail_all();
        if session.stop.is_cancelled() {
            return;
        }
        // The library counts a penalty of its own for 429, and tells it nowhere else.
        if session.client.stats().reconnect_errors > limits_before {
            session.attempt.dropped(DropReason::RateLimited);
        }
        match after(&session, &mut backoff, version).await {
            Next::Retry => {}
            Next::End(reason) => {
                session.say_goodbye().await;
                session.mailbox.tell(EngineEvent::Ended(reason));
                return;
            }
        }
        if session.stop.is_cancelled() {
            return;
        }
    }
}

/// Connects, and returns when the connection is gone or the session is over.
async fn attempt(session: &Session) {
    session.attempt.begin();
    // The library's loop ends with the connection; see the module's top.
    let reconnects = &session.client.enable_auto_reconnect;
    reconnects.store(false, Ordering::Relaxed);
    let run = AssertUnwindSafe(session.client.run()).catch_unwind();
    tokio::select! {
        result = run => if result.is_err() {
            tracing::error!("the session's receive loop panicked");
            session.attempt.end(EndReason::Crashed);
        },
        () = session.attempt.ended() => {
            // The library acts on most ends by itself; give it the first word,
            // so that what it still has to write is written.
            session.say_goodbye().await;
        }
        () = session.stop.cancelled() => {}
    }
}

async fn after(session: &Session, backoff: &mut Backoff, version: ClientVersion) -> Next {
    let (reason, connected_at) = match session.attempt.outcome() {
        Outcome::End(reason) => return Next::End(reason),
        Outcome::Paired => return Next::Retry,
        Outcome::Outdated => {
            let source = &session.engine.version;
            return match source.newer_than(version, &session.engine.http).await {
                Some(newer) => {
                    tracing::info!(%version, %newer, "client version refused; trying a newer one");
                    Next::Retry
                }
                None => Next::End(EndReason::Outdated),
            };
        }
        Outcome::Dropped {
            reason,
            connected_at,
        } => (reason, connected_at),
    };
    if session.client.shutdown_signal().is_fired() {
        // The library gave up by itself, for a reason that it did not tell.
        return Next::End(EndReason::Crashed);
    }
    let connected_for = connected_at.map(|at| at.elapsed());
    let retry_in = backoff.next(reason, connected_for, rand::random());
    let failures = backoff.failures();
    tracing::debug!(?reason, failures, "connection lost");
    session.mailbox.tell(EngineEvent::Disconnected(Disconnect {
        reason,
        was_connected: connected_at.is_some(),
        retry_in,
        failures,
    }));
    tokio::select! {
        () = tokio::time::sleep(retry_in) => Next::Retry,
        () = session.stop.cancelled() => Next::Retry,
        () = session.attempt.ended() => match session.attempt.outcome() {
            Outcome::End(reason) => Next::End(reason),
            _ => Next::Retry,
        },
    }
}

/// Sets the version that the next login claims, so that the library fetches none.
pub(super) async fn claim_version(session: &Session) -> ClientVersion {
    let version = session.engine.version.current();
    let parts = (version.primary, version.secondary, version.tertiary);
    let storage = session.client.persistence_manager();
    storage
        .process_command(DeviceCommand::SetAppVersion(parts))
        .await;
    version
}
