//! People: who belongs to several organizations, or to none, is nobody's tenant data.

use sqlx::FromRow;
use wagate_model::{
    Email, Organization, OrganizationId, PlatformRole, Role, User, UserId, hide_contents,
};

use super::Admin;
use crate::error::Result;
use crate::text::{Text, storable};
use crate::tx::{db_now, on, sql};

/// A user's proofs, as stored.
pub struct UserSecrets {
    /// The password's hash, in PHC form.
    pub password_hash: Option<String>,
    /// The secret of the second factor.
    pub totp_secret: Option<Vec<u8>>,
    /// Whether the user has shown that the second factor works.
    pub is_totp_confirmed: bool,
}

hide_contents!(UserSecrets);

/// The table's part of the associated data of sealed secrets of second factors.
pub(crate) const TOTP_SEALED_AS: &str = "user_account.totp_secret";

#[derive(FromRow)]
struct UserRow {
    id: Text<UserId>,
    email: Text<Email>,
    name: String,
    platform_role: Text<PlatformRole>,
    email_confirmed_at: Option<i64>,
    has_password: bool,
    has_totp: bool,
    banned_at: Option<i64>,
    ban_reason: Option<String>,
    created_at: i64,
    last_login_at: Option<i64>,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.id.0,
            email: row.email.0,
            name: row.name,
            platform_role: row.platform_role.0,
            is_email_confirmed: row.email_confirmed_at.is_some(),
            has_password: row.has_password,
            has_totp: row.has_totp,
            banned_at: row.banned_at,
            ban_reason: row.ban_reason,
            created_at: row.created_at,
            last_login_at: row.last_login_at,
        }
    }
}

macro_rules! select_user {
    ($condition:literal) => {
        concat!(
            "SELECT u.id, u.email, u.name, u.platform_role, u.email_confirmed_at, \
             u.password_hash IS NOT NULL AS has_password, \
             u.totp_confirmed_at IS NOT NULL AS has_totp, \
             u.banned_at, u.ban_reason, u.created_at, u.last_login_at FROM user_account u ",
            $condition
        )
    };
}

#[derive(FromRow)]
struct MembershipRow {
    id: Text<OrganizationId>,
    name: String,
    created_at: i64,
    role: Text<Role>,
}

/// Finding users.
impl Admin<'_> {
    /// One user.
    pub async fn user(&mut self, id: UserId) -> Result<Option<User>> {
        let row: Option<UserRow> = on!(self.tx, |conn| sqlx::query_as(select_user!(
            "WHERE u.id = $1"
        ))
        .bind(Text(id))
        .fetch_optional(conn)
        .await)?;
        Ok(row.map(User::from))
    }

    /// The user of an address.
    pub async fn user_by_email(&mut self, email: &Email) -> Result<Option<User>> {
        let row: Option<UserRow> = on!(self.tx, |conn| sqlx::query_as(select_user!(
            "WHERE u.email = $1"
        ))
        .bind(Text(email))
        .fetch_optional(conn)
        .await)?;
        Ok(row.map(User::from))
    }

    /// The user whom a provider knows by a subject.
    pub async fn user_by_external_account(
        &mut self,
        provider: &str,
        subject: &str,
    ) -> Result<Option<User>> {
        let row: Option<UserRow> = on!(self.tx, |conn| {
            sqlx::query_as(select_user!(
            "JOIN external_account e ON e.user_id = u.id WHERE e.provider = $1 AND e.subject = $2"
        ))
        .bind(storable(provider))
        .bind(storable(subject))
        .fetch_optional(conn)
        .await
        })?;
        Ok(row.map(User::from))
    }

    /// Users after one, in the order of their ids; only those whose address begins with a text,
    /// where one is given.
    pub async fn users(
        &mut self,
        after: Option<UserId>,
        email_begins_with: &str,
        limit: i64,
    ) -> Result<Vec<User>> {
        let length = i64::try_from(email_begins_with.chars().count()).unwrap_or(i64::MAX);
        // PostgreSQL counts characters in 32 bits.
        let length = length.min(i64::from(u16::MAX));
        let text = sql!(
            self.tx,
            sqlite: select_user!(
                "WHERE ($1 IS NULL OR u.id > $1) AND substr(u.email, 1, $2) = $3 \
                 ORDER BY u.id LIMIT $4"
            ),
            postgres: select_user!(
                "WHERE ($1 IS NULL OR u.id > $1) AND substr(u.email, 1, CAST($2 AS INTEGER)) = $3 \
                 ORDER BY u.id LIMIT $4"
            ),
        );
        let rows: Vec<UserRow> = on!(self.tx, |conn| sqlx::query_as(text)
            .bind(after.map(Text))
            .bind(length)
            .bind(storable(email_begins_with))
            .bind(limit)
            .fetch_all(conn)
            .await)?;
        Ok(rows.into_iter().map(User::from).collect())
    }

    /// Whether anybody operates the installation.
    pub async fn has_super_admin(&mut self) -> Result<bool> {
        let count: i64 = on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT COUNT(*) FROM user_account WHERE platform_role = $1 AND banned_at IS NULL"
        )
        .bind(Text(PlatformRole::SuperAdmin))
        .fetch_one(conn)
        .await)?;
        Ok(count > 0)
    }

    /// The organizations that a user is in, with the role there, in the order of their ids.
    pub async fn memberships(&mut self, user: UserId) -> Result<Vec<(Organization, Role)>> {
        let rows: Vec<MembershipRow> = on!(self.tx, |conn| sqlx::query_as(
            "SELECT o.id, o.name, o.created_at, m.role FROM organization_member m \
             JOIN organization o ON o.id = m.organization_id AND o.deleted_at IS NULL \
             WHERE m.user_id = $1 ORDER BY o.id"
        )
        .bind(Text(user))
        .fetch_all(conn)
        .await)?;
        let membership = |row: MembershipRow| {
            let organization = Organization {
                id: row.id.0,
                name: row.name,
                created_at: row.created_at,
            };
            (organization, row.role.0)
        };
        Ok(rows.into_iter().map(membership).collect())
    }

    /// The users whose standing changed within the last milliseconds, by the database's time.
    pub async fn users_changed_within(&mut self, window_ms: i64) -> Result<Vec<(UserId, i64)>> {
        let text = sql!(
            self.tx,
            sqlite: concat!(
                "SELECT id, standing_changed_at FROM user_account \
                 WHERE standing_changed_at > ", db_now!(sqlite), " - $1",
            ),
            postgres: concat!(
                "SELECT id, standing_changed_at FROM user_account \
                 WHERE standing_changed_at > ", db_now!(postgres), " - $1",
            ),
        );
        let rows: Vec<(Text<UserId>, i64)> = on!(self.tx, |conn| sqlx::query_as(text)
            .bind(window_ms)
            .fetch_all(conn)
            .await)?;
        Ok(rows.into_iter().map(|(id, at)| (id.0, at)).collect())
    }

    /// A user's proofs.
    pub async fn user_secrets(&mut self, id: UserId) -> Result<Option<UserSecrets>> {
        type Row = (Option<String>, Option<Vec<u8>>, Option<i64>);
        let row: Option<Row> = on!(self.tx, |conn| {
            sqlx::query_as(
            "SELECT password_hash, totp_secret, totp_confirmed_at FROM user_account WHERE id = $1"
        )
        .bind(Text(id))
        .fetch_optional(conn)
        .await
        })?;
        let Some((password_hash, sealed, confirmed_at)) = row else {
            return Ok(None);
        };
        let row = id.to_string();
        let totp_secret = sealed
            .map(|sealed| self.tx.unseal(TOTP_SEALED_AS, row.as_bytes(), &sealed))
            .transpose()?;
        Ok(Some(UserSecrets {
            password_hash,
            totp_secret,
            is_totp_confirmed: confirmed_at.is_some(),
        }))
    }
}

/// Changing users.
impl Admin<'_> {
    /// Adds a user; fails as [`Duplicate`](crate::StoreError::Duplicate) where the address is taken.
    pub async fn insert_user(&mut self, user: &User, password_hash: Option<&str>) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "INSERT INTO user_account (id, email, name, password_hash, platform_role, \
             email_confirmed_at, created_at, updated_at, standing_changed_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7, 0)"
        )
        .bind(Text(user.id))
        .bind(Text(&user.email))
        .bind(storable(&user.name))
        .bind(password_hash)
        .bind(Text(user.platform_role))
        .bind(user.is_email_confirmed.then_some(user.created_at))
        .bind(user.created_at)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Gives a user another name; whether there is such a user.
    pub async fn rename_user(&mut self, id: UserId, name: &str, now_ms: i64) -> Result<bool> {
        let count = on!(self.tx, |conn| sqlx::query(
            "UPDATE user_account SET name = $2, updated_at = $3 WHERE id = $1"
        )
        .bind(Text(id))
        .bind(storable(name))
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        self.tx.note_standing(id).await?;
        Ok(count > 0)
    }

    /// Sets a user's password, and with it confirms the address where a link proved it.
    pub async fn set_password(
        &mut self,
        id: UserId,
        password_hash: &str,
        confirms_email: bool,
        now_ms: i64,
    ) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE user_account SET password_hash = $2, updated_at = $3, \
             email_confirmed_at = COALESCE(email_confirmed_at, $4) WHERE id = $1"
        )
        .bind(Text(id))
        .bind(password_hash)
        .bind(now_ms)
        .bind(confirms_email.then_some(now_ms))
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Replaces a password's hash by one of the same password with other parameters.
    pub async fn rehash_password(&mut self, id: UserId, from: &str, to: &str) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE user_account SET password_hash = $3 WHERE id = $1 AND password_hash = $2"
        )
        .bind(Text(id))
        .bind(from)
        .bind(to)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Notes that the address is the user's.
    pub async fn confirm_email(&mut self, id: UserId, now_ms: i64) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE user_account SET email_confirmed_at = COALESCE(email_confirmed_at, $2), \
             updated_at = $2 WHERE id = $1"
        )
        .bind(Text(id))
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Sets what a user may do beyond organizations; whether there is such a user.
    pub async fn set_platform_role(
        &mut self,
        id: UserId,
        role: PlatformRole,
        now_ms: i64,
    ) -> Result<bool> {
        let count = on!(self.tx, |conn| sqlx::query(
            "UPDATE user_account SET platform_role = $2, updated_at = $3 WHERE id = $1"
        )
        .bind(Text(id))
        .bind(Text(role))
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        self.tx.note_standing(id).await?;
        Ok(count > 0)
    }

    /// Bans a user for a reason, or ends the ban; whether that changed anything.
    pub async fn set_ban(
        &mut self,
        id: UserId,
        reason: Option<&str>,
        is_banned: bool,
        now_ms: i64,
    ) -> Result<bool> {
        let count = on!(self.tx, |conn| sqlx::query(
            "UPDATE user_account SET banned_at = $2, ban_reason = $3, updated_at = $4 \
             WHERE id = $1 AND (banned_at IS NOT NULL) <> $5"
        )
        .bind(Text(id))
        .bind(is_banned.then_some(now_ms))
        .bind(reason.map(storable))
        .bind(now_ms)
        .bind(is_banned)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        self.tx.note_standing(id).await?;
        Ok(count > 0)
    }

    /// Lets a provider's subject sign in as a user.
    pub async fn insert_external_account(
        &mut self,
        provider: &str,
        subject: &str,
        user: UserId,
        now_ms: i64,
    ) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "INSERT INTO external_account (provider, subject, user_id, created_at) \
             VALUES ($1, $2, $3, $4)"
        )
        .bind(storable(provider))
        .bind(storable(subject))
        .bind(Text(user))
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }
}
