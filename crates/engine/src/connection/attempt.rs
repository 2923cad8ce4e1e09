//! What became of the current attempt to be connected.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::{DropReason, EndReason};

/// Collects what the library and the transport tell while an attempt lasts.
#[derive(Debug, Default)]
pub(crate) struct Attempt {
    facts: Mutex<Facts>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct Facts {
    is_socket_open: bool,
    is_paired_now: bool,
    connected_at: Option<Instant>,
    dropped: Option<DropReason>,
    end: Option<EndReason>,
    // These outlive an attempt.
    is_logout_asked: bool,
    is_qr_exhausted: bool,
    is_pairing_code_open: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// For good.
    End(EndReason),
    /// WhatsApp refused the client version.
    Outdated,
    /// Paired: log in at once.
    Paired,
    /// Lost, or never made.
    Dropped {
        reason: DropReason,
        connected_at: Option<Instant>,
    },
}

impl Attempt {
    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the last attempt.
    pub(super) fn begin(&self) {
        let mut facts = self.facts();
        *facts = Facts {
            end: facts.end,
            is_logout_asked: facts.is_logout_asked,
            is_qr_exhausted: facts.is_qr_exhausted,
            is_pairing_code_open: facts.is_pairing_code_open,
            ..Facts::default()
        };
    }

    pub(crate) fn socket_opened(&self) {
        self.facts().is_socket_open = true;
    }

    /// The session can send; whether that was not known yet.
    pub(super) fn connected(&self) -> bool {
        let mut facts = self.facts();
        let is_news = facts.connected_at.is_none();
        facts.connected_at.get_or_insert_with(Instant::now);
        is_news
    }

    pub(super) fn is_connected(&self) -> bool {
        let facts = self.facts();
        facts.connected_at.is_some() && facts.dropped.is_none() && facts.end.is_none()
    }

    pub(super) fn paired(&self) {
        let mut facts = self.facts();
        facts.is_paired_now = true;
        facts.is_qr_exhausted = false;
        facts.is_pairing_code_open = false;
    }

    /// Why the connection was lost; the first cause counts.
    pub(super) fn dropped(&self, reason: DropReason) {
        self.facts().dropped.get_or_insert(reason);
    }

    /// The session is over; the first cause counts.
    pub(crate) fn end(&self, reason: EndReason) {
        let mut facts = self.facts();
        let reason = match reason {
            EndReason::LoggedOutByPhone if facts.is_logout_asked => EndReason::LoggedOutByRequest,
            reason => reason,
        };
        facts.end.get_or_insert(reason);
        drop(facts);
        self.ended.notify_one();
    }

    /// Whether this session is asking WhatsApp to unlink it: WhatsApp's word
    /// that it is unlinked is then the answer and not the phone's doing.
    pub(super) fn ask_logout(&self, is_asked: bool) {
        self.facts().is_logout_asked = is_asked;
    }

    pub(super) fn is_over(&self) -> bool {
        self.facts().end.is_some()
    }

    /// Waits for an end that the library does not act on by itself.
    pub(super) async fn ended(&self) {
        loop {
            if self.facts().end.is_some() {
                return;
            }
            self.ended.notified().await;
        }
    }

    pub(super) fn qr_exhausted(&self) {
        self.facts().is_qr_exhausted = true;
    }

    pub(super) fn pairing_code_opened(&self) {
        self.facts().is_pairing_code_open = true;
    }

    /// The pairing code is void; says whether it was open until now, and
    /// whether there is no other way left to pair.
    pub(super) fn pairing_code_closed(&self) -> (bool, bool) {
        let mut facts = self.facts();
        let was_open = std::mem::take(&mut facts.is_pairing_code_open);
        (was_open, was_open && facts.is_qr_exhausted)
    }

    pub(super) fn outcome(&self) -> Outcome {
        let mut facts = self.facts();
        if facts.end == Some(EndReason::Outdated) {
            facts.end = None;
            return Outcome::Outdated;
        }
        if let Some(reason) = facts.end {
            return Outcome::End(reason);
        }
        if facts.is_paired_now {
            return Outcome::Paired;
        }
        let reason = facts.dropped.unwrap_or({
            match (facts.connected_at.is_some(), facts.is_socket_open) {
                // The library reconnects without a word when WhatsApp was
                // silent for too long or asked for a new stream.
                (true, _) => DropReason::Silent,
                (false, true) => DropReason::HandshakeFailed,
                (false, false) => DropReason::Unreachable,
            }
        });
        Outcome::Dropped {
            reason,
            connected_at: facts.connected_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_attempt_connects_once() {
        let attempt = Attempt::default();
        assert!(attempt.connected() && attempt.is_connected());
        assert!(!attempt.connected());
        attempt.begin();
        assert!(!attempt.is_connected());
        assert!(attempt.connected());
    }

    #[test]
    fn the_first_end_counts_and_stays() {
        let attempt = Attempt::default();
        attempt.end(EndReason::Replaced);
        attempt.end(EndReason::LoggedOutByPhone);
        attempt.begin();
        assert_eq!(attempt.outcome(), Outcome::End(EndReason::Replaced));
    }

    #[test]
    fn an_attempt_without_news_is_told_by_how_far_it_came() {
        let reason = |attempt: &Attempt| match attempt.outcome() {
            Outcome::Dropped { reason, .. } => reason,
            other => panic!("{other:?}"),
        };
        let attempt = Attempt::default();
        assert_eq!(reason(&attempt), DropReason::Unreachable);
        attempt.socket_opened();
        assert_eq!(reason(&attempt), DropReason::HandshakeFailed);
        attempt.dropped(DropReason::ServerUnavailable);
        assert_eq!(reason(&attempt), DropReason::ServerUnavailable);
        attempt.begin();
        assert_eq!(reason(&attempt), DropReason::Unreachable);
    }

    #[test]
    fn an_unlinking_that_was_asked_for_is_not_the_phones() {
        let attempt = Attempt::default();
        attempt.ask_logout(true);
        attempt.end(EndReason::LoggedOutByPhone);
        assert!(attempt.is_over());
        assert_eq!(
            attempt.outcome(),
            Outcome::End(EndReason::LoggedOutByRequest)
        );
    }

    #[tokio::test]
    async fn a_refused_version_is_no_end_by_itself() {
        let attempt = Attempt::default();
        attempt.end(EndReason::Outdated);
        attempt.ended().await;
        assert_eq!(attempt.outcome(), Outcome::Outdated);
        assert_ne!(attempt.outcome(), Outcome::Outdated);
    }

    #[test]
    fn pairing_is_over_when_both_ways_are() {
        let attempt = Attempt::default();
        attempt.pairing_code_opened();
        assert_eq!(attempt.pairing_code_closed(), (true, false));
        attempt.qr_exhausted();
        assert_eq!(attempt.pairing_code_closed(), (false, false));
        attempt.pairing_code_opened();
        assert_eq!(attempt.pairing_code_closed(), (true, true));
    }
}
