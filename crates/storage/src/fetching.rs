//! From WhatsApp to where a file is kept.

use std::time::Duration;

use wagate_model::{BucketId, EventKind, MediaStatus};
use wagate_store::{MediaRecord, StoreError};

use crate::content::Part;
use crate::disk::{Digest, Incoming};
use crate::error::{StorageError, is_full};
use crate::files::{Files, place};
use crate::outcome::{MAX_ATTEMPTS, Outcome};
use crate::ports::{FetchFailure, PhoneAnswer};
use crate::storage::{Place, key};

/// Where a session's new files go.
struct Target {
    bucket: Option<BucketId>,
    place: Place,
    retention_days: Option<i64>,
}

impl Files {
    pub(crate) fn lease_ms(&self) -> i64 {
        i64::try_from(self.0.config.lease.as_millis()).unwrap_or(i64::MAX)
    }

    /// Fetches a file that is claimed, up to a size where one is given, and notes how it ended.
    pub(crate) async fn fetch_claimed(
        &self,
        record: MediaRecord,
        limit_bytes: Option<u64>,
    ) -> Result<(), StoreError> {
        let outcome = tokio::select! {
            outcome = self.fetch_and_keep(&record, limit_bytes) => outcome?,
            () = self.hold(&record) => Outcome::Lost,
        };
        self.conclude(&record, outcome).await
    }

    /// Keeps a claim for as long as this is waited for; ends where somebody else has it.
    async fn hold(&self, record: &MediaRecord) {
        let every = (self.0.config.lease / 3).max(Duration::from_millis(1));
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
        loop {
            ticks.tick().await;
            match self.renew(record).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(media.id = %record.file.id, %error, "a claim was not renewed");
                }
            }
        }
    }

    async fn renew(&self, record: &MediaRecord) -> Result<bool, StoreError> {
        let (organization, id) = (record.organization_id, record.file.id);
        let (now_ms, owner) = (self.0.clock.now_ms(), self.0.owner.clone());
        let until_ms = now_ms.saturating_add(self.lease_ms());
        self.0
            .store
            .write(organization, move |tx| {
                Box::pin(async move {
                    tx.renew_media_claim(organization, id, &owner, until_ms)
                        .await
                })
            })
            .await
    }

    async fn fetch_and_keep(
        &self,
        record: &MediaRecord,
        limit_bytes: Option<u64>,
    ) -> Result<Outcome, StoreError> {
        if record.source.is_none() {
            return Ok(Outcome::Corrupt);
        }
        if !self.takes_files() {
            return Ok(Outcome::Paused);
        }
        let Some(target) = self.target(record).await? else {
            return Ok(Outcome::Unreachable);
        };
        if !self.is_usable(record, &target).await || !self.vacate(record, &target).await? {
            return Ok(Outcome::Unreachable);
        }
        let incoming = match self.fetch_to_disk(record, limit_bytes).await? {
            Ok(incoming) => incoming,
            Err(outcome) => return Ok(outcome),
        };
        let digest = match self.0.storage.disk.digest(&incoming).await {
            Ok(digest) => digest,
            Err(error) => return Ok(of_disk(&error)),
        };
        let declared = record.file.sha256.as_deref();
        if declared.is_some_and(|declared| declared != digest.sha256) {
            return Ok(Outcome::Corrupt);
        }
        self.keep(record, &target, &incoming, &digest).await
    }

    /// Whether a place answers, so that nothing is fetched in vain for one that does not. What
    /// it says of a file that is not there yet depends on what its keys may do, and says nothing.
    async fn is_usable(&self, record: &MediaRecord, target: &Target) -> bool {
        if target.bucket.is_none() {
            return true;
        }
        let (organization, file) = (record.organization_id, &record.file);
        let key = key(organization, file.session_id, file.id);
        let part = Some(Part { start: 0, end: 1 });
        match self.0.storage.read(&target.place, &key, part).await {
            Ok(_) | Err(StorageError::Missing) => true,
            Err(StorageError::Refused(status)) => status < 500,
            Err(error) => {
                tracing::warn!(media.id = %file.id, %error, "a bucket cannot be used");
                false
            }
        }
    }

    /// Removes what an earlier attempt has put elsewhere, before the row says another place;
    /// whether nothing is left there. On the last attempt it is left to the bucket's owner.
    async fn vacate(&self, record: &MediaRecord, target: &Target) -> Result<bool, StoreError> {
        let (organization, id) = (record.organization_id, record.file.id);
        if !record.has_file || record.bucket_id == target.bucket {
            return Ok(true);
        }
        if let Some(place) = self.place_of(record).await? {
            let key = key(organization, record.file.session_id, id);
            if let Err(error) = self.0.storage.remove(&place, &key).await {
                tracing::warn!(media.id = %id, %error, "a file may be left in a former bucket");
                if record.attempts + 1 < MAX_ATTEMPTS {
                    return Ok(false);
                }
            }
        }
        let (now_ms, owner) = (self.0.clock.now_ms(), self.0.owner.clone());
        self.0
            .store
            .write(organization, move |tx| {
                Box::pin(async move { tx.vacate_media(organization, id, &owner, now_ms).await })
            })
            .await
    }

    /// Where a session's new files go; nothing where the bucket's settings make no place.
    async fn target(&self, record: &MediaRecord) -> Result<Option<Target>, StoreError> {
        let (organization, session) = (record.organization_id, record.file.session_id);
        let mut tx = self.0.store.read().await?;
        let Some(settings) = tx.session_storage(organization, session).await? else {
            return Ok(None);
        };
        let Some(id) = settings.bucket_id else {
            return Ok(Some(Target {
                bucket: None,
                place: Place::Disk,
                retention_days: settings.retention_days,
            }));
        };
        let found = match tx.bucket(organization, id).await {
            Err(StoreError::Seal(error)) => {
                tracing::warn!(%error, "a bucket's keys cannot be unsealed");
                None
            }
            found => found?,
        };
        Ok(found.and_then(|(bucket, keys)| {
            Some(Target {
                bucket: Some(id),
                place: place(&bucket, keys)?,
                retention_days: settings.retention_days.or(bucket.retention_days),
            })
        }))
    }

    /// Fetches a file; where WhatsApp no longer has it, once more after the phone has sent it
    /// again.
    async fn fetch_to_disk(
        &self,
        record: &MediaRecord,
        limit_bytes: Option<u64>,
    ) -> Result<Result<Incoming, Outcome>, StoreError> {
        let first = match &record.source {
            Some(source) => self.fetch_from(source, limit_bytes).await,
            None => return Ok(Err(Outcome::Corrupt)),
        };
        if !matches!(first, Err(Outcome::Gone)) {
            return Ok(first);
        }
        let (organization, id) = (record.organization_id, record.file.id);
        let asked = self.0.phone.ask(organization, record.file.session_id, id);
        match asked.await {
            PhoneAnswer::SentAgain => {}
            PhoneAnswer::Gone => return Ok(Err(Outcome::Gone)),
            PhoneAnswer::Away => return Ok(Err(Outcome::Unreachable)),
        }
        let mut tx = self.0.store.read().await?;
        let found = tx.media(organization, id).await?;
        drop(tx);
        match found.and_then(|found| found.source) {
            Some(source) => Ok(self.fetch_from(&source, limit_bytes).await),
            None => Ok(Err(Outcome::Lost)),
        }
    }

    async fn fetch_from(
        &self,
        source: &[u8],
        limit_bytes: Option<u64>,
    ) -> Result<Incoming, Outcome> {
        let made = self.0.storage.disk.incoming().await;
        let (incoming, file) = made.map_err(|error| of_disk(&error))?;
        let fetched = self.0.fetch.fetch(source, file, limit_bytes).await;
        fetched.map_err(|failure| match failure {
            FetchFailure::Gone => Outcome::Gone,
            FetchFailure::Corrupt => Outcome::Corrupt,
            FetchFailure::Full => Outcome::Full,
            FetchFailure::TooLarge => Outcome::TooLarge,
            FetchFailure::Unreachable => Outcome::Unreachable,
        })?;
        Ok(incoming)
    }

    /// Keeps a file that has come in. The row says where before anything is written there, so
    /// that nothing stays that no row knows.
    async fn keep(
        &self,
        record: &MediaRecord,
        target: &Target,
        incoming: &Incoming,
        digest: &Digest,
    ) -> Result<Outcome, StoreError> {
        let (organization, id) = (record.organization_id, record.file.id);
        let (now_ms, owner) = (self.0.clock.now_ms(), self.0.owner.clone());
        let bucket = target.bucket;
        let begun = self
            .0
            .store
            .write::<_, StoreError, _>(organization, move |tx| {
                Box::pin(async move {
                    tx.begin_storing_media(organization, id, &owner, bucket, now_ms)
                        .await
                })
            })
            .await?;
        if !begun {
            return Ok(Outcome::Lost);
        }
        let key = key(organization, record.file.session_id, id);
        if let Err(error) = self
            .0
            .storage
            .keep(&target.place, &key, incoming, digest)
            .await
        {
            tracing::warn!(media.id = %id, %error, "a file was not stored");
            return Ok(match error {
                StorageError::Full(_) => Outcome::Full,
                _ => Outcome::Unreachable,
            });
        }
        self.finish(record, target, digest).await
    }

    async fn finish(
        &self,
        record: &MediaRecord,
        target: &Target,
        digest: &Digest,
    ) -> Result<Outcome, StoreError> {
        const DAY_MS: i64 = 86_400_000;
        let (organization, id) = (record.organization_id, record.file.id);
        let (now_ms, owner) = (self.0.clock.now_ms(), self.0.owner.clone());
        let expires_at = target.retention_days.map(|days| now_ms + days * DAY_MS);
        let size = i64::try_from(digest.size).unwrap_or(i64::MAX);
        let link = self.0.links.link(organization, id, now_ms);
        let mut payload = record.file.payload();
        payload.status = MediaStatus::Ready;
        payload.size = Some(size);
        payload.url = Some(link.url);
        payload.expires_at = Some(link.expires_at);
        let record = record.clone();
        let is_stored = self
            .0
            .store
            .write::<_, StoreError, _>(organization, move |tx| {
                Box::pin(async move {
                    let is_stored = tx
                        .finish_storing_media(organization, id, &owner, size, expires_at, now_ms)
                        .await?;
                    if is_stored {
                        tx.append_media_event(&record, EventKind::MediaReady, &payload, now_ms)?;
                    }
                    Ok(is_stored)
                })
            })
            .await?;
        metrics::counter!("wagate_media_fetched_bytes_total").increment(digest.size);
        Ok(if is_stored {
            Outcome::Stored
        } else {
            Outcome::Lost
        })
    }
}

fn of_disk(error: &std::io::Error) -> Outcome {
    if is_full(error.kind()) {
        Outcome::Full
    } else {
        Outcome::Unreachable
    }
}
