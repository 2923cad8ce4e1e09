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
            Self::List => "list_channels",
            Self::Get { .. } => "get_channel",
            Self::Follow { .. } => "follow_channel",
            Self::Unfollow { .. } => "unfollow_channel",
            Self::Mute { .. } => "mute_channel",
        }
    }

    pub(super) const fn is_repeatable(&self) -> bool {
        match self {
            Self::Create { .. } => false,
            Self::List
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
