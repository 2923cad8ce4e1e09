//! What callers say and hear.

use std::fmt;

use crate::audio::MAX_VOICE_SECONDS;

/// How many points the waveform of a voice note has.
pub const WAVEFORM_POINTS: usize = 64;

/// As what a file is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A picture that is shown in the chat.
    Image,
    /// A film that is played in the chat.
    Video,
    /// Sound: music, or a voice note.
    Audio,
    /// A file to be kept as it is.
    Document,
    /// A sticker.
    Sticker,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Image => "an image",
            Self::Video => "a video",
            Self::Audio => "audio",
            Self::Document => "a document",
            Self::Sticker => "a sticker",
        })
    }
}

/// What a file is to become, and what its sender says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// As what it is sent.
    pub kind: Kind,
    /// Audio: as a voice note, which is Opus in Ogg and has a waveform.
    pub is_voice: bool,
    /// The MIME type that the sender gives; only documents are believed.
    pub declared_mime: Option<String>,
    /// The file's name; its ending says what a document is whose bytes do not tell.
    pub file_name: Option<String>,
    /// The longest voice note that is taken, in seconds; never more than an hour.
    pub voice_seconds: u32,
}

impl Wanted {
    /// A file of a kind of which nothing else is said.
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            is_voice: false,
            declared_mime: None,
            file_name: None,
            voice_seconds: MAX_VOICE_SECONDS,
        }
    }
}

/// What a file turned out to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prepared {
    /// The bytes to send; `None` where they are those that came.
    pub converted: Option<Vec<u8>>,
    /// The MIME type of what is to be sent.
    pub mime: String,
    /// In pixels, as it is shown: after the turn that its EXIF data or track asks for.
    pub width: Option<u32>,
    /// In pixels, as it is shown.
    pub height: Option<u32>,
    /// In whole seconds, rounded; whatever has any sound or picture lasts one at least.
    pub duration_seconds: Option<u32>,
    /// Voice notes: how loud they are, from beginning to end, each 0 to 100.
    pub waveform: Option<[u8; WAVEFORM_POINTS]>,
    /// Images: a JPEG whose longest side has 72 pixels at most; none of a JPEG that takes too
    /// much to decode.
    pub thumbnail: Option<Vec<u8>>,
    /// Stickers: whether it moves.
    pub is_animated: bool,
    /// PDF documents whose page tree is not compressed: how many pages they have.
    pub page_count: Option<u32>,
}
