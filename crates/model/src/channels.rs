//! Channels: WhatsApp's one-way feeds, which the protocol calls newsletters.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::validation::limits;
use crate::{Faults, hide_contents};

/// The body of `createChannel`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CreateChannelInputBody)]
pub struct CreateChannelInput {
    /// What the channel is about.
    #[serde(default)]
    #[schema(max_length = 2048)]
    pub description: Option<String>,
    /// The channel's name: 1 to 100 characters.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub name: Option<String>,
}

impl CreateChannelInput {
    /// Adds the faults of every field.
    pub fn check(&self, faults: &mut Faults) {
        match self.name.as_deref() {
            None => faults.add("name", "is required"),
            Some(name) => faults.check_name("name", name, limits::CHANNEL_NAME_CHARS),
        }
        if let Some(description) = &self.description {
            let chars = limits::CHANNEL_DESCRIPTION_CHARS;
            faults.check_length("description", description, chars);
        }
    }
}

/// The body of `updateChannel`; what is left out stays as it is.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UpdateChannelInputBody)]
pub struct UpdateChannelInput {
    /// What the channel is about; empty for nothing.
    #[serde(default)]
    #[schema(max_length = 2048)]
    pub description: Option<String>,
    /// The channel's name: 1 to 100 characters.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub name: Option<String>,
    /// The picture as JPEG in base64: square, at most 512 KiB; empty to remove it.
    #[serde(default)]
    pub picture: Option<String>,
}

impl UpdateChannelInput {
    /// Adds the faults of name and description; what a picture is, is looked at elsewhere.
    pub fn check(&self, faults: &mut Faults) {
        if let Some(name) = &self.name {
            faults.check_name("name", name, limits::CHANNEL_NAME_CHARS);
        }
        if let Some(description) = &self.description {
            let chars = limits::CHANNEL_DESCRIPTION_CHARS;
            faults.check_length("description", description, chars);
        }
    }

    /// Whether it changes nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.name.is_none() && self.description.is_none() && self.picture.is_none()
    }
}

/// The answer of `createChannel`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateChannelOutputBody)]
pub struct CreatedChannel {
    /// The channel's JID.
    pub jid: String,
}

/// The body of `muteChannel`; it can be left out.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = MuteChannelInputBody)]
pub struct MuteChannelInput {
    /// Whether to mute: true by default, false to unmute.
    #[serde(default)]
    pub mute: Option<bool>,
}

/// What an account may do in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChannelRole {
    /// It made the channel.
    Owner,
    /// It posts.
    Admin,
    /// It follows the channel.
    Subscriber,
    /// It does not follow the channel.
    Guest,
}

/// A channel, as WhatsApp shows it to the session's account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Channel {
    /// When it was made, in milliseconds since 1970, where told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<i64>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What its invitation link ends with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite_code: Option<String>,
    /// The channel's JID.
    pub jid: String,
    /// Whether the account has muted it, where told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<bool>,
    /// The channel's name.
    pub name: String,
    /// What the account may do there, where told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<ChannelRole>,
    /// How many follow it, where told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscribers: Option<i64>,
    /// Whether WhatsApp vouches for who owns it.
    pub verified: bool,
}

/// The channels that an account follows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListChannel {
    /// The channels.
    pub data: Vec<Channel>,
}

// Whom an account follows must not reach logs by `{:?}`.
hide_contents!(
    CreateChannelInput,
    CreatedChannel,
    MuteChannelInput,
    Channel,
    ListChannel
);

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(body: &str) -> Vec<String> {
        let input: CreateChannelInput = serde_json::from_str(body).unwrap();
        let mut faults = Faults::new();
        input.check(&mut faults);
        let faults = faults.into_vec().into_iter();
        faults.map(|fault| fault.field).collect()
    }

    #[test]
    fn a_channel_needs_a_name() {
        assert!(faults(r#"{"name":"News"}"#).is_empty());
        assert_eq!(faults("{}"), ["name"]);
        let long = format!(r#"{{"name":" ","description":"{}"}}"#, "x".repeat(2_049));
        assert_eq!(faults(&long), ["name", "description"]);
    }
}
