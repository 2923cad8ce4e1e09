//! Stored chats.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::validation::limits;
use crate::{Faults, JidKind, SessionId, hide_contents};

/// What a chat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChatType {
    /// One person.
    Dm,
    /// A group.
    Group,
    /// A channel.
    Newsletter,
    /// A broadcast list.
    Broadcast,
    /// The status feed.
    Status,
}

impl ChatType {
    /// The name used on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dm => "dm",
            Self::Group => "group",
            Self::Newsletter => "newsletter",
            Self::Broadcast => "broadcast",
            Self::Status => "status",
        }
    }
}

impl std::str::FromStr for ChatType {
    type Err = UnknownChatType;

    fn from_str(text: &str) -> Result<Self, UnknownChatType> {
        [
            Self::Dm,
            Self::Group,
            Self::Newsletter,
            Self::Broadcast,
            Self::Status,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or(UnknownChatType)
    }
}

/// The text names no kind of chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown chat type")]
pub struct UnknownChatType;

impl From<JidKind> for ChatType {
    fn from(kind: JidKind) -> Self {
        match kind {
            JidKind::User | JidKind::Lid => Self::Dm,
            JidKind::Group => Self::Group,
            JidKind::Newsletter => Self::Newsletter,
            JidKind::Broadcast => Self::Broadcast,
            JidKind::Status => Self::Status,
        }
    }
}

/// A stored chat, as clients see it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Chat {
    /// The other addresses of the same chat (LID or phone number).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aliases: Option<Vec<String>>,
    /// Whether it is archived.
    pub archived: bool,
    /// After how many seconds new messages disappear; 0: never; absent where it is not known
    /// (beyond the contract).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disappearing_seconds: Option<i64>,
    /// A number of its own: it says nothing about other chats.
    pub id: i64,
    /// The chat's address.
    pub jid: String,
    /// The ids of its labels (beyond the contract); absent without any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// When its newest message was sent, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_message_at: Option<i64>,
    /// Until when it is muted, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<i64>,
    /// The person's or group's name, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether it is pinned.
    pub pinned: bool,
    /// The session.
    pub session_id: SessionId,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ChatType,
    /// Messages that were not yet read here.
    pub unread_count: i64,
}

hide_contents!(Chat { id, kind });

/// One page of chats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListChat {
    /// The chats in display order: pinned first, then the newest.
    pub data: Vec<Chat>,
    /// Where the next page begins; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The body of `updateChat`; what is left out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UpdateChatInputBody)]
pub struct UpdateChatInput {
    /// Whether it is archived.
    #[serde(default)]
    pub archived: Option<bool>,
    /// After how many seconds new messages disappear for both sides: 86400, 604800 or 7776000;
    /// 0: never. For chats of two and groups (beyond the contract).
    #[serde(default)]
    #[schema(minimum = 0, maximum = 7_776_000)]
    pub disappearing_seconds: Option<i64>,
    /// Mute it until then, in milliseconds since 1970; -1: for ever.
    #[serde(default)]
    #[schema(minimum = -1)]
    pub muted_until: Option<i64>,
    /// Whether it is pinned.
    #[serde(default)]
    pub pinned: Option<bool>,
    /// Unmute it, whatever `mutedUntil` says.
    #[serde(default)]
    pub unmute: Option<bool>,
}

impl UpdateChatInput {
    /// What to mute until: -1 for ever, 0 to unmute; absent to leave it.
    #[must_use]
    pub fn mute(&self) -> Option<i64> {
        if self.unmute == Some(true) {
            return Some(0);
        }
        self.muted_until
    }

    /// Adds the faults of every field.
    pub fn check(&self, now_ms: i64, faults: &mut Faults) {
        let until = self.muted_until.filter(|_| self.unmute != Some(true));
        let is_sane = until.is_none_or(|until| until == -1 || until > now_ms);
        faults.check(is_sane, "mutedUntil", || {
            "must be in the future, or -1 for ever".to_owned()
        });
        let seconds = self.disappearing_seconds;
        let is_offered = seconds.is_none_or(|seconds| limits::DISAPPEARING.contains(&seconds));
        faults.check(is_offered, "disappearingSeconds", || {
            "must be 0, 86400, 604800 or 7776000".to_owned()
        });
    }

    /// Whether it changes nothing about how the account keeps the chat.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.archived.is_none() && self.pinned.is_none() && self.mute().is_none()
    }
}

/// The body of `readChat`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ReadChatInputBody)]
pub struct ReadChatInput {
    /// Whether the senders are told on WhatsApp that their messages were read.
    #[serde(default)]
    pub receipt: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(input: &UpdateChatInput) -> bool {
        let mut faults = Faults::new();
        input.check(1_000, &mut faults);
        faults.into_result().is_err()
    }

    #[test]
    fn muting_is_for_the_future_and_unmuting_wins() {
        for (muted_until, unmute, expected) in [
            (None, None, Ok(None)),
            (Some(-1), None, Ok(Some(-1))),
            (Some(1_001), Some(false), Ok(Some(1_001))),
            (Some(1_000), None, Err(())),
            (Some(0), None, Err(())),
            (Some(1), Some(true), Ok(Some(0))),
            (None, Some(true), Ok(Some(0))),
        ] {
            let input = UpdateChatInput {
                muted_until,
                unmute,
                ..UpdateChatInput::default()
            };
            let outcome = if faults(&input) {
                Err(())
            } else {
                Ok(input.mute())
            };
            assert_eq!(outcome, expected, "{input:?}");
            assert_eq!(input.is_empty(), input.mute().is_none());
        }
    }
}
