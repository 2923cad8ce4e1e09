//! Files to send.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wagate_model::{Attachment, Jid, MediaKind};
use whatsapp_rust::wacore::proto_helpers::wrap_as_album_child;
use whatsapp_rust::waproto::buffa::MessageField;
use whatsapp_rust::waproto::whatsapp as wa;

use super::outgoing::key;
use crate::{OutgoingFile, Target, Uploaded};

/// The protocol's form of a message with a file; none where it is not uploaded yet.
pub(super) fn file_message(
    file: &OutgoingFile,
    chat: &Jid,
    context: Option<wa::ContextInfo>,
) -> Option<wa::Message> {
    let uploaded = file.uploaded.as_ref()?;
    let attachment = &file.attachment;
    let message = match attachment.kind {
        MediaKind::Image => image(attachment, uploaded, context),
        MediaKind::Video | MediaKind::Gif | MediaKind::VideoNote => {
            video(attachment, uploaded, context)
        }
        MediaKind::Audio | MediaKind::Voice => audio(attachment, uploaded, context),
        MediaKind::Document => document(attachment, uploaded, context),
        MediaKind::Sticker => sticker(attachment, uploaded, context),
    };
    let message = if attachment.is_view_once {
        view_once(message, attachment.kind)
    } else {
        message
    };
    Some(match &file.album {
        None => message,
        Some(id) => {
            let album = Target {
                id: id.clone(),
                sender: None,
            };
            wrap_as_album_child(message, key(chat, &album))
        }
    })
}

/// What an album begins with; its files follow as messages of their own.
pub(super) fn album_message(
    images: u32,
    videos: u32,
    context: Option<wa::ContextInfo>,
) -> wa::Message {
    wa::Message {
        album_message: MessageField::some(wa::message::AlbumMessage {
            expected_image_count: Some(images),
            expected_video_count: Some(videos),
            context_info: context.into(),
        }),
        ..Default::default()
    }
}

/// Bytes that were kept as text; what cannot be read is left out.
fn bytes(text: Option<&String>) -> Option<Vec<u8>> {
    STANDARD.decode(text?).ok()
}

/// Fills in what all messages with files have under the same names.
macro_rules! file_fields {
    ($message:ident, $attachment:expr, $uploaded:expr, $context:expr, { $($field:ident: $value:expr),* $(,)? }) => {
        wa::message::$message {
            url: Some($uploaded.url.clone()),
            direct_path: Some($uploaded.direct_path.clone()),
            mimetype: Some($attachment.mimetype.clone()),
            media_key: $uploaded.media_key.map(Vec::from),
            media_key_timestamp: Some($uploaded.key_timestamp_s),
            file_sha256: Some($uploaded.sha256.to_vec()),
            file_enc_sha256: $uploaded.encrypted_sha256.map(Vec::from),
            file_length: Some($uploaded.size),
            context_info: $context.into(),
            $($field: $value,)*
            ..Default::default()
        }
    };
}

fn image(file: &Attachment, at: &Uploaded, context: Option<wa::ContextInfo>) -> wa::Message {
    let image = file_fields!(ImageMessage, file, at, context, {
        caption: file.caption.clone(),
        width: file.width,
        height: file.height,
        jpeg_thumbnail: bytes(file.thumbnail.as_ref()),
        view_once: file.is_view_once.then_some(true),
    });
    wa::Message {
        image_message: MessageField::some(image),
        ..Default::default()
    }
}

fn video(file: &Attachment, at: &Uploaded, context: Option<wa::ContextInfo>) -> wa::Message {
    let video = file_fields!(VideoMessage, file, at, context, {
        caption: file.caption.clone(),
        width: file.width,
        height: file.height,
        seconds: file.seconds,
        jpeg_thumbnail: bytes(file.thumbnail.as_ref()),
        gif_playback: (file.kind == MediaKind::Gif).then_some(true),
        streaming_sidecar: at.sidecar.clone(),
        view_once: file.is_view_once.then_some(true),
    });
    let video = MessageField::some(video);
    if file.kind == MediaKind::VideoNote {
        return wa::Message {
            ptv_message: video,
            ..Default::default()
        };
    }
    wa::Message {
        video_message: video,
        ..Default::default()
    }
}

fn audio(file: &Attachment, at: &Uploaded, context: Option<wa::ContextInfo>) -> wa::Message {
    let audio = file_fields!(AudioMessage, file, at, context, {
        seconds: file.seconds,
        ptt: Some(file.kind == MediaKind::Voice),
        waveform: bytes(file.waveform.as_ref()),
        streaming_sidecar: at.sidecar.clone(),
        view_once: file.is_view_once.then_some(true),
    });
    wa::Message {
        audio_message: MessageField::some(audio),
        ..Default::default()
    }
}

/// Official clients show the text of a document only within a wrapper of its own.
fn document(file: &Attachment, at: &Uploaded, context: Option<wa::ContextInfo>) -> wa::Message {
    let document = file_fields!(DocumentMessage, file, at, context, {
        title: file.filename.clone(),
        file_name: file.filename.clone(),
        caption: file.caption.clone(),
        page_count: file.pages,
        jpeg_thumbnail: bytes(file.thumbnail.as_ref()),
    });
    let message = wa::Message {
        document_message: MessageField::some(document),
        ..Default::default()
    };
    if file.caption.is_none() {
        return message;
    }
    wa::Message {
        document_with_caption_message: wrapped(message),
        ..Default::default()
    }
}

fn sticker(file: &Attachment, at: &Uploaded, context: Option<wa::ContextInfo>) -> wa::Message {
    let sticker = file_fields!(StickerMessage, file, at, context, {
        width: file.width,
        height: file.height,
        is_animated: Some(file.is_animated),
    });
    wa::Message {
        sticker_message: MessageField::some(sticker),
        ..Default::default()
    }
}

fn view_once(message: wa::Message, kind: MediaKind) -> wa::Message {
    if kind == MediaKind::Voice {
        return wa::Message {
            view_once_message_v2_extension: wrapped(message),
            ..Default::default()
        };
    }
    wa::Message {
        view_once_message_v2: wrapped(message),
        ..Default::default()
    }
}

fn wrapped(message: wa::Message) -> MessageField<wa::message::FutureProofMessage> {
    MessageField::some(wa::message::FutureProofMessage {
        message: MessageField::some(message),
    })
}

#[cfg(test)]
mod tests {
    use wagate_model::AttachmentId;

    use super::*;
    use crate::Content;
    use crate::convert::content_of;
    use crate::convert::outgoing::raw;

    const KINDS: [MediaKind; 8] = [
        MediaKind::Image,
        MediaKind::Video,
        MediaKind::Gif,
        MediaKind::VideoNote,
        MediaKind::Audio,
        MediaKind::Voice,
        MediaKind::Document,
        MediaKind::Sticker,
    ];

    fn file(kind: MediaKind) -> OutgoingFile {
        OutgoingFile {
            attachment: Attachment {
                id: AttachmentId::from_parts(1, 2),
                kind,
                mimetype: "application/x-test".into(),
                size: 9,
                filename: Some("name".into()),
                caption: Some("caption".into()),
                width: Some(4),
                height: Some(3),
                seconds: Some(2),
                waveform: Some(STANDARD.encode([7; 64])),
                thumbnail: Some(STANDARD.encode([8; 3])),
                pages: None,
                is_animated: false,
                is_view_once: false,
            },
            album: None,
            uploaded: Some(Uploaded {
                url: "https://media.example/v/1".into(),
                direct_path: "/v/1".into(),
                media_key: Some([1; 32]),
                sha256: [2; 32],
                encrypted_sha256: Some([3; 32]),
                size: 9,
                key_timestamp_s: 5,
                sidecar: Some(vec![4; 10]),
                handle: None,
            }),
        }
    }

    fn chat() -> Jid {
        "15551234567@s.whatsapp.net".parse().unwrap()
    }

    #[test]
    fn each_kind_is_read_as_it_was_written() {
        for kind in KINDS {
            let message = file_message(&file(kind), &chat(), None).unwrap();
            let Some(Content::Media(media)) = content_of(&raw(&message)) else {
                panic!("{kind:?} is no file");
            };
            assert_eq!(media.kind, kind);
            let source = media.source.unwrap();
            assert_eq!(source.direct_path, "/v/1");
            assert_eq!((source.size, source.sha256), (9, vec![2; 32]));
            let has_caption = !matches!(
                kind,
                MediaKind::Audio | MediaKind::Voice | MediaKind::Sticker
            );
            assert_eq!(media.caption.is_some(), has_caption, "{kind:?}");
            let name = media.meta.filename;
            assert_eq!(name.is_some(), kind == MediaKind::Document);
        }
    }

    #[test]
    fn a_file_of_a_channel_has_no_key() {
        let mut plain = file(MediaKind::Image);
        let uploaded = plain.uploaded.as_mut().unwrap();
        (uploaded.media_key, uploaded.encrypted_sha256) = (None, None);
        let message = file_message(&plain, &chat(), None).unwrap();
        let Some(Content::Media(media)) = content_of(&raw(&message)) else {
            panic!("no file");
        };
        let source = media.source.unwrap();
        assert_eq!((source.media_key, source.encrypted_sha256), (None, None));
        assert_eq!(source.sha256, [2; 32]);
    }

    #[test]
    fn wrappers_keep_the_file() {
        for kind in [MediaKind::Image, MediaKind::Voice] {
            let mut once = file(kind);
            once.attachment.is_view_once = true;
            let message = file_message(&once, &chat(), None).unwrap();
            let is_extension = message.view_once_message_v2_extension.is_set();
            assert_eq!(is_extension, kind == MediaKind::Voice);
            assert!(content_of(&raw(&message)).is_some());
        }
        let mut child = file(MediaKind::Image);
        child.album = Some("3EB0".into());
        let message = file_message(&child, &chat(), None).unwrap();
        let association = &message.message_context_info.message_association;
        let parent = &association.parent_message_key;
        assert_eq!(parent.id.as_deref(), Some("3EB0"));
        assert_eq!(parent.from_me, Some(true));
        assert!(matches!(
            content_of(&raw(&message)),
            Some(Content::Media(_))
        ));
    }

    #[test]
    fn what_is_not_uploaded_is_no_message() {
        let waiting = OutgoingFile {
            uploaded: None,
            ..file(MediaKind::Image)
        };
        assert!(file_message(&waiting, &chat(), None).is_none());
    }
}
