//! Removing what is no longer wanted: first a row says so, then the file goes, then the row.

use std::collections::HashSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wagate_model::{BucketId, MediaId};
use wagate_store::{Lane, StoreError, UnwantedMedia};

use crate::error::StorageError;
use crate::files::Files;
use crate::outcome::tell_expired;
use crate::storage::key;

/// Rows of one step.
const BATCH: i64 = 100;

/// How long removing a file is tried; a bucket that is away for longer keeps what it has.
const PATIENCE_MS: i64 = 7 * 86_400_000;

/// Buckets that did not answer in a round. One that hangs takes as long as a request may each
/// time: after the first of its files, the others wait for the next round.
type Away = HashSet<BucketId>;

impl Files {
    /// Removes what is no longer wanted from time to time, until stopped.
    pub async fn keep_swept(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(self.0.config.sweep_interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            match stop.run_until_cancelled(self.sweep()).await {
                None => return,
                Some(Ok(0)) => {}
                Some(Ok(files)) => tracing::debug!(files, "removed files that nobody wants"),
                Some(Err(error)) => {
                    tracing::warn!(%error, "files were not removed and will be tried again");
                }
            }
        }
    }

    /// Removes what is no longer wanted; gives how many files.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        // What came in takes no longer than the lease of who fetches it.
        let age = self.0.config.lease + Duration::from_mins(1);
        if let Err(error) = self.0.storage.disk.remove_abandoned(age) {
            tracing::warn!(%error, "files that came in half cannot be removed");
        }
        while self.expire().await? > 0 {}
        let (mut after, mut total) = (None::<MediaId>, 0);
        let mut away = Away::new();
        loop {
            let mut tx = self.0.store.read().await?;
            let unwanted = tx
                .admin()
                .unwanted_media(after, self.0.clock.now_ms(), BATCH)
                .await?;
            drop(tx);
            let Some(last) = unwanted.last() else {
                return Ok(total);
            };
            after = Some(last.id());
            for gone in unwanted {
                total += u64::from(self.remove(gone, &mut away).await?);
            }
        }
    }

    /// Has files whose time is over say so; gives how many.
    async fn expire(&self) -> Result<usize, StoreError> {
        let now_ms = self.0.clock.now_ms();
        self.0
            .store
            .write(Lane::SHARED, move |tx| {
                Box::pin(async move {
                    let expired = tx.admin().expire_media(now_ms, BATCH).await?;
                    for record in &expired {
                        tell_expired(tx, record, now_ms)?;
                    }
                    Ok(expired.len())
                })
            })
            .await
    }

    /// Removes a file; whether it is gone now. One that cannot be removed holds up no other.
    async fn remove(&self, gone: UnwantedMedia, away: &mut Away) -> Result<bool, StoreError> {
        let now_ms = self.0.clock.now_ms();
        if gone.has_file() && !self.remove_file(&gone, away).await? {
            if now_ms - gone.since_ms() < PATIENCE_MS {
                return Ok(false);
            }
            tracing::warn!(media.id = %gone.id(), "a file stays where it is: its bucket is away");
        }
        self.0
            .store
            .write::<_, StoreError, _>(Lane::SHARED, move |tx| {
                Box::pin(async move { tx.admin().forget_media(&gone, now_ms).await })
            })
            .await?;
        Ok(true)
    }

    async fn remove_file(&self, gone: &UnwantedMedia, away: &mut Away) -> Result<bool, StoreError> {
        let (organization, bucket) = (gone.organization_id(), gone.bucket_id());
        if bucket.is_some_and(|bucket| away.contains(&bucket)) {
            return Ok(false);
        }
        let place = match self.place(organization, bucket).await {
            Ok(Some(place)) => place,
            // The bucket was forgotten; what is in it is its owner's.
            Ok(None) => return Ok(true),
            Err(StoreError::Seal(error)) => {
                tracing::warn!(%error, "a bucket's keys cannot be unsealed");
                away.extend(bucket);
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let key = key(organization, gone.session_id(), gone.id());
        let removed = self.0.storage.remove(&place, &key).await;
        if let Err(error) = &removed {
            tracing::debug!(media.id = %gone.id(), %error, "a file cannot be removed");
        }
        if let Err(StorageError::Unreachable(_) | StorageError::Broken) = removed {
            away.extend(bucket);
        }
        Ok(removed.is_ok())
    }
}
