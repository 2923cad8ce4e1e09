//! What a phone's log shows of a file.

use serde::{Deserialize, Serialize};
use waproto::whatsapp as wa;

use crate::phone::content::innermost;

/// How far a phone has come with the file of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaState {
    /// It is being fetched, or was not when the phone stopped.
    Pending,
    /// It was fetched, opened, and has the hashes that the message names.
    Ready,
    /// The media host no longer had it.
    Gone,
    /// It could not be fetched or opened, or is another one than the message says.
    Broken,
}

/// The file of a message in a phone's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredMedia {
    /// The MIME type that the message names.
    pub mime_type: String,
    /// Documents: the file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// In bytes, as the message says.
    pub size: u64,
    /// Of the plain file, in hexadecimal, as the message says.
    pub sha256: String,
    /// The text below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// In pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// In pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// In seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<u32>,
    /// Whether it is a voice note.
    #[serde(rename = "voice", default, skip_serializing_if = "is_not")]
    pub is_voice: bool,
    /// Whether a small picture goes along with it.
    #[serde(rename = "thumbnail")]
    pub has_thumbnail: bool,
    /// Whether the loudness goes along with it.
    #[serde(rename = "waveform")]
    pub has_waveform: bool,
    /// Whether it may be looked at once only.
    #[serde(rename = "viewOnce", default, skip_serializing_if = "is_not")]
    pub is_view_once: bool,
    /// Whether it is a film that is shown as a moving picture.
    #[serde(rename = "gif", default, skip_serializing_if = "is_not")]
    pub is_gif: bool,
    /// Whether it is a sticker that moves.
    #[serde(rename = "animated", default, skip_serializing_if = "is_not")]
    pub is_animated: bool,
    /// How far the phone has come with it.
    pub state: MediaState,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_not(flag: &bool) -> bool {
    !flag
}

/// What a message says about its file, where it has one.
pub(crate) fn shown(message: &wa::Message) -> Option<StoredMedia> {
    let is_wrapped_once =
        message.view_once_message.is_set() || message.view_once_message_v2.is_set();
    let mut media = described(innermost(message))?;
    media.is_view_once |= is_wrapped_once;
    Some(media)
}

fn described(message: &wa::Message) -> Option<StoredMedia> {
    macro_rules! common {
        ($file:ident) => {
            StoredMedia {
                mime_type: $file.mimetype.clone().unwrap_or_default(),
                file_name: None,
                size: $file.file_length.unwrap_or_default(),
                sha256: hex::encode($file.file_sha256.as_deref().unwrap_or_default()),
                caption: None,
                width: None,
                height: None,
                duration_seconds: None,
                is_voice: false,
                has_thumbnail: false,
                has_waveform: false,
                is_view_once: false,
                is_gif: false,
                is_animated: false,
                state: MediaState::Pending,
            }
        };
    }
    if let Some(image) = message.image_message.as_option() {
        return Some(StoredMedia {
            caption: image.caption.clone(),
            width: image.width,
            height: image.height,
            has_thumbnail: is_there(image.jpeg_thumbnail.as_deref()),
            is_view_once: image.view_once == Some(true),
            ..common!(image)
        });
    }
    let video = &message.video_message;
    if let Some(video) = video.as_option().or(message.ptv_message.as_option()) {
        return Some(StoredMedia {
            caption: video.caption.clone(),
            width: video.width,
            height: video.height,
            duration_seconds: video.seconds,
            has_thumbnail: is_there(video.jpeg_thumbnail.as_deref()),
            is_view_once: video.view_once == Some(true),
            is_gif: video.gif_playback == Some(true),
            ..common!(video)
        });
    }
    if let Some(audio) = message.audio_message.as_option() {
        return Some(StoredMedia {
            duration_seconds: audio.seconds,
            is_voice: audio.ptt == Some(true),
            has_waveform: is_there(audio.waveform.as_deref()),
            is_view_once: audio.view_once == Some(true),
            ..common!(audio)
        });
    }
    if let Some(document) = message.document_message.as_option() {
        return Some(StoredMedia {
            file_name: document.file_name.clone(),
            caption: document.caption.clone(),
            has_thumbnail: is_there(document.jpeg_thumbnail.as_deref()),
            ..common!(document)
        });
    }
    let sticker = message.sticker_message.as_option()?;
    Some(StoredMedia {
        width: sticker.width,
        height: sticker.height,
        has_thumbnail: is_there(sticker.png_thumbnail.as_deref()),
        is_animated: sticker.is_animated == Some(true),
        ..common!(sticker)
    })
}

fn is_there(bytes: Option<&[u8]>) -> bool {
    bytes.is_some_and(|bytes| !bytes.is_empty())
}
