//! What an account shows of itself, and to whom.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::validation::limits;
use crate::{Faults, ProfilePicture, hide_contents};

/// What an account shows of itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The text below the name; empty where there is none.
    pub about: String,
    /// The account's JID by phone number.
    pub jid: String,
    /// Its LID, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lid: Option<String>,
    /// The name that it shows to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its picture, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<ProfilePicture>,
}

/// The body of `updateProfile`; what is left out stays.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UpdateProfileInputBody)]
pub struct UpdateProfile {
    /// The text below the name; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 139)]
    pub about: Option<String>,
    /// The name that the account shows to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 25)]
    pub name: Option<String>,
}

impl UpdateProfile {
    /// Adds the faults of every field.
    pub fn check(&self, faults: &mut Faults) {
        if let Some(about) = &self.about {
            faults.check_text("about", about, limits::ABOUT_CHARS);
        }
        if let Some(name) = &self.name {
            faults.check_name("name", name, limits::PUSH_NAME_CHARS);
            faults.check(!name.trim().is_empty(), "name", || {
                "must not be blank".into()
            });
        }
    }
}

/// The body of `setProfilePicture`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ProfilePictureInputBody)]
pub struct ProfilePictureInput {
    /// The picture as base64 or as a data URI; cut to a square and made 640 × 640.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// The body of `rejectCall`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RejectCallInputBody)]
pub struct RejectCallInput {
    /// Who calls: the event's `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub from: Option<String>,
}

/// Who may see or do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Everybody.
    All,
    /// The account's contacts.
    Contacts,
    /// The account's contacts but for some, who are chosen on the phone.
    ContactBlacklist,
    /// Those who may see when the account was last seen.
    MatchLastSeen,
    /// People whom the account knows.
    Known,
    /// Nobody.
    None,
}

impl Audience {
    /// The protocol's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Contacts => "contacts",
            Self::ContactBlacklist => "contact_blacklist",
            Self::MatchLastSeen => "match_last_seen",
            Self::Known => "known",
            Self::None => "none",
        }
    }

    /// Reads the protocol's name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::All,
            Self::Contacts,
            Self::ContactBlacklist,
            Self::MatchLastSeen,
            Self::Known,
            Self::None,
        ]
        .into_iter()
        .find(|audience| audience.as_str() == text)
    }
}

/// Who may see what of an account. In requests, what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrivacySettings {
    /// The text below the name: all, contacts, `contact_blacklist` or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<Audience>,
    /// Who may call: all or known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<Audience>,
    /// After how many seconds messages disappear in chats that are begun from now on: 0 (never),
    /// 86400, 604800 or 7776000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 7_776_000)]
    pub default_disappearing_seconds: Option<i64>,
    /// Who may add the account to groups: all, contacts, `contact_blacklist` or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Audience>,
    /// When it was last seen: all, contacts, `contact_blacklist` or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Audience>,
    /// Who may write: all or contacts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Audience>,
    /// Whether it is online: all or `match_last_seen`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub online: Option<Audience>,
    /// The picture: all, contacts, `contact_blacklist` or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<Audience>,
    /// Whether read receipts are sent and seen: all or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_receipts: Option<Audience>,
}

/// A setting, by the protocol's name of its category.
pub type PrivacySetting = (&'static str, Audience);

impl PrivacySettings {
    /// Every field: its name, the protocol's category, and what it may be set to.
    const FIELDS: [(&'static str, &'static str, &'static [Audience]); 8] = {
        use Audience::{All, ContactBlacklist, Contacts, Known, MatchLastSeen, None};
        const WIDE: &[Audience] = &[All, Contacts, ContactBlacklist, None];
        [
            ("about", "status", WIDE),
            ("calls", "calladd", &[All, Known, Contacts]),
            ("groups", "groupadd", WIDE),
            ("lastSeen", "last", WIDE),
            ("messages", "messages", &[All, Contacts]),
            ("online", "online", &[All, MatchLastSeen]),
            ("picture", "profile", WIDE),
            ("readReceipts", "readreceipts", &[All, None]),
        ]
    };

    fn slots(&mut self) -> [&mut Option<Audience>; 8] {
        [
            &mut self.about,
            &mut self.calls,
            &mut self.groups,
            &mut self.last_seen,
            &mut self.messages,
            &mut self.online,
            &mut self.picture,
            &mut self.read_receipts,
        ]
    }

    /// Adds a fault for each field that cannot be set so.
    pub fn check(&self, faults: &mut Faults) {
        let mut all = self.clone();
        for (slot, (field, _, allowed)) in all.slots().into_iter().zip(Self::FIELDS) {
            let Some(audience) = *slot else { continue };
            faults.check(allowed.contains(&audience), field, || {
                let names: Vec<_> = allowed.iter().map(|audience| audience.as_str()).collect();
                format!("must be one of {}", names.join(", "))
            });
        }
        let seconds = self.default_disappearing_seconds;
        let is_offered = seconds.is_none_or(|seconds| limits::DISAPPEARING.contains(&seconds));
        faults.check(is_offered, "defaultDisappearingSeconds", || {
            "must be 0, 86400, 604800 or 7776000".into()
        });
    }

    /// What is set, by the protocol's categories.
    #[must_use]
    pub fn settings(&self) -> Vec<PrivacySetting> {
        let mut all = self.clone();
        let slots = all.slots().into_iter().zip(Self::FIELDS);
        slots
            .filter_map(|(slot, (_, category, _))| Some((category, (*slot)?)))
            .collect()
    }

    /// Takes a setting over; those of other categories are left out.
    pub fn set(&mut self, category: &str, audience: Audience) {
        for (slot, (_, known, _)) in self.slots().into_iter().zip(Self::FIELDS) {
            if known == category {
                *slot = Some(audience);
            }
        }
    }
}

// What people call themselves is theirs.
hide_contents!(Profile, UpdateProfile, RejectCallInput, ProfilePictureInput);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_takes_its_own_audiences() {
        let settings: PrivacySettings = serde_json::from_value(serde_json::json!({
            "lastSeen": "known", "online": "match_last_seen", "readReceipts": "contacts"
        }))
        .unwrap();
        let mut faults = Faults::new();
        settings.check(&mut faults);
        let fields: Vec<_> = faults.into_vec().into_iter().map(|f| f.field).collect();
        assert_eq!(fields, ["lastSeen", "readReceipts"]);
    }

    #[test]
    fn settings_are_read_as_they_are_written() {
        let mut settings = PrivacySettings::default();
        settings.set("last", Audience::Contacts);
        settings.set("readreceipts", Audience::None);
        settings.set("defense", Audience::All);
        let expected = [
            ("last", Audience::Contacts),
            ("readreceipts", Audience::None),
        ];
        assert_eq!(settings.settings(), expected);
        let mut again = PrivacySettings::default();
        for (category, audience) in settings.settings() {
            again.set(category, Audience::parse(audience.as_str()).unwrap());
        }
        assert_eq!(again, settings);
    }

    #[test]
    fn names_are_not_blank() {
        let blank: UpdateProfile = serde_json::from_str(r#"{"name":" ","about":""}"#).unwrap();
        let mut faults = Faults::new();
        blank.check(&mut faults);
        assert_eq!(faults.into_vec()[0].field, "name");
    }
}
