//! What can go wrong.

use std::io;

use wagate_delivery::PostError;
use wagate_model::MediaProblem;
use wagate_store::StoreError;

/// A file could not be kept, read or removed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// There is no such file.
    #[error("there is no such file")]
    Missing,
    /// The disk is full, or takes nothing for another reason of its own.
    #[error("the disk takes nothing")]
    Full(#[source] io::Error),
    /// The disk failed.
    #[error("the disk failed")]
    Disk(#[source] io::Error),
    /// The bucket cannot be reached.
    #[error("the bucket cannot be reached: {0}")]
    Unreachable(#[from] PostError),
    /// The connection to the bucket broke.
    #[error("the connection to the bucket broke")]
    Broken,
    /// The bucket refused.
    #[error("the bucket answered with status {0}")]
    Refused(u16),
    /// The bucket's settings make no URL.
    #[error("the bucket's settings make no url")]
    Settings,
}

impl From<io::Error> for StorageError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            kind if is_full(kind) => Self::Full(error),
            _ => Self::Disk(error),
        }
    }
}

/// Whether a disk takes nothing any more, for everybody.
pub(crate) const fn is_full(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// A file cannot be read now.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file any more.
    #[error("there is no such file any more")]
    NotFound,
    /// It is no longer kept, or WhatsApp no longer has it.
    #[error("the file has expired")]
    Expired,
    /// It cannot be had.
    #[error("the file cannot be had")]
    Failed(Option<MediaProblem>),
    /// It cannot be had now; later perhaps.
    #[error("the file cannot be had now")]
    NotNow,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
