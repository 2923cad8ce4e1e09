//! Where the file of a message is, and with which keys it opens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use wacore::download::{DownloadUtils, MediaType};
use waproto::whatsapp as wa;

use crate::phone::content::innermost;
use crate::phone::error::PhoneError;

/// What a message says about its file.
#[derive(Debug, Clone)]
pub(crate) struct FileRef {
    pub(crate) media_type: MediaType,
    pub(crate) direct_path: String,
    /// None in channels, whose files are not encrypted.
    pub(crate) media_key: Option<Vec<u8>>,
    /// Of the plain file.
    pub(crate) sha256: Vec<u8>,
    /// Of what lies at the media host, where that is another.
    pub(crate) enc_sha256: Option<Vec<u8>>,
    pub(crate) mime_type: String,
    pub(crate) file_name: Option<String>,
}

impl FileRef {
    /// The file of a message; `None` where it has none, or does not say where it is.
    pub(crate) fn of(message: &wa::Message) -> Option<Self> {
        let message = innermost(message);
        macro_rules! file {
            ($field:ident, $media_type:ident, $file_name:expr) => {
                if let Some(file) = message.$field.as_option() {
                    let name: fn(&_) -> Option<String> = $file_name;
                    return Some(Self {
                        media_type: MediaType::$media_type,
                        direct_path: file.direct_path.clone()?,
                        media_key: file.media_key.clone(),
                        sha256: file.file_sha256.clone()?,
                        enc_sha256: file.file_enc_sha256.clone(),
                        mime_type: file.mimetype.clone().unwrap_or_default(),
                        file_name: name(file),
                    });
                }
            };
        }
        file!(image_message, Image, |_: &wa::message::ImageMessage| None);
        file!(video_message, Video, |_: &wa::message::VideoMessage| None);
        file!(ptv_message, Video, |_: &wa::message::VideoMessage| None);
        file!(audio_message, Audio, |_: &wa::message::AudioMessage| None);
        file!(
            document_message,
            Document,
            |file: &wa::message::DocumentMessage| file.file_name.clone()
        );
        file!(
            sticker_message,
            Sticker,
            |_: &wa::message::StickerMessage| { None }
        );
        None
    }

    /// The name under which the media host knows the file.
    pub(crate) fn token(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.enc_sha256.as_ref().unwrap_or(&self.sha256))
    }

    /// Decrypts what came from the media host, and checks both hashes.
    pub(crate) fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, PhoneError> {
        let plain = match (&self.media_key, &self.enc_sha256) {
            (None, None) => sealed.to_vec(),
            (Some(media_key), Some(enc_sha256)) => {
                if Sha256::digest(sealed).as_slice() != enc_sha256 {
                    return Err(broken("the file at the media host has another hash"));
                }
                DownloadUtils::verify_and_decrypt(sealed, media_key, self.media_type)
                    .map_err(|_| broken("the file does not open with the message's key"))?
            }
            _ => return Err(broken("the message has a key without a hash, or no key")),
        };
        if Sha256::digest(&plain).as_slice() != self.sha256 {
            return Err(broken("the plain file has another hash"));
        }
        Ok(plain)
    }
}

fn broken(message: &str) -> PhoneError {
    PhoneError::Conflict(message.to_owned())
}

#[cfg(test)]
mod tests {
    use wacore::upload::encrypt_media;

    use super::*;

    #[test]
    fn only_the_right_bytes_open() {
        let sealed = encrypt_media(b"a file", MediaType::Document).unwrap();
        let file = FileRef {
            media_type: MediaType::Document,
            direct_path: "/v/document/x".to_owned(),
            media_key: Some(sealed.media_key.to_vec()),
            sha256: sealed.file_sha256.to_vec(),
            enc_sha256: Some(sealed.file_enc_sha256.to_vec()),
            mime_type: String::new(),
            file_name: None,
        };
        assert_eq!(file.open(&sealed.data_to_upload).unwrap(), b"a file");
        let mut other = sealed.data_to_upload.clone();
        other[0] ^= 1;
        let hash = |bytes: &[u8]| Sha256::digest(bytes).to_vec();
        for (file, sealed) in [
            (file.clone(), &other),
            (
                FileRef {
                    enc_sha256: Some(hash(&other)),
                    ..file.clone()
                },
                &other,
            ),
            (
                FileRef {
                    sha256: hash(b"another"),
                    ..file.clone()
                },
                &sealed.data_to_upload,
            ),
            (
                FileRef {
                    media_type: MediaType::Image,
                    ..file.clone()
                },
                &sealed.data_to_upload,
            ),
            (
                FileRef {
                    media_key: None,
                    ..file.clone()
                },
                &sealed.data_to_upload,
            ),
        ] {
            assert!(matches!(file.open(sealed), Err(PhoneError::Conflict(_))));
        }
    }

    #[test]
    fn a_file_without_a_key_is_what_its_hash_says() {
        let file = FileRef {
            media_type: MediaType::Image,
            direct_path: "/v/newsletter-image/x".to_owned(),
            media_key: None,
            sha256: Sha256::digest(b"a picture").to_vec(),
            enc_sha256: None,
            mime_type: String::new(),
            file_name: None,
        };
        assert_eq!(file.open(b"a picture").unwrap(), b"a picture");
        assert!(file.open(b"another").is_err());
    }
}
