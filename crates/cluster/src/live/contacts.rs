//! People: whether they are there, what they show, and whether they are blocked.

use serde::{Deserialize, Serialize};
use wagate_model::{Jid, OnWhatsApp, ProfilePicture};

/// About people.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do", content = "with")]
pub enum ContactRequest {
    /// Whether numbers are on WhatsApp.
    Check {
        /// The numbers' addresses.
        phones: Vec<Jid>,
    },
    /// The text below a person's name.
    About {
        /// The person.
        person: Jid,
    },
    /// A person's or group's picture.
    Picture {
        /// The person or group.
        of: Jid,
    },
    /// Block or unblock a person.
    SetBlocked {
        /// The person.
        person: Jid,
        /// Whether to block.
        is_blocked: bool,
    },
    /// Mute or unmute a person's stories.
    MuteStatus {
        /// The person.
        person: Jid,
        /// Whether to mute.
        is_muted: bool,
    },
    /// Whom the account has blocked.
    Blocklist,
    /// Save a person under a name, on all devices of the account.
    Save {
        /// The person.
        person: Jid,
        /// The full name.
        full_name: String,
        /// The first name.
        first_name: Option<String>,
    },
}

impl ContactRequest {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Check { .. } => "check_contacts",
            Self::About { .. } => "get_about",
            Self::Picture { .. } => "get_picture",
            Self::SetBlocked { .. } => "set_blocked",
            Self::MuteStatus { .. } => "mute_status",
            Self::Blocklist => "get_blocklist",
            Self::Save { .. } => "save_contact",
        }
    }

    pub(super) const fn is_repeatable(&self) -> bool {
        match self {
            Self::Check { .. }
            | Self::About { .. }
            | Self::Picture { .. }
            | Self::SetBlocked { .. }
            | Self::MuteStatus { .. }
            | Self::Blocklist
            | Self::Save { .. } => true,
        }
    }
}

/// What came of a [`ContactRequest`].
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "with")]
pub enum ContactReply {
    /// For each number asked about, in the order of the question.
    Checked(Vec<OnWhatsApp>),
    /// The text below the name.
    About(String),
    /// The picture, where one is shown to this account.
    Picture(Option<ProfilePicture>),
    /// Whom the account has blocked.
    Blocklist(Vec<Jid>),
}
