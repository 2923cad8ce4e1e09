//! The account itself: what it shows, to whom, and calls to it.

use serde::{Deserialize, Serialize};
use wagate_model::{Jid, PrivacySettings, Profile, UpdateProfile};

/// About the account itself.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do", content = "with")]
pub enum ProfileRequest {
    /// What it shows.
    Get,
    /// Show another name or text.
    Update(UpdateProfile),
    /// Show a picture: a JPEG in base64.
    SetPicture {
        /// The picture.
        jpeg: String,
    },
    /// Show no picture.
    RemovePicture,
    /// Who may see what.
    Privacy,
    /// Let others see more or less; answered with all settings.
    SetPrivacy(PrivacySettings),
    /// Reject a call that rings.
    RejectCall {
        /// The call's id.
        call: String,
        /// Who calls.
        from: Jid,
    },
}

impl ProfileRequest {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Get => "get_profile",
            Self::Update(_) => "update_profile",
            Self::SetPicture { .. } => "set_picture",
            Self::RemovePicture => "remove_picture",
            Self::Privacy => "get_privacy",
            Self::SetPrivacy(_) => "set_privacy",
            Self::RejectCall { .. } => "reject_call",
        }
    }

    pub(super) const fn is_repeatable(&self) -> bool {
        match self {
            Self::Get
            | Self::Update(_)
            | Self::SetPicture { .. }
            | Self::RemovePicture
            | Self::Privacy
            | Self::SetPrivacy(_)
            | Self::RejectCall { .. } => true,
        }
    }
}

/// What came of a [`ProfileRequest`].
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "with")]
pub enum ProfileReply {
    /// What the account shows.
    Profile(Profile),
    /// Who may see what.
    Privacy(PrivacySettings),
}
