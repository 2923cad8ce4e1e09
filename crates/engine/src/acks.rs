//! Waiting for WhatsApp's acknowledgement of a sent message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::{RejectReason, SendFailure};

/// What the server said about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted { timestamp_ms: Option<i64> },
    Rejected { code: Option<u16> },
    ConnectionLost,
}

type Waiters = HashMap<String, Vec<oneshot::Sender<Verdict>>>;

/// The messages of one session that wait for their acknowledgement.
#[derive(Debug, Default)]
pub(crate) struct AckBook {
    waiters: Mutex<Waiters>,
}

impl AckBook {
    /// Waits for the acknowledgement of a message; to be called before it is sent.
    pub(crate) fn expect(self: &Arc<Self>, id: &str) -> AckWaiter {
        let (sender, receiver) = oneshot::channel();
        self.lock().entry(id.to_owned()).or_default().push(sender);
        AckWaiter {
            book: Arc::clone(self),
            id: id.to_owned(),
            receiver,
        }
    }

    pub(crate) fn settle(&self, id: &str, verdict: &Verdict) {
        let waiters = self.lock().remove(id).unwrap_or_default();
        for waiter in waiters {
            // A waiter that is gone has timed out.
            let _ = waiter.send(verdict.clone());
        }
    }

    /// Tells every waiter that its acknowledgement will not come.
    pub(crate) fn fail_all(&self) {
        let waiters = std::mem::take(&mut *self.lock());
        for waiter in waiters.into_values().flatten() {
            let _ = waiter.send(Verdict::ConnectionLost);
        }
    }

    fn forget_abandoned(&self, id: &str) {
        let mut waiters = self.lock();
        if let Some(of_message) = waiters.get_mut(id) {
            of_message.retain(|waiter| !waiter.is_closed());
            if of_message.is_empty() {
                waiters.remove(id);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiters> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A wait for one acknowledgement; dropping it ends the wait.
#[derive(Debug)]
pub(crate) struct AckWaiter {
    book: Arc<AckBook>,
    id: String,
    receiver: oneshot::Receiver<Verdict>,
}

impl AckWaiter {
    pub(crate) async fn verdict(&mut self) -> Verdict {
        (&mut self.receiver)
            .await
            .unwrap_or(Verdict::ConnectionLost)
    }
}

impl Drop for AckWaiter {
    fn drop(&mut self) {
        self.receiver.close();
        self.book.forget_abandoned(&self.id);
    }
}

/// What a nack code means for the message.
///
/// Codes: wacore's `protocol::nack` and the nack log lines of whatsapp-rust's
/// `take_ack_waiter` (463: no trusted-contact token, which WhatsApp also uses
/// for accounts that may not start chats; 479: malformed stanza); 421, 475 and
/// 487 as seen in the field.
pub(crate) fn rejection(code: Option<u16>) -> SendFailure {
    let (reason, is_permanent) = match code {
        Some(400 | 479) => (RejectReason::Malformed, true),
        Some(401 | 403 | 405) => (RejectReason::Forbidden, true),
        Some(404 | 410) => (RejectReason::UnknownRecipient, true),
        Some(463) => (RejectReason::ReachoutRestricted, true),
        Some(475) => (RejectReason::Restricted, true),
        Some(421 | 487) => (RejectReason::StaleGroup, false),
        Some(429) => (RejectReason::RateLimited, false),
        Some(500..=599) => (RejectReason::ServerUnavailable, false),
        Some(_) => (RejectReason::Other, true),
        None => (RejectReason::Other, false),
    };
    if is_permanent {
        SendFailure::Permanent { code, reason }
    } else {
        SendFailure::Transient { code, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_verdict_reaches_every_waiter_of_the_message_only() {
        let book = Arc::new(AckBook::default());
        let mut first = book.expect("A");
        let mut second = book.expect("A");
        let mut other = book.expect("B");
        let accepted = Verdict::Accepted {
            timestamp_ms: Some(1),
        };
        book.settle("A", &accepted);
        assert_eq!(first.verdict().await, accepted);
        assert_eq!(second.verdict().await, accepted);
        book.fail_all();
        assert_eq!(other.verdict().await, Verdict::ConnectionLost);
    }

    #[test]
    fn abandoned_waits_leave_nothing_behind() {
        let book = Arc::new(AckBook::default());
        let kept = book.expect("A");
        drop(book.expect("A"));
        drop(book.expect("B"));
        assert_eq!(book.lock().len(), 1);
        drop(kept);
        assert!(book.lock().is_empty());
    }

    #[test]
    fn nacks_are_told_apart() {
        assert!(matches!(
            rejection(Some(463)),
            SendFailure::Permanent {
                reason: RejectReason::ReachoutRestricted,
                ..
            }
        ));
        assert!(matches!(
            rejection(Some(503)),
            SendFailure::Transient {
                reason: RejectReason::ServerUnavailable,
                ..
            }
        ));
        assert!(matches!(
            rejection(Some(475)),
            SendFailure::Permanent { .. }
        ));
        assert!(matches!(rejection(None), SendFailure::Transient { .. }));
    }
}
