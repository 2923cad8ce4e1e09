//! Use cases of messages' files.

use wagate_model::{MediaFile, MediaId, MediaStatus};
use wagate_storage::{Content, Part, ReadError};
use wagate_store::MediaRecord;

use crate::caller::Caller;
use crate::error::{Error, Reason, Result, What};
use crate::service::Core;

const NOT_FOUND: Error = Error::NotFound(What::Media);

/// A message's file that exists and that the caller reaches; made by [`Core::open_media`] and
/// [`Core::open_media_by_token`] only.
#[derive(Debug, Clone)]
pub struct MediaAccess {
    pub(crate) record: MediaRecord,
}

impl MediaAccess {
    /// What is known of the file.
    #[must_use]
    pub const fn file(&self) -> &MediaFile {
        &self.record.file
    }
}

impl Core {
    /// Finds a message's file for a caller; a foreign one is not found.
    pub async fn open_media(&self, caller: &Caller, id: &str) -> Result<MediaAccess> {
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

    /// Finds a message's file by the token of a link, which is the credential.
    pub async fn open_media_by_token(&self, id: &str, token: &str) -> Result<MediaAccess> {
        let id: MediaId = id.parse().map_err(|_| Error::Unauthorized)?;
        let links = self.files.links();
        let organization = links
            .open(id, token, self.clock.now_ms())
            .ok_or(Error::Unauthorized)?;
        let record = self.store.read().await?.media(organization, id).await?;
        Ok(MediaAccess {
            record: record.ok_or(NOT_FOUND)?,
        })
    }

    /// What is known of a message's file, with a link to it where it can be had.
    #[must_use]
    pub fn get_media(&self, access: MediaAccess) -> MediaFile {
        let MediaRecord {
            organization_id,
            mut file,
            ..
        } = access.record;
        let is_there = !matches!(file.status, MediaStatus::Expired | MediaStatus::Failed);
        if is_there {
            let now_ms = self.clock.now_ms();
            let link = self.files.links().link(organization_id, file.id, now_ms);
            file.url = Some(link.url);
            file.expires_at = Some(link.expires_at);
        }
        file
    }

    /// Opens a message's file, or a part of it; fetches it first where it is at WhatsApp.
    pub async fn read_media(&self, access: &MediaAccess, part: Option<Part>) -> Result<Content> {
        let read = self.files.read(&access.record, part).await;
        read.map_err(|error| match error {
            ReadError::NotFound => NOT_FOUND,
            ReadError::Expired => Error::conflict(Reason::MediaExpired),
            ReadError::Failed(_) => Error::conflict(Reason::MediaFailed),
            ReadError::NotNow => Error::unavailable(),
            ReadError::Store(error) => Error::from(error),
        })
    }
}
