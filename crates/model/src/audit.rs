//! The audit log: who did what to which resource, and when.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{AuditId, OrganizationId};

/// What kind of caller did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A person who signed in here, or is about to.
    User,
    /// Somebody whom another issuer of tokens vouches for.
    ExternalUser,
    /// A program, by its API key.
    ApiKey,
    /// Whoever has the command line of the server.
    Operator,
}

impl ActorKind {
    const ALL: [Self; 4] = [Self::User, Self::ExternalUser, Self::ApiKey, Self::Operator];

    /// The name used on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ExternalUser => "external_user",
            Self::ApiKey => "api_key",
            Self::Operator => "operator",
        }
    }
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditActor)]
pub struct Actor {
    /// The caller's id: a user's, a key's, or a name given by another issuer.
    pub id: String,
    /// What kind of caller.
    pub kind: ActorKind,
    /// What the caller was called then.
    pub name: String,
}

impl Actor {
    /// Whoever has the command line of the server.
    #[must_use]
    pub fn operator() -> Self {
        Self {
            kind: ActorKind::Operator,
            id: "command-line".into(),
            name: "command line".into(),
        }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What was done, as a closed set: the resource's kind and the deed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum AuditAction {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl AuditAction {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name used on the wire and in the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

actions! {
    /// An API key was made.
    ApiKeyCreated = "api_key.created",
    /// An API key was revoked.
    ApiKeyRevoked = "api_key.revoked",
    /// Somebody was invited.
    InvitationCreated = "invitation.created",
    /// An invitation was taken back.
    InvitationRevoked = "invitation.revoked",
    /// Somebody joined.
    MemberJoined = "member.joined",
    /// Somebody left by themselves.
    MemberLeft = "member.left",
    /// Somebody was removed.
    MemberRemoved = "member.removed",
    /// Somebody's role was changed.
    MemberRoleChanged = "member.role_changed",
    /// An organization was made.
    OrganizationCreated = "organization.created",
    /// An organization was deleted with its data.
    OrganizationDeleted = "organization.deleted",
    /// An organization got another name.
    OrganizationRenamed = "organization.renamed",
    /// The ownership went to another member.
    OwnershipTransferred = "organization.ownership_transferred",
    /// A session was made.
    SessionCreated = "session.created",
    /// A session was deleted with its data.
    SessionDeleted = "session.deleted",
    /// A session was logged out of WhatsApp.
    SessionLoggedOut = "session.logged_out",
    /// A pairing code was asked for.
    SessionPairingCodeRequested = "session.pairing_code_requested",
    /// A session was stopped and started.
    SessionRestarted = "session.restarted",
    /// A session was started.
    SessionStarted = "session.started",
    /// A session was stopped.
    SessionStopped = "session.stopped",
    /// Settings of a session were changed.
    SessionUpdated = "session.updated",
    /// A bucket was made known.
    StorageBucketCreated = "storage_bucket.created",
    /// A bucket was forgotten.
    StorageBucketDeleted = "storage_bucket.deleted",
    /// A bucket's settings were changed.
    StorageBucketUpdated = "storage_bucket.updated",
    /// A user was banned.
    UserBanned = "user.banned",
    /// An account was made.
    UserCreated = "user.created",
    /// A password was changed by its owner.
    UserPasswordChanged = "user.password_changed",
    /// A password was set by a one-time link.
    UserPasswordReset = "user.password_reset",
    /// A one-time link for a new password was made for somebody.
    UserPasswordResetIssued = "user.password_reset_issued",
    /// An account of a provider signs in as a user from now on.
    UserProviderLinked = "user.provider_linked",
    /// A person changed what they are called.
    UserRenamed = "user.renamed",
    /// What a user may do beyond organizations was changed.
    UserRoleChanged = "user.role_changed",
    /// A second factor was switched off.
    UserTotpDisabled = "user.totp_disabled",
    /// A second factor was switched on.
    UserTotpEnabled = "user.totp_enabled",
    /// A ban ended.
    UserUnbanned = "user.unbanned",
    /// A webhook was made.
    WebhookCreated = "webhook.created",
    /// A webhook was deleted.
    WebhookDeleted = "webhook.deleted",
    /// A delivery was queued once more.
    WebhookDeliveryReplayed = "webhook.delivery_replayed",
    /// Events of a time range were queued for a webhook once more.
    WebhookReplayed = "webhook.replayed",
    /// A webhook's signing secret was read.
    WebhookSecretRead = "webhook.secret_read",
    /// A webhook got a new secret, beside which the old one stays valid for a while.
    WebhookSecretRotated = "webhook.secret_rotated",
    /// A webhook was changed.
    WebhookUpdated = "webhook.updated",
}

impl utoipa::PartialSchema for AuditAction {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some("What was done: the resource's kind and the deed."))
            .enum_values(Some(Self::ALL.iter().map(|action| action.as_str())))
            .into()
    }
}

impl ToSchema for AuditAction {}

/// The text names none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a known name")]
pub struct UnknownAuditName;

macro_rules! named {
    ($($name:ident),*) => {
        $(
            impl FromStr for $name {
                type Err = UnknownAuditName;

                fn from_str(text: &str) -> Result<Self, UnknownAuditName> {
                    let mut all = Self::ALL.iter().copied();
                    all.find(|value| value.as_str() == text).ok_or(UnknownAuditName)
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(self.as_str())
                }
            }
        )*
    };
}

named!(ActorKind, AuditAction);

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// What.
    pub action: AuditAction,
    /// Who.
    pub actor: Actor,
    /// When, in milliseconds since 1970.
    pub created_at: i64,
    /// More: names of changed settings, roles. Never secrets, numbers or texts of messages.
    #[schema(value_type = Object)]
    pub details: Map<String, Value>,
    /// The id; sorts by time.
    pub id: AuditId,
    /// Whose log; absent for what concerns the whole installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<OrganizationId>,
    /// The id of what it was done to.
    pub resource_id: String,
}

/// One page of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListAuditEntry {
    /// The lines, newest first.
    pub data: Vec<AuditEntry>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for action in AuditAction::ALL {
            assert_eq!(action.as_str().parse(), Ok(*action));
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
        }
        for kind in ActorKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert!("session".parse::<AuditAction>().is_err());
    }
}
