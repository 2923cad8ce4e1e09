//! Files.

use wagate_model::MediaMeta;
use whatsapp_rust::waproto::whatsapp as wa;

use super::text::present;
use crate::{Media, MediaKind};

pub(super) fn media(message: &wa::Message) -> Option<Media> {
    if let Some(image) = message.image_message.as_option() {
        let meta = meta(image.mimetype.as_deref(), image.file_length);
        return Some(file(MediaKind::Image, meta, image.caption.as_deref()));
    }
    if let Some(video) = message.video_message.as_option() {
        let kind = if video.gif_playback == Some(true) {
            MediaKind::Gif
        } else {
            MediaKind::Video
        };
        let meta = meta(video.mimetype.as_deref(), video.file_length);
        return Some(file(kind, meta, video.caption.as_deref()));
    }
    if let Some(note) = message.ptv_message.as_option() {
        let meta = meta(note.mimetype.as_deref(), note.file_length);
        return Some(file(MediaKind::VideoNote, meta, note.caption.as_deref()));
    }
    if let Some(audio) = message.audio_message.as_option() {
        let kind = if audio.ptt == Some(true) {
            MediaKind::Voice
        } else {
            MediaKind::Audio
        };
        let meta = meta(audio.mimetype.as_deref(), audio.file_length);
        return Some(file(kind, meta, None));
    }
    if let Some(document) = message.document_message.as_option() {
        let mut meta = meta(document.mimetype.as_deref(), document.file_length);
        let name = document.file_name.as_deref().or(document.title.as_deref());
        meta.filename = present(name);
        return Some(file(MediaKind::Document, meta, document.caption.as_deref()));
    }
    let sticker = message.sticker_message.as_option()?;
    let meta = meta(sticker.mimetype.as_deref(), sticker.file_length);
    Some(file(MediaKind::Sticker, meta, None))
}

fn file(kind: MediaKind, meta: MediaMeta, caption: Option<&str>) -> Media {
    Media {
        kind,
        meta,
        caption: present(caption),
    }
}

fn meta(mimetype: Option<&str>, file_length: Option<u64>) -> MediaMeta {
    MediaMeta {
        filename: None,
        mimetype: present(mimetype),
        size: file_length.map(|length| i64::try_from(length).unwrap_or(i64::MAX)),
    }
}
