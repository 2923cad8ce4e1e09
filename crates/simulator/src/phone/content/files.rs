//! Messages with a file.

use bytes::Bytes;
use wacore::download::MediaType;
use waproto::buffa::MessageField;
use waproto::whatsapp as wa;

/// As what a file is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// Sound, or a voice note.
    Audio,
    /// Any file.
    Document,
    /// A sticker.
    Sticker,
}

impl FileKind {
    /// The public contract's word for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Document => "document",
            Self::Sticker => "sticker",
        }
    }

    pub(crate) const fn media_type(self) -> MediaType {
        match self {
            Self::Image => MediaType::Image,
            Self::Video => MediaType::Video,
            Self::Audio => MediaType::Audio,
            Self::Document => MediaType::Document,
            Self::Sticker => MediaType::Sticker,
        }
    }

    /// The MIME type of a file of which nobody says it.
    const fn usual_mime(self, is_voice: bool) -> &'static str {
        match self {
            Self::Image => "image/jpeg",
            Self::Video => "video/mp4",
            Self::Audio if is_voice => "audio/ogg; codecs=opus",
            Self::Audio => "audio/mpeg",
            Self::Document => "application/octet-stream",
            Self::Sticker => "image/webp",
        }
    }
}

/// A file that a phone sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileContent {
    /// As what it is sent.
    pub kind: FileKind,
    /// The file; it is sent as it is.
    pub bytes: Bytes,
    /// What it is; the usual one of its kind without.
    pub mime_type: Option<String>,
    /// Documents: the name that is shown.
    pub file_name: Option<String>,
    /// The text below it.
    pub caption: Option<String>,
    /// Audio: whether it is a voice note.
    pub is_voice: bool,
    /// Where it is, once it is at the media host.
    pub(crate) uploaded: Option<Box<Uploaded>>,
    /// The message that announces the album that it belongs to.
    pub(crate) album: Option<String>,
}

/// A file at the media host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Uploaded {
    pub(crate) url: String,
    pub(crate) direct_path: String,
    pub(crate) media_key: [u8; 32],
    pub(crate) sha256: [u8; 32],
    pub(crate) enc_sha256: [u8; 32],
    /// Of the plain file, in bytes.
    pub(crate) size: u64,
    /// When it was uploaded, in seconds since the Unix epoch.
    pub(crate) at_s: i64,
}

impl FileContent {
    /// A file of which nothing else is said.
    pub fn new(kind: FileKind, bytes: impl Into<Bytes>) -> Self {
        Self {
            kind,
            bytes: bytes.into(),
            mime_type: None,
            file_name: None,
            caption: None,
            is_voice: false,
            uploaded: None,
            album: None,
        }
    }
}

/// The message for a file, which says where it is once it is uploaded.
pub(super) fn file_message(file: &FileContent, context: Option<wa::ContextInfo>) -> wa::Message {
    let mut message = wa::Message::default();
    let usual = || file.kind.usual_mime(file.is_voice).to_owned();
    let mime_type = Some(file.mime_type.clone().unwrap_or_else(usual));
    let caption = file.caption.clone();
    macro_rules! placed {
        ($kind:ident { $($field:ident: $value:expr),* }) => {{
            let mut inner = wa::message::$kind {
                mimetype: mime_type,
                context_info: context.into(),
                $($field: $value,)*
                ..Default::default()
            };
            if let Some(place) = &file.uploaded {
                inner.url = Some(place.url.clone());
                inner.direct_path = Some(place.direct_path.clone());
                inner.media_key = Some(place.media_key.to_vec());
                inner.file_sha256 = Some(place.sha256.to_vec());
                inner.file_enc_sha256 = Some(place.enc_sha256.to_vec());
                inner.file_length = Some(place.size);
                inner.media_key_timestamp = Some(place.at_s);
            }
            MessageField::some(inner)
        }};
    }
    match file.kind {
        FileKind::Image => message.image_message = placed!(ImageMessage { caption: caption }),
        FileKind::Video => message.video_message = placed!(VideoMessage { caption: caption }),
        FileKind::Audio => {
            message.audio_message = placed!(AudioMessage {
                ptt: Some(file.is_voice)
            });
        }
        FileKind::Sticker => message.sticker_message = placed!(StickerMessage {}),
        FileKind::Document => {
            let has_caption = caption.is_some();
            message.document_message = placed!(DocumentMessage {
                file_name: file.file_name.clone(),
                title: file.file_name.clone(),
                caption: caption
            });
            if has_caption {
                return with_caption(message);
            }
        }
    }
    message
}

/// Official clients wrap a document that has a caption.
fn with_caption(message: wa::Message) -> wa::Message {
    wa::Message {
        document_with_caption_message: MessageField::some(wa::message::FutureProofMessage {
            message: MessageField::some(message),
        }),
        ..Default::default()
    }
}

/// The message that announces an album.
pub(super) fn album_message(
    items: &[FileContent],
    context: Option<wa::ContextInfo>,
) -> wa::Message {
    let count = |kind| {
        let count = items.iter().filter(|item| item.kind == kind).count();
        u32::try_from(count).ok()
    };
    wa::Message {
        album_message: MessageField::some(wa::message::AlbumMessage {
            expected_image_count: count(FileKind::Image),
            expected_video_count: count(FileKind::Video),
            context_info: context.into(),
        }),
        ..Default::default()
    }
}

/// Says to which album a message belongs.
pub(crate) fn in_album(message: &mut wa::Message, album: wa::MessageKey) {
    let association = wa::MessageAssociation {
        association_type: Some(wa::message_association::AssociationType::MEDIA_ALBUM),
        parent_message_key: MessageField::some(album),
        ..Default::default()
    };
    message
        .message_context_info
        .get_or_insert_default()
        .message_association = MessageField::some(association);
}
