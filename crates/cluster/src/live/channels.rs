//! Channels: making and following them.

use serde::{Deserialize, Serialize};
use wagate_model::{Channel, Jid};

/// About channels.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do", content = "with")]
pub enum ChannelRequest {
    /// Make one, which the account owns.
    Create {
        /// Its name.
        name: String,
        /// What it is about.
        description: Option<String>,
    },
    /// Change one of the account's own; what is absent stays.
    Update {
        /// The channel.
        channel: Jid,
        /// Its name.
        name: Option<String>,
        /// What it is about; empty for nothing.
        description: Option<String>,
        /// The picture as JPEG in base64; empty to remove it.
        picture: Option<String>,
    },
    /// Delete one of the account's own.
    Delete {
        /// The channel.
        channel: Jid,
    },
    /// The channels that the account follows.
    List,
    /// What WhatsApp shows of one.
    Get {
        /// The channel.
        channel: Jid,
    },
    /// Follow one.
    Follow {
        /// The channel.
        channel: Jid,
    },
    /// No longer follow one.
    Unfollow {
        /// The channel.
        channel: Jid,
    },
    /// Mute or unmute one.
    Mute {
        /// The channel.
        channel: Jid,
        /// Whether to mute.
        is_muted: bool,
    },
}

impl ChannelRequest {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create_channel",
            Self::Update { .. } => "update_channel",
            Self::Delete { .. } => "delete_channel",
            Self::List => "list_channels",
            Self::Get { .. } => "get_channel",
            Self::Follow { .. } => "follow_channel",
            Self::Unfollow { .. } => "unfollow_channel",
            Self::Mute { .. } => "mute_channel",
        }
    }

    pub(super) const fn is_repeatable(&self) -> bool {
        match self {
            // The second time makes another one, or finds none.
            Self::Create { .. } | Self::Delete { .. } => false,
            Self::List
            | Self::Update { .. }
            | Self::Get { .. }
            | Self::Follow { .. }
            | Self::Unfollow { .. }
            | Self::Mute { .. } => true,
        }
    }
}

/// What came of a [`ChannelRequest`].
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "with")]
pub enum ChannelReply {
    /// The channel that was made or asked for.
    Channel(Box<Channel>),
    /// The channels that the account follows.
    Channels(Vec<Channel>),
}
