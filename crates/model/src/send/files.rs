//! Files of messages to send.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::request::check_required;
use crate::validation::limits;
use crate::{AttachmentId, Faults, MediaKind};

/// A file to send, as base64 or by its URL.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MediaPayload {
    /// The text under the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 65536)]
    pub caption: Option<String>,
    /// The file as base64 or as a data URI; exactly one of `data` and `url` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The file's name, for documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255)]
    pub filename: Option<String>,
    /// Whether a video is played as a GIF: looping, without sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gif_playback: Option<bool>,
    /// The MIME type, where it cannot be told from the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255)]
    pub mimetype: Option<String>,
    /// Where the file is fetched from, by http or https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2048)]
    pub url: Option<String>,
    /// Whether a video is a round video note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video_note: Option<bool>,
    /// Whether a picture, video or voice note can be opened only once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view_once: Option<bool>,
    /// Whether sound is sent as a voice note; other formats are converted to Opus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice: Option<bool>,
}

/// The kinds of files that an album has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AlbumMediaType {
    /// A picture.
    Image,
    /// A video.
    Video,
}

/// One picture or video of an album.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AlbumMediaPayload {
    /// The file as base64 or as a data URI; exactly one of `data` and `url` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The MIME type, where it cannot be told from the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255)]
    pub mimetype: Option<String>,
    /// A picture, unless it says otherwise.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<AlbumMediaType>,
    /// Where the file is fetched from, by http or https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2048)]
    pub url: Option<String>,
}

impl From<AlbumMediaPayload> for MediaPayload {
    fn from(item: AlbumMediaPayload) -> Self {
        Self {
            data: item.data,
            mimetype: item.mimetype,
            url: item.url,
            ..Self::default()
        }
    }
}

// The files are what people say to each other.
impl std::fmt::Debug for MediaPayload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MediaPayload(…)")
    }
}

impl std::fmt::Debug for AlbumMediaPayload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AlbumMediaPayload(…)")
    }
}

impl MediaPayload {
    /// The kind of file that it is to be, for a message of a type; faults are added where
    /// what it says does not fit the type.
    pub fn check(&self, field: &str, base: MediaKind, faults: &mut Faults) -> MediaKind {
        self.check_with(field, base, self.caption.as_deref(), faults)
    }

    /// As [`Self::check`], with another text under the file.
    pub(super) fn check_with(
        &self,
        field: &str,
        base: MediaKind,
        caption: Option<&str>,
        faults: &mut Faults,
    ) -> MediaKind {
        check_origin(field, self.data.as_deref(), self.url.as_deref(), faults);
        if let Some(caption) = caption {
            faults.check_text(&format!("{field}.caption"), caption, limits::TEXT_CHARS);
            let has_caption = !matches!(base, MediaKind::Audio | MediaKind::Sticker);
            faults.check(has_caption, &format!("{field}.caption"), || {
                "is not shown with sound and stickers".into()
            });
        }
        if let Some(name) = &self.filename {
            check_required(
                &format!("{field}.filename"),
                Some(name),
                limits::FILENAME_CHARS,
                faults,
            );
        }
        check_mimetype(field, self.mimetype.as_deref(), faults);
        self.special_kind(field, base, faults)
    }

    fn special_kind(&self, field: &str, base: MediaKind, faults: &mut Faults) -> MediaKind {
        let mut kind = base;
        for (name, flag, of, special) in [
            ("voice", self.voice, MediaKind::Audio, MediaKind::Voice),
            (
                "gifPlayback",
                self.gif_playback,
                MediaKind::Video,
                MediaKind::Gif,
            ),
            (
                "videoNote",
                self.video_note,
                MediaKind::Video,
                MediaKind::VideoNote,
            ),
        ] {
            if flag != Some(true) {
                continue;
            }
            let field = format!("{field}.{name}");
            if base != of {
                faults.add(field, format!("is for type {} only", of.as_str()));
            } else if kind != base {
                faults.add(field, "cannot be both a GIF and a video note");
            } else {
                kind = special;
            }
        }
        let can_vanish = matches!(kind, MediaKind::Image | MediaKind::Video | MediaKind::Voice);
        if self.view_once == Some(true) && !can_vanish {
            faults.add(
                format!("{field}.viewOnce"),
                "is for pictures, videos and voice notes",
            );
        }
        kind
    }
}

impl AlbumMediaPayload {
    /// Adds the faults of what it says.
    pub(super) fn check(&self, field: &str, faults: &mut Faults) {
        check_origin(field, self.data.as_deref(), self.url.as_deref(), faults);
        check_mimetype(field, self.mimetype.as_deref(), faults);
    }
}

fn check_origin(field: &str, data: Option<&str>, url: Option<&str>, faults: &mut Faults) {
    match (data, url) {
        (None, None) => faults.add(format!("{field}.data"), "or url is required"),
        (Some(_), Some(_)) => {
            faults.add(format!("{field}.url"), "must not be given beside data");
        }
        (Some(""), None) => faults.add(format!("{field}.data"), "must not be empty"),
        (None, Some("")) => faults.add(format!("{field}.url"), "must not be empty"),
        _ => {}
    }
}

fn check_mimetype(field: &str, mimetype: Option<&str>, faults: &mut Faults) {
    if let Some(mimetype) = mimetype {
        faults.check(is_mimetype(mimetype), &format!("{field}.mimetype"), || {
            "must be a MIME type such as image/jpeg".into()
        });
    }
}

/// Type and subtype of RFC 6838, with parameters or without.
fn is_mimetype(text: &str) -> bool {
    let bare = text.split(';').next().unwrap_or_default().trim();
    let is_part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    text.len() <= limits::MIMETYPE_CHARS
        && text.bytes().all(|b| (b' '..=b'~').contains(&b))
        && bare
            .split_once('/')
            .is_some_and(|(kind, subtype)| is_part(kind) && is_part(subtype))
}

/// A file that waits to be sent: where its bytes are, and what the message says of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The stored bytes.
    pub id: AttachmentId,
    /// What kind of file.
    pub kind: MediaKind,
    /// The MIME type.
    pub mimetype: String,
    /// The size in bytes.
    pub size: u64,
    /// The file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// The text under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// The width in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// The height in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// The length of sound or video in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    /// How loud a voice note is, in base64: 64 bytes from 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waveform: Option<String>,
    /// A small picture of it as JPEG, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
    /// The number of pages of a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<u32>,
    /// Whether a sticker moves.
    #[serde(default)]
    pub is_animated: bool,
    /// Whether it can be opened only once.
    #[serde(default)]
    pub is_view_once: bool,
}

impl std::fmt::Debug for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attachment")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(payload: serde_json::Value, base: MediaKind) -> (MediaKind, Vec<String>) {
        let payload: MediaPayload = serde_json::from_value(payload).unwrap();
        let mut faults = Faults::new();
        let kind = payload.check("media", base, &mut faults);
        let faults = faults.into_vec().into_iter();
        (kind, faults.map(|fault| fault.field).collect())
    }

    #[test]
    fn a_file_has_one_origin() {
        for (payload, faulty) in [
            (serde_json::json!({}), "media.data"),
            (serde_json::json!({"data": ""}), "media.data"),
            (
                serde_json::json!({"data": "AA==", "url": "https://e.example/"}),
                "media.url",
            ),
            (serde_json::json!({"url": ""}), "media.url"),
        ] {
            assert_eq!(fields(payload, MediaKind::Image).1, [faulty]);
        }
        let fine = fields(serde_json::json!({"data": "AA=="}), MediaKind::Image);
        assert_eq!(fine, (MediaKind::Image, vec![]));
    }

    #[test]
    fn flags_make_kinds_and_fit_types() {
        for (name, base, kind) in [
            ("voice", MediaKind::Audio, MediaKind::Voice),
            ("gifPlayback", MediaKind::Video, MediaKind::Gif),
            ("videoNote", MediaKind::Video, MediaKind::VideoNote),
        ] {
            let payload = serde_json::json!({"data": "AA==", name: true});
            assert_eq!(fields(payload.clone(), base), (kind, vec![]));
            let field = format!("media.{name}");
            assert_eq!(fields(payload, MediaKind::Document).1, [field]);
        }
        let both = serde_json::json!({"data": "AA==", "gifPlayback": true, "videoNote": true});
        assert_eq!(fields(both, MediaKind::Video).1, ["media.videoNote"]);
        let once = serde_json::json!({"data": "AA==", "viewOnce": true});
        assert_eq!(
            fields(once.clone(), MediaKind::Image).1,
            Vec::<String>::new()
        );
        assert_eq!(fields(once, MediaKind::Sticker).1, ["media.viewOnce"]);
    }

    #[test]
    fn mime_types_and_names_are_checked() {
        for (mimetype, is_fine) in [
            ("image/jpeg", true),
            ("audio/ogg; codecs=opus", true),
            ("application/vnd.ms-excel", true),
            ("image", false),
            ("/", false),
            ("a b/c", false),
            ("text/plain\r\nx", false),
        ] {
            assert_eq!(is_mimetype(mimetype), is_fine, "{mimetype}");
        }
        let blank = serde_json::json!({"data": "AA==", "filename": " ", "mimetype": "x"});
        let faulty = fields(blank, MediaKind::Document).1;
        assert_eq!(faulty, ["media.filename", "media.mimetype"]);
    }
}
