//! Files by key, wherever they are.

use std::path::PathBuf;
use std::sync::Arc;

use wagate_delivery::GuardedClient;
use wagate_model::{Clock, MediaId, OrganizationId, SessionId};

use crate::content::{Content, Part};
use crate::disk::{Digest, Disk, Incoming};
use crate::error::StorageError;
use crate::s3::{Bucket, S3};

/// Where a file is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On the installation's disk.
    Disk,
    /// In a bucket.
    Bucket(Box<Bucket>),
}

/// The installation's disk, and the way to all buckets; cheap to clone.
#[derive(Clone)]
pub struct Storage {
    pub(crate) disk: Disk,
    s3: S3,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage").finish_non_exhaustive()
    }
}

/// The name of a file where it is kept.
pub(crate) fn key(organization: OrganizationId, session: SessionId, media: MediaId) -> String {
    format!("{organization}/{session}/{media}")
}

impl Storage {
    /// Opens the folder, making it where it is missing.
    pub fn open(
        folder: PathBuf,
        client: GuardedClient,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StorageError> {
        Ok(Self {
            disk: Disk::open(folder)?,
            s3: S3::new(client),
            clock,
        })
    }

    pub(crate) async fn keep(
        &self,
        place: &Place,
        key: &str,
        incoming: &Incoming,
        digest: &Digest,
    ) -> Result<(), StorageError> {
        match place {
            Place::Disk => self.disk.keep(key, incoming).await,
            Place::Bucket(bucket) => {
                let now_ms = self.clock.now_ms();
                self.s3
                    .keep(bucket, key, incoming.path(), digest, now_ms)
                    .await
            }
        }
    }

    pub(crate) async fn read(
        &self,
        place: &Place,
        key: &str,
        part: Option<Part>,
    ) -> Result<Content, StorageError> {
        match place {
            Place::Disk => self.disk.read(key, part).await,
            Place::Bucket(bucket) => self.s3.read(bucket, key, part, self.clock.now_ms()).await,
        }
    }

    pub(crate) async fn remove(&self, place: &Place, key: &str) -> Result<(), StorageError> {
        match place {
            Place::Disk => self.disk.remove(key).await,
            Place::Bucket(bucket) => self.s3.remove(bucket, key, self.clock.now_ms()).await,
        }
    }
}
