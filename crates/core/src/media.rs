//! Use cases of messages' files.

use wagate_model::{MediaFile, MediaId};
use wagate_store::MediaRecord;

use crate::caller::Caller;
use crate::error::{Error, Result, What};
use crate::service::Core;

/// A message's file that exists and that the caller reaches; made by [`Core::open_media`] only.
#[derive(Debug, Clone)]
pub struct MediaAccess {
    pub(crate) record: MediaRecord,
}

impl Core {
    /// Finds a message's file for a caller; a foreign one is not found.
    pub async fn open_media(&self, caller: &Caller, id: &str) -> Result<MediaAccess> {
        const NOT_FOUND: Error = Error::NotFound(What::Media);
        let id: MediaId = id.parse().map_err(|_| NOT_FOUND)?;
        let mut tx = self.store.read().await?;
        let organization = if caller.is_super_admin() {
            tx.admin().media_organization(id).await?
        } else {
            caller.active_organization()
        };
        let record = match organization {
            Some(organization) => tx.media(organization, id).await?,
            None => None,
        };
        let record = record.filter(|record| caller.reaches(record.file.session_id));
        Ok(MediaAccess {
            record: record.ok_or(NOT_FOUND)?,
        })
    }

    /// What is known of a message's file.
    #[must_use]
    pub fn get_media(&self, access: MediaAccess) -> MediaFile {
        access.record.file
    }
}
