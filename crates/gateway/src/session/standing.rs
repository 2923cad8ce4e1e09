//! Where a session stands, and how the engine's news change it. No I/O in here.

use wagate_cluster::Refusal;
use wagate_engine::{Disconnect, EndReason, EngineEvent, PairingEnd};
use wagate_model::{SessionStatus, SessionStatusPayload, StatusDetail, StatusReason};

use crate::context::millis;

/// A session's status with its reason: what is stored, and told in `session.status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) status: SessionStatus,
    pub(crate) reason: Option<StatusReason>,
    pub(crate) detail: Option<StatusDetail>,
}

impl Standing {
    pub(crate) const fn new(status: SessionStatus) -> Self {
        Self {
            status,
            reason: None,
            detail: None,
        }
    }

    pub(crate) const fn because(status: SessionStatus, reason: StatusReason) -> Self {
        Self {
            status,
            reason: Some(reason),
            detail: None,
        }
    }

    /// The event that tells it.
    pub(crate) fn payload(self) -> SessionStatusPayload {
        let Self {
            status,
            reason,
            detail,
        } = self;
        SessionStatusPayload {
            status,
            reason,
            detail,
        }
    }

    /// The answer to who needs a connection.
    pub(crate) fn refusal(self) -> Refusal {
        let Self {
            status,
            reason,
            detail,
        } = self;
        Refusal::NotConnected {
            status,
            reason,
            detail,
        }
    }

    /// Whether `next` is worth an event after this one: another status, or a reason
    /// to stand where it stood without one.
    pub(crate) fn differs_from(self, next: Self) -> bool {
        self.status != next.status || (next.reason.is_some() && next.reason != self.reason)
    }
}

/// What the session does after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Goes on with the connection.
    GoOn,
    /// Opens a new connection after a while.
    Reopen,
    /// Ends, and stays so until it is started again.
    End,
    /// Ends, and forgets its WhatsApp credentials.
    Unpair,
}

/// What an event at a time means for the session's standing; nothing for most.
pub(crate) fn after(event: &EngineEvent, now_ms: i64) -> Option<(Standing, Next)> {
    Some(match event {
        EngineEvent::Qr(_) => (Standing::new(SessionStatus::ScanQrCode), Next::GoOn),
        EngineEvent::Paired(_) => (Standing::new(SessionStatus::Starting), Next::GoOn),
        EngineEvent::Connected => (Standing::new(SessionStatus::Working), Next::GoOn),
        EngineEvent::Disconnected(Disconnect { .. }) => (
            Standing::because(SessionStatus::Starting, StatusReason::ConnectionLost),
            Next::GoOn,
        ),
        EngineEvent::Ended(reason) => at_end(*reason, now_ms),
        _ => return None,
    })
}

/// Where the session stands once the engine has given up, and whether that is for good.
pub(crate) fn at_end(reason: EndReason, now_ms: i64) -> (Standing, Next) {
    let failed = |reason| (Standing::because(SessionStatus::Failed, reason), Next::End);
    let logged_out = |reason| {
        (
            Standing::because(SessionStatus::LoggedOut, reason),
            Next::Unpair,
        )
    };
    let (mut standing, next) = match reason {
        EndReason::LoggedOutByPhone => logged_out(StatusReason::LoggedOutByPhone),
        EndReason::LoggedOutByRequest => logged_out(StatusReason::LoggedOutByRequest),
        EndReason::Replaced => failed(StatusReason::Replaced),
        EndReason::Banned => failed(StatusReason::Banned),
        EndReason::TemporarilyBanned { .. } => failed(StatusReason::TemporarilyBanned),
        EndReason::Outdated => failed(StatusReason::ClientOutdated),
        EndReason::Pairing(end) => failed(pairing_reason(end)),
        EndReason::Crashed => (
            Standing::because(SessionStatus::Starting, StatusReason::ConnectionLost),
            Next::Reopen,
        ),
        // Refused, and what later engines may add: going on could harm the number.
        _ => failed(StatusReason::Refused),
    };
    standing.detail = detail(reason, now_ms);
    (standing, next)
}

/// What WhatsApp said about an end.
fn detail(reason: EndReason, now_ms: i64) -> Option<StatusDetail> {
    match reason {
        EndReason::Refused { code } => Some(StatusDetail {
            whatsapp_code: Some(i64::from(code)),
            expires_at: None,
        }),
        EndReason::TemporarilyBanned { code, expires_in } => Some(StatusDetail {
            whatsapp_code: code.map(i64::from),
            expires_at: expires_in.map(|wait| now_ms.saturating_add(millis(wait))),
        })
        .filter(|detail| *detail != StatusDetail::default()),
        _ => None,
    }
}

const fn pairing_reason(end: PairingEnd) -> StatusReason {
    match end {
        PairingEnd::Expired => StatusReason::PairingExpired,
        PairingEnd::Failed | PairingEnd::NotSupportedByPhone => StatusReason::PairingFailed,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wagate_engine::{DropReason, QrCode};
    use wagate_model::SessionStatus::{ScanQrCode, Starting, Working};

    use super::*;

    fn qr() -> EngineEvent {
        EngineEvent::Qr(QrCode {
            code: String::new(),
            expires_in: Duration::from_secs(20),
        })
    }

    #[test]
    fn terminal_causes_end_the_session_and_say_why() {
        for (end, reason) in [
            (EndReason::Replaced, StatusReason::Replaced),
            (EndReason::Banned, StatusReason::Banned),
            (EndReason::Outdated, StatusReason::ClientOutdated),
            (EndReason::Refused { code: 418 }, StatusReason::Refused),
            (
                EndReason::Pairing(PairingEnd::Expired),
                StatusReason::PairingExpired,
            ),
        ] {
            let (standing, next) = after(&EngineEvent::Ended(end), 0).unwrap();
            assert_eq!(
                (standing.status, standing.reason),
                (SessionStatus::Failed, Some(reason))
            );
            assert_eq!(next, Next::End);
        }
    }

    #[test]
    fn a_ban_says_with_which_code_and_until_when() {
        let detail = |end| at_end(end, 1_000).0.detail;
        let ban = EndReason::TemporarilyBanned {
            code: Some(106),
            expires_in: Some(Duration::from_mins(1)),
        };
        let expected = StatusDetail {
            whatsapp_code: Some(106),
            expires_at: Some(61_000),
        };
        assert_eq!(detail(ban), Some(expected));
        let refused = StatusDetail {
            whatsapp_code: Some(418),
            expires_at: None,
        };
        assert_eq!(detail(EndReason::Refused { code: 418 }), Some(refused));
        assert_eq!(detail(EndReason::Replaced), None);
    }

    #[test]
    fn a_logout_from_either_side_forgets_the_credentials() {
        for end in [EndReason::LoggedOutByPhone, EndReason::LoggedOutByRequest] {
            let (standing, next) = at_end(end, 0);
            assert_eq!(
                (standing.status, next),
                (SessionStatus::LoggedOut, Next::Unpair)
            );
        }
    }

    #[test]
    fn a_crash_of_the_engine_is_not_terminal() {
        assert_eq!(at_end(EndReason::Crashed, 0).1, Next::Reopen);
    }

    #[test]
    fn pairing_goes_on_while_a_code_is_still_open() {
        assert_eq!(after(&EngineEvent::QrExhausted, 0), None);
        assert_eq!(after(&EngineEvent::PairingCodeExpired, 0), None);
    }

    #[test]
    fn a_pairing_passes_through_every_status_once() {
        let lost = EngineEvent::Disconnected(Disconnect {
            reason: DropReason::NetworkError,
            was_connected: true,
            retry_in: Duration::ZERO,
            failures: 1,
        });
        let mut standing = Standing::new(SessionStatus::Starting);
        let mut told = Vec::new();
        for event in [
            qr(),
            qr(),
            EngineEvent::Connected,
            EngineEvent::CaughtUp,
            lost.clone(),
            lost,
        ] {
            let Some((next, _)) = after(&event, 0) else {
                continue;
            };
            if standing.differs_from(next) {
                standing = next;
                told.push(next.status);
            }
        }
        assert_eq!(told, [ScanQrCode, Working, Starting]);
    }
}
