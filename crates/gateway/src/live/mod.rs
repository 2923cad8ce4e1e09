//! What needs WhatsApp at once: carried out beside the session's task, on its connection.
//!
//! One file for each resource, as in `wagate_cluster`'s requests. Such a request holds up
//! neither the session's task nor others of its kind, of which each session has only so many
//! under way; it is given up before its caller gives up on it. What it changes on WhatsApp
//! is written to the store by who carried it out, or comes back as a notification.

mod backfills;
mod channels;
mod chats;
mod communities;
mod contacts;
mod groups;
mod labels;
mod messages;
mod presence;
mod profile;

use std::sync::Arc;
use std::time::Duration;

use wagate_cluster::{
    BackfillRequest, CommandReply, CommandResult, LiveReply, LiveRequest, Refusal,
};
use wagate_engine::{Connection, RequestError};

use crate::context::Context;
use crate::session::Session;

/// Live requests of one session that are carried out at the same time.
pub(crate) const MAX_AT_ONCE: usize = 16;
/// How long WhatsApp may take for all of a request.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came of a request within the gateway.
type LiveResult = Result<LiveReply, Refusal>;

/// A request's surroundings.
struct Live<'l> {
    cx: &'l Arc<Context>,
    session: &'l Arc<Session>,
    connection: Connection,
}

/// Carries out a request on a session that runs here.
pub(crate) async fn carry_out(
    cx: &Arc<Context>,
    session: &Arc<Session>,
    request: LiveRequest,
) -> CommandResult {
    let Some(connection) = session.working_connection() else {
        return Err(session.standing().refusal());
    };
    let _permit = session.requests.try_acquire().map_err(|_| Refusal::Busy)?;
    let live = Live {
        cx,
        session,
        connection,
    };
    let outcome = tokio::select! {
        () = session.lost.cancelled() => Err(Refusal::NotOwner),
        outcome = tokio::time::timeout(PATIENCE, live.answer(request)) => {
            outcome.unwrap_or(Err(Refusal::Unavailable))
        }
    };
    outcome.map(|reply| CommandReply::Live(Box::new(reply)))
}

impl Live<'_> {
    async fn answer(&self, request: LiveRequest) -> LiveResult {
        match request {
            LiveRequest::Backfill(BackfillRequest::Start { id }) => self.start_backfill(id),
            // It needs no connection, and was answered before.
            LiveRequest::Backfill(BackfillRequest::Read) => Err(Refusal::Missing),
            LiveRequest::Communities(request) => Box::pin(self.communities(request)).await,
            LiveRequest::Contact(request) => self.contact(request).await,
            LiveRequest::Chats(request) => self.chats(request).await,
            LiveRequest::Groups(request) => Box::pin(self.groups(request)).await,
            LiveRequest::Labels(request) => Box::pin(self.labels(request)).await,
            LiveRequest::Messages(request) => Box::pin(self.messages(request)).await,
            LiveRequest::Presence(request) => self.presence(request).await,
            LiveRequest::Profile(request) => self.profile(request).await,
            LiveRequest::Channels(request) => self.channels(request).await,
        }
    }

    /// What a failed request means for who asked.
    fn refusal(&self, error: &RequestError) -> Refusal {
        match error {
            RequestError::NotConnected => self.session.standing().refusal(),
            RequestError::Refused { code: 401 | 403 } => Refusal::Forbidden,
            RequestError::Refused { code: 404 | 410 } => Refusal::Missing,
            RequestError::Refused { code: 429 } => Refusal::RateLimited {
                retry_after_seconds: 60,
            },
            RequestError::Refused { code } => Refusal::Rejected {
                code: Some(i64::from(*code)),
                message: format!("WhatsApp answered with code {code}"),
            },
            _ => Refusal::Unavailable,
        }
    }

    /// The answer to a request that says no more than that it was done.
    fn done(&self, outcome: Result<(), RequestError>) -> LiveResult {
        match outcome {
            Ok(()) => Ok(LiveReply::Done),
            Err(error) => Err(self.refusal(&error)),
        }
    }
}
