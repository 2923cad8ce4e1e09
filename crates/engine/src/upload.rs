//! Files that go to WhatsApp's media hosts.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write as _};

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use wagate_model::{MediaKind, hide_contents};
use whatsapp_rust::anyhow;
use whatsapp_rust::upload::UploadResponse;
use whatsapp_rust::wacore::upload::{EncryptedMediaInfo, MediaEncryptor};

use crate::media::media_type;

/// Where a file to be sent is read from, piece by piece.
#[async_trait]
pub trait UploadSource: Send {
    /// The next bytes; none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, UploadSourceError>;
}

/// The file cannot be read now; what it is of may be tried again.
#[derive(Debug, thiserror::Error)]
#[error("the file to be sent cannot be read")]
pub struct UploadSourceError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// A file at WhatsApp's media hosts.
#[derive(Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Its URL.
    pub url: String,
    /// Its path at any of the hosts.
    pub direct_path: String,
    /// What it is encrypted with; none in channels, whose files are not encrypted.
    pub media_key: Option<[u8; 32]>,
    /// The SHA-256 of the file.
    pub sha256: [u8; 32],
    /// The SHA-256 of what is at the host, where that is another than the file's.
    pub encrypted_sha256: Option<[u8; 32]>,
    /// The size of the file in bytes.
    pub size: u64,
    /// When the key was made, in seconds since 1970.
    pub key_timestamp_s: i64,
    /// Proofs of its pieces, by which sound and video are played while they load.
    pub sidecar: Option<Vec<u8>>,
    /// What a post of a channel names its file by.
    pub handle: Option<String>,
}

hide_contents!(Uploaded { size });

impl From<UploadResponse> for Uploaded {
    fn from(answer: UploadResponse) -> Self {
        Self {
            url: answer.url,
            direct_path: answer.direct_path,
            media_key: Some(answer.media_key),
            sha256: answer.file_sha256,
            encrypted_sha256: Some(answer.file_enc_sha256),
            size: answer.file_length,
            key_timestamp_s: answer.media_key_timestamp,
            sidecar: answer.streaming_sidecar,
            handle: None,
        }
    }
}

/// A file as it is, in a file of its own that nobody else sees and that goes with it.
pub(crate) struct Plain {
    pub(crate) file: File,
    pub(crate) size: u64,
    pub(crate) sha256: [u8; 32],
}

impl Plain {
    /// Writes down what comes, as it comes.
    pub(crate) async fn of(source: &mut dyn UploadSource) -> Result<Self, anyhow::Error> {
        let mut file = BufWriter::new(tempfile::tempfile()?);
        let (mut hash, mut size) = (Sha256::new(), 0);
        while let Some(piece) = source.next().await? {
            hash.update(&piece);
            file.write_all(&piece)?;
            size += u64::try_from(piece.len()).unwrap_or_default();
        }
        file.flush()?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Self {
            file,
            size,
            sha256: hash.finalize().into(),
        })
    }

    /// Its bytes from the beginning; the attempts come one after the other.
    pub(crate) fn reader(&self) -> io::Result<Box<dyn Read + Send>> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        Ok(Box::new(BufReader::new(file)))
    }
}

/// An encrypted file, in a file of its own that nobody else sees and that goes with it.
///
/// The key decides all of it: the same file under the same key is the same at the hosts.
pub(crate) struct Encrypted {
    file: File,
    size: u64,
}

impl Encrypted {
    /// Encrypts what comes, as it comes.
    pub(crate) async fn of(
        source: &mut dyn UploadSource,
        kind: MediaKind,
        key: [u8; 32],
    ) -> Result<(Self, EncryptedMediaInfo), anyhow::Error> {
        let has_sidecar = matches!(
            kind,
            MediaKind::Audio
                | MediaKind::Voice
                | MediaKind::Video
                | MediaKind::Gif
                | MediaKind::VideoNote
        );
        let mut encryptor =
            MediaEncryptor::with_key_and_sidecar(key, media_type(kind), has_sidecar)?;
        let mut file = BufWriter::new(tempfile::tempfile()?);
        while let Some(piece) = source.next().await? {
            // A piece is small: encrypting it takes as long as handing it to another thread.
            encryptor.update_to_writer(&piece, &mut file)?;
        }
        let info = encryptor.finalize_to_writer(&mut file)?;
        file.flush()?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let size = file.metadata()?.len();
        Ok((Self { file, size }, info))
    }
}

impl whatsapp_rust::wacore::upload::UploadSource for Encrypted {
    fn len(&self) -> u64 {
        self.size
    }

    fn reader_from(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        // The library reads one attempt after the other, so they may share a position.
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Box::new(BufReader::new(file)))
    }
}
