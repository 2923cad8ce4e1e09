//! Files to send as they come in: taken from the request or fetched, and looked at.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use wagate_delivery::{Crowded, FetchFileError, FetchLimits, GuardedClient, Share, Shares};
use wagate_media::{Kind, PrepareError, Prepared, Wanted, prepare};
use wagate_model::{Faults, MediaKind, MediaPayload, OrganizationId};

use crate::decoding::{Decoders, Undone};
use crate::error::{Error, Result};

/// Memory is counted in steps of this many bytes.
const STEP_BYTES: usize = 64 << 10;
/// Files that are fetched together. While it waits for bytes, one takes little: the bound keeps
/// organizations from asking for more than their memory holds.
const FETCHED_AT_ONCE: usize = 64;
/// How long a file waits for each thing that it takes, when others have it.
const PATIENCE: Duration = Duration::from_secs(30);
/// From `http` to `https`, to another host, and on to where files are kept.
const REDIRECTS: usize = 3;

/// With or without padding, as people paste it.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How large files to send may be, and how long fetching them may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLimits {
    /// One file, in bytes.
    pub file_bytes: usize,
    /// All files of one message together, in bytes.
    pub message_bytes: usize,
    /// All files that wait to be sent in one session, in bytes.
    pub waiting_bytes: u64,
    /// The memory for files that are taken in, of all requests together, in bytes.
    pub memory_bytes: usize,
    /// From the request for a file to its end.
    pub fetch_timeout: Duration,
    /// The longest voice note, in seconds: all of it is decoded.
    pub voice_seconds: u32,
}

impl Default for FileLimits {
    fn default() -> Self {
        Self {
            file_bytes: 16 << 20,
            message_bytes: 64 << 20,
            waiting_bytes: 1 << 30,
            memory_bytes: 192 << 20,
            fetch_timeout: Duration::from_mins(1),
            voice_seconds: 1_800,
        }
    }
}

/// Takes files in, within limits of memory and processor, of which no organization has all.
pub struct FileIntake {
    client: GuardedClient,
    pub(crate) limits: FileLimits,
    memory: Shares,
    fetches: Shares,
    decoders: Decoders,
}

impl fmt::Debug for FileIntake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileIntake")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The bytes of a file, and the memory that they take.
pub(crate) type Taken = (Vec<u8>, Share);

impl FileIntake {
    /// Fetches files by a client that goes where users may send it.
    #[must_use]
    pub fn new(client: GuardedClient, limits: FileLimits, decoders: Decoders) -> Self {
        // The rest is for what the decoders make of files: as many are there at once.
        let memory = limits.memory_bytes / 3 * 2;
        let own_memory = memory / 2;
        let own_fetches = own_memory / limits.file_bytes.max(1);
        Self {
            client,
            limits,
            memory: Shares::new(steps(memory), steps(own_memory)),
            fetches: Shares::new(FETCHED_AT_ONCE, own_fetches.min(FETCHED_AT_ONCE / 4)),
            decoders,
        }
    }

    /// The bytes of a file, with what its origin says of it.
    pub(crate) async fn take(
        &self,
        organization: OrganizationId,
        file: &mut Incoming,
    ) -> Result<Taken> {
        if let Some(url) = file.payload.url.take() {
            return self.fetch(organization, file, &url).await;
        }
        let limit = self.limits.file_bytes;
        let data = file.payload.data.take().unwrap_or_default();
        let amount = steps((data.len() / 4 * 3).min(limit));
        let share = self.memory.take(organization, amount, PATIENCE).await?;
        Ok((decode(file, &data, limit)?, share))
    }

    /// Fetches a file; it takes memory as its bytes come, so that a server that is slow keeps
    /// others from none.
    async fn fetch(
        &self,
        organization: OrganizationId,
        file: &mut Incoming,
        url: &str,
    ) -> Result<Taken> {
        let limits = FetchLimits {
            bytes: self.limits.file_bytes,
            cuts: false,
            total: self.limits.fetch_timeout,
            redirects: REDIRECTS,
        };
        let _place = self.fetches.take(organization, 1, PATIENCE).await?;
        let mut share = self.memory.take(organization, 1, PATIENCE).await?;
        let fault = |error: FetchFileError| file.fault(error.to_string());
        let mut fetching = self.client.open(url, limits).await.map_err(fault)?;
        while fetching.more().await.map_err(fault)? {
            share.grow(steps(fetching.len()), PATIENCE).await?;
        }
        let fetched = fetching.finish();
        let payload = &mut file.payload;
        payload.mimetype = payload.mimetype.take().or(fetched.content_type);
        payload.filename = payload.filename.take().or(fetched.filename);
        payload.filename = payload.filename.take().or_else(|| last_segment(url));
        Ok((fetched.bytes, share))
    }

    /// A picture as accounts show theirs.
    pub(crate) async fn square_picture(
        &self,
        organization: OrganizationId,
        mut file: Incoming,
    ) -> Result<Vec<u8>> {
        let (bytes, _share) = self.take(organization, &mut file).await?;
        let work = move || wagate_media::square_picture(&bytes);
        let made = self.decoders.run(organization, PATIENCE, work).await?;
        Ok(made.map_err(|error| file.fault(sentence(&error)))?)
    }

    /// Finds out what a file is, and converts it where it must be.
    pub(crate) async fn look(
        &self,
        organization: OrganizationId,
        file: &Incoming,
        bytes: Vec<u8>,
    ) -> Result<(Vec<u8>, Prepared)> {
        let wanted = Wanted {
            kind: kind_of(file.kind),
            is_voice: file.kind == MediaKind::Voice,
            declared_mime: file.payload.mimetype.clone(),
            file_name: file.payload.filename.clone(),
            voice_seconds: self.limits.voice_seconds,
        };
        let look = move || {
            let prepared = prepare(&bytes, &wanted);
            (bytes, prepared)
        };
        let (bytes, prepared) = self.decoders.run(organization, PATIENCE, look).await?;
        let mut prepared = prepared.map_err(|error| file.fault(sentence(&error)))?;
        let bytes = prepared.converted.take().unwrap_or(bytes);
        Ok((bytes, prepared))
    }
}

/// The memory of a file of a size.
fn steps(bytes: usize) -> usize {
    bytes.div_ceil(STEP_BYTES).max(1)
}

impl From<Crowded> for Error {
    fn from(Crowded: Crowded) -> Self {
        Self::TooManyFiles
    }
}

impl From<Undone> for Error {
    fn from(error: Undone) -> Self {
        match error {
            Undone::Crowded(crowded) => crowded.into(),
            Undone::Panicked(error) => Self::internal(error),
        }
    }
}

/// A file that was named in a request.
pub(crate) struct Incoming {
    field: String,
    pub(crate) kind: MediaKind,
    pub(crate) payload: MediaPayload,
    origin: &'static str,
}

impl Incoming {
    /// A file in a field; of a request that is nothing else, the field has no name.
    pub(crate) fn new(field: String, kind: MediaKind, payload: MediaPayload) -> Self {
        Self {
            origin: if payload.url.is_some() { "url" } else { "data" },
            field,
            kind,
            payload,
        }
    }

    pub(crate) fn fault(&self, message: impl Into<String>) -> Faults {
        let field = match self.field.as_str() {
            "" => self.origin.to_owned(),
            field => format!("{field}.{}", self.origin),
        };
        Faults::one(field, message)
    }
}

/// What a request says is not as it can be sent.
fn sentence(error: &PrepareError) -> String {
    match error {
        PrepareError::Empty => "must not be empty".to_owned(),
        error => error.to_string(),
    }
}

const fn kind_of(kind: MediaKind) -> Kind {
    match kind {
        MediaKind::Image => Kind::Image,
        MediaKind::Video | MediaKind::Gif | MediaKind::VideoNote => Kind::Video,
        MediaKind::Audio | MediaKind::Voice => Kind::Audio,
        MediaKind::Document => Kind::Document,
        MediaKind::Sticker => Kind::Sticker,
    }
}

/// Base64, or a data URI (RFC 2397), whose type counts where none is given.
fn decode(file: &mut Incoming, data: &str, limit: usize) -> std::result::Result<Vec<u8>, Faults> {
    let mut encoded = data.trim();
    if let Some(uri) = encoded.strip_prefix("data:") {
        let parts = uri.split_once(',');
        let (head, body) = parts.ok_or_else(|| file.fault("must be a whole data URI"))?;
        let mimetype = head.strip_suffix(";base64");
        let mimetype = mimetype.ok_or_else(|| file.fault("must be a data URI in base64"))?;
        if file.payload.mimetype.is_none() && !mimetype.is_empty() {
            file.payload.mimetype = Some(mimetype.to_owned());
        }
        encoded = body;
    }
    if encoded.len() / 4 * 3 > limit.saturating_add(2) {
        return Err(file.fault(too_large(limit)));
    }
    let decoded = BASE64.decode(encoded);
    let decoded = decoded.map_err(|_| file.fault("must be base64 or a data URI"))?;
    if decoded.len() > limit {
        return Err(file.fault(too_large(limit)));
    }
    Ok(decoded)
}

fn too_large(limit: usize) -> String {
    format!("must be a file of at most {limit} bytes")
}

/// The last part of a URL's path, for a file that has no other name.
fn last_segment(url: &str) -> Option<String> {
    let path = url.split(['?', '#']).next()?;
    let name = path.split("//").nth(1)?.split('/').skip(1).last()?;
    let is_name = !name.is_empty() && name.len() <= 255 && !name.contains('%');
    is_name.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn incoming() -> Incoming {
        Incoming::new("media".into(), MediaKind::Document, MediaPayload::default())
    }

    #[test]
    fn base64_and_data_uris_are_decoded_within_the_limit() {
        let mut file = incoming();
        for text in [
            "aGVsbG8=",
            "aGVsbG8",
            " aGVsbG8=\n",
            "data:text/plain;base64,aGVsbG8=",
        ] {
            assert_eq!(decode(&mut file, text, 5).unwrap(), b"hello", "{text}");
        }
        assert_eq!(file.payload.mimetype.as_deref(), Some("text/plain"));
        for text in ["aGVsbG8=", &"A".repeat(400)] {
            assert!(decode(&mut file, text, 4).is_err());
        }
        for text in ["%", "data:text/plain,hello", "data:text/plain;base64"] {
            let faults = decode(&mut file, text, 100).unwrap_err().into_vec();
            assert_eq!(faults[0].field, "media.data");
        }
    }

    #[test]
    fn a_url_gives_a_name_where_it_has_one() {
        for (url, name) in [
            ("https://e.example/a/b.pdf?x=/y", Some("b.pdf")),
            ("https://e.example/a/", None),
            ("https://e.example", None),
            ("https://e.example/a%20b", None),
        ] {
            assert_eq!(last_segment(url).as_deref(), name, "{url}");
        }
    }

    fn intake(limits: FileLimits) -> FileIntake {
        let guard = wagate_delivery::AddressGuard::new(wagate_delivery::AllowList::loopback());
        let client = GuardedClient::new(guard, wagate_delivery::ClientTimeouts::default());
        FileIntake::new(client.unwrap(), limits, Decoders::default())
    }

    fn payload(url: &str) -> Incoming {
        let payload = MediaPayload {
            url: Some(url.to_owned()),
            ..MediaPayload::default()
        };
        Incoming::new("media".into(), MediaKind::Document, payload)
    }

    /// A server that answers with a head and one byte, and then with nothing.
    async fn dripping() -> (String, tokio::sync::mpsc::Receiver<()>) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (asked, answered) = tokio::sync::mpsc::channel(64);
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 1_024];
                assert!(stream.read(&mut head).await.unwrap() > 0);
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\nx";
                stream.write_all(answer).await.unwrap();
                open.push(stream);
                asked.send(()).await.unwrap();
            }
        });
        (url, answered)
    }

    #[tokio::test]
    async fn servers_that_drip_keep_nobody_else_from_sending_files() {
        let intake = Arc::new(intake(FileLimits::default()));
        let [one, two] = [1, 2].map(|n| OrganizationId::from_parts(1, n));
        let (url, mut asked) = dripping().await;
        let waiting: Vec<_> = (0..40)
            .map(|_| {
                let (intake, url) = (Arc::clone(&intake), url.clone());
                tokio::spawn(async move {
                    let mut file = payload(&url);
                    intake.take(one, &mut file).await.map(drop)
                })
            })
            .collect();
        // As many as its share holds are under way, and all they have is their first bytes.
        for _ in 0..4 {
            asked.recv().await.unwrap();
        }
        let amount = steps(64 << 20);
        let now = Duration::ZERO;
        assert!(intake.memory.take(two, amount, now).await.is_ok());
        assert!(intake.fetches.take(two, 1, now).await.is_ok());
        assert!(intake.fetches.take(one, 1, now).await.is_err());
        assert!(asked.try_recv().is_err());
        for waiting in waiting {
            waiting.abort();
        }
    }

    #[tokio::test]
    async fn an_organization_decodes_one_file_at_a_time() {
        let decoders = Decoders::default();
        let [one, two] = [1, 2].map(|n| OrganizationId::from_parts(1, n));
        let (release, held) = std::sync::mpsc::channel::<()>();
        let long = tokio::spawn({
            let decoders = decoders.clone();
            async move { decoders.run(one, PATIENCE, move || held.recv()).await }
        });
        tokio::task::yield_now().await;
        let crowded = decoders.run(one, Duration::ZERO, || ()).await;
        assert!(matches!(
            crowded.map_err(Error::from),
            Err(Error::TooManyFiles)
        ));
        decoders.run(two, Duration::ZERO, || ()).await.unwrap();
        release.send(()).unwrap();
        long.await.unwrap().unwrap().unwrap();
    }
}
