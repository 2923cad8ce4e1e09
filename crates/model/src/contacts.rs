//! People that a session knows.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::hide_contents;

/// Where a session knows a person from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ContactSource {
    /// There is a chat with the person.
    Dm,
    /// The person was seen in groups only.
    Group,
}

/// A person in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    /// The verified name, for businesses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_name: Option<String>,
    /// The LID; empty where only the phone number is known so far.
    pub lid: String,
    /// The name: the account's own for the person, else the person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The phone number in digits, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// Where the session knows the person from.
    pub source: ContactSource,
    /// Whether the account has muted the person's stories (beyond the contract).
    #[serde(default)]
    pub status_muted: bool,
}

/// One page of people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListContact {
    /// The people, in the order in which they were first seen.
    pub data: Vec<Contact>,
    /// Where to go on; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Who a person is, by all addresses that are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The verified name, for businesses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_name: Option<String>,
    /// When the person was first seen, in milliseconds since 1970.
    pub first_seen_at: i64,
    /// A number that stays with the person.
    pub id: i64,
    /// The LID; empty where only the phone number is known so far.
    pub lid: String,
    /// The name: the account's own for the person, else the person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The JID by phone number, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_jid: Option<String>,
    /// The phone number in digits, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// When what is known last changed, in milliseconds since 1970.
    pub updated_at: i64,
}

/// A group that a person was seen in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactGroup {
    /// The group's JID.
    pub jid: String,
    /// When the person was last seen there, in milliseconds since 1970.
    pub last_seen: i64,
    /// The group's subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `member`, `admin` or `superadmin`.
    pub role: String,
    /// The tag that the person has in the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// All that is stored on one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactDetail {
    /// Whether there is a chat with the person.
    pub dm: bool,
    /// The groups shared with the person.
    pub groups: Vec<ContactGroup>,
    /// Who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
}

/// Whether a number is on WhatsApp.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OnWhatsApp {
    /// Whether it is.
    pub is_on_whats_app: bool,
    /// The JID to write to, where it is: that of the number on WhatsApp, which may be written
    /// differently.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jid: Option<String>,
    /// The number that was asked about, as it was written.
    pub query: String,
}

/// The body of `checkContacts`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CheckContactsInputBody)]
pub struct CheckContactsInput {
    /// The numbers, in digits, with `+` or without: 1 to 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 50)]
    pub phones: Option<Vec<String>>,
}

/// Whether numbers are on WhatsApp.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListOnWhatsApp {
    /// For each number, in the order of the question.
    pub data: Vec<OnWhatsApp>,
}

/// The people whom the account has blocked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Blocklist {
    /// Their JIDs.
    pub data: Vec<String>,
}

/// The body of `saveContact`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SaveContactInputBody)]
pub struct SaveContactInput {
    /// The first name, where it is to be shown alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub first_name: Option<String>,
    /// The full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub full_name: Option<String>,
}

// Numbers and names are people's own.
hide_contents!(CheckContactsInput, SaveContactInput);

/// A profile picture on WhatsApp's servers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfilePicture {
    /// The picture's id; another picture has another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where it can be fetched for a short time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The text below a person's name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ContactAboutOutputBody)]
pub struct ContactAbout {
    /// The text; empty where there is none or it is hidden.
    pub about: String,
}
