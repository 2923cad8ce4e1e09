//! The file of a message, as it waits in the store.

use async_trait::async_trait;
use bytes::Bytes;
use wagate_engine::{UploadSource, UploadSourceError};
use wagate_model::{Attachment, AttachmentId, OrganizationId};
use wagate_store::Store;

/// A file that waits to be sent, read piece by piece.
pub(super) struct WaitingFile<'s> {
    store: &'s Store,
    organization: OrganizationId,
    id: AttachmentId,
    position: i64,
    /// What has not come yet.
    missing: u64,
}

impl<'s> WaitingFile<'s> {
    pub(super) fn new(
        store: &'s Store,
        organization: OrganizationId,
        attachment: &Attachment,
    ) -> Self {
        Self {
            store,
            organization,
            id: attachment.id,
            position: 0,
            missing: attachment.size,
        }
    }

    async fn read(&self) -> wagate_store::Result<Option<Vec<u8>>> {
        let mut tx = self.store.read().await?;
        tx.attachment_piece(self.organization, self.id, self.position)
            .await
    }
}

#[async_trait]
impl UploadSource for WaitingFile<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, UploadSourceError> {
        if self.missing == 0 {
            return Ok(None);
        }
        let piece = self.read().await;
        let piece = piece.map_err(|error| UploadSourceError(error.into()))?;
        // Half a file must not go out as a whole one.
        let piece = piece.ok_or_else(|| UploadSourceError("a piece is missing".into()))?;
        self.position += 1;
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.missing = self.missing.saturating_sub(length);
        Ok(Some(piece.into()))
    }
}
