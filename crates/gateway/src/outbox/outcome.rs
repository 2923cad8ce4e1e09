//! What became of a send, as it is stored for the caller and for those who repeat the request.

use serde::{Deserialize, Serialize};
use wagate_cluster::{CommandReply, CommandResult, Refusal};
use wagate_engine::{RejectReason, SendFailure};
use wagate_model::{MessageStatus, OutboxId, SendMode, SendResult};
use wagate_store::OutboxRecord;

/// Why something about an own message failed that could not be sent itself.
pub(super) const NOT_SENT: &str = "message_not_sent";

/// A result with why it failed; readable as a plain [`SendResult`] too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outcome {
    #[serde(flatten)]
    pub(crate) result: SendResult,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Failure>,
}

/// Why a message will not be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failure {
    /// WhatsApp's code, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<i64>,
    /// What it means.
    pub(crate) message: String,
    /// After how many seconds it may be sent, where WhatsApp forbids the account to begin chats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restricted_seconds: Option<i64>,
}

impl Failure {
    pub(crate) fn new(message: &str) -> Self {
        Self {
            code: None,
            message: message.to_owned(),
            restricted_seconds: None,
        }
    }

    /// Why the engine could not send; also for failures that were only tried too often.
    pub(crate) fn of(failure: &SendFailure) -> Self {
        let (code, reason) = match failure {
            SendFailure::Transient { code, reason } | SendFailure::Permanent { code, reason } => {
                (*code, *reason)
            }
            SendFailure::NotConnected => (None, RejectReason::ConnectionLost),
            SendFailure::Unconfirmed => {
                return Self::new("unconfirmed");
            }
        };
        Self {
            code: code.map(i64::from),
            message: reason.as_str().to_owned(),
            restricted_seconds: None,
        }
    }

    fn into_refusal(self) -> Refusal {
        match self.restricted_seconds {
            None if self.message == NOT_SENT => Refusal::NotSent,
            Some(retry_after_seconds) => Refusal::ReachoutRestricted {
                retry_after_seconds,
            },
            None => Refusal::Rejected {
                code: self.code,
                message: self.message,
            },
        }
    }
}

impl Outcome {
    /// WhatsApp has the message.
    pub(crate) fn sent(
        mode: SendMode,
        wa_message_id: &str,
        status: MessageStatus,
        at: i64,
    ) -> Self {
        Self {
            result: SendResult {
                file_message_ids: None,
                mode,
                outbox_id: None,
                replayed: None,
                status: Some(status),
                timestamp: Some(at),
                wa_message_id: Some(wa_message_id.to_owned()),
            },
            error: None,
        }
    }

    /// The message will not be sent.
    pub(crate) fn failed(mode: SendMode, wa_message_id: &str, at: i64, failure: Failure) -> Self {
        let mut outcome = Self::sent(mode, wa_message_id, MessageStatus::Failed, at);
        outcome.error = Some(failure);
        outcome
    }

    /// The answer to a caller that waited for it.
    pub(crate) fn into_reply(mut self, is_replay: bool) -> CommandResult {
        if let Some(error) = self.error {
            return Err(error.into_refusal());
        }
        self.result.replayed = is_replay.then_some(true);
        Ok(CommandReply::Send(self.result))
    }
}

/// The answer to a caller that does not wait.
pub(crate) fn queued(
    id: OutboxId,
    wa_message_id: &str,
    files: Option<Vec<String>>,
    is_replay: bool,
) -> CommandReply {
    CommandReply::Send(SendResult {
        file_message_ids: files,
        mode: SendMode::Async,
        outbox_id: Some(id),
        replayed: is_replay.then_some(true),
        status: Some(MessageStatus::Pending),
        timestamp: None,
        wa_message_id: Some(wa_message_id.to_owned()),
    })
}

/// The answer that a finished entry holds; nothing while it is under way.
pub(crate) fn stored_reply(record: &OutboxRecord, is_replay: bool) -> Option<CommandResult> {
    let result = record.result.as_deref()?;
    let outcome: Result<Outcome, _> = serde_json::from_str(result);
    Some(match outcome {
        Ok(outcome) => outcome.into_reply(is_replay),
        Err(_) => Err(Refusal::Internal),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_to_everybody_who_repeats_the_request() {
        let failure = Failure::of(&SendFailure::Permanent {
            code: Some(463),
            reason: RejectReason::ReachoutRestricted,
        });
        let outcome = Outcome::failed(SendMode::Sync, "3EB0", 5, failure);
        let json = serde_json::to_string(&outcome).unwrap();
        let plain: SendResult = serde_json::from_str(&json).unwrap();
        assert_eq!(plain.status, Some(MessageStatus::Failed));
        let read: Outcome = serde_json::from_str(&json).unwrap();
        assert_eq!(
            read.into_reply(true).unwrap_err(),
            Refusal::Rejected {
                code: Some(463),
                message: "reachout_restricted".into()
            }
        );
    }

    #[test]
    fn a_replay_says_so() {
        let outcome = Outcome::sent(SendMode::Sync, "3EB0", MessageStatus::Sent, 5);
        let Ok(CommandReply::Send(first)) = outcome.clone().into_reply(false) else {
            panic!()
        };
        let Ok(CommandReply::Send(second)) = outcome.into_reply(true) else {
            panic!()
        };
        assert_eq!((first.replayed, second.replayed), (None, Some(true)));
        assert_eq!(first.wa_message_id, second.wa_message_id);
    }
}
