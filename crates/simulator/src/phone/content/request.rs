//! A message that a phone is asked to send.

use super::files::{FileContent, FileKind};
use super::special::{EventContent, OfferContent};
use crate::phone::error::{FieldError, PhoneError};

/// The largest file that a phone sends, in bytes.
pub(crate) const MAX_FILE_LEN: usize = 64 * 1024 * 1024;

/// What to send to whom; the typed form of the public send operation's body.
#[derive(Debug, Clone, PartialEq)]
pub struct SendRequest {
    /// A number in digits, with or without `+`, or the JID of a user or a group.
    pub to: String,
    /// The message itself.
    pub content: Content,
    /// The id of a message in the phone's log that this one answers.
    pub reply_to: Option<String>,
    /// Numbers or JIDs that the text mentions.
    pub mentions: Vec<String>,
    /// After how many seconds it disappears.
    pub expires_in_s: Option<u32>,
}

/// The kinds of message that a phone sends.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// A poll.
    Poll {
        /// The question.
        name: String,
        /// The answers, 2 to 12.
        options: Vec<String>,
        /// How many answers one voter may choose.
        selectable_count: u32,
        /// When the poll closes, in milliseconds since the Unix epoch.
        end_time_ms: Option<i64>,
        /// Whether voters stay unnamed.
        is_hiding_votes: bool,
    },
    /// A place on the map.
    Location {
        /// Degrees north.
        latitude: f64,
        /// Degrees east.
        longitude: f64,
        /// What the place is called.
        name: Option<String>,
    },
    /// An event with answers.
    Event(EventContent),
    /// Buttons or a list.
    Offer(OfferContent),
    /// Sets after how many seconds new messages of a chat of two disappear; 0: never.
    Timer {
        /// After how many seconds.
        seconds: u32,
    },
    /// The first report of a live location.
    LiveLocation {
        /// Degrees north.
        latitude: f64,
        /// Degrees east.
        longitude: f64,
        /// The text below it.
        caption: Option<String>,
    },
    /// A contact card.
    Contact {
        /// The name shown on the card.
        name: String,
        /// The card as vCard text.
        vcard: String,
    },
    /// A file.
    File(FileContent),
    /// Several pictures and films, shown together.
    Album {
        /// The files, 2 to 10.
        items: Vec<FileContent>,
        /// The text below the first one.
        caption: Option<String>,
    },
}

impl Content {
    /// Whether files go along with it.
    pub(crate) const fn has_files(&self) -> bool {
        matches!(self, Self::File(_) | Self::Album { .. })
    }
}

impl SendRequest {
    /// A text without anything else.
    pub fn text(to: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            to: to.into(),
            content: Content::Text(text.into()),
            reply_to: None,
            mentions: Vec::new(),
            expires_in_s: None,
        }
    }

    /// Checks what the type system does not; lists every fault.
    pub(crate) fn validate(&self) -> Result<(), PhoneError> {
        let mut faults = Vec::new();
        match &self.content {
            Content::Text(text) => {
                if text.is_empty() {
                    faults.push(FieldError::new("text", "must not be empty"));
                }
            }
            Content::Poll {
                name,
                options,
                selectable_count,
                ..
            } => {
                if name.is_empty() {
                    faults.push(FieldError::new("name", "must not be empty"));
                }
                if !(2..=12).contains(&options.len()) {
                    faults.push(FieldError::new("options", "must have 2 to 12 entries"));
                }
                if *selectable_count as usize > options.len() {
                    faults.push(FieldError::new(
                        "selectableCount",
                        "must not be larger than the number of options",
                    ));
                }
            }
            Content::Location {
                latitude,
                longitude,
                ..
            }
            | Content::LiveLocation {
                latitude,
                longitude,
                ..
            } => {
                if !(-90.0..=90.0).contains(latitude) {
                    faults.push(FieldError::new("latitude", "must be from -90 to 90"));
                }
                if !(-180.0..=180.0).contains(longitude) {
                    faults.push(FieldError::new("longitude", "must be from -180 to 180"));
                }
            }
            Content::Event(event) => {
                if event.name.is_empty() {
                    faults.push(FieldError::new("name", "must not be empty"));
                }
            }
            Content::Offer(offer) => {
                if offer.choices.is_empty() {
                    faults.push(FieldError::new("choices", "must not be empty"));
                }
            }
            Content::Timer { .. } => {}
            Content::File(file) => check_file(file, "media", &mut faults),
            Content::Album { items, .. } => {
                if !(2..=10).contains(&items.len()) {
                    faults.push(FieldError::new("medias", "must have 2 to 10 entries"));
                }
                for (place, item) in items.iter().enumerate() {
                    let field = format!("medias[{place}]");
                    check_file(item, &field, &mut faults);
                    if !matches!(item.kind, FileKind::Image | FileKind::Video) {
                        let field = format!("{field}.type");
                        faults.push(FieldError::new(field, "must be image or video"));
                    }
                }
            }
            Content::Contact { vcard, .. } => {
                if vcard.is_empty() {
                    faults.push(FieldError::new("contact.vcard", "must not be empty"));
                }
            }
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(PhoneError::Invalid(faults))
        }
    }
}

fn check_file(file: &FileContent, field: &str, faults: &mut Vec<FieldError>) {
    let mut fault = |name: &str, message: &str| {
        faults.push(FieldError::new(format!("{field}.{name}"), message));
    };
    if file.bytes.is_empty() {
        fault("data", "must not be empty");
    }
    if file.bytes.len() > MAX_FILE_LEN {
        fault("data", "must not be larger than 64 MiB");
    }
    if file.is_voice && file.kind != FileKind::Audio {
        fault("voice", "goes with audio only");
    }
    if file.caption.is_some() && matches!(file.kind, FileKind::Audio | FileKind::Sticker) {
        fault("caption", "does not go with audio and stickers");
    }
}
