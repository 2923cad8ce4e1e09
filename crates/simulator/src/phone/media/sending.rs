//! What people ask a phone to do with files.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use wacore::upload::encrypt_media;

use super::file::FileRef;
use super::host::{Fetched, fetch, upload};
use super::shown::MediaState;
use crate::phone::actor::Command;
use crate::phone::content::{Content, FileContent, SendRequest, Uploaded};
use crate::phone::error::PhoneError;
use crate::phone::handle::{Phone, Sent};

/// The plain file of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFile {
    /// The MIME type that the message names.
    pub mime_type: String,
    /// Documents: the file's name.
    pub file_name: Option<String>,
    /// The file.
    pub bytes: Vec<u8>,
}

impl Phone {
    /// The file of a message of the log, fetched from the media host and checked.
    ///
    /// # Errors
    ///
    /// No such message, none with a file, a file that is gone from the media host or never was
    /// there, and one that is not what the message says.
    pub async fn file(&self, id: &str) -> Result<FoundFile, PhoneError> {
        let message = {
            let log = self.shared.log();
            let entry = log
                .get(id)
                .ok_or_else(|| PhoneError::NotFound("no message has this id".to_owned()))?;
            waproto::codec::message_decode(&entry.encoded)
                .map_err(|_| PhoneError::internal("a stored message is damaged"))?
        };
        let file = FileRef::of(&message)
            .ok_or_else(|| PhoneError::NotFound("the message has no file".to_owned()))?;
        let server = self.shared.server()?;
        let _slot = self.shared.media.slot().await?;
        let Fetched::File(sealed) = fetch(&server, &file).await? else {
            return Err(PhoneError::Gone(
                "the media host no longer has the file".to_owned(),
            ));
        };
        let (mime_type, file_name) = (file.mime_type.clone(), file.file_name.clone());
        self.shared
            .media
            .keep(&self.shared.number, &file.token(), sealed.clone());
        let opened = tokio::task::spawn_blocking(move || file.open(&sealed)).await;
        let bytes = opened.map_err(|_| PhoneError::internal("a file could not be opened"))??;
        self.note_file(id, MediaState::Ready);
        Ok(FoundFile {
            mime_type,
            file_name,
            bytes,
        })
    }

    /// Uploads the files of a request and sends its message; of an album, one message for each
    /// file behind the one that announces them.
    pub(crate) async fn send_files(&self, mut request: SendRequest) -> Result<Sent, PhoneError> {
        let (items, caption) = match &mut request.content {
            Content::File(file) => {
                self.upload(file).await?;
                return self.send_composed(request).await;
            }
            Content::Album { items, caption } => (std::mem::take(items), caption.take()),
            _ => return self.send_composed(request).await,
        };
        let mut files = Vec::with_capacity(items.len());
        for mut item in items {
            self.upload(&mut item).await?;
            files.push(item);
        }
        if let Some(first) = files.first_mut() {
            first.caption = caption;
        }
        let to = request.to.clone();
        request.content = Content::Album {
            // What announces them says how many there are.
            items: files.clone(),
            caption: None,
        };
        let expires_in_s = request.expires_in_s;
        let mut sent = self.send_composed(request).await?;
        for mut file in files {
            file.album = Some(sent.id.clone());
            let item = SendRequest {
                to: to.clone(),
                content: Content::File(file),
                reply_to: None,
                mentions: Vec::new(),
                expires_in_s,
            };
            sent.items.push(self.send_composed(item).await?.id);
        }
        Ok(sent)
    }

    /// Encrypts and uploads a file; its bytes are not needed any more.
    async fn upload(&self, file: &mut FileContent) -> Result<(), PhoneError> {
        let auth = self.ask(|reply| Command::MediaAuth { reply }).await??;
        let server = self.shared.server()?;
        let media = &self.shared.media;
        let _slot = media.slot().await?;
        let bytes = std::mem::take(&mut file.bytes);
        let size = bytes.len() as u64;
        let media_type = file.kind.media_type();
        let sealed = tokio::task::spawn_blocking(move || encrypt_media(&bytes, media_type));
        let sealed = sealed
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or_else(|| PhoneError::internal("a file could not be encrypted"))?;
        let token = URL_SAFE_NO_PAD.encode(sealed.file_enc_sha256);
        let bytes = Bytes::from(sealed.data_to_upload);
        let kind = media_type.mms_type();
        let place = upload(&server, &auth, kind, &token, bytes.clone()).await?;
        media.keep(&self.shared.number, &token, bytes);
        file.uploaded = Some(Box::new(Uploaded {
            url: place.url,
            direct_path: place.direct_path,
            media_key: sealed.media_key,
            sha256: sealed.file_sha256,
            enc_sha256: sealed.file_enc_sha256,
            size,
            at_s: server.clock().now_s(),
        }));
        Ok(())
    }

    /// Tells the phone's task how far it has come with a file; nobody waits for it.
    fn note_file(&self, id: &str, state: MediaState) {
        let id = id.to_owned();
        let noted = Command::FileFetched { id, state };
        // A phone that has ended notes nothing any more.
        let _ = self.mail.send(crate::phone::actor::Mail::Command(noted));
    }
}
