//! An upload under way.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::http::direct_path;
use super::store::{CHUNK_LEN, MAX_FILE_LEN, MediaFile, chunk_count, chunk_key};
use crate::journal::JournalError;
use crate::server::api::{Server, to_json};
use crate::server::record::namespace;

/// Why an upload is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum UploadError {
    #[error("the token is no SHA-256")]
    Token,
    #[error("another upload writes this file")]
    Busy,
    #[error("the offset is not where the stored part ends")]
    Offset,
    #[error("the file is too large")]
    TooLarge,
    #[error("the media host is full")]
    Full,
    #[error("the file's SHA-256 is not the token")]
    Hash,
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Writes one file; what has been stored when it is dropped can be gone on with.
#[derive(Debug)]
pub(super) struct Upload {
    server: Server,
    token: String,
    file: MediaFile,
    /// What does not fill a chunk yet.
    tail: Vec<u8>,
}

impl Upload {
    /// Begins at the start, or goes on where an upload has stopped.
    pub(super) fn begin(
        server: &Server,
        token: &str,
        kind: &str,
        owner: &str,
        offset: u64,
    ) -> Result<Self, UploadError> {
        if !URL_SAFE_NO_PAD
            .decode(token)
            .is_ok_and(|hash| hash.len() == 32)
        {
            return Err(UploadError::Token);
        }
        let mut files = server.inner.media.lock();
        let stored = match files.get(token) {
            Some(file) if file.is_busy => return Err(UploadError::Busy),
            // Completed by somebody else since the caller looked.
            Some(file) if file.is_complete && !file.has_expired(server.inner.now_s()) => {
                return Err(UploadError::Busy);
            }
            Some(file) if !file.is_complete => file.len,
            _ => 0,
        };
        if offset != 0 && offset != stored {
            return Err(UploadError::Offset);
        }
        if offset == 0 {
            server.forget_media(&mut files, token)?;
        }
        if !server.make_media_room(&mut files)? {
            return Err(UploadError::Full);
        }
        let file = MediaFile {
            owner: owner.to_owned(),
            kind: kind.to_owned(),
            len: offset,
            uploaded_at_s: server.inner.now_s(),
            is_complete: false,
            is_gone: false,
            is_busy: true,
        };
        files.insert(token.to_owned(), file.clone());
        Ok(Self {
            server: server.clone(),
            token: token.to_owned(),
            file,
            tail: Vec::with_capacity(CHUNK_LEN),
        })
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<(), UploadError> {
        let len = self.file.len + (self.tail.len() + bytes.len()) as u64;
        if len > MAX_FILE_LEN {
            return Err(UploadError::TooLarge);
        }
        while !bytes.is_empty() {
            let room = CHUNK_LEN - self.tail.len();
            let (taken, rest) = bytes.split_at(room.min(bytes.len()));
            self.tail.extend_from_slice(taken);
            bytes = rest;
            if self.tail.len() == CHUNK_LEN {
                self.store_tail()?;
            }
        }
        Ok(())
    }

    /// Stores the chunk at the end together with the length that counts it.
    fn store_tail(&mut self) -> Result<(), JournalError> {
        let index = self.file.len / CHUNK_LEN as u64;
        let file = MediaFile {
            len: self.file.len + self.tail.len() as u64,
            ..self.file.clone()
        };
        let mut batch = self.server.inner.journal.batch();
        let key = chunk_key(&self.token, index);
        batch.put(namespace::MEDIA_CHUNK, key, self.tail.clone());
        batch.put(namespace::MEDIA, &self.token, to_json(&file));
        batch.commit()?;
        self.tail.clear();
        let mut files = self.server.inner.media.lock();
        files.insert(self.token.clone(), file.clone());
        self.file = file;
        Ok(())
    }

    /// Checks the whole file; from here on it can be downloaded.
    pub(super) fn finish(mut self) -> Result<(), UploadError> {
        if !self.tail.is_empty() {
            self.store_tail()?;
        }
        let mut hash = Sha256::new();
        for index in 0..chunk_count(self.file.len) {
            let chunk = self.server.media_chunk(&self.token, index)?;
            hash.update(chunk.as_deref().unwrap_or_default());
        }
        let mut files = self.server.inner.media.lock();
        if self.file.len == 0 || URL_SAFE_NO_PAD.encode(hash.finalize()) != self.token {
            self.server.forget_media(&mut files, &self.token)?;
            return Err(UploadError::Hash);
        }
        self.file.is_complete = true;
        let journal = &self.server.inner.journal;
        journal.put(namespace::MEDIA, &self.token, to_json(&self.file))?;
        files.insert(self.token.clone(), self.file.clone());
        Ok(())
    }
}

impl Server {
    /// Stores a file of the server's own under the SHA-256 of what it holds; its direct path, or
    /// `None` where there is no room for it.
    pub(in crate::server) fn store_file(
        &self,
        owner: &str,
        kind: &str,
        token: &str,
        bytes: &[u8],
    ) -> Result<Option<String>, JournalError> {
        let stored = Upload::begin(self, token, kind, owner, 0).and_then(|mut upload| {
            upload.push(bytes)?;
            upload.finish()
        });
        match stored {
            Ok(()) => Ok(Some(direct_path(kind, token))),
            Err(UploadError::Journal(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(file) = self.server.inner.media.lock().get_mut(&self.token) {
            file.is_busy = false;
        }
    }
}
