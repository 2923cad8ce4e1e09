//! How it ends with a file that was claimed.

use wagate_model::{EventKind, MediaProblem, MediaStatus};
use wagate_store::{MediaRecord, StoreError};

use crate::files::Files;

/// What became of a file that was to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is kept.
    Stored,
    /// WhatsApp does not have it, and neither has the phone.
    Gone,
    /// What came is not what the sender sent.
    Corrupt,
    /// Not this time.
    Unreachable,
    /// The disk takes nothing.
    Full,
    /// The disk took nothing just before, and nothing is tried until a while has passed.
    Paused,
    /// It is larger than what is fetched without being asked for.
    TooLarge,
    /// Somebody else has it, or nobody wants it any more.
    Lost,
}

impl Outcome {
    /// The name in figures.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Gone => "gone",
            Self::Corrupt => "corrupt",
            Self::Unreachable => "unreachable",
            Self::Full => "full",
            Self::Paused => "paused",
            Self::TooLarge => "too_large",
            Self::Lost => "lost",
        }
    }
}

/// Failures after which a file is given up.
pub(crate) const MAX_ATTEMPTS: i64 = 8;

/// How long a file waits after its first failure; each time twice as long.
const FIRST_WAIT_MS: i64 = 30_000;

/// How long a file waits at most.
const MAX_WAIT_MS: i64 = 3_600_000;

/// How long a file waits that failed so many times before.
fn wait_ms(attempts: i64) -> i64 {
    let doublings = u32::try_from(attempts.clamp(0, 20)).unwrap_or(20);
    FIRST_WAIT_MS
        .saturating_mul(1 << doublings)
        .min(MAX_WAIT_MS)
}

impl Files {
    /// Notes how it ended; what is kept was noted when it was stored.
    pub(crate) async fn conclude(
        &self,
        record: &MediaRecord,
        outcome: Outcome,
    ) -> Result<(), StoreError> {
        metrics::counter!("wagate_media_fetched_total", "outcome" => outcome.as_str()).increment(1);
        match outcome {
            Outcome::Stored => Ok(()),
            // Where the claim holds after all, nobody needs to wait for its end.
            Outcome::Lost => self.postpone(record, false, self.0.clock.now_ms()).await,
            Outcome::Paused => self.postpone(record, false, self.paused_until_ms()).await,
            Outcome::TooLarge => self.leave(record).await,
            Outcome::Gone => {
                self.settle(record, MediaStatus::Expired, MediaProblem::Gone)
                    .await
            }
            Outcome::Corrupt => {
                self.settle(record, MediaStatus::Failed, MediaProblem::Corrupt)
                    .await
            }
            Outcome::Unreachable if record.attempts + 1 >= MAX_ATTEMPTS => {
                self.settle(record, MediaStatus::Failed, MediaProblem::Unreachable)
                    .await
            }
            Outcome::Unreachable => {
                let next_ms = self.0.clock.now_ms() + wait_ms(record.attempts);
                self.postpone(record, true, next_ms).await
            }
            Outcome::Full => {
                let until_ms = self.pause();
                tracing::warn!("the disk takes no files; no more are fetched for a while");
                self.postpone(record, false, until_ms).await
            }
        }
    }

    async fn settle(
        &self,
        record: &MediaRecord,
        status: MediaStatus,
        problem: MediaProblem,
    ) -> Result<(), StoreError> {
        let (organization, id) = (record.organization_id, record.file.id);
        let (now_ms, record) = (self.0.clock.now_ms(), record.clone());
        let owner = self.0.owner.clone();
        self.0
            .store
            .write(organization, move |tx| {
                Box::pin(async move {
                    let is_new = tx
                        .settle_media(organization, id, &owner, status, problem, now_ms)
                        .await?;
                    if !is_new {
                        // It is not wanted any more, or somebody else's by now.
                        tx.postpone_media(organization, id, &owner, false, now_ms, now_ms)
                            .await?;
                    } else if status == MediaStatus::Expired {
                        tell_expired(tx, &record, now_ms)?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Leaves a claimed file where it is, until somebody asks for it.
    pub(crate) async fn leave(&self, record: &MediaRecord) -> Result<(), StoreError> {
        let (organization, id) = (record.organization_id, record.file.id);
        let (now_ms, owner) = (self.0.clock.now_ms(), self.0.owner.clone());
        self.0
            .store
            .write(organization, move |tx| {
                Box::pin(async move {
                    tx.leave_media(organization, id, &owner, now_ms)
                        .await
                        .map(drop)
                })
            })
            .await
    }

    /// Gives a claimed row back, to be tried again at a time.
    pub(crate) async fn postpone(
        &self,
        record: &MediaRecord,
        is_failure: bool,
        next_ms: i64,
    ) -> Result<(), StoreError> {
        let (organization, id) = (record.organization_id, record.file.id);
        let (now_ms, owner) = (self.0.clock.now_ms(), self.0.owner.clone());
        self.0
            .store
            .write(organization, move |tx| {
                Box::pin(async move {
                    tx.postpone_media(organization, id, &owner, is_failure, next_ms, now_ms)
                        .await
                        .map(drop)
                })
            })
            .await
    }
}

/// Adds the event that says that a file is gone.
pub(crate) fn tell_expired(
    tx: &mut wagate_store::Tx,
    record: &MediaRecord,
    now_ms: i64,
) -> Result<(), StoreError> {
    let mut payload = record.file.payload();
    payload.status = MediaStatus::Expired;
    tx.append_media_event(record, EventKind::MediaExpired, &payload, now_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour() {
        let waits: Vec<_> = [0, 1, 2, 6, 7, 100].into_iter().map(wait_ms).collect();
        assert_eq!(
            waits,
            [30_000, 60_000, 120_000, 1_920_000, 3_600_000, 3_600_000]
        );
    }
}
