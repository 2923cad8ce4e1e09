//! How use cases fail, in the words of the public API.

use serde_json::{Map, Value};
use wagate_cluster::{BusError, PlacementError};
use wagate_model::{Faults, SessionStatus, StatusDetail, StatusReason};
use wagate_store::StoreError;

/// Seconds after which a caller may try again when a gateway or the database is away.
const RETRY_AFTER_SECONDS: i64 = 2;

/// What was not found; a foreign one is not found either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// An organization.
    Organization,
    /// A session.
    Session,
    /// A stored chat.
    Chat,
    /// A webhook.
    Webhook,
    /// A delivery of a webhook.
    Delivery,
    /// A QR code to show: pairing has begun, and the code comes soon.
    QrCode,
    /// The account of a session: no phone is attached.
    Account,
}

impl What {
    const fn sentence(self) -> &'static str {
        match self {
            Self::Organization => "There is no such organization.",
            Self::Session => "There is no such session.",
            Self::Chat => "There is no such chat.",
            Self::Webhook => "There is no such webhook.",
            Self::Delivery => "There is no such delivery.",
            Self::QrCode => "No QR code is ready yet; pairing has begun, ask again in a moment.",
            Self::Account => "No phone is attached to the session.",
        }
    }
}

/// Why the state does not allow it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The session has a phone already.
    AlreadyPaired,
    /// The `Idempotency-Key` was used with another request.
    IdempotencyKeyReused,
    /// WhatsApp refused.
    RejectedByWhatsApp,
    /// The organization has as many as it may.
    LimitReached,
}

impl Reason {
    /// The name in `details.reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AlreadyPaired => "already_paired",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::RejectedByWhatsApp => "rejected_by_whatsapp",
            Self::LimitReached => "limit_reached",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::AlreadyPaired => "The session is paired already; log it out first.",
            Self::IdempotencyKeyReused => {
                "The Idempotency-Key was used with another request before."
            }
            Self::RejectedByWhatsApp => "WhatsApp refused the request.",
            Self::LimitReached => "The organization has as many of these as it may have.",
        }
    }
}

/// Why a use case failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not there, or not the caller's.
    #[error("{}", .0.sentence())]
    NotFound(What),
    /// The state does not allow it now.
    #[error("{}", .reason.sentence())]
    Conflict {
        /// Why.
        reason: Reason,
        /// More facts, for `details`.
        details: Map<String, Value>,
    },
    /// The request is malformed.
    #[error("The request is not valid.")]
    Invalid(Faults),
    /// The caller lacks a capability.
    #[error("The credential does not permit this.")]
    Forbidden,
    /// There is no valid credential.
    #[error("A valid credential is required.")]
    Unauthorized,
    /// Too much in too little time.
    #[error("Too many requests; try again later.")]
    RateLimited {
        /// When to try again, in seconds.
        retry_after_seconds: i64,
    },
    /// It needs WhatsApp, and the session is not connected.
    #[error("The session is not connected to WhatsApp.")]
    NotConnected {
        /// Where the session stands.
        status: SessionStatus,
        /// Why, where there is more to say.
        reason: Option<StatusReason>,
        /// What WhatsApp said about it.
        detail: Option<StatusDetail>,
    },
    /// The gateway that owns the session, or the database, cannot be reached.
    #[error("The gateway cannot be reached now; try again.")]
    GatewayUnavailable {
        /// When to try again, in seconds.
        retry_after_seconds: i64,
    },
    /// A defect, or a fault of the installation.
    #[error("Something went wrong on our side.")]
    Internal(#[source] anyhow::Error),
}

/// The result of a use case.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) const fn unavailable() -> Self {
        Self::GatewayUnavailable {
            retry_after_seconds: RETRY_AFTER_SECONDS,
        }
    }

    pub(crate) fn conflict(reason: Reason) -> Self {
        Self::Conflict {
            reason,
            details: Map::new(),
        }
    }

    pub(crate) fn internal(error: impl Into<anyhow::Error>) -> Self {
        Self::Internal(error.into())
    }
}

impl From<Faults> for Error {
    fn from(faults: Faults) -> Self {
        Self::Invalid(faults)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_)
            | StoreError::NotCommitted(_)
            | StoreError::Conflicted(_)
            | StoreError::Closed => {
                tracing::warn!(%error, "the database did not answer");
                Self::unavailable()
            }
            // The caller's own: what a credential was for is gone, and it with it.
            StoreError::NoOrganization => Self::Unauthorized,
            error => Self::internal(error),
        }
    }
}

impl From<PlacementError> for Error {
    fn from(error: PlacementError) -> Self {
        match error {
            PlacementError::NobodyAlive => Self::unavailable(),
            PlacementError::Store(error) => error.into(),
        }
    }
}

impl From<BusError> for Error {
    fn from(error: BusError) -> Self {
        if let BusError::Nats(_) = &error {
            tracing::warn!(%error, "the bus did not do its part");
        }
        Self::unavailable()
    }
}
