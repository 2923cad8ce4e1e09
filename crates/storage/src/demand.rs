//! Files that somebody asks for.

use std::sync::PoisonError;

use futures::FutureExt as _;
use wagate_model::{MediaId, MediaProblem, MediaStatus};
use wagate_store::{MediaRecord, StoreError};

use crate::content::{Content, Part};
use crate::error::{ReadError, StorageError};
use crate::files::Files;
use crate::outcome::Outcome;
use crate::storage::key;

/// How often one who waits for somebody else's fetching looks.
const LOOK: std::time::Duration = std::time::Duration::from_millis(500);

/// A fetching's entry among those that are under way; it goes with this, however that ends.
struct Entry(Files, MediaId);

impl Drop for Entry {
    fn drop(&mut self) {
        let under_way = &self.0.0.under_way;
        let mut all = under_way.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.1);
    }
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
                let entry = Entry(self.clone(), id);
                let task = tokio::spawn(async move {
                    let _entry = entry;
                    if let Err(error) = files.fetch_in_turn(&record).await {
                        tracing::warn!(media.id = %id, %error, "a file was not fetched");
                    }
                });
                task.map(drop).boxed().shared()
            });
            entry.clone()
        };
        // Who waits longer than this is told to come again; the fetching goes on.
        let _ = tokio::time::timeout(self.0.config.patience, under_way).await;
    }

    /// Fetches a file once there is a place for that; whoever asked is told to come again where
    /// there was none for as long as anybody waits.
    async fn fetch_in_turn(&self, record: &MediaRecord) -> Result<(), StoreError> {
        let place = self.0.on_demand.take(record.organization_id);
        match tokio::time::timeout(self.0.config.patience, place).await {
            Ok(_place) => self.fetch_now(record).await,
            Err(_) => Ok(()),
        }
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
            // What other attempts have left is known now that nobody else makes one.
            let mut tx = self.0.store.read().await?;
            let found = tx.media(organization, id).await?;
            drop(tx);
            return match found {
                Some(record) => self.fetch_claimed(record, None).await,
                None => self.conclude(record, Outcome::Lost).await,
            };
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
        // Where it is cannot be read any more.
        MediaStatus::Available | MediaStatus::Pending if record.source.is_none() => {
            ReadError::Failed(Some(MediaProblem::Incomplete))
        }
        MediaStatus::Available | MediaStatus::Pending | MediaStatus::Ready => ReadError::NotNow,
    }
}
