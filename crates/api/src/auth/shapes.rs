//! What people, organizations and keys look like on the wire.

use serde::Serialize;
use utoipa::ToSchema;
use wagate_core::{CurrentLogin, LoginRecord};
use wagate_model::{
    Capability, Invitation, InvitationId, LoginId, Member, Organization, OrganizationId,
    PlatformRole, Role, SessionId, User, UserId,
};

/// A person's account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserAccount {
    /// Why the person may not sign in.
    #[serde(skip_serializing_if = "Option::is_none")]
    ban_reason: Option<String>,
    /// Since when the person may not sign in, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    banned_at: Option<i64>,
    /// When it was made, in milliseconds since 1970.
    created_at: i64,
    /// What it is found by.
    #[schema(value_type = String)]
    email: String,
    /// Whether the address is known to be the person's.
    email_confirmed: bool,
    /// The id.
    id: UserId,
    /// When the person last signed in, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_login_at: Option<i64>,
    /// What the person is called.
    name: String,
    /// Whether there is a password, or another provider vouches for the person.
    password_set: bool,
    /// What the person may do beyond organizations.
    platform_role: PlatformRole,
    /// Whether signing in takes a second factor.
    second_factor: bool,
}

impl From<User> for UserAccount {
    fn from(user: User) -> Self {
        Self {
            ban_reason: user.ban_reason,
            banned_at: user.banned_at,
            created_at: user.created_at,
            email: user.email.to_string(),
            email_confirmed: user.is_email_confirmed,
            id: user.id,
            last_login_at: user.last_login_at,
            name: user.name,
            password_set: user.has_password,
            platform_role: user.platform_role,
            second_factor: user.has_totp,
        }
    }
}

/// An organization, and what the person is there.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrganizationMembership {
    /// When it was made, in milliseconds since 1970.
    created_at: i64,
    /// The id.
    id: OrganizationId,
    /// What people call it.
    name: String,
    /// What the person is there.
    role: Role,
}

impl From<(Organization, Role)> for OrganizationMembership {
    fn from((organization, role): (Organization, Role)) -> Self {
        Self {
            created_at: organization.created_at,
            id: organization.id,
            name: organization.name,
            role,
        }
    }
}

/// Who is signed in with this browser.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoginState {
    /// The organization that the person works in now.
    #[serde(skip_serializing_if = "Option::is_none")]
    active_organization_id: Option<OrganizationId>,
    /// When the login ends unless it is used, in milliseconds since 1970.
    expires_at: i64,
    /// The login.
    id: LoginId,
    /// The organizations that the person is in.
    organizations: Vec<OrganizationMembership>,
    /// Who.
    user: UserAccount,
}

impl From<CurrentLogin> for LoginState {
    fn from(login: CurrentLogin) -> Self {
        Self {
            active_organization_id: login.principal.organization_id,
            expires_at: login.record.expires_at,
            id: login.record.id,
            organizations: login.memberships.into_iter().map(Into::into).collect(),
            user: login.user.into(),
        }
    }
}

/// A browser that the person is signed in with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoginEntry {
    /// When the person signed in, in milliseconds since 1970.
    created_at: i64,
    /// Whether it is the one that asks.
    current: bool,
    /// When it ends unless it is used, in milliseconds since 1970.
    expires_at: i64,
    /// The id.
    id: LoginId,
    /// When it was last used (to the hour), in milliseconds since 1970.
    last_used_at: i64,
    /// What the browser says that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
}

impl LoginEntry {
    pub(super) fn of(record: LoginRecord, current: LoginId) -> Self {
        Self {
            created_at: record.created_at,
            current: record.id == current,
            expires_at: record.expires_at,
            id: record.id,
            last_used_at: record.last_used_at,
            user_agent: record.user_agent,
        }
    }
}

/// A member of an organization.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrganizationMember {
    /// The member's address.
    #[schema(value_type = String)]
    email: String,
    /// When the member came, in milliseconds since 1970.
    joined_at: i64,
    /// What the member is called.
    name: String,
    /// What the member may do.
    role: Role,
    /// Who.
    user_id: UserId,
}

impl From<Member> for OrganizationMember {
    fn from(member: Member) -> Self {
        Self {
            email: member.email.to_string(),
            joined_at: member.joined_at,
            name: member.name,
            role: member.role,
            user_id: member.user_id,
        }
    }
}

/// A place that waits for the owner of an address.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrganizationInvitation {
    /// When it was made, in milliseconds since 1970.
    created_at: i64,
    /// Whom.
    #[schema(value_type = String)]
    email: String,
    /// Until when it can be accepted, in milliseconds since 1970.
    expires_at: i64,
    /// The id.
    id: InvitationId,
    /// What the inviter was called.
    invited_by: String,
    /// The link to hand over; only in the answer that made it, and only where no mail goes out.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    /// Where to.
    organization_id: OrganizationId,
    /// As what.
    role: Role,
}

impl OrganizationInvitation {
    pub(super) fn of(invitation: Invitation, link: Option<String>) -> Self {
        Self {
            created_at: invitation.created_at,
            email: invitation.email.to_string(),
            expires_at: invitation.expires_at,
            id: invitation.id,
            invited_by: invitation.invited_by,
            link,
            organization_id: invitation.organization_id,
            role: invitation.role,
        }
    }
}

/// An API key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiKeyEntry {
    /// When it was made, in milliseconds since 1970.
    created_at: i64,
    /// When it stops working, in milliseconds since 1970; never where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    /// The id.
    id: wagate_model::ApiKeyId,
    /// The key itself; only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// When it was last used (to the minute), in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<i64>,
    /// What it is for.
    name: String,
    /// What it may do.
    permissions: Vec<Capability>,
    /// The first characters, by which its owner recognizes it.
    prefix: String,
    /// When it was revoked, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<i64>,
    /// The only sessions that it may touch; all where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_ids: Option<Vec<SessionId>>,
}

impl ApiKeyEntry {
    pub(super) fn of(key: wagate_model::ApiKey, secret: Option<String>) -> Self {
        Self {
            created_at: key.created_at,
            expires_at: key.expires_at,
            id: key.id,
            key: secret,
            last_used_at: key.last_used_at,
            name: key.name,
            permissions: key.capabilities.iter().collect(),
            prefix: key.hint,
            revoked_at: key.revoked_at,
            session_ids: key.session_ids,
        }
    }
}

/// Declares a list as answers carry it: always one page, unless it has a cursor.
macro_rules! lists {
    ($($(#[$doc:meta])* $name:ident of $entry:ty,)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Serialize, ToSchema)]
            #[serde(rename_all = "camelCase")]
            pub(super) struct $name {
                /// The entries.
                pub(super) data: Vec<$entry>,
                /// Where the next page begins; absent on the last one.
                #[serde(skip_serializing_if = "Option::is_none")]
                pub(super) next_cursor: Option<String>,
            }

            impl FromIterator<$entry> for $name {
                fn from_iter<I: IntoIterator<Item = $entry>>(entries: I) -> Self {
                    Self { data: entries.into_iter().collect(), next_cursor: None }
                }
            }
        )*
    };
}

lists! {
    /// The keys of an organization.
    ListApiKey of ApiKeyEntry,
    /// The invitations of an organization.
    ListInvitation of OrganizationInvitation,
    /// The browsers of a person.
    ListLogin of LoginEntry,
    /// The members of an organization.
    ListMember of OrganizationMember,
    /// The organizations of a person.
    ListMembership of OrganizationMembership,
    /// All organizations.
    ListOrganization of Organization,
    /// Users.
    ListUser of UserAccount,
}
