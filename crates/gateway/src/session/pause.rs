//! The time between a run that failed and the next one.

use std::pin::pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;
use wagate_cluster::{CommandReply, Refusal};
use wagate_model::SessionStatus;
use wagate_store::{Result, StoreError};

use super::actor::End;
use super::handle::{Ask, Command, Session};
use super::standing::Standing;
use super::status::{Also, store_standing};
use crate::context::Context;

/// A session without a run, until a time.
pub(super) struct Pause<'p> {
    cx: &'p Arc<Context>,
    session: &'p Arc<Session>,
    ends_at: Instant,
}

enum Woken {
    Stored(Result<()>),
    Command(Option<Command>),
    Over,
    End(End),
}

impl<'p> Pause<'p> {
    pub(super) fn new(cx: &'p Arc<Context>, session: &'p Arc<Session>, ends_at: Instant) -> Self {
        Self {
            cx,
            session,
            ends_at,
        }
    }

    /// Says that the session does not work, and carries out what can be done without a run;
    /// nothing where the next run is to begin.
    pub(super) async fn wait(self, commands: &mut mpsc::Receiver<Command>) -> Option<End> {
        let (cx, session) = (self.cx, self.session);
        let standing = session.standing();
        let mut storing = pin!(store_standing(cx, session, standing, Also::Nothing, true));
        let mut is_stored = false;
        loop {
            let woken = tokio::select! {
                biased;
                () = session.lost.cancelled() => Woken::End(End::Lost),
                () = cx.draining.cancelled() => Woken::End(End::Release),
                command = commands.recv() => Woken::Command(command),
                stored = &mut storing, if !is_stored => Woken::Stored(stored),
                () = tokio::time::sleep_until(self.ends_at) => Woken::Over,
            };
            match woken {
                Woken::End(end) => return Some(end),
                Woken::Command(None) | Woken::Stored(Err(StoreError::Fenced)) => {
                    return Some(End::Lost);
                }
                Woken::Over => return None,
                Woken::Stored(stored) => {
                    is_stored = true;
                    if let Err(error) = stored {
                        tracing::error!(session.id = %session.id(), error = %error, "a status was not stored");
                    }
                }
                Woken::Command(Some(Command { ask, reply })) => match ask {
                    Ask::Stop | Ask::Delete => {
                        let stopped = Standing::new(SessionStatus::Stopped);
                        let stored =
                            store_standing(cx, session, stopped, Also::Unwanted, true).await;
                        if stored.is_ok() {
                            let _ = reply.send(Ok(CommandReply::Done));
                            return Some(End::Release);
                        }
                        let _ = reply.send(Err(Refusal::Unavailable));
                    }
                    Ask::Start | Ask::Restart => {
                        let _ = reply.send(Ok(CommandReply::Done));
                        return None;
                    }
                    // The next run reads them anyway.
                    Ask::ApplySettings => _ = reply.send(Ok(CommandReply::Done)),
                    Ask::Logout | Ask::ReadQr | Ask::PairingCode(_) => {
                        let _ = reply.send(Err(Refusal::Unavailable));
                    }
                },
            }
        }
    }
}
