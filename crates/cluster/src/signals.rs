//! Wake-ups and live copies: what may get lost without losing anything.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wagate_model::{ApiKeyId, EventId, EventKind, OrganizationId, SessionId, UserId};

/// What a subscriber listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Live copies of an organization's events.
    Events(OrganizationId),
    /// Live copies of the events of every organization.
    AllEvents,
    /// Webhook deliveries became due.
    Deliveries,
    /// Sessions wait for an owner.
    Sessions,
    /// Credentials were revoked.
    Credentials,
}

/// A live copy of a committed event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventCopy {
    /// The event's id.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// The session.
    pub session_id: SessionId,
    /// The envelope, exactly as every other copy of it.
    pub json: Arc<str>,
}

/// A wake-up or a live copy.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "with")]
pub enum Signal {
    /// Events of an organization were committed, in this order.
    Events {
        /// The organization.
        organization_id: OrganizationId,
        /// The events.
        events: Arc<Vec<EventCopy>>,
    },
    /// Webhook deliveries became due.
    DeliveriesDue,
    /// Sessions wait for an owner.
    SessionsWanted,
    /// What a user may do has changed: forget what is cached, look at the user's sockets again.
    UserChanged {
        /// Who.
        user_id: UserId,
    },
    /// An API key was revoked or changed: forget what is cached, close its sockets.
    KeyRevoked {
        /// Which one.
        key_id: ApiKeyId,
    },
}

impl Signal {
    /// Where the signal belongs.
    #[must_use]
    pub const fn topic(&self) -> Topic {
        match self {
            Self::Events {
                organization_id, ..
            } => Topic::Events(*organization_id),
            Self::DeliveriesDue => Topic::Deliveries,
            Self::SessionsWanted => Topic::Sessions,
            Self::KeyRevoked { .. } | Self::UserChanged { .. } => Topic::Credentials,
        }
    }
}

/// Signals were missed: read the store again, then go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("signals were missed")]
pub struct Lagged;
