//! Files of messages to send: taken from the request or fetched, looked at, and put where the
//! session's owner finds them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use tokio::sync::{Semaphore, SemaphorePermit};
use wagate_delivery::{FetchLimits, GuardedClient};
use wagate_media::{Kind, PrepareError, Prepared, Wanted, prepare};
use wagate_model::{Attachment, AttachmentId, Faults, MediaKind, MediaPayload, OrganizationId};
use wagate_store::ATTACHMENT_PIECE_BYTES;

use crate::caller::SessionAccess;
use crate::error::{Error, Result};
use crate::service::Core;

/// Memory is counted in steps of this many bytes.
const STEP_BYTES: usize = 64 << 10;
/// A file takes so many times its size: as text, as bytes, and once more where it is converted.
const COPIES: usize = 3;
/// Files that are looked at together: it is work for the processor.
const LOOKED_AT_ONCE: usize = 2;

/// With or without padding, as people paste it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
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
}

impl Default for FileLimits {
    fn default() -> Self {
        Self {
            file_bytes: 16 << 20,
            message_bytes: 64 << 20,
            waiting_bytes: 1 << 30,
            memory_bytes: 192 << 20,
            fetch_timeout: Duration::from_mins(1),
        }
    }
}

/// Takes files in, within limits of memory and processor.
pub struct FileIntake {
    client: GuardedClient,
    limits: FileLimits,
    memory: Semaphore,
    memory_steps: usize,
    lookers: Arc<Semaphore>,
}

impl fmt::Debug for FileIntake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileIntake")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl FileIntake {
    /// Fetches files by a client that goes where users may send it.
    #[must_use]
    pub fn new(client: GuardedClient, limits: FileLimits) -> Self {
        let memory_steps = (limits.memory_bytes / STEP_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            client,
            limits,
            memory: Semaphore::new(memory_steps),
            memory_steps,
            lookers: Arc::new(Semaphore::new(LOOKED_AT_ONCE)),
        }
    }

    /// Waits for the memory of a file of a size.
    async fn memory_for(&self, bytes: usize) -> Result<SemaphorePermit<'_>> {
        let steps = bytes.saturating_mul(COPIES).div_ceil(STEP_BYTES);
        // One that is larger than all of it goes alone.
        let steps = u32::try_from(steps.clamp(1, self.memory_steps)).unwrap_or(u32::MAX);
        let permit = self.memory.acquire_many(steps).await;
        permit.map_err(Error::internal)
    }

    /// The bytes of a file, with what its origin says of it.
    async fn take(&self, file: &mut Incoming) -> std::result::Result<Vec<u8>, Faults> {
        let limit = self.limits.file_bytes;
        let Some(url) = file.payload.url.take() else {
            let data = file.payload.data.take().unwrap_or_default();
            return decode(file, &data, limit);
        };
        let limits = FetchLimits {
            bytes: limit,
            total: self.limits.fetch_timeout,
            redirects: 0,
        };
        let fetched = self.client.fetch(&url, limits).await;
        let fetched = fetched.map_err(|error| file.fault(error.to_string()))?;
        let payload = &mut file.payload;
        payload.mimetype = payload.mimetype.take().or(fetched.content_type);
        payload.filename = payload.filename.take().or(fetched.filename);
        payload.filename = payload.filename.take().or_else(|| last_segment(&url));
        Ok(fetched.bytes)
    }

    /// A picture as accounts show theirs.
    pub(crate) async fn square_picture(&self, mut file: Incoming) -> Result<Vec<u8>> {
        let expected = file.payload.data.as_ref().map_or(0, String::len);
        let _memory = self.memory_for(expected).await?;
        let bytes = self.take(&mut file).await?;
        let permit = Arc::clone(&self.lookers).acquire_owned().await;
        let permit = permit.map_err(Error::internal)?;
        let made = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            wagate_media::square_picture(&bytes)
        });
        let made = made.await.map_err(Error::internal)?;
        Ok(made.map_err(|error| file.fault(sentence(&error)))?)
    }

    /// Finds out what a file is, and converts it where it must be.
    async fn look(&self, file: &Incoming, bytes: Vec<u8>) -> Result<(Vec<u8>, Prepared)> {
        let permit = Arc::clone(&self.lookers).acquire_owned().await;
        let permit = permit.map_err(Error::internal)?;
        let wanted = Wanted {
            kind: kind_of(file.kind),
            is_voice: file.kind == MediaKind::Voice,
            declared_mime: file.payload.mimetype.clone(),
            file_name: file.payload.filename.clone(),
        };
        let looked = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let prepared = prepare(&bytes, &wanted);
            (bytes, prepared)
        });
        let (bytes, prepared) = looked.await.map_err(Error::internal)?;
        let mut prepared = prepared.map_err(|error| file.fault(sentence(&error)))?;
        let bytes = prepared.converted.take().unwrap_or(bytes);
        Ok((bytes, prepared))
    }
}

/// A file that was named in a request.
pub(crate) struct Incoming {
    field: String,
    kind: MediaKind,
    payload: MediaPayload,
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

    fn fault(&self, message: impl Into<String>) -> Faults {
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

impl Core {
    /// Takes files in, each as (field, kind, file), and puts them where the session's owner finds them.
    pub(crate) async fn attach(
        &self,
        access: &SessionAccess,
        files: Vec<(String, MediaKind, MediaPayload)>,
    ) -> Result<Vec<Attachment>> {
        let mut attachments = Vec::new();
        let mut total = 0;
        for (field, kind, payload) in files {
            let file = Incoming::new(field, kind, payload);
            let attached = self.attach_one(access, file, &mut total).await;
            match attached {
                Ok(attachment) => attachments.push(attachment),
                Err(error) => {
                    self.discard(access.organization_id(), &attachments).await;
                    return Err(error);
                }
            }
        }
        Ok(attachments)
    }

    async fn attach_one(
        &self,
        access: &SessionAccess,
        mut file: Incoming,
        total: &mut usize,
    ) -> Result<Attachment> {
        let intake = &self.intake;
        let expected = file.payload.data.as_ref();
        let expected = expected.map_or(intake.limits.file_bytes, |data| data.len() / 4 * 3);
        let _memory = intake
            .memory_for(expected.min(intake.limits.file_bytes))
            .await?;
        let bytes = intake.take(&mut file).await?;
        *total += bytes.len();
        if *total > intake.limits.message_bytes {
            let limit = intake.limits.message_bytes;
            let message = format!("must be at most {limit} bytes with the message's other files");
            return Err(file.fault(message).into());
        }
        let (bytes, prepared) = intake.look(&file, bytes).await?;
        let id = self.store_file(access, &bytes).await?;
        Ok(attachment(id, file, bytes.len(), prepared))
    }

    /// Writes a file in pieces, each in a transaction of its own.
    async fn store_file(&self, access: &SessionAccess, bytes: &[u8]) -> Result<AttachmentId> {
        let (organization, session) = (access.organization_id(), access.id());
        let (time, random) = self.id_parts();
        let id = AttachmentId::from_parts(time, random);
        let now_ms = self.clock.now_ms();
        let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        let most = i64::try_from(self.intake.limits.waiting_bytes).unwrap_or(i64::MAX);
        self.store
            .write::<_, Error, _>(organization, move |tx| {
                Box::pin(async move {
                    let waiting = tx.attachment_bytes(organization, session).await?;
                    if waiting.saturating_add(size) > most {
                        return Err(Error::unavailable());
                    }
                    tx.insert_attachment(organization, session, id, size, now_ms)
                        .await?;
                    Ok(())
                })
            })
            .await?;
        for (position, piece) in (0_i64..).zip(bytes.chunks(ATTACHMENT_PIECE_BYTES)) {
            let piece: Arc<[u8]> = piece.into();
            let written = self
                .store
                .write::<_, Error, _>(organization, move |tx| {
                    let piece = Arc::clone(&piece);
                    Box::pin(async move {
                        let written = tx
                            .insert_attachment_piece(organization, id, position, &piece)
                            .await?;
                        Ok(written)
                    })
                })
                .await?;
            if !written {
                return Err(Error::unavailable());
            }
        }
        Ok(id)
    }

    /// Deletes files that no message has; what is left by a failure goes by its age.
    pub(crate) async fn discard(&self, organization: OrganizationId, files: &[Attachment]) {
        if files.is_empty() {
            return;
        }
        let ids: Arc<[AttachmentId]> = files.iter().map(|file| file.id).collect();
        let deleted = self
            .store
            .write::<_, Error, _>(organization, move |tx| {
                let ids = Arc::clone(&ids);
                Box::pin(async move { Ok(tx.delete_attachments(organization, &ids).await?) })
            })
            .await;
        if let Err(error) = deleted {
            tracing::debug!(%error, "files of a refused message stay for a while");
        }
    }
}

fn attachment(id: AttachmentId, file: Incoming, size: usize, prepared: Prepared) -> Attachment {
    let payload = file.payload;
    let encode = |bytes: &[u8]| BASE64.encode(bytes);
    Attachment {
        id,
        kind: file.kind,
        mimetype: prepared.mime,
        size: u64::try_from(size).unwrap_or(u64::MAX),
        filename: payload
            .filename
            .filter(|_| file.kind == MediaKind::Document),
        caption: payload.caption.filter(|caption| !caption.is_empty()),
        width: prepared.width,
        height: prepared.height,
        seconds: prepared.duration_seconds,
        waveform: prepared.waveform.map(|waveform| encode(&waveform)),
        thumbnail: prepared.thumbnail.as_deref().map(encode),
        pages: prepared.page_count,
        is_animated: prepared.is_animated,
        is_view_once: payload.view_once == Some(true),
    }
}

#[cfg(test)]
mod tests {
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

    #[tokio::test]
    async fn a_file_that_is_larger_than_the_memory_goes_alone() {
        let guard = wagate_delivery::AddressGuard::new(wagate_delivery::AllowList::default());
        let client = GuardedClient::new(guard, wagate_delivery::ClientTimeouts::default());
        let limits = FileLimits {
            memory_bytes: STEP_BYTES * 2,
            ..FileLimits::default()
        };
        let intake = FileIntake::new(client.unwrap(), limits);
        let alone = intake.memory_for(1 << 30).await.unwrap();
        assert_eq!(intake.memory.available_permits(), 0);
        drop(alone);
        let small = intake.memory_for(1).await.unwrap();
        assert_eq!(intake.memory.available_permits(), 1);
        drop(small);
    }
}
