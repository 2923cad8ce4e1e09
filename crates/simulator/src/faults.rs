//! Things that go wrong on purpose.
//!
//! A fault has a `kind`, and strikes while its `count` lasts (without one: until it is deleted),
//! each time with its `probability` (without one: always). It lets pass what comes `after` so many
//! times first. What strikes at once, other than a ban,
//! is over with that. `target` is a number; without one every
//! number is meant. `tag` narrows the faults on stanzas to one stanza tag,
//! and those on media to one media type (`image`, `video`, …).
//!
//! | `kind` | strikes | effect |
//! |---|---|---|
//! | `close_socket` | at once on the target's live sockets; with `tag`, when such a stanza comes from the target | the socket ends without a word |
//! | `stream_error` | like `close_socket` | `<stream:error code>`, `code` (503 without one), then the socket ends |
//! | `replaced` | like `close_socket` | `<conflict type="replaced"/>`, then the socket ends |
//! | `drop` | on stanzas | the stanza does not arrive |
//! | `delay` | on stanzas | the stanza arrives `delayMs` later, others overtake it |
//! | `duplicate` | on stanzas | the stanza arrives twice |
//! | `slow` | on stanzas to the target | the connection waits `delayMs` before this and all that follow |
//! | `nack` | on messages from the target | the message is refused with `<ack error>`, `code` (463 without one) |
//! | `withhold` | on messages of others to the target's companions, in chats of two | the message arrives as `<unavailable>`, for the phone to be asked for it |
//! | `ban` | at once and at every login | `<failure reason="403">`; with `code`, `<failure reason="402">` with it and `delayMs` as the time it lasts |
//! | `refuse_upload` | on uploads of media by the target | refused with the status `code` (500 without one) |
//! | `slow_media` | on uploads and downloads of media | the answer waits `delayMs`, or until the fault is deleted |
//! | `media_gone` | on downloads of media by the target | refused with the status `code` (410 without one) |
//! | `expired_version` | at every login | `<failure reason="405">` |
//!
//! `direction` is `in` for stanzas from the target and `out` (the default) for stanzas to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;

mod media;
mod spec;

pub(crate) use media::MediaFate;
pub use spec::{Direction, Fault, FaultError, FaultKind, FaultSpec};

/// What happens to a stanza from a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InboundFate {
    Pass,
    Drop,
    Delay(u64),
    Duplicate,
    Nack(u16),
    Close,
    StreamError(u16),
    Replaced,
}

/// What happens to a stanza to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutboundFate {
    Pass,
    Drop,
    Delay(u64),
    Duplicate,
    Slow(u64),
}

/// Why a login is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoginFate {
    Banned,
    TemporarilyBanned { code: u16, for_s: u64 },
    ExpiredVersion,
}

#[derive(Debug)]
struct Waiting {
    faults: BTreeMap<u64, Fault>,
    next_number: u64,
    rng: StdRng,
}

/// The faults that are waiting to strike.
#[derive(Debug)]
pub struct Faults {
    /// The number of faults, so that nothing is locked while there is none.
    len: AtomicUsize,
    /// Tells this run's faults from those of earlier ones, which are gone.
    session: u32,
    waiting: Mutex<Waiting>,
    /// The numbers of those that somebody has deleted, for what they hold back.
    deleted: watch::Sender<BTreeSet<u64>>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            len: AtomicUsize::new(0),
            session: rand::random(),
            waiting: Mutex::new(Waiting {
                faults: BTreeMap::new(),
                next_number: 1,
                rng: StdRng::seed_from_u64(seed),
            }),
            deleted: watch::Sender::new(BTreeSet::new()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a fault without striking what is there; [`crate::server::Server::inject`] does both.
    pub(crate) fn add(&self, spec: FaultSpec) -> Result<Fault, FaultError> {
        if spec
            .probability
            .is_some_and(|probability| !(0.0..=1.0).contains(&probability))
        {
            return Err(FaultError::Probability);
        }
        if spec.count == Some(0) {
            return Err(FaultError::Count);
        }
        if matches!(
            spec.kind,
            FaultKind::Delay | FaultKind::Slow | FaultKind::SlowMedia
        ) && spec.delay_ms.is_none()
        {
            return Err(FaultError::DelayMissing);
        }
        let mut waiting = self.lock();
        let number = waiting.next_number;
        waiting.next_number += 1;
        let fault = Fault {
            id: format!("fault_{:08x}_{number}", self.session),
            spec,
            struck: 0,
            passed: 0,
        };
        if !fault.spec.is_over_at_once() {
            waiting.faults.insert(number, fault.clone());
            self.len.store(waiting.faults.len(), Ordering::Release);
        }
        Ok(fault)
    }

    /// The faults that are waiting, oldest first.
    pub fn list(&self) -> Vec<Fault> {
        self.lock().faults.values().cloned().collect()
    }

    /// Deletes a fault; false when there is none with this id.
    pub fn remove(&self, id: &str) -> bool {
        let mut waiting = self.lock();
        let with_id = waiting.faults.iter().filter(|(_, fault)| fault.id == id);
        let removed: BTreeSet<u64> = with_id.map(|(number, _)| *number).collect();
        waiting.faults.retain(|_, fault| fault.id != id);
        self.len.store(waiting.faults.len(), Ordering::Release);
        drop(waiting);
        let is_there = !removed.is_empty();
        self.deleted.send_modify(|numbers| numbers.extend(removed));
        is_there
    }

    /// Deletes all faults.
    pub fn clear(&self) {
        let mut waiting = self.lock();
        let removed = std::mem::take(&mut waiting.faults);
        self.len.store(0, Ordering::Release);
        drop(waiting);
        let numbers = removed.into_keys();
        self.deleted.send_modify(|deleted| deleted.extend(numbers));
    }

    /// The first fault that matches and strikes now.
    fn strike(&self, matches: impl Fn(&FaultSpec) -> bool) -> Option<FaultSpec> {
        self.strike_numbered(matches).map(|(_, spec)| spec)
    }

    /// As [`Self::strike`], with the fault's number.
    fn strike_numbered(&self, matches: impl Fn(&FaultSpec) -> bool) -> Option<(u64, FaultSpec)> {
        if self.len.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut waiting = self.lock();
        let Waiting { faults, rng, .. } = &mut *waiting;
        let (key, fault) = faults.iter_mut().find(|(_, fault)| {
            matches(&fault.spec)
                && fault
                    .spec
                    .probability
                    .is_none_or(|probability| rng.random_bool(probability))
        })?;
        if fault.passed < fault.spec.after.unwrap_or_default() {
            fault.passed += 1;
            return None;
        }
        fault.struck += 1;
        let (key, spec) = (*key, fault.spec.clone());
        if spec.count.is_some_and(|count| fault.struck >= count) {
            faults.remove(&key);
            self.len.store(waiting.faults.len(), Ordering::Release);
        }
        Some((key, spec))
    }

    /// Whether a fault that strikes at once strikes this live connection.
    pub(crate) fn strike_live(&self, fault: &mut Fault, number: &str) -> bool {
        let spec = &fault.spec;
        if !spec.is_for(number, None) {
            return false;
        }
        // A ban is not used up by the connections that it ends: it holds at the login.
        if spec.kind == FaultKind::Ban {
            return true;
        }
        let is_struck = spec.count.is_none_or(|count| fault.struck < count)
            && spec
                .probability
                .is_none_or(|probability| self.lock().rng.random_bool(probability));
        fault.struck += u32::from(is_struck);
        is_struck
    }

    pub(crate) fn inbound(&self, number: &str, tag: &str) -> InboundFate {
        let struck = self.strike(|spec| {
            spec.is_for(number, Some(tag))
                && match spec.kind {
                    FaultKind::Drop | FaultKind::Delay | FaultKind::Duplicate => {
                        spec.direction == Direction::In
                    }
                    FaultKind::Nack => tag == "message",
                    FaultKind::CloseSocket | FaultKind::StreamError | FaultKind::Replaced => true,
                    _ => false,
                }
        });
        let Some(spec) = struck else {
            return InboundFate::Pass;
        };
        match spec.kind {
            FaultKind::Drop => InboundFate::Drop,
            FaultKind::Delay => InboundFate::Delay(spec.delay_ms.unwrap_or_default()),
            FaultKind::Duplicate => InboundFate::Duplicate,
            FaultKind::Nack => InboundFate::Nack(spec.code.unwrap_or(463)),
            FaultKind::CloseSocket => InboundFate::Close,
            FaultKind::StreamError => InboundFate::StreamError(spec.code.unwrap_or(503)),
            FaultKind::Replaced => InboundFate::Replaced,
            _ => InboundFate::Pass,
        }
    }

    pub(crate) fn outbound(&self, number: &str, tag: &str) -> OutboundFate {
        let struck = self.strike(|spec| {
            spec.is_for(number, Some(tag))
                && match spec.kind {
                    FaultKind::Drop | FaultKind::Delay | FaultKind::Duplicate => {
                        spec.direction == Direction::Out
                    }
                    FaultKind::Slow => true,
                    _ => false,
                }
        });
        let Some(spec) = struck else {
            return OutboundFate::Pass;
        };
        let delay_ms = spec.delay_ms.unwrap_or_default();
        match spec.kind {
            FaultKind::Drop => OutboundFate::Drop,
            FaultKind::Delay => OutboundFate::Delay(delay_ms),
            FaultKind::Duplicate => OutboundFate::Duplicate,
            FaultKind::Slow => OutboundFate::Slow(delay_ms),
            _ => OutboundFate::Pass,
        }
    }

    /// Whether a message comes to a companion without its content.
    pub(crate) fn withholds(&self, number: &str) -> bool {
        let is_meant =
            |spec: &FaultSpec| spec.kind == FaultKind::Withhold && spec.is_for(number, None);
        self.strike(is_meant).is_some()
    }

    pub(crate) fn login(&self, number: &str) -> Option<LoginFate> {
        let spec = self.strike(|spec| {
            matches!(spec.kind, FaultKind::Ban | FaultKind::ExpiredVersion)
                && spec.is_for(number, None)
        })?;
        Some(match (spec.kind, spec.code) {
            (FaultKind::ExpiredVersion, _) => LoginFate::ExpiredVersion,
            (_, Some(code)) => LoginFate::TemporarilyBanned {
                code,
                for_s: spec.delay_ms.unwrap_or(3_600_000) / 1_000,
            },
            _ => LoginFate::Banned,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(kind: FaultKind) -> FaultSpec {
        FaultSpec::new(kind)
    }

    #[test]
    fn a_fault_strikes_its_target_as_often_as_it_may() {
        let faults = Faults::new(1);
        faults
            .add(FaultSpec {
                target: Some("1".into()),
                count: Some(2),
                tag: Some("message".into()),
                ..spec(FaultKind::Drop)
            })
            .unwrap();
        assert_eq!(faults.outbound("2", "message"), OutboundFate::Pass);
        assert_eq!(faults.outbound("1", "receipt"), OutboundFate::Pass);
        assert_eq!(faults.inbound("1", "message"), InboundFate::Pass);
        assert_eq!(faults.outbound("1", "message"), OutboundFate::Drop);
        assert_eq!(faults.outbound("1", "message"), OutboundFate::Drop);
        assert_eq!(faults.outbound("1", "message"), OutboundFate::Pass);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_fault_lets_pass_what_comes_first() {
        let faults = Faults::new(1);
        faults
            .add(FaultSpec {
                after: Some(2),
                count: Some(1),
                ..spec(FaultKind::Nack)
            })
            .unwrap();
        let fates: Vec<_> = (0..4).map(|_| faults.inbound("1", "message")).collect();
        let (pass, nack) = (InboundFate::Pass, InboundFate::Nack(463));
        assert_eq!(fates, [pass, pass, nack, pass]);
    }

    #[test]
    fn probability_is_repeatable_with_a_seed() {
        let struck = |seed| {
            let faults = Faults::new(seed);
            faults
                .add(FaultSpec {
                    probability: Some(0.5),
                    ..spec(FaultKind::Nack)
                })
                .unwrap();
            (0..64)
                .map(|_| faults.inbound("1", "message") == InboundFate::Nack(463))
                .collect::<Vec<_>>()
        };
        let first = struck(7);
        assert_eq!(first, struck(7));
        assert!(first.contains(&true) && first.contains(&false));
    }

    #[test]
    fn nonsense_is_refused() {
        let faults = Faults::new(1);
        let bad = FaultSpec {
            probability: Some(1.5),
            ..spec(FaultKind::Drop)
        };
        assert_eq!(faults.add(bad).unwrap_err(), FaultError::Probability);
        assert_eq!(
            faults.add(spec(FaultKind::Slow)).unwrap_err(),
            FaultError::DelayMissing
        );
        assert!(serde_json::from_str::<FaultSpec>(r#"{"kind":"earthquake"}"#).is_err());
        assert!(serde_json::from_str::<FaultSpec>(r#"{"kind":"drop","colour":1}"#).is_err());
        assert!(
            serde_json::from_str::<FaultSpec>(r#"{"kind":"close_socket","delayMs":5}"#).is_ok()
        );
    }
}
