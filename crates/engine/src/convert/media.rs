//! Files.

use wagate_model::{MediaKind, MediaMeta};
use whatsapp_rust::download::Downloadable;
use whatsapp_rust::waproto::whatsapp as wa;

use super::text::present;
use crate::{Media, MediaDetails, MediaSource};

pub(super) fn media(message: &wa::Message) -> Option<Media> {
    if let Some(image) = message.image_message.as_option() {
        let details = details(image.width, image.height, None);
        let media = file(image, MediaKind::Image, image.mimetype.as_deref(), details);
        return Some(with_caption(media, image.caption.as_deref()));
    }
    if let Some(video) = message.video_message.as_option() {
        let kind = if video.gif_playback == Some(true) {
            MediaKind::Gif
        } else {
            MediaKind::Video
        };
        return Some(video_file(video, kind));
    }
    if let Some(note) = message.ptv_message.as_option() {
        return Some(video_file(note, MediaKind::VideoNote));
    }
    if let Some(audio) = message.audio_message.as_option() {
        let kind = if audio.ptt == Some(true) {
            MediaKind::Voice
        } else {
            MediaKind::Audio
        };
        let details = details(None, None, audio.seconds);
        return Some(file(audio, kind, audio.mimetype.as_deref(), details));
    }
    if let Some(document) = message.document_message.as_option() {
        let mimetype = document.mimetype.as_deref();
        let mut media = file(
            document,
            MediaKind::Document,
            mimetype,
            MediaDetails::default(),
        );
        let name = document.file_name.as_deref().or(document.title.as_deref());
        media.meta.filename = present(name);
        return Some(with_caption(media, document.caption.as_deref()));
    }
    let sticker = message.sticker_message.as_option()?;
    let details = details(sticker.width, sticker.height, None);
    Some(file(
        sticker,
        MediaKind::Sticker,
        sticker.mimetype.as_deref(),
        details,
    ))
}

fn video_file(video: &wa::message::VideoMessage, kind: MediaKind) -> Media {
    let details = details(video.width, video.height, video.seconds);
    let media = file(video, kind, video.mimetype.as_deref(), details);
    with_caption(media, video.caption.as_deref())
}

fn with_caption(media: Media, caption: Option<&str>) -> Media {
    Media {
        caption: present(caption),
        ..media
    }
}

fn details(width: Option<u32>, height: Option<u32>, seconds: Option<u32>) -> MediaDetails {
    let told = |value: Option<u32>| value.filter(|value| *value > 0);
    MediaDetails {
        width: told(width),
        height: told(height),
        seconds: told(seconds),
    }
}

fn file(
    file: &dyn Downloadable,
    kind: MediaKind,
    mimetype: Option<&str>,
    details: MediaDetails,
) -> Media {
    let size = file.file_length();
    Media {
        kind,
        meta: MediaMeta {
            mimetype: present(mimetype),
            size: size.map(|size| i64::try_from(size).unwrap_or(i64::MAX)),
            ..MediaMeta::default()
        },
        caption: None,
        details,
        source: MediaSource::of(file, kind),
    }
}
