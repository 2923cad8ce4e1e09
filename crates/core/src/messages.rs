//! Use cases of messages.

use sha2::{Digest as _, Sha256};
use wagate_cluster::{CommandReply, IdempotencyKey, SendCommand, SessionAction};
use wagate_model::{
    Draft, Faults, MessageStatus, SendMode, SendRequest, SendResult, SessionId, limits,
};

use crate::caller::SessionAccess;
use crate::error::{Error, Result};
use crate::owners::unexpected;
use crate::service::Core;

/// How a message is to be sent.
#[derive(Debug, Clone)]
pub struct SendOptions {
    /// Whether the caller waits.
    pub mode: SendMode,
    /// Makes repeating the request harmless.
    pub idempotency_key: Option<String>,
}

impl Core {
    /// Sends a message: waits for WhatsApp (sync), or queues it (async).
    ///
    /// A sync send whose outcome is not known in time is answered as pending: the
    /// message is on its way and its outcome comes as `message.status`.
    pub async fn send_message(
        &self,
        access: &SessionAccess,
        request: Draft<SendRequest>,
        options: Draft<SendOptions>,
    ) -> Result<SendResult> {
        let (options, mut faults) = options.open()?;
        if let Some(key) = &options.idempotency_key {
            check_key(key, &mut faults);
        }
        let request = match request.open() {
            Ok((request, mut found)) => {
                request.check(&mut found);
                faults.extend(found);
                request
            }
            Err(found) => {
                faults.extend(found);
                return Err(faults.into());
            }
        };
        faults.into_result()?;
        let mode = options.mode;
        let idempotency = match options.idempotency_key {
            Some(key) => Some(IdempotencyKey {
                body_hash: body_hash(access.id(), mode, &request)?,
                key,
            }),
            None => None,
        };
        let action = SessionAction::Send(Box::new(SendCommand {
            request,
            mode,
            idempotency,
        }));
        let timeout = self.config.send_timeout;
        match self.ask_owner(access, action, timeout).await? {
            CommandReply::Send(result) => Ok(result),
            CommandReply::SendPending {
                outbox_id,
                wa_message_id,
                is_replay,
            } => Ok(SendResult {
                mode,
                outbox_id: Some(outbox_id),
                replayed: is_replay.then_some(true),
                status: Some(MessageStatus::Pending),
                timestamp: None,
                wa_message_id: Some(wa_message_id),
            }),
            other => Err(unexpected(&other)),
        }
    }
}

fn check_key(key: &str, faults: &mut Faults) {
    let is_key = !key.is_empty()
        && key.len() <= limits::IDEMPOTENCY_KEY_CHARS
        && key.bytes().all(|byte| byte.is_ascii_graphic());
    faults.check(is_key, "Idempotency-Key", || {
        format!(
            "must be 1 to {} visible ASCII characters",
            limits::IDEMPOTENCY_KEY_CHARS
        )
    });
}

/// The same for the same request, however its JSON was written.
fn body_hash(session: SessionId, mode: SendMode, request: &SendRequest) -> Result<String> {
    let canonical = serde_json::to_vec(&(session, mode, request)).map_err(Error::internal)?;
    Ok(hex::encode(Sha256::digest(canonical)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> SendRequest {
        serde_json::from_value(serde_json::json!({
            "type": "text", "to": "15551234567", "text": text
        }))
        .unwrap()
    }

    #[test]
    fn the_hash_tells_session_mode_and_request_apart() {
        let (a, b) = (SessionId::from_parts(1, 1), SessionId::from_parts(1, 2));
        let base = body_hash(a, SendMode::Sync, &request("hi")).unwrap();
        assert_eq!(base.len(), 64);
        assert_eq!(base, body_hash(a, SendMode::Sync, &request("hi")).unwrap());
        assert_ne!(base, body_hash(b, SendMode::Sync, &request("hi")).unwrap());
        assert_ne!(base, body_hash(a, SendMode::Async, &request("hi")).unwrap());
        assert_ne!(base, body_hash(a, SendMode::Sync, &request("ho")).unwrap());
    }

    #[test]
    fn keys_are_bounded_visible_ascii() {
        let is_fine = |key: &str| {
            let mut faults = Faults::new();
            check_key(key, &mut faults);
            faults.is_empty()
        };
        assert!(is_fine("order-1") && is_fine(&"k".repeat(255)));
        assert!(!is_fine("") && !is_fine("a b") && !is_fine("ü") && !is_fine(&"k".repeat(256)));
    }
}
