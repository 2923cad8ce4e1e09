//! Asking the gateway that owns a session.

use std::time::Duration;

use serde_json::{Map, Value};
use wagate_cluster::{
    BusError, CommandReply, CommandResult, Refusal, SessionAction, SessionCommand,
};

use crate::caller::SessionAccess;
use crate::error::{Error, Reason, Result, What};
use crate::service::Core;

impl Core {
    /// Has the owner of a session carry out a command.
    ///
    /// The row says who the owner is. When that has changed meanwhile, or its gateway
    /// does not answer, the row is read again and the command goes out once more; a
    /// command that must not be done twice only after an answer that says it was not done.
    pub(crate) async fn ask_owner(
        &self,
        access: &SessionAccess,
        action: SessionAction,
        timeout: Duration,
    ) -> Result<CommandReply> {
        let name = action.name();
        let is_repeatable = is_repeatable(&action);
        let command = SessionCommand {
            organization_id: access.organization_id(),
            session_id: access.id(),
            action,
        };
        let placement = &self.placement;
        let first = placement
            .for_session(&access.record.session.gateway_id)
            .await?;
        let answer = self.bus.request(&first, command.clone(), timeout).await;
        let is_final = match &answer {
            Ok(Err(Refusal::NotOwner)) => false,
            Err(BusError::Unreachable) => !is_repeatable,
            _ => true,
        };
        if is_final {
            return conclude(name, answer);
        }
        placement.forget();
        let record = self
            .store
            .read()
            .await?
            .session(access.organization_id(), access.id())
            .await?
            .ok_or(Error::NotFound(What::Session))?;
        let second = placement.for_session(&record.session.gateway_id).await?;
        tracing::debug!(session.id = %access.id(), command = name, "asking the owner once more");
        conclude(name, self.bus.request(&second, command, timeout).await)
    }
}

/// Whether doing it twice is the same as doing it once.
fn is_repeatable(action: &SessionAction) -> bool {
    match action {
        SessionAction::Send(send) => send.idempotency.is_some(),
        SessionAction::Live(request) => request.is_repeatable(),
        SessionAction::RequestPairingCode { .. } | SessionAction::Restart => false,
        _ => true,
    }
}

fn conclude(name: &'static str, answer: Result<CommandResult, BusError>) -> Result<CommandReply> {
    answer?.map_err(|refusal| {
        metrics::counter!("wagate_commands_refused_total", "command" => name).increment(1);
        refusal_error(refusal)
    })
}

fn refusal_error(refusal: Refusal) -> Error {
    match refusal {
        Refusal::NotFound => Error::NotFound(What::Session),
        Refusal::NotConnected {
            status,
            reason,
            detail,
        } => Error::NotConnected {
            status,
            reason,
            detail,
        },
        Refusal::AlreadyPaired => Error::conflict(Reason::AlreadyPaired),
        Refusal::KeyReused => Error::conflict(Reason::IdempotencyKeyReused),
        Refusal::RateLimited {
            retry_after_seconds,
        } => Error::RateLimited {
            retry_after_seconds: retry_after_seconds.max(1),
        },
        Refusal::ReachoutRestricted {
            retry_after_seconds,
        } => Error::ReachoutRestricted {
            retry_after_seconds: retry_after_seconds.max(1),
        },
        Refusal::Invalid { field, message } => {
            Error::Invalid(wagate_model::Faults::one(field, message))
        }
        Refusal::Rejected { code, message } => {
            let mut details = Map::new();
            if let Some(code) = code {
                details.insert("whatsappCode".into(), Value::from(code));
            }
            details.insert("whatsappMessage".into(), Value::from(message));
            Error::Conflict {
                reason: Reason::RejectedByWhatsApp,
                details,
            }
        }
        Refusal::Forbidden => Error::ForbiddenByWhatsApp,
        Refusal::NotSent => Error::conflict(Reason::MessageNotSent),
        Refusal::BackfillRunning => Error::conflict(Reason::BackfillRunning),
        Refusal::TooManyLabels => Error::conflict(Reason::TooManyLabels),
        Refusal::Missing => Error::NotFound(What::Target),
        Refusal::NotOwner | Refusal::Busy | Refusal::Unavailable => Error::unavailable(),
        Refusal::Internal => Error::internal(refusal),
    }
}

/// The owner answered something that does not fit the command.
pub(crate) fn unexpected(reply: &CommandReply) -> Error {
    // The reply may hold a code: only its kind is named.
    let kind = match reply {
        CommandReply::Done => "done",
        CommandReply::Qr(_) => "qr",
        CommandReply::QrPending => "qr_pending",
        CommandReply::Media { .. } => "media",
        CommandReply::PairingCode(_) => "pairing_code",
        CommandReply::Live(reply) => reply.name(),
        CommandReply::Send(_) => "send",
        CommandReply::SendPending { .. } => "send_pending",
    };
    Error::internal(anyhow::anyhow!("the gateway answered with {kind}"))
}
