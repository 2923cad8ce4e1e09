//! What a caller may do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One permission of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Read stored chats, contacts, groups and messages.
    Read,
    /// Act on WhatsApp: send, react, change.
    Send,
    /// Manage sessions and webhooks.
    Manage,
    /// Open realtime sockets and pull events.
    Events,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 4] = [Self::Read, Self::Send, Self::Manage, Self::Events];

    /// The name used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Send => "send",
            Self::Manage => "manage",
            Self::Events => "events",
        }
    }

    const fn bit(self) -> i64 {
        1 << self as i64
    }
}

impl std::str::FromStr for Capability {
    type Err = UnknownCapability;

    fn from_str(text: &str) -> Result<Self, UnknownCapability> {
        Self::ALL
            .into_iter()
            .find(|capability| capability.as_str() == text)
            .ok_or(UnknownCapability)
    }
}

/// The text names no capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected one of: read, send, manage, events")]
pub struct UnknownCapability;

/// A set of capabilities, stored as a bit mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(i64);

impl Capabilities {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// Every capability.
    #[must_use]
    pub fn all() -> Self {
        Capability::ALL.into_iter().collect()
    }

    /// Whether the set holds a capability.
    #[must_use]
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & capability.bit() != 0
    }

    /// The members, in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |c| self.has(*c))
    }

    /// The bit mask for storage.
    #[must_use]
    pub const fn bits(self) -> i64 {
        self.0
    }

    /// The set of a stored bit mask; unknown bits are dropped.
    #[must_use]
    pub fn from_bits(bits: i64) -> Self {
        Self(bits & Self::all().0)
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        Self(capabilities.into_iter().fold(0, |bits, c| bits | c.bit()))
    }
}
