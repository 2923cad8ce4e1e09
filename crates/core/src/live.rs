//! Asking the owner of a session for what needs WhatsApp at once.

use wagate_cluster::{CommandReply, LiveReply, LiveRequest, SessionAction};

use crate::caller::SessionAccess;
use crate::error::{Error, Result, What};
use crate::owners::unexpected;
use crate::service::Core;

impl Core {
    /// Has the owner of a session carry out a live request; `missing` is what is not found
    /// where WhatsApp does not know what the request is about.
    pub(crate) async fn ask_live(
        &self,
        access: &SessionAccess,
        request: LiveRequest,
        missing: What,
    ) -> Result<LiveReply> {
        let action = SessionAction::Live(Box::new(request));
        let answer = self
            .ask_owner(access, action, self.config.command_timeout)
            .await;
        match answer.map_err(|error| error.about(missing))? {
            CommandReply::Live(reply) => Ok(*reply),
            other => Err(unexpected(&other)),
        }
    }

    /// As [`Self::ask_live`], for requests that are answered with no more than that they are done.
    pub(crate) async fn do_live(
        &self,
        access: &SessionAccess,
        request: LiveRequest,
        missing: What,
    ) -> Result<()> {
        let reply = self.ask_live(access, request, missing).await?;
        if matches!(reply, LiveReply::Done) {
            Ok(())
        } else {
            Err(unexpected_live(&reply))
        }
    }
}

/// The owner answered something that does not fit the request.
pub(crate) fn unexpected_live(reply: &LiveReply) -> Error {
    Error::internal(anyhow::anyhow!(
        "the gateway answered a live request with {}",
        reply.name()
    ))
}
