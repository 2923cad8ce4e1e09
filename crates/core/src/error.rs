//! How use cases fail, in the words of the public API.

use serde_json::{Map, Value};
use wagate_cluster::{BusError, PlacementError};
use wagate_identity::{IdentityError, Refusal};
use wagate_model::{Faults, SessionStatus, StatusDetail, StatusReason};
use wagate_store::StoreError;

/// Seconds after which a caller may try again when a gateway or the database is away.
const RETRY_AFTER_SECONDS: i64 = 2;

/// What was not found; a foreign one is not found either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// A session.
    Session,
    /// A stored chat.
    Chat,
    /// A channel.
    Channel,
    /// A person.
    Contact,
    /// A stored group.
    Group,
    /// A community.
    Community,
    /// A member of a group.
    GroupMember,
    /// A profile picture.
    Picture,
    /// A call that rings.
    Call,
    /// A label.
    Label,
    /// A stored message.
    Message,
    /// A message that waits for its time.
    ScheduledMessage,
    /// A webhook.
    Webhook,
    /// A delivery of a webhook.
    Delivery,
    /// A QR code to show: pairing has begun, and the code comes soon.
    QrCode,
    /// The account of a session: no phone is attached.
    Account,
    /// An organization.
    Organization,
    /// A member of an organization.
    Member,
    /// An invitation.
    Invitation,
    /// An API key.
    ApiKey,
    /// A user.
    User,
    /// A browser that is signed in.
    Login,
    /// What a live request is about.
    Target,
    /// A message's file.
    Media,
    /// A bucket.
    Bucket,
    /// A job that pulls contacts and groups again.
    Backfill,
}

impl What {
    const fn sentence(self) -> &'static str {
        match self {
            Self::Session => "There is no such session.",
            Self::Chat => "There is no such chat.",
            Self::Channel => "There is no such channel.",
            Self::Contact => "There is no such contact.",
            Self::Group => "There is no such group.",
            Self::Community => "There is no such community.",
            Self::GroupMember => "There is no such member of the group.",
            Self::Picture => "There is no picture, or it is not shown to this account.",
            Self::Call => "There is no such call.",
            Self::Label => "There is no such label.",
            Self::Message => "There is no such message in this chat.",
            Self::ScheduledMessage => "No such message waits for its time.",
            Self::Webhook => "There is no such webhook.",
            Self::Delivery => "There is no such delivery.",
            Self::QrCode => "No QR code is ready yet; pairing has begun, ask again in a moment.",
            Self::Account => "No phone is attached to the session.",
            Self::Organization => "There is no such organization.",
            Self::Member => "There is no such member.",
            Self::Invitation => "There is no such invitation.",
            Self::ApiKey => "There is no such API key.",
            Self::User => "There is no such user.",
            Self::Login => "There is no such login.",
            Self::Target => "WhatsApp knows no such thing.",
            Self::Media => "There is no such file.",
            Self::Bucket => "There is no such bucket.",
            Self::Backfill => "No such job has run since the gateway started.",
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
    /// The organization would have no owner.
    LastOwner,
    /// The person is a member already.
    AlreadyMember,
    /// A second factor is on already.
    SecondFactorOn,
    /// There is no second factor, or none was offered.
    SecondFactorOff,
    /// The address has an account: its owner has to sign in to accept.
    SignInFirst,
    /// The address has an account already.
    EmailTaken,
    /// A session keeps its files in the bucket, or there are files in it.
    BucketInUse,
    /// The file was kept as long as it should be, or WhatsApp no longer has it.
    MediaExpired,
    /// The file cannot be had.
    MediaFailed,
    /// A job of the same kind runs already.
    BackfillRunning,
    /// The account has as many labels as official clients let it have.
    TooManyLabels,
    /// The account's own message was never sent, or is not sent yet.
    MessageNotSent,
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
            Self::LastOwner => "last_owner",
            Self::AlreadyMember => "already_member",
            Self::SecondFactorOn => "second_factor_on",
            Self::SecondFactorOff => "second_factor_off",
            Self::SignInFirst => "sign_in_first",
            Self::EmailTaken => "email_taken",
            Self::BucketInUse => "bucket_in_use",
            Self::MediaExpired => "media_expired",
            Self::MediaFailed => "media_failed",
            Self::BackfillRunning => "backfill_running",
            Self::TooManyLabels => "too_many_labels",
            Self::MessageNotSent => "message_not_sent",
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
            Self::LastOwner => {
                "The organization would have no owner; transfer the ownership first."
            }
            Self::AlreadyMember => "The person is a member already.",
            Self::SecondFactorOn => "A second factor is on already; switch it off first.",
            Self::SecondFactorOff => "There is no second factor.",
            Self::SignInFirst => "The address has an account; sign in to accept.",
            Self::EmailTaken => "The address has an account already.",
            Self::BucketInUse => {
                "Sessions keep their files in the bucket, or there are files in it."
            }
            Self::MediaExpired => "The file is no longer kept, or WhatsApp no longer has it.",
            Self::BackfillRunning => "Such a job runs for the session already.",
            Self::TooManyLabels => "The account has as many labels as WhatsApp lets it have.",
            Self::MediaFailed => "The file cannot be had from WhatsApp.",
            Self::MessageNotSent => "The message was not sent, so that nobody has it.",
        }
    }
}

/// Why nobody was signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoginRefusal {
    /// No such account, a wrong password, a ban, an address that is not confirmed: told alike.
    WrongCredentials,
    /// The password is right, and a code of the second factor is needed.
    SecondFactorRequired,
    /// The password is right, and the code is not.
    WrongSecondFactor,
}

impl LoginRefusal {
    /// The name in `details.reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WrongCredentials => "wrong_credentials",
            Self::SecondFactorRequired => "second_factor_required",
            Self::WrongSecondFactor => "wrong_second_factor",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::WrongCredentials => {
                "The e-mail address or the password is wrong, or the address is not confirmed yet."
            }
            Self::SecondFactorRequired => "A code of the second factor is required.",
            Self::WrongSecondFactor => {
                "The code of the second factor is wrong or was used already."
            }
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
    /// WhatsApp does not let the session's account do it.
    #[error("WhatsApp does not permit this to the session's account; in groups it takes an admin.")]
    ForbiddenByWhatsApp,
    /// There is no valid credential.
    #[error("A valid credential is required.")]
    Unauthorized,
    /// Nobody was signed in.
    #[error("{}", .0.sentence())]
    LoginRefused(LoginRefusal),
    /// Too much in too little time.
    #[error("Too many requests; try again later.")]
    RateLimited {
        /// When to try again, in seconds.
        retry_after_seconds: i64,
    },
    /// As many files are taken in as the memory and the processor are for, or as the
    /// organization's share of them is.
    #[error("Too many files are being taken in; try again later.")]
    TooManyFiles,
    /// WhatsApp lets the account begin no new chats for now.
    #[error("WhatsApp lets the session's account begin no new chats for now.")]
    ReachoutRestricted {
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

    /// Says what it is that a gateway did not find.
    pub(crate) fn about(self, what: What) -> Self {
        match self {
            Self::NotFound(What::Target) => Self::NotFound(what),
            other => other,
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

impl From<IdentityError> for Error {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Invalid(faults) => Self::Invalid(faults),
            IdentityError::Refused(refusal) => refusal.into(),
            IdentityError::TooManyFailures {
                retry_after_seconds,
            } => Self::RateLimited {
                retry_after_seconds,
            },
            IdentityError::Busy => Self::RateLimited {
                retry_after_seconds: RETRY_AFTER_SECONDS,
            },
            IdentityError::Store(error) => error.into(),
            IdentityError::SharedStore(error) => {
                tracing::warn!(%error, "the database did not answer");
                Self::unavailable()
            }
            error @ (IdentityError::NotFound | IdentityError::Internal(_)) => Self::internal(error),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let refused = Self::LoginRefused;
        match refusal {
            Refusal::SignUpClosed | Refusal::OwnersOnly | Refusal::OperatorOnly => Self::Forbidden,
            Refusal::WrongCredentials => refused(LoginRefusal::WrongCredentials),
            Refusal::SecondFactorRequired => refused(LoginRefusal::SecondFactorRequired),
            Refusal::WrongSecondFactor => refused(LoginRefusal::WrongSecondFactor),
            Refusal::LastOwner => Self::conflict(Reason::LastOwner),
            Refusal::AlreadyMember => Self::conflict(Reason::AlreadyMember),
            Refusal::SecondFactorOn => Self::conflict(Reason::SecondFactorOn),
            Refusal::SecondFactorOff => Self::conflict(Reason::SecondFactorOff),
            Refusal::SignInFirst => Self::conflict(Reason::SignInFirst),
            Refusal::LimitReached => Self::conflict(Reason::LimitReached),
            Refusal::EmailTaken => Self::conflict(Reason::EmailTaken),
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
