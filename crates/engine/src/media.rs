//! Files that messages refer to: where they are, and fetching them without a session.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wagate_model::{Jid, MediaKind, hide_contents};
use whatsapp_rust::TokioRuntime;
use whatsapp_rust::anyhow;
use whatsapp_rust::download::{
    DownloadParams, DownloadWriter, Downloadable, MediaDownloadError, MediaDownloader, MediaType,
};

use whatsapp_rust::http::HttpStatusError;

use crate::http::SharedHttpClient;
use crate::transport::Dialer;
use crate::{Endpoint, EngineError};

/// Where a file is at WhatsApp, and how it is read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaSource {
    /// The path at WhatsApp's media hosts; the phone may give a new one.
    pub direct_path: String,
    /// What it is encrypted with; absent in channels, whose files are not encrypted.
    pub media_key: Option<Vec<u8>>,
    /// The SHA-256 of the file.
    pub sha256: Vec<u8>,
    /// The SHA-256 of what is at the host.
    pub encrypted_sha256: Option<Vec<u8>>,
    /// The size of the file in bytes.
    pub size: u64,
    /// What kind of file: the keys depend on it.
    pub kind: MediaKind,
}

/// Where a file is, and of which message: what the phone is asked by to send it again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaOrigin {
    /// The chat as WhatsApp addressed it.
    pub chat: Jid,
    /// Who sent it.
    pub sender: Option<Jid>,
    /// Whether this number sent it.
    pub from_me: bool,
    /// WhatsApp's id of the message.
    pub message_id: String,
    /// Where the file is.
    pub source: MediaSource,
}

impl MediaOrigin {
    /// As it is stored; it holds keys, so whoever stores it seals it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Strings, bytes and numbers: there is nothing that JSON could not hold.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what was stored; nothing where it cannot be read.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

hide_contents!(MediaSource, MediaOrigin);

/// What the keys of a file of a kind are derived for.
pub(crate) const fn media_type(kind: MediaKind) -> MediaType {
    match kind {
        MediaKind::Image => MediaType::Image,
        MediaKind::Video | MediaKind::Gif | MediaKind::VideoNote => MediaType::Video,
        MediaKind::Audio | MediaKind::Voice => MediaType::Audio,
        MediaKind::Document => MediaType::Document,
        MediaKind::Sticker => MediaType::Sticker,
    }
}

impl MediaSource {
    /// What a message says of its file; nothing where that is not enough to fetch it.
    pub(crate) fn of(file: &dyn Downloadable, kind: MediaKind) -> Option<Self> {
        let direct_path = file.direct_path().filter(|path| path.starts_with('/'))?;
        let media_key = file.media_key().map(<[u8]>::to_vec);
        let encrypted_sha256 = file.file_enc_sha256().map(<[u8]>::to_vec);
        if media_key.is_some() != encrypted_sha256.is_some() {
            return None;
        }
        Some(Self {
            direct_path: direct_path.to_owned(),
            media_key,
            sha256: file.file_sha256()?.to_vec(),
            encrypted_sha256,
            size: file.file_length()?,
            kind,
        })
    }
}

/// Why a file was not fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// WhatsApp does not have it there any more; the phone may send it again.
    #[error("WhatsApp does not have the file there")]
    Gone,
    /// What came is not what the sender sent.
    #[error("what came is not the file that was sent")]
    Corrupt,
    /// It could not be written here.
    #[error("the file could not be written")]
    Disk(#[source] io::Error),
    /// There is more of it than was to be fetched.
    #[error("the file is larger than what is fetched")]
    TooLarge,
    /// The hosts could not be reached, or did not answer.
    #[error("the media hosts could not be reached")]
    Unreachable,
}

/// A file that takes no more than some bytes, however many come.
#[derive(Debug)]
struct Limited {
    file: File,
    at: u64,
    limit: u64,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.at.saturating_add(bytes.len() as u64) > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let count = self.file.write(bytes)?;
        self.at += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Limited {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.at = self.file.seek(position)?;
        Ok(self.at)
    }
}

impl DownloadWriter for Limited {
    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
}

/// Fetches files from WhatsApp's media hosts, for all sessions and without any; cheap to clone.
#[derive(Clone)]
pub struct MediaFetcher(Arc<MediaDownloader>);

impl std::fmt::Debug for MediaFetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MediaFetcher")
    }
}

impl MediaFetcher {
    /// Makes a fetcher; must be called within a Tokio runtime.
    pub fn new(endpoint: &Endpoint) -> Result<Self, EngineError> {
        let dialer = Dialer::new(endpoint)?;
        let http = SharedHttpClient::new(dialer.guard().clone())?;
        let downloader =
            MediaDownloader::with_default_hosts(Arc::new(http), Arc::new(TokioRuntime));
        Ok(Self(Arc::new(downloader)))
    }

    /// Fetches a file into an empty one, decrypting and verifying what comes as it comes.
    ///
    /// Where it fails, nothing of it is left in the file. Where a limit is given, no more bytes
    /// than that are written, whatever the source says of its size.
    pub async fn fetch(
        &self,
        source: &MediaSource,
        file: File,
        limit_bytes: Option<u64>,
    ) -> Result<File, FetchError> {
        let limit = limit_bytes.unwrap_or(u64::MAX);
        let file = Limited { file, at: 0, limit };
        let params = DownloadParams {
            direct_path: source.direct_path.clone(),
            media_key: source.media_key.clone(),
            file_sha256: source.sha256.clone(),
            file_enc_sha256: source.encrypted_sha256.clone(),
            file_length: source.size,
            media_type: media_type(source.kind),
        };
        let fetched = self.0.download_to_writer(&params, file).await;
        fetched
            .map(|limited| limited.file)
            .map_err(|error| match error {
                MediaDownloadError::ReferenceRejected(_) => FetchError::Gone,
                MediaDownloadError::HostsUnreachable(cause) | MediaDownloadError::Other(cause) => {
                    fetch_error(&cause)
                }
                _ => FetchError::Unreachable,
            })
    }
}

/// What went wrong on the way. What is neither the disk's fault nor the network's is the file's:
/// the library tells failures of decryption and verification by their text alone.
fn fetch_error(cause: &anyhow::Error) -> FetchError {
    let mut is_transport = false;
    for link in cause.chain() {
        is_transport |= link.is::<reqwest::Error>() || link.is::<HttpStatusError>();
        let Some(error) = link.downcast_ref::<io::Error>() else {
            continue;
        };
        if error.kind() == io::ErrorKind::FileTooLarge {
            return FetchError::TooLarge;
        }
        is_transport = true;
        let is_disk = matches!(
            error.kind(),
            io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::ReadOnlyFilesystem
        );
        if let Some(code) = error.raw_os_error().filter(|_| is_disk) {
            return FetchError::Disk(io::Error::from_raw_os_error(code));
        }
    }
    if is_transport {
        FetchError::Unreachable
    } else {
        FetchError::Corrupt
    }
}
