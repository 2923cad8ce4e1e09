//! From WhatsApp to where a file is kept.

use std::sync::PoisonError;

use futures::FutureExt as _;
use wagate_model::{BucketId, EventKind, MediaProblem, MediaStatus};
use wagate_store::{MediaRecord, StoreError};

use crate::content::{Content, Part};
use crate::disk::{Digest, Incoming};
use crate::error::{ReadError, StorageError, is_full};
use crate::files::{Files, place};
use crate::outcome::Outcome;
use crate::ports::{FetchFailure, PhoneAnswer};
use crate::storage::{Place, key};

/// How often one who waits for somebody else's fetching looks.
const LOOK: std::time::Duration = std::time::Duration::from_millis(500);

/// Where a session's new files go.
struct Target {
    bucket: Option<BucketId>,
    place: Place,
    retention_days: Option<i64>,
}

impl Files {
    /// Opens a file, or a part of it; fetches it first where it is still at WhatsApp.
    pub async fn read(
        &self,
        record: &MediaRecord,
        part: Option<Part>,
    ) -> Result<Content, ReadError> {
        match self.open(record, part).await? {
            Some(content) => return Ok(content),
            None if !is_worth_fetching(record) => return Err(refusal(record)),
            None => {}
        }
        self.fetch_once(record).await;
        let record = self.again(record).await?;
        match self.open(&record, part).await? {
            Some(content) => Ok(content),
            None => Err(refusal(&record)),
        }
    }

    /// The row as it is now.
    async fn again(&self, record: &MediaRecord) -> Result<MediaRecord, ReadError> {
        let mut tx = self.0.store.read().await?;
        let found = tx.media(record.organization_id, record.file.id).await?;
        found.ok_or(ReadError::NotFound)
    }

    /// Opens what is kept; nothing where it is not kept.
    async fn open(
        &self,
        record: &MediaRecord,
        part: Option<Part>,
    ) -> Result<Option<Content>, ReadError> {
        if record.file.status != MediaStatus::Ready {
            return Ok(None);
        }
        let Some(place) = self.place_of(record).await? else {
            return Err(ReadError::Expired);
        };
        let key = key(
            record.organization_id,
            record.file.session_id,
            record.file.id,
        );
        match self.0.storage.read(&place, &key, part).await {
            Ok(content) => Ok(Some(content)),
            Err(error) => {
                tracing::warn!(media.id = %record.file.id, %error, "a file cannot be read");
                match error {
                    StorageError::Missing => Err(ReadError::Expired),
                    _ => Err(ReadError::NotNow),
                }
            }
        }
    }

    /// Fetches a file, once for all who ask at the same time; whoever stops waiting stops
    /// nobody else.
    async fn fetch_once(&self, record: &MediaRecord) {
        let id = record.file.id;
        let under_way = {
            let mut all = self
                .0
                .under_way
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let entry = all.entry(id).or_insert_with(|| {
                let (files, record) = (self.clone(), record.clone());
                let task = tokio::spawn(async move {
                    if let Err(error) = files.fetch_now(&record).await {
                        tracing::warn!(media.id = %id, %error, "a file was not fetched");
                    }
                    let mut all = files
                        .0
                        .under_way
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner);
                    all.remove(&id);
                });
                task.map(drop).boxed().shared()
            });
            entry.clone()
        };
        // Who waits longer than this is told to come again; the fetching goes on.
        let _ = tokio::time::timeout(self.0.config.patience, under_way).await;
    }

    async fn fetch_now(&self, record: &MediaRecord) -> Result<(), StoreError> {
        let (organization, id) = (record.organization_id, record.file.id);
        let (now_ms, owner) = (self.0.clock.now_ms(), self.0.owner.clone());
        let lease_ms = self.lease_ms();
        let is_ours = self
            .0
            .store
            .write(organization, move |tx| {
                Box::pin(async move {
                    tx.claim_one_media(organization, id, &owner, now_ms, lease_ms)
                        .await
                })
            })
            .await?;
        if is_ours {
            return self.fetch_claimed(record.clone()).await;
        }
        // Somebody else has it: the capture, or another process.
        let ends = tokio::time::Instant::now() + self.0.config.patience;
        while tokio::time::Instant::now() < ends {
            let mut tx = self.0.store.read().await?;
            let found = tx.media(organization, id).await?;
            drop(tx);
            if found.is_none_or(|found| found.file.status != MediaStatus::Pending) {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    pub(crate) fn lease_ms(&self) -> i64 {
        i64::try_from(self.0.config.lease.as_millis()).unwrap_or(i64::MAX)
    }

    /// Fetches a file that is claimed, and notes how it ended.
    pub(crate) async fn fetch_claimed(&self, record: MediaRecord) -> Result<(), StoreError> {
        let outcome = self.fetch_and_keep(&record).await?;
        self.conclude(&record, outcome).await
    }

    async fn fetch_and_keep(&self, record: &MediaRecord) -> Result<Outcome, StoreError> {
        if !self.takes_files() {
            return Ok(Outcome::Full);
        }
        let Some(target) = self.target(record).await? else {
            return Ok(Outcome::Unreachable);
        };
        let incoming = match self.fetch_to_disk(record).await? {
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
        let found = tx.bucket(organization, id).await?;
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
    ) -> Result<Result<Incoming, Outcome>, StoreError> {
        let first = match &record.source {
            Some(source) => self.fetch_from(source).await,
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
            Some(source) => Ok(self.fetch_from(&source).await),
            None => Ok(Err(Outcome::Lost)),
        }
    }

    async fn fetch_from(&self, source: &[u8]) -> Result<Incoming, Outcome> {
        let made = self.0.storage.disk.incoming().await;
        let (incoming, file) = made.map_err(|error| of_disk(&error))?;
        let fetched = self.0.fetch.fetch(source, file).await;
        fetched.map_err(|failure| match failure {
            FetchFailure::Gone => Outcome::Gone,
            FetchFailure::Corrupt => Outcome::Corrupt,
            FetchFailure::Full => Outcome::Full,
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

/// Whether a file may be had from WhatsApp, as far as its row says.
fn is_worth_fetching(record: &MediaRecord) -> bool {
    record.source.is_some()
        && match record.file.status {
            MediaStatus::Available | MediaStatus::Pending => true,
            MediaStatus::Failed => record.file.problem == Some(MediaProblem::Unreachable),
            MediaStatus::Ready | MediaStatus::Expired => false,
        }
}

/// Why a file that is not kept cannot be read.
fn refusal(record: &MediaRecord) -> ReadError {
    match record.file.status {
        MediaStatus::Expired => ReadError::Expired,
        MediaStatus::Failed => ReadError::Failed(record.file.problem),
        MediaStatus::Available | MediaStatus::Pending | MediaStatus::Ready => ReadError::NotNow,
    }
}
