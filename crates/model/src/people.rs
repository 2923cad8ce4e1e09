//! People: users, their roles, and what a signed-in person is recognized by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Capabilities, Capability, InvitationId, LoginId, OrganizationId, UserId, hide_contents,
};

/// What a member may do in an organization.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads, sends and listens.
    Member,
    /// Everything but what changes owners or ends the organization.
    Admin,
    /// Everything.
    Owner,
}

impl Role {
    /// Every role, from the weakest.
    pub const ALL: [Self; 3] = [Self::Member, Self::Admin, Self::Owner];

    /// The name used on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// What a person of this role may do with the organization's data.
    #[must_use]
    pub fn capabilities(self) -> Capabilities {
        match self {
            Self::Member => [Capability::Read, Capability::Send, Capability::Events]
                .into_iter()
                .collect(),
            Self::Admin | Self::Owner => Capabilities::all(),
        }
    }
}

/// The text names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected one of: owner, admin, member")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let mut all = Self::ALL.into_iter();
        all.find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a user may do beyond organizations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlatformRole {
    /// Nothing.
    #[default]
    User,
    /// Operates the installation: reaches every organization.
    SuperAdmin,
}

impl PlatformRole {
    /// The name used on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::SuperAdmin => "super_admin",
        }
    }
}

impl FromStr for PlatformRole {
    type Err = UnknownPlatformRole;

    fn from_str(text: &str) -> Result<Self, UnknownPlatformRole> {
        match text {
            "user" => Ok(Self::User),
            "super_admin" => Ok(Self::SuperAdmin),
            _ => Err(UnknownPlatformRole),
        }
    }
}

impl fmt::Display for PlatformRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no platform role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected user or super_admin")]
pub struct UnknownPlatformRole;

/// The text is not an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address such as name@example.com, in ASCII")]
pub struct EmailError;

/// An e-mail address, in lower case: what an account is found by.
///
/// The domain of an internationalized address is in Punycode. Of what RFC 5321 allows, quoted
/// local parts and address literals are refused: nobody has them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Email(String);

impl Email {
    /// Longest address, in characters (RFC 5321, 4.5.3.1.3, without the brackets).
    pub const MAX_CHARS: usize = 254;

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Email {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, EmailError> {
        let text = text.trim_matches(' ');
        if text.len() > Self::MAX_CHARS {
            return Err(EmailError);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(EmailError)?;
        let is_atom = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
        };
        let is_label = |part: &str| {
            (1..=63).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !part.starts_with('-')
                && !part.ends_with('-')
        };
        let is_address =
            local.len() <= 64 && local.split('.').all(is_atom) && domain.split('.').all(is_label);
        if is_address {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(EmailError)
        }
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// Logs show nobody's address.
hide_contents!(Email);

/// A person who can sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// What the account is found by.
    pub email: Email,
    /// What the person is called.
    pub name: String,
    /// What the user may do beyond organizations.
    pub platform_role: PlatformRole,
    /// Whether the address is known to be the person's.
    pub is_email_confirmed: bool,
    /// Whether there is a password; without one, another provider vouches for the person.
    pub has_password: bool,
    /// Whether signing in takes a second factor.
    pub has_totp: bool,
    /// Since when the user may not sign in, in milliseconds since 1970.
    pub banned_at: Option<i64>,
    /// Why.
    pub ban_reason: Option<String>,
    /// When the account was made, in milliseconds since 1970.
    pub created_at: i64,
    /// When the user last signed in, in milliseconds since 1970.
    pub last_login_at: Option<i64>,
}

/// A user in an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub user_id: UserId,
    /// What the user is called.
    pub name: String,
    /// The user's address.
    pub email: Email,
    /// What the user may do.
    pub role: Role,
    /// When the user came, in milliseconds since 1970.
    pub joined_at: i64,
}

/// A place in an organization that waits for the owner of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The id.
    pub id: InvitationId,
    /// Where to.
    pub organization_id: OrganizationId,
    /// Whom.
    pub email: Email,
    /// As what.
    pub role: Role,
    /// Who invited: an actor's name.
    pub invited_by: String,
    /// When, in milliseconds since 1970.
    pub created_at: i64,
    /// Until when it can be accepted, in milliseconds since 1970.
    pub expires_at: i64,
}

/// Who a login token speaks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Subject {
    /// A user of this installation, signed in here.
    User {
        /// The user.
        user_id: UserId,
        /// The login that the token was made from: it ends with it.
        login_id: LoginId,
    },
    /// Somebody whom another issuer vouches for, until the token expires.
    Foreign {
        /// The issuer's name in its tokens.
        issuer: String,
        /// The person's name in its tokens.
        subject: String,
        /// When the token expires, in milliseconds since 1970.
        expires_at: i64,
    },
}

/// Who calls, by login: what the person may do in the active organization, and beyond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonPrincipal {
    /// Who.
    pub subject: Subject,
    /// What the person is called; for people, not for decisions.
    pub name: String,
    /// The organization that is active, where the person is in one.
    pub organization_id: Option<OrganizationId>,
    /// The role there.
    pub role: Option<Role>,
    /// The role beyond organizations.
    pub platform_role: PlatformRole,
}

impl PersonPrincipal {
    /// Whether the person operates the installation.
    #[must_use]
    pub fn is_super_admin(&self) -> bool {
        self.platform_role == PlatformRole::SuperAdmin
    }

    /// What the person may do with the data of the active organization.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        if self.is_super_admin() {
            Capabilities::all()
        } else {
            self.role.map_or(Capabilities::NONE, Role::capabilities)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_found_whatever_their_case() {
        let email: Email = " Ann.O'Neil+x@Example.COM ".parse().unwrap();
        assert_eq!(email.as_str(), "ann.o'neil+x@example.com");
        assert_eq!(format!("{email:?}"), "Email(…)");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("a@{}.example", "b".repeat(250));
        for text in [
            "", "a", "@", "a@", "@b", "a@b@", "a b@c", "a@b c", "a@-b", "a@b..c", ".a@b", "a.@b",
            "ä@b", "a@ä", "a\n@b", "a@b\n", "a\0@b", "\"a\"@b", "a@[::1]", &long,
        ] {
            assert!(text.parse::<Email>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn roles_have_the_capabilities_of_the_contract() {
        assert!(!Role::Member.capabilities().has(Capability::Manage));
        assert!(Role::Member.capabilities().has(Capability::Events));
        assert_eq!(Role::Admin.capabilities(), Capabilities::all());
        assert_eq!(Role::Owner.capabilities(), Capabilities::all());
        assert!(Role::Owner > Role::Admin && Role::Admin > Role::Member);
    }

    proptest! {
        #[test]
        fn an_address_is_its_own_normal_form(
            text in "\\PC{0,40}|[a-zA-Z.+_-]{1,9}@[a-zA-Z0-9.-]{1,12}",
        ) {
            if let Ok(email) = text.parse::<Email>() {
                prop_assert_eq!(email.as_str().parse::<Email>(), Ok(email.clone()));
                prop_assert!(email.as_str().is_ascii());
            }
        }
    }
}
