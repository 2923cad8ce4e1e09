//! Stories, which the protocol calls statuses.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::validation::limits;
use crate::{Faults, MediaKind, MediaPayload, hide_contents};

/// The background of a text story where none is asked for, as `0xAARRGGBB`.
const DEFAULT_BACKGROUND: u32 = 0xFF1E_6E4F;
/// Stories are opaque.
const OPAQUE: u32 = 0xFF00_0000;

/// What kind of story to post.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StatusType {
    /// A text on a coloured background.
    #[default]
    Text,
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A voice note.
    Audio,
}

impl StatusType {
    const fn media_kind(self) -> Option<MediaKind> {
        match self {
            Self::Text => None,
            Self::Image => Some(MediaKind::Image),
            Self::Video => Some(MediaKind::Video),
            Self::Audio => Some(MediaKind::Audio),
        }
    }
}

/// The font of a text story.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatusFont {
    /// The system's own.
    #[default]
    System,
    /// The system's own, for text.
    SystemText,
    /// As if written by hand.
    Script,
    /// The system's own, bold.
    SystemBold,
    /// Morning Breeze.
    MorningBreeze,
    /// Calistoga.
    Calistoga,
    /// Exo 2, extra bold.
    Exo2,
    /// Courier Prime, bold.
    CourierPrime,
}

/// The body of `postStatus`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PostStatusInputBody)]
pub struct PostStatusInput {
    /// The colour behind the text, as `#RRGGBB`.
    #[serde(default)]
    #[schema(max_length = 7)]
    pub background_color: Option<String>,
    /// The text's font: `system` by default.
    #[serde(default)]
    pub font: Option<StatusFont>,
    /// The file, for types image, video and audio.
    #[serde(default)]
    pub media: Option<MediaPayload>,
    /// The text, or what stands under a picture or film.
    #[serde(default)]
    #[schema(max_length = 700)]
    pub text: Option<String>,
    /// What kind of story: `text` by default.
    #[serde(default, rename = "type")]
    pub kind: Option<StatusType>,
}

impl PostStatusInput {
    /// The story, where it has no faults, with its file where it has one.
    pub fn into_post(mut self, faults: &mut Faults) -> (StatusPost, Option<StatusFile>) {
        let base = self.kind.unwrap_or_default().media_kind();
        let file = base.and_then(|base| self.take_file(base, faults));
        let needs_text = base.is_none() && !faults.is_unreadable("type");
        match self.text.as_deref() {
            None | Some("") if needs_text => faults.add("text", "is required"),
            Some(text) if needs_text && text.trim().is_empty() => {
                faults.add("text", "must not be blank");
            }
            Some(text) => faults.check_text("text", text, limits::STATUS_CHARS),
            None => {}
        }
        let background = self.background_color.as_deref().map(background);
        faults.check(background != Some(None), "backgroundColor", || {
            "must be a colour such as #1E6E4F".into()
        });
        let post = StatusPost {
            text: self.text.unwrap_or_default(),
            background_argb: background.flatten().unwrap_or(DEFAULT_BACKGROUND),
            font: self.font.unwrap_or_default(),
        };
        (post, file)
    }

    fn take_file(&mut self, base: MediaKind, faults: &mut Faults) -> Option<StatusFile> {
        let Some(mut media) = self.media.take() else {
            faults.add("media", format!("is required for type {}", base.as_str()));
            return None;
        };
        if base == MediaKind::Audio {
            media.voice = Some(true);
        }
        let kind = media.check("media", base, faults);
        let caption = self.text.clone().filter(|_| kind != MediaKind::Voice);
        media.caption = media.caption.or(caption);
        Some((kind, media))
    }
}

/// A story's file: what it is to be, and where it comes from.
pub type StatusFile = (MediaKind, MediaPayload);

/// A colour written as `#RRGGBB`.
fn background(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let colour = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
    Some(OPAQUE | colour)
}

/// A story to post.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusPost {
    /// The text.
    pub text: String,
    /// The colour behind it, as `0xAARRGGBB`.
    pub background_argb: u32,
    /// Its font.
    pub font: StatusFont,
}

/// The answer of `postStatus`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PostStatusOutputBody)]
pub struct PostedStatus {
    /// The story's id on WhatsApp, by which it can be deleted.
    pub message_id: String,
}

// What people write must not reach logs by `{:?}`.
hide_contents!(PostStatusInput, StatusPost);

hide_contents!(PostedStatus { message_id });

#[cfg(test)]
mod tests {
    use super::*;

    fn post(body: &str) -> Result<StatusPost, Vec<String>> {
        let input: PostStatusInput = serde_json::from_str(body).unwrap();
        let mut faults = Faults::new();
        let (post, _) = input.into_post(&mut faults);
        if faults.is_empty() {
            return Ok(post);
        }
        let faults = faults.into_vec().into_iter();
        Err(faults.map(|fault| fault.field).collect())
    }

    #[test]
    fn a_story_is_a_text_with_a_colour() {
        let plain = post(r#"{"text":"hi"}"#).unwrap();
        assert_eq!(plain.background_argb, DEFAULT_BACKGROUND);
        let blue = r##"{"text":"hi","type":"text","backgroundColor":"#0000ff","font":"exo2"}"##;
        let blue = post(blue).unwrap();
        assert_eq!(
            (blue.background_argb, blue.font),
            (0xFF00_00FF, StatusFont::Exo2)
        );
    }

    #[test]
    fn every_fault_is_named() {
        let body = r##"{"text":" ","type":"image","backgroundColor":"#+12345"}"##;
        assert_eq!(post(body).unwrap_err(), ["media", "backgroundColor"]);
        let voice = r#"{"type":"audio","media":{"data":"AA==","gifPlayback":true}}"#;
        assert_eq!(post(voice).unwrap_err(), ["media.gifPlayback"]);
        assert_eq!(post("{}").unwrap_err(), ["text"]);
    }
}
