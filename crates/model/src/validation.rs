//! Faults in a request, collected so that all of them are told at once.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Upper limits of request fields; characters unless the name says bytes.
pub mod limits {
    /// Faults of one request that are told; of more, only how many there are.
    pub const FAULTS: usize = 100;
    /// A session's label.
    pub const LABEL_CHARS: usize = 100;
    /// The text of a message (what official clients allow).
    pub const TEXT_CHARS: usize = 65_536;
    /// The question of a poll.
    pub const POLL_NAME_CHARS: usize = 255;
    /// How many answers a poll has.
    pub const POLL_OPTIONS: std::ops::RangeInclusive<usize> = 2..=12;
    /// One answer of a poll.
    pub const POLL_OPTION_CHARS: usize = 100;
    /// What an event is called (what official clients allow).
    pub const EVENT_NAME_CHARS: usize = 100;
    /// What is said of an event (what official clients allow).
    pub const EVENT_DESCRIPTION_CHARS: usize = 2_048;
    /// How many others somebody brings to an event.
    pub const EXTRA_GUESTS: i64 = 100;
    /// How many buttons a message has.
    pub const BUTTONS: std::ops::RangeInclusive<usize> = 1..=10;
    /// How many sections a list has.
    pub const LIST_SECTIONS: std::ops::RangeInclusive<usize> = 1..=10;
    /// How many rows a section of a list has.
    pub const LIST_ROWS: std::ops::RangeInclusive<usize> = 1..=30;
    /// The text of a button or a row.
    pub const CHOICE_CHARS: usize = 72;
    /// What a button or a row is known by.
    pub const CHOICE_ID_CHARS: usize = 256;
    /// The small text below a message with buttons.
    pub const FOOTER_CHARS: usize = 256;
    /// After how many seconds messages may disappear (what official clients offer).
    pub const DISAPPEARING: [i64; 4] = [0, 86_400, 604_800, 7_776_000];
    /// For how many seconds messages are pinned (what official clients offer).
    pub const PINNED: [i64; 3] = [86_400, 604_800, 2_592_000];
    /// What a place is called.
    pub const PLACE_NAME_CHARS: usize = 1_024;
    /// The name on a contact card.
    pub const CARD_NAME_CHARS: usize = 256;
    /// How many files an album has (what official clients allow).
    pub const ALBUM_FILES: std::ops::RangeInclusive<usize> = 2..=10;
    /// A file's name.
    pub const FILENAME_CHARS: usize = 255;
    /// A MIME type with its parameters.
    pub const MIMETYPE_CHARS: usize = 255;
    /// The text below an account's name (what official clients allow).
    pub const ABOUT_CHARS: usize = 139;
    /// The name that an account shows (what official clients allow).
    pub const PUSH_NAME_CHARS: usize = 25;
    /// Numbers that are looked up together.
    pub const CHECKED_NUMBERS: usize = 50;
    /// A reaction: emoji are sequences of several characters.
    pub const EMOJI_CHARS: usize = 32;
    /// Characters of a text story.
    pub const STATUS_CHARS: usize = 700;
    /// Characters of a label's name.
    pub const LABEL_NAME_CHARS: usize = 100;
    /// Colours that labels can have: official clients know twenty.
    pub const LABEL_COLORS: i64 = 20;
    /// Labels of an account: official clients let nobody make more.
    pub const LABELS: usize = 20;
    /// Characters of a channel's name.
    pub const CHANNEL_NAME_CHARS: usize = 100;
    /// Characters of a channel's description.
    pub const CHANNEL_DESCRIPTION_CHARS: usize = 2_048;
    /// What is looked for in messages.
    pub const SEARCH_CHARS: usize = 256;
    /// Words that are looked for in messages.
    pub const SEARCH_WORDS: usize = 16;
    /// A group's subject (what official clients allow).
    pub const GROUP_SUBJECT_CHARS: usize = 100;
    /// A group's description (what official clients allow).
    pub const GROUP_DESCRIPTION_CHARS: usize = 2_048;
    /// People who are added to a group at once: the most that a group has.
    pub const GROUP_MEMBERS: usize = 1_024;
    /// Groups that are linked to a community at once.
    pub const COMMUNITY_GROUPS: usize = 100;
    /// A group's picture, in bytes.
    pub const GROUP_PICTURE_BYTES: usize = 512 << 10;
    /// An invite link of a group, or its code.
    pub const INVITE_CHARS: usize = 512;
    /// Mentions in one message.
    pub const MENTIONS: usize = 1_024;
    /// A phone number or a JID; more than the longest has.
    pub const JID_CHARS: usize = 64;
    /// An id of a WhatsApp message.
    pub const MESSAGE_ID_CHARS: usize = 128;
    /// An `Idempotency-Key`, in visible ASCII characters.
    pub const IDEMPOTENCY_KEY_CHARS: usize = 255;
    /// How far ahead a message can be scheduled, in milliseconds.
    pub const SCHEDULE_MS: i64 = 366 * 86_400_000;
    /// Messages of one session that wait for their time.
    pub const SCHEDULED_MESSAGES: i64 = 10_000;
    /// A webhook's URL.
    pub const URL_CHARS: usize = 2_048;
    /// A webhook's secret.
    pub const WEBHOOK_SECRET_CHARS: usize = 256;
    /// Names of events in one list.
    pub const EVENT_NAMES: usize = 64;
    /// Custom headers of one webhook.
    pub const WEBHOOK_HEADERS: usize = 20;
    /// The value of one custom header.
    pub const WEBHOOK_HEADER_VALUE_CHARS: usize = 1_024;
    /// Attempts of one webhook delivery.
    pub const WEBHOOK_ATTEMPTS: i64 = 50;
    /// The name of a webhook's retry policy.
    pub const WEBHOOK_POLICY_CHARS: usize = 32;
    /// The base delay between attempts, in seconds.
    pub const WEBHOOK_DELAY_SECONDS: i64 = 43_200;
    /// Webhooks of one organization.
    pub const WEBHOOKS: i64 = 100;
    /// Earlier secrets of one webhook that are valid beside the present one.
    pub const WEBHOOK_EARLIER_SECRETS: usize = 5;
    /// The name of a bucket at its store.
    pub const BUCKET_CHARS: usize = 63;
    /// An access key of a bucket, or its secret.
    pub const BUCKET_KEY_CHARS: usize = 256;
    /// The region of a bucket.
    pub const REGION_CHARS: usize = 64;
    /// Buckets of one organization.
    pub const BUCKETS: i64 = 100;
    /// Days that files are kept.
    pub const RETENTION_DAYS: i64 = 3_650;
    /// Sends per minute or hour that a session can be set to.
    pub const RATE: i64 = 1_000_000;
    /// Sessions of one organization.
    pub const SESSIONS: i64 = 100_000;
}

/// One fault of a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    /// Where: a field's path such as `retryPolicy.attempts`, or `body`.
    pub field: String,
    /// What is wrong, and what is expected.
    pub message: String,
}

/// All faults found in a request so far.
///
/// It takes the same fault once, and at most [`limits::FAULTS`] of them. A field that
/// could not be read has no other faults: what stands in its place was not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    told: Vec<Fault>,
    untold: usize,
    unreadable: BTreeSet<String>,
}

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, Fault { field, message }) in self.told.iter().enumerate() {
            let mark = if index == 0 { "" } else { "; " };
            write!(f, "{mark}{field} {message}")?;
        }
        Ok(())
    }
}

impl Faults {
    /// No faults yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The faults of a request with exactly one.
    #[must_use]
    pub fn one(field: impl Into<String>, message: impl Into<String>) -> Self {
        let mut faults = Self::new();
        faults.add(field, message);
        faults
    }

    /// Notes a fault.
    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.note(Fault {
            field: field.into(),
            message: message.into(),
        });
    }

    fn note(&mut self, fault: Fault) {
        if self.is_unreadable(&fault.field) || self.told.contains(&fault) {
            return;
        }
        if self.told.len() < limits::FAULTS {
            self.told.push(fault);
        } else {
            self.untold += 1;
        }
    }

    /// Notes a fault whose words are made only where it is told: beyond
    /// [`limits::FAULTS`] it is counted, so that a request full of faults costs little.
    pub fn add_at(&mut self, field: impl FnOnce() -> String, message: impl FnOnce() -> String) {
        if self.told.len() < limits::FAULTS {
            self.add(field(), message());
        } else {
            self.untold += 1;
        }
    }

    /// The value of a field that must be there; a fault where it is not.
    pub fn required<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.add(field, "is required");
        }
        value
    }

    /// Notes that a field is missing or not of its type.
    pub fn add_unreadable(&mut self, field: impl Into<String>, message: impl Into<String>) {
        let field = field.into();
        self.add(field.clone(), message);
        self.unreadable.insert(field);
    }

    /// Notes that a field is missing or not of its type, as [`add_at`](Self::add_at) does.
    ///
    /// Of a field that is only counted, nobody learns later that it could not be read: what
    /// else is found in it is counted as well.
    pub fn add_unreadable_at(
        &mut self,
        field: impl FnOnce() -> String,
        message: impl FnOnce() -> String,
    ) {
        if self.told.len() < limits::FAULTS {
            self.add_unreadable(field(), message());
        } else {
            self.untold += 1;
        }
    }

    /// Whether a field is missing or not of its type.
    #[must_use]
    pub fn is_unreadable(&self, field: &str) -> bool {
        self.unreadable.contains(field)
    }

    /// Notes a fault unless the condition holds.
    pub fn check(&mut self, holds: bool, field: &str, message: impl FnOnce() -> String) {
        if !holds {
            self.add(field, message());
        }
    }

    /// Takes over the faults of a part.
    pub fn extend(&mut self, other: Self) {
        for fault in other.told {
            self.note(fault);
        }
        self.untold += other.untold;
        self.unreadable.extend(other.unreadable);
    }

    /// Brings the faults into the order of their fields.
    pub fn sort(&mut self) {
        self.told.sort();
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// The faults in the order found, and where there are more, how many.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<Fault> {
        if self.untold > 0 {
            self.told.push(Fault {
                field: "body".into(),
                message: format!("has {} more faults", self.untold),
            });
        }
        self.told
    }

    /// `Ok` when nothing was found.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }

    /// The limit of characters of a text field; control characters other than
    /// line breaks and tabs are refused.
    pub fn check_text(&mut self, field: &str, text: &str, max_chars: usize) {
        self.check_length(field, text, max_chars);
        let is_plain = text
            .chars()
            .all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
        self.check(is_plain, field, || {
            "must not contain control characters".into()
        });
    }

    /// A name or label, on one line: letters of every script and emoji, but nothing that is not
    /// seen and changes how the rest of a list is shown.
    pub fn check_name(&mut self, field: &str, text: &str, max_chars: usize) {
        self.check(!text.trim().is_empty(), field, || {
            "must not be empty".into()
        });
        self.check_length(field, text, max_chars);
        let is_plain = text.chars().all(|c| !c.is_control() && !is_format(c));
        self.check(is_plain, field, || {
            "must not contain control characters, line breaks or marks of text direction".into()
        });
    }

    /// The limit of characters of a field.
    pub fn check_length(&mut self, field: &str, text: &str, max_chars: usize) {
        // Bytes bound characters from above, so most texts are counted only once, cheaply.
        let is_short = text.len() <= max_chars || text.chars().count() <= max_chars;
        self.check(is_short, field, || {
            format!("must have at most {max_chars} characters")
        });
    }
}

/// A request as far as it could be read, with the faults of the rest.
///
/// What could not be read stands there as an empty value, and its fault is noted. So
/// whoever takes the request can look at all of it, note more faults, and tell all of
/// them at once; and can refuse it for another reason first.
#[derive(Debug, Clone)]
pub struct Draft<T> {
    value: Option<T>,
    faults: Faults,
}

impl<T> Draft<T> {
    /// A request with what was found wrong with it so far.
    #[must_use]
    pub const fn new(value: T, faults: Faults) -> Self {
        Self {
            value: Some(value),
            faults,
        }
    }

    /// A request of which nothing could be read.
    #[must_use]
    pub const fn unreadable(faults: Faults) -> Self {
        Self {
            value: None,
            faults,
        }
    }

    /// The same in another form.
    #[must_use]
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Draft<U> {
        Draft {
            value: self.value.map(form),
            faults: self.faults,
        }
    }

    /// Adds faults that were found elsewhere in the request.
    #[must_use]
    pub fn with(mut self, faults: Faults) -> Self {
        self.faults.extend(faults);
        self
    }

    /// The request with what its check has found, where nothing is wrong with it; else all faults.
    pub fn checked<R>(self, check: impl FnOnce(&T, &mut Faults) -> R) -> Result<(T, R), Faults> {
        let (value, mut faults) = self.open()?;
        let found = check(&value, &mut faults);
        faults.into_result()?;
        Ok((value, found))
    }

    /// What could be read, with the faults so far; the faults alone where nothing could.
    pub fn open(self) -> Result<(T, Faults), Faults> {
        match self.value {
            Some(value) => Ok((value, self.faults)),
            None => Err(self.faults),
        }
    }

    /// The request, where nothing is wrong with it.
    pub fn finish(self) -> Result<T, Faults> {
        let (value, faults) = self.open()?;
        faults.into_result().map(|()| value)
    }
}

/// Separators of lines and overrides of direction (Unicode 16, 23.2); joiners are part of emoji.
const fn is_format(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_every_script_and_on_one_line() {
        for name in [
            "a",
            "Ünal & Söhne",
            "محمد",
            "日本語",
            "👩\u{200d}👩\u{200d}👧 family",
            "O'Neil",
        ] {
            let mut faults = Faults::new();
            faults.check_name("name", name, 100);
            assert!(faults.is_empty(), "{name}");
        }
        let long = "ß".repeat(101);
        for name in ["", "  ", "a\nb", "a\0", "a\u{202e}b", "\u{1b}[31m", &long] {
            let mut faults = Faults::new();
            faults.check_name("name", name, 100);
            assert_eq!(fields(faults), ["name"], "{name:?}");
        }
    }

    fn fields(faults: Faults) -> Vec<String> {
        faults.into_vec().into_iter().map(|f| f.field).collect()
    }

    #[test]
    fn the_words_of_faults_beyond_the_limit_are_not_made() {
        let mut faults = Faults::new();
        for n in 0..limits::FAULTS {
            faults.add_at(|| n.to_string(), || "is wrong".into());
        }
        faults.add_at(|| unreachable!(), || unreachable!());
        faults.add_unreadable_at(|| unreachable!(), || unreachable!());
        let told = faults.into_vec();
        assert_eq!(told.len(), limits::FAULTS + 1);
        assert_eq!(told[limits::FAULTS].message, "has 2 more faults");
    }

    #[test]
    fn a_fault_is_told_once_and_an_unreadable_field_has_no_other() {
        let mut faults = Faults::new();
        faults.add("a", "one");
        faults.add("a", "one");
        faults.add("a", "two");
        faults.add_unreadable("b", "must be a string");
        faults.add("b", "must not be empty");
        faults.add("b.c", "is something else");
        let mut whole = Faults::one("a", "two");
        whole.extend(faults);
        whole.add("b", "must not be empty");
        assert_eq!(fields(whole), ["a", "a", "b", "b.c"]);
    }

    #[test]
    fn a_flood_is_counted() {
        let mut faults = Faults::new();
        for n in 0..limits::FAULTS + 7 {
            faults.add(format!("f{n}"), "x");
        }
        let told = faults.into_vec();
        assert_eq!(told.len(), limits::FAULTS + 1);
        assert_eq!(told[limits::FAULTS].message, "has 7 more faults");
    }
}
