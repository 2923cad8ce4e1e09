//! Pairing by code.

use std::sync::Arc;
use std::time::Duration;

use wagate_model::PhoneNumber;
use whatsapp_rust::pair_code::{PairCodeError, PairCodeOptions, PairCodeRejection, PairError};
use whatsapp_rust::wacore::pair_code::PairCodeUtils;

use super::attempt::Attempt;
use super::{Connection, Session};
use crate::mailbox::Mailbox;
use crate::{EndReason, EngineEvent, PairingCodeError, PairingEnd};

/// How long to wait for the socket before a code is asked for.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(20);

impl Connection {
    /// Asks for a code to enter on the phone, such as `ABCD-1234`.
    ///
    /// The session must be started and not paired. The QR codes go on beside
    /// it. The code is valid for about three minutes; `PairingCodeExpired`
    /// tells its end.
    pub async fn request_pairing_code(
        &self,
        phone: &PhoneNumber,
    ) -> Result<String, PairingCodeError> {
        let session = self.session();
        if self.is_paired() {
            return Err(PairingCodeError::AlreadyPaired);
        }
        session
            .client
            .wait_for_socket(SOCKET_TIMEOUT)
            .await
            .map_err(|_| PairingCodeError::NotConnected)?;
        let options = PairCodeOptions {
            phone_number: phone.as_str().to_owned(),
            ..PairCodeOptions::default()
        };
        let code = session
            .client
            .pair_with_code(options)
            .await
            .map_err(|error| refusal(&error))?;
        session.attempt.pairing_code_opened();
        session.tasks.spawn(expire(Arc::clone(session)));
        Ok(grouped(&code))
    }
}

/// Ends the code when its time is over, whatever became of the connection.
async fn expire(session: Arc<Session>) {
    tokio::select! {
        () = session.cancel.cancelled() => {}
        () = tokio::time::sleep(PairCodeUtils::code_validity()) => {
            if session.client.pn().is_none() {
                session.client.cancel_pair_code().await;
                code_is_void(&session.attempt, &session.mailbox);
            }
        }
    }
}

/// Tells that the code is void, and the session's end if nothing is left to pair with.
pub(super) fn code_is_void(attempt: &Attempt, mailbox: &Mailbox) {
    let (was_open, is_over) = attempt.pairing_code_closed();
    if was_open {
        mailbox.tell(EngineEvent::PairingCodeExpired);
    }
    if is_over {
        attempt.end(EndReason::Pairing(PairingEnd::Expired));
    }
}

/// Two groups of four characters, as phones show it.
fn grouped(code: &str) -> String {
    match code.split_at_checked(4) {
        Some((first, second)) if !second.is_empty() && !second.starts_with('-') => {
            format!("{first}-{second}")
        }
        _ => code.to_owned(),
    }
}

fn refusal(error: &PairError) -> PairingCodeError {
    if let PairError::PairCode(error) = error {
        return match error {
            PairCodeError::CodeAlreadyOutstanding { .. } => PairingCodeError::CodeOutstanding,
            PairCodeError::PhoneNumberRequired
            | PairCodeError::PhoneNumberTooShort
            | PairCodeError::PhoneNumberNotInternational => PairingCodeError::InvalidNumber,
            _ => PairingCodeError::Failed,
        };
    }
    match error.rejection() {
        // WhatsApp answers a limit with 400 as often as with 429.
        Some(rejection) if rejection.is_throttled() => PairingCodeError::RateLimited {
            retry_after: error.backoff(),
        },
        Some(PairCodeRejection::FeatureNotAvailable | PairCodeRejection::Forbidden) => {
            PairingCodeError::NotAvailable
        }
        _ => PairingCodeError::Failed,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn codes_are_shown_in_two_groups() {
        assert_eq!(super::grouped("ABCD1234"), "ABCD-1234");
        assert_eq!(super::grouped("ABCD-1234"), "ABCD-1234");
        assert_eq!(super::grouped("AB"), "AB");
    }
}
