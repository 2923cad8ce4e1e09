//! Signed-in browsers, one-time links, and how often signing in failed.

use std::fmt;
use std::str::FromStr;

use sqlx::FromRow;
use wagate_model::{Invitation, LoginId, OrganizationId, PlatformRole, Role, UserId};

use super::Admin;
use crate::error::Result;
use crate::invitations::{InvitationRow, select_invitation};
use crate::text::{Text, storable};
use crate::tx::{on, sql};

/// A browser that a person signed in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRecord {
    /// The id.
    pub id: LoginId,
    /// Who.
    pub user_id: UserId,
    /// The organization that is active.
    pub active_organization_id: Option<OrganizationId>,
    /// What the browser said that it is.
    pub user_agent: Option<String>,
    /// When the person signed in, in milliseconds since 1970.
    pub created_at: i64,
    /// When it was last used (not to the minute), in milliseconds since 1970.
    pub last_used_at: i64,
    /// When it ends unless it is used, in milliseconds since 1970.
    pub expires_at: i64,
}

#[derive(FromRow)]
struct LoginRow {
    id: Text<LoginId>,
    user_id: Text<UserId>,
    active_organization_id: Option<Text<OrganizationId>>,
    user_agent: Option<String>,
    created_at: i64,
    last_used_at: i64,
    expires_at: i64,
}

impl From<LoginRow> for LoginRecord {
    fn from(row: LoginRow) -> Self {
        Self {
            id: row.id.0,
            user_id: row.user_id.0,
            active_organization_id: row.active_organization_id.map(|id| id.0),
            user_agent: row.user_agent,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
        }
    }
}

macro_rules! select_login {
    ($condition:literal) => {
        concat!(
            "SELECT l.id, l.user_id, l.active_organization_id, l.user_agent, l.created_at, \
             l.last_used_at, l.expires_at FROM login l ",
            $condition
        )
    };
}

/// What a person may do now, by what is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What the person is called.
    pub name: String,
    /// The role beyond organizations.
    pub platform_role: PlatformRole,
    /// The role in the organization that was asked about.
    pub role: Option<Role>,
    /// Whether that organization is there.
    pub has_organization: bool,
    /// When the login ends unless it is used, in milliseconds since 1970.
    pub expires_at: i64,
}

#[derive(FromRow)]
struct StandingRow {
    name: String,
    platform_role: Text<PlatformRole>,
    role: Option<Text<Role>>,
    organization_id: Option<String>,
    expires_at: i64,
}

/// What a one-time link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPurpose {
    /// Setting a new password.
    PasswordReset,
    /// Confirming an address.
    EmailConfirmation,
}

impl LinkPurpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::EmailConfirmation => "email_confirmation",
        }
    }
}

impl fmt::Display for LinkPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no purpose.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("not a purpose of a link")]
pub struct UnknownPurpose;

impl FromStr for LinkPurpose {
    type Err = UnknownPurpose;

    fn from_str(text: &str) -> Result<Self, UnknownPurpose> {
        [Self::PasswordReset, Self::EmailConfirmation]
            .into_iter()
            .find(|purpose| purpose.as_str() == text)
            .ok_or(UnknownPurpose)
    }
}

/// Browsers.
impl Admin<'_> {
    /// Adds a login under the SHA-256 of its cookie, and notes it with the user.
    pub async fn insert_login(&mut self, login: &LoginRecord, hash: &[u8; 32]) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "INSERT INTO login (id, hash, user_id, active_organization_id, user_agent, \
             created_at, last_used_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        )
        .bind(Text(login.id))
        .bind(hash.as_slice())
        .bind(Text(login.user_id))
        .bind(login.active_organization_id.map(Text))
        .bind(login.user_agent.as_deref().map(storable))
        .bind(login.created_at)
        .bind(login.last_used_at)
        .bind(login.expires_at)
        .execute(conn)
        .await
        .map(drop))?;
        on!(self.tx, |conn| sqlx::query(
            "UPDATE user_account SET last_login_at = $2 WHERE id = $1"
        )
        .bind(Text(login.user_id))
        .bind(login.created_at)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// The login of a cookie, where it has not ended and its user is not banned.
    pub async fn login_by_hash(
        &mut self,
        hash: &[u8; 32],
        now_ms: i64,
    ) -> Result<Option<LoginRecord>> {
        let row: Option<LoginRow> = on!(self.tx, |conn| sqlx::query_as(select_login!(
            "JOIN user_account u ON u.id = l.user_id AND u.banned_at IS NULL \
             WHERE l.hash = $1 AND l.expires_at > $2"
        ))
        .bind(hash.as_slice())
        .bind(now_ms)
        .fetch_optional(conn)
        .await)?;
        Ok(row.map(LoginRecord::from))
    }

    /// The logins of a user that have not ended, newest first.
    pub async fn logins(&mut self, user: UserId, now_ms: i64) -> Result<Vec<LoginRecord>> {
        let rows: Vec<LoginRow> = on!(self.tx, |conn| sqlx::query_as(select_login!(
            "WHERE l.user_id = $1 AND l.expires_at > $2 ORDER BY l.id DESC"
        ))
        .bind(Text(user))
        .bind(now_ms)
        .fetch_all(conn)
        .await)?;
        Ok(rows.into_iter().map(LoginRecord::from).collect())
    }

    /// Notes that a login was used, and until when it is good now.
    pub async fn touch_login(&mut self, id: LoginId, now_ms: i64, expires_at: i64) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE login SET last_used_at = $2, expires_at = $3 WHERE id = $1"
        )
        .bind(Text(id))
        .bind(now_ms)
        .bind(expires_at)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Makes an organization the active one of a login.
    pub async fn activate_organization(
        &mut self,
        id: LoginId,
        organization: Option<OrganizationId>,
    ) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE login SET active_organization_id = $2 WHERE id = $1"
        )
        .bind(Text(id))
        .bind(organization.map(Text))
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Ends a login of a user; whether there was one.
    pub async fn delete_login(&mut self, user: UserId, id: LoginId) -> Result<bool> {
        let count = on!(self.tx, |conn| sqlx::query(
            "DELETE FROM login WHERE user_id = $1 AND id = $2"
        )
        .bind(Text(user))
        .bind(Text(id))
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        self.tx.note_standing(user).await?;
        Ok(count > 0)
    }

    /// Ends every login of a user but one.
    pub async fn delete_logins(&mut self, user: UserId, but: Option<LoginId>) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "DELETE FROM login WHERE user_id = $1 AND ($2 IS NULL OR id <> $2)"
        )
        .bind(Text(user))
        .bind(but.map(Text))
        .execute(conn)
        .await
        .map(drop))?;
        self.tx.note_standing(user).await
    }

    /// What a person may do by a login, in an organization; nothing where the login has ended
    /// or the user is banned.
    pub async fn standing(
        &mut self,
        user: UserId,
        login: LoginId,
        organization: Option<OrganizationId>,
        now_ms: i64,
    ) -> Result<Option<Standing>> {
        let row: Option<StandingRow> = on!(self.tx, |conn| sqlx::query_as(
            "SELECT u.name, u.platform_role, m.role, o.id AS organization_id, l.expires_at \
             FROM login l JOIN user_account u ON u.id = l.user_id AND u.banned_at IS NULL \
             LEFT JOIN organization o ON o.id = $3 AND o.deleted_at IS NULL \
             LEFT JOIN organization_member m ON m.organization_id = o.id AND m.user_id = u.id \
             WHERE l.id = $2 AND l.user_id = $1 AND l.expires_at > $4"
        )
        .bind(Text(user))
        .bind(Text(login))
        .bind(organization.map(Text))
        .bind(now_ms)
        .fetch_optional(conn)
        .await)?;
        Ok(row.map(|row| Standing {
            name: row.name,
            platform_role: row.platform_role.0,
            role: row.role.map(|role| role.0),
            has_organization: row.organization_id.is_some(),
            expires_at: row.expires_at,
        }))
    }
}

/// One-time links.
impl Admin<'_> {
    /// Adds a link under the SHA-256 of what is in it; earlier ones for the same are void.
    pub async fn put_link(
        &mut self,
        hash: &[u8; 32],
        user: UserId,
        purpose: LinkPurpose,
        now_ms: i64,
        expires_at: i64,
    ) -> Result<()> {
        self.drop_links(user, purpose).await?;
        on!(self.tx, |conn| sqlx::query(
            "INSERT INTO user_link (hash, user_id, purpose, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5)"
        )
        .bind(hash.as_slice())
        .bind(Text(user))
        .bind(Text(purpose))
        .bind(now_ms)
        .bind(expires_at)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Makes the links of a user for a purpose void.
    pub async fn drop_links(&mut self, user: UserId, purpose: LinkPurpose) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "DELETE FROM user_link WHERE user_id = $1 AND purpose = $2"
        )
        .bind(Text(user))
        .bind(Text(purpose))
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Uses a link up, and gives whose it was; nothing where it had run out.
    pub async fn take_link(
        &mut self,
        hash: &[u8; 32],
        purpose: LinkPurpose,
        now_ms: i64,
    ) -> Result<Option<UserId>> {
        let row: Option<(Text<UserId>, i64)> = on!(self.tx, |conn| {
            sqlx::query_as(
            "DELETE FROM user_link WHERE hash = $1 AND purpose = $2 RETURNING user_id, expires_at"
        )
        .bind(hash.as_slice())
        .bind(Text(purpose))
        .fetch_optional(conn)
        .await
        })?;
        Ok(row
            .filter(|(_, expires_at)| *expires_at > now_ms)
            .map(|(user, _)| user.0))
    }

    /// The invitation of a link, where it can be accepted, with the organization's name.
    pub async fn invitation_by_token(
        &mut self,
        hash: &[u8; 32],
        now_ms: i64,
    ) -> Result<Option<Invitation>> {
        let row: Option<InvitationRow> = on!(self.tx, |conn| sqlx::query_as(select_invitation!(
            "JOIN organization o ON o.id = i.organization_id AND o.deleted_at IS NULL \
             WHERE i.token_hash = $1 AND i.expires_at > $2"
        ))
        .bind(hash.as_slice())
        .bind(now_ms)
        .fetch_optional(conn)
        .await)?;
        Ok(row.map(Invitation::from))
    }
}

/// Failures to sign in.
impl Admin<'_> {
    /// How often signing in failed under a key, when the last time was, and until when it is
    /// not tried, both in milliseconds since 1970.
    pub async fn login_failures(&mut self, key: &[u8; 32]) -> Result<Option<(i64, i64, i64)>> {
        // Routers that count at the same time do so one after another.
        let text = sql!(
            self.tx,
            sqlite: "SELECT failures, last_failed_at, blocked_until FROM login_failure \
                     WHERE key = $1",
            postgres: "SELECT failures, last_failed_at, blocked_until FROM login_failure \
                       WHERE key = $1 FOR UPDATE",
        );
        Ok(on!(self.tx, |conn| sqlx::query_as(text)
            .bind(key.as_slice())
            .fetch_optional(conn)
            .await)?)
    }

    /// Sets how often signing in failed under a key.
    pub async fn put_login_failures(
        &mut self,
        key: &[u8; 32],
        failures: i64,
        blocked_until: i64,
        now_ms: i64,
    ) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "INSERT INTO login_failure (key, failures, blocked_until, last_failed_at) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO UPDATE \
             SET failures = excluded.failures, blocked_until = excluded.blocked_until, \
             last_failed_at = excluded.last_failed_at"
        )
        .bind(key.as_slice())
        .bind(failures)
        .bind(blocked_until)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Forgets the failures under a key.
    pub async fn clear_login_failures(&mut self, key: &[u8; 32]) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "DELETE FROM login_failure WHERE key = $1"
        )
        .bind(key.as_slice())
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }
}
