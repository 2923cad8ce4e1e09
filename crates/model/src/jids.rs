//! Addresses of WhatsApp chats and people (JIDs).
//!
//! Forms: user `<digits>@s.whatsapp.net`, LID `<digits>@lid`, group
//! `<digits>@g.us` (older groups: `<digits>-<digits>`), channel
//! `<digits>@newsletter`, status `status@broadcast`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hide_contents;

/// What a JID addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JidKind {
    /// A person by phone number.
    User,
    /// A person by LID, WhatsApp's number-free address.
    Lid,
    /// A group.
    Group,
    /// A channel.
    Newsletter,
    /// A broadcast list.
    Broadcast,
    /// The status feed.
    Status,
}

impl JidKind {
    /// Whether it is one person.
    #[must_use]
    pub const fn is_person(self) -> bool {
        matches!(self, Self::User | Self::Lid)
    }
}

/// Why a text is not a JID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a phone number in digits or a JID such as 15551234567@s.whatsapp.net, …@lid, …@g.us or …@newsletter"
)]
pub struct JidError;

/// The address of a chat or a person, without a device.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Jid(String);

impl Jid {
    /// The address of a phone number.
    #[must_use]
    pub fn from_phone(number: &PhoneNumber) -> Self {
        Self(format!("{}@s.whatsapp.net", number.as_str()))
    }

    /// Where stories are: `status@broadcast`.
    #[must_use]
    pub fn status() -> Self {
        Self("status@broadcast".to_owned())
    }

    /// Reads a JID, or a bare phone number in digits with or without `+`.
    pub fn parse_lenient(text: &str) -> Result<Self, JidError> {
        if text.contains('@') {
            text.parse()
        } else {
            let number: PhoneNumber = text.parse().map_err(|_| JidError)?;
            Ok(Self::from_phone(&number))
        }
    }

    /// The JID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the `@`.
    #[must_use]
    pub fn user(&self) -> &str {
        self.0.split_once('@').map_or("", |(user, _)| user)
    }

    /// The part behind the `@`.
    #[must_use]
    pub fn server(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, server)| server)
    }

    /// What the JID addresses.
    #[must_use]
    pub fn kind(&self) -> JidKind {
        match self.server() {
            "lid" => JidKind::Lid,
            "g.us" => JidKind::Group,
            "newsletter" => JidKind::Newsletter,
            "broadcast" if self.user() == "status" => JidKind::Status,
            "broadcast" => JidKind::Broadcast,
            _ => JidKind::User,
        }
    }

    /// The phone number, where the JID is one.
    #[must_use]
    pub fn phone(&self) -> Option<&str> {
        (self.kind() == JidKind::User).then(|| self.user())
    }
}

fn is_digits(text: &str, max: usize) -> bool {
    !text.is_empty() && text.len() <= max && text.bytes().all(|b| b.is_ascii_digit())
}

impl FromStr for Jid {
    type Err = JidError;

    fn from_str(text: &str) -> Result<Self, JidError> {
        let (user, server) = text.split_once('@').ok_or(JidError)?;
        let is_valid = match server {
            "s.whatsapp.net" => is_digits(user, 20),
            "lid" => is_digits(user, 24),
            "newsletter" => is_digits(user, 32),
            "g.us" => match user.split_once('-') {
                Some((creator, time)) => is_digits(creator, 20) && is_digits(time, 20),
                None => is_digits(user, 32),
            },
            "broadcast" => user == "status" || is_digits(user, 32),
            _ => false,
        };
        if is_valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(JidError)
        }
    }
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// JIDs hold phone numbers: keep them out of logs that print with `{:?}`.
impl fmt::Debug for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jid(…@{})", self.server())
    }
}

impl Serialize for Jid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Jid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for Jid {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        <String as utoipa::PartialSchema>::schema()
    }
}

impl utoipa::ToSchema for Jid {}

/// A phone number: 5 to 15 digits (E.164 without the `+`), the first not 0.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PhoneNumber {
    type Err = PhoneNumberError;

    fn from_str(text: &str) -> Result<Self, PhoneNumberError> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        if is_digits(digits, 15) && digits.len() >= 5 && !digits.starts_with('0') {
            Ok(Self(digits.to_owned()))
        } else {
            Err(PhoneNumberError)
        }
    }
}

hide_contents!(PhoneNumber);

/// The text is not a phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a phone number with its country code: 5 to 15 digits")]
pub struct PhoneNumberError;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_is_read() {
        for (text, kind) in [
            ("15551234567@s.whatsapp.net", JidKind::User),
            ("205227043110953@lid", JidKind::Lid),
            ("120363021033254949@g.us", JidKind::Group),
            ("4915112345678-1600000000@g.us", JidKind::Group),
            ("120363144038483540@newsletter", JidKind::Newsletter),
            ("status@broadcast", JidKind::Status),
        ] {
            assert_eq!(text.parse::<Jid>().map(|jid| jid.kind()), Ok(kind));
        }
    }

    #[test]
    fn bare_numbers_are_accepted_where_a_person_is_named() {
        let expected: Jid = "15551234567@s.whatsapp.net".parse().unwrap();
        assert_eq!(Jid::parse_lenient("+15551234567"), Ok(expected.clone()));
        assert_eq!(Jid::parse_lenient("15551234567"), Ok(expected));
    }

    #[test]
    fn devices_and_foreign_servers_are_refused() {
        for text in [
            "1555123:4@s.whatsapp.net",
            "a@lid",
            "1@example.com",
            "@g.us",
            "",
            "@",
        ] {
            assert_eq!(Jid::parse_lenient(text), Err(JidError), "{text}");
        }
    }

    #[test]
    fn debug_hides_the_number() {
        let jid: Jid = "15551234567@s.whatsapp.net".parse().unwrap();
        assert!(!format!("{jid:?}").contains("1555"));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_back(
            text in "\\PC{0,40}",
            user in "\\+?[0-9]{0,33}|[0-9]{1,21}-[0-9]{1,21}|status|[0-9]{5}:[0-9]",
            server in "(@(s\\.whatsapp\\.net|lid|g\\.us|newsletter|broadcast|c\\.us))?",
        ) {
            crate::fuzzing::jid(&text);
            crate::fuzzing::jid(&format!("{user}{server}"));
        }

        #[test]
        fn numbers_round_trip(number in "[1-9][0-9]{4,14}") {
            let jid = Jid::parse_lenient(&number).unwrap();
            prop_assert_eq!(jid.phone(), Some(number.as_str()));
        }
    }
}
