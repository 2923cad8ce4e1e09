//! The files of the media host, in chunks in the journal.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::journal::{Journal, JournalError};
use crate::server::api::{Server, to_json};
use crate::server::record::namespace;

/// How much of a file one record of the journal holds.
pub(super) const CHUNK_LEN: usize = 256 * 1_024;

/// The largest file; clients send up to 100 MiB, encrypted a little more.
pub(super) const MAX_FILE_LEN: u64 = 128 * 1_024 * 1_024;

/// So much lies on the disk at most, and in memory where there is no data directory.
const MAX_DURABLE_LEN: u64 = 8 * 1_024 * 1_024 * 1_024;
const MAX_MEMORY_LEN: u64 = 512 * 1_024 * 1_024;

/// So many files are known at most, those that are gone included.
const MAX_FILES: usize = 100_000;

/// How long a file can be downloaded.
const LIFETIME_S: i64 = 30 * 24 * 3_600;

/// What is known of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MediaFile {
    /// Who uploaded it.
    pub(super) owner: String,
    /// The media type of the upload's path.
    pub(super) kind: String,
    /// How much of it is stored.
    pub(super) len: u64,
    pub(super) uploaded_at_s: i64,
    /// Whether all of it is there and its hash is right.
    pub(super) is_complete: bool,
    /// Whether it was there and is no more.
    pub(super) is_gone: bool,
    /// Whether an upload is writing it.
    #[serde(skip)]
    pub(super) is_busy: bool,
}

impl MediaFile {
    pub(super) fn has_expired(&self, now_s: i64) -> bool {
        self.is_gone || now_s >= self.uploaded_at_s.saturating_add(LIFETIME_S)
    }
}

/// Every file of the media host, by the token in its path.
#[derive(Debug, Default)]
pub(crate) struct MediaFiles(Mutex<HashMap<String, MediaFile>>);

impl MediaFiles {
    pub(crate) fn restore(journal: &Journal) -> Result<Self, JournalError> {
        let mut files = HashMap::new();
        for (key, value) in journal.scan(namespace::MEDIA)? {
            let token = String::from_utf8(key).ok();
            let file = serde_json::from_slice::<MediaFile>(&value).ok();
            if let Some((token, file)) = token.zip(file) {
                files.insert(token, file);
            }
        }
        Ok(Self(Mutex::new(files)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<String, MediaFile>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the media host knows under a token.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing, or an upload that has not ended.
    Unknown,
    Gone,
    File(MediaFile),
}

impl Server {
    pub(super) fn media_file(&self, token: &str) -> Found {
        match self.inner.media.lock().get(token) {
            Some(file) if file.is_gone => Found::Gone,
            Some(file) if !file.is_complete => Found::Unknown,
            Some(file) if file.has_expired(self.inner.now_s()) => Found::Gone,
            Some(file) => Found::File(file.clone()),
            None => Found::Unknown,
        }
    }

    /// The media type of a file that is there.
    pub(in crate::server) fn media_kind(&self, token: &str) -> Option<String> {
        match self.media_file(token) {
            Found::File(file) => Some(file.kind),
            Found::Gone | Found::Unknown => None,
        }
    }

    /// A chunk of a file; `None` when it has been deleted meanwhile.
    pub(super) fn media_chunk(
        &self,
        token: &str,
        index: u64,
    ) -> Result<Option<Bytes>, JournalError> {
        let key = chunk_key(token, index);
        self.inner.journal.get(namespace::MEDIA_CHUNK, key)
    }

    /// Lets one file, or all of them, be gone from the media host; how many were there.
    pub fn expire_media(&self, token: Option<&str>) -> Result<usize, JournalError> {
        let mut files = self.inner.media.lock();
        let mut count = 0;
        for (known, file) in files.iter_mut() {
            let is_meant = token.is_none_or(|token| token == known);
            if !is_meant || !file.is_complete || file.is_gone {
                continue;
            }
            let gone = MediaFile {
                is_gone: true,
                len: 0,
                ..file.clone()
            };
            let mut batch = self.inner.journal.batch();
            for index in 0..chunk_count(file.len) {
                batch.delete(namespace::MEDIA_CHUNK, chunk_key(known, index));
            }
            batch.put(namespace::MEDIA, known, to_json(&gone));
            batch.commit()?;
            *file = gone;
            count += 1;
        }
        Ok(count)
    }

    /// Whether a file more may come; what has expired makes room.
    pub(super) fn make_media_room(
        &self,
        files: &mut HashMap<String, MediaFile>,
    ) -> Result<bool, JournalError> {
        let limit = if self.inner.journal.is_durable() {
            MAX_DURABLE_LEN
        } else {
            MAX_MEMORY_LEN
        };
        let is_full = |files: &HashMap<String, MediaFile>| {
            files.len() >= MAX_FILES || files.values().map(|file| file.len).sum::<u64>() >= limit
        };
        if !is_full(files) {
            return Ok(true);
        }
        let now_s = self.inner.now_s();
        let expired: Vec<String> = files
            .iter()
            .filter(|(_, file)| !file.is_busy && file.has_expired(now_s))
            .map(|(token, _)| token.clone())
            .collect();
        for token in expired {
            self.forget_media(files, &token)?;
        }
        Ok(!is_full(files))
    }

    /// Deletes a file as if it had never been.
    pub(super) fn forget_media(
        &self,
        files: &mut HashMap<String, MediaFile>,
        token: &str,
    ) -> Result<(), JournalError> {
        let Some(file) = files.get(token) else {
            return Ok(());
        };
        let mut batch = self.inner.journal.batch();
        for index in 0..chunk_count(file.len) {
            batch.delete(namespace::MEDIA_CHUNK, chunk_key(token, index));
        }
        batch.delete(namespace::MEDIA, token);
        batch.commit()?;
        files.remove(token);
        Ok(())
    }
}

pub(super) fn chunk_count(len: u64) -> u64 {
    len.div_ceil(CHUNK_LEN as u64)
}

pub(super) fn chunk_key(token: &str, index: u64) -> Vec<u8> {
    let mut key = format!("{token}:").into_bytes();
    key.extend_from_slice(&index.to_be_bytes());
    key
}
