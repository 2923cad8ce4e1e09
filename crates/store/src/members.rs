//! Who is in an organization, as what.

use sqlx::FromRow;
use wagate_model::{Email, Member, OrganizationId, Role, UserId};

use crate::error::Result;
use crate::organizations::is_not_ended;
use crate::text::Text;
use crate::tx::{Tx, db_now, on, sql};

#[derive(FromRow)]
struct MemberRow {
    user_id: Text<UserId>,
    name: String,
    email: Text<Email>,
    role: Text<Role>,
    joined_at: i64,
}

impl From<MemberRow> for Member {
    fn from(row: MemberRow) -> Self {
        Self {
            user_id: row.user_id.0,
            name: row.name,
            email: row.email.0,
            role: row.role.0,
            joined_at: row.joined_at,
        }
    }
}

/// Notes a change of what users may do. No two notes of a user have the same time, or whoever
/// looks for the latest could take the second for the first.
macro_rules! note_standing {
    ($dialect:ident, $condition:literal) => {
        concat!(
            "UPDATE user_account SET standing_changed_at = CASE WHEN standing_changed_at >= ",
            db_now!($dialect),
            " THEN standing_changed_at + 1 ELSE ",
            db_now!($dialect),
            " END WHERE ",
            $condition
        )
    };
}

pub(crate) use note_standing;

macro_rules! select_member {
    ($condition:literal) => {
        concat!(
            "SELECT m.user_id, u.name, u.email, m.role, m.joined_at FROM organization_member m \
             JOIN user_account u ON u.id = m.user_id WHERE m.organization_id = $1 AND ",
            is_not_ended!(),
            $condition
        )
    };
}

impl Tx {
    /// The members of an organization, in the order of their ids.
    pub async fn members(&mut self, organization: OrganizationId) -> Result<Vec<Member>> {
        let rows: Vec<MemberRow> = on!(self, |conn| sqlx::query_as(select_member!(
            " ORDER BY m.user_id"
        ))
        .bind(Text(organization))
        .fetch_all(conn)
        .await)?;
        Ok(rows.into_iter().map(Member::from).collect())
    }

    /// One member.
    pub async fn member(
        &mut self,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<Option<Member>> {
        let row: Option<MemberRow> = on!(self, |conn| sqlx::query_as(select_member!(
            " AND m.user_id = $2"
        ))
        .bind(Text(organization))
        .bind(Text(user))
        .fetch_optional(conn)
        .await)?;
        Ok(row.map(Member::from))
    }

    /// Adds a member; whether it was not one already.
    pub async fn insert_member(
        &mut self,
        organization: OrganizationId,
        user: UserId,
        role: Role,
        now_ms: i64,
    ) -> Result<bool> {
        self.hold_organization(organization).await?;
        let count = on!(self, |conn| sqlx::query(
            "INSERT INTO organization_member (organization_id, user_id, role, joined_at) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (organization_id, user_id) DO NOTHING"
        )
        .bind(Text(organization))
        .bind(Text(user))
        .bind(Text(role))
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        self.note_standing(user).await?;
        Ok(count > 0)
    }

    /// Gives a member another role; whether it is one.
    pub async fn set_member_role(
        &mut self,
        organization: OrganizationId,
        user: UserId,
        role: Role,
    ) -> Result<bool> {
        let count = on!(self, |conn| {
            sqlx::query(
            "UPDATE organization_member SET role = $3 WHERE organization_id = $1 AND user_id = $2"
        )
        .bind(Text(organization))
        .bind(Text(user))
        .bind(Text(role))
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
        })?;
        self.note_standing(user).await?;
        Ok(count > 0)
    }

    /// Removes a member, also as the active organization of its logins; whether it was one.
    pub async fn delete_member(
        &mut self,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<bool> {
        let count = on!(self, |conn| sqlx::query(
            "DELETE FROM organization_member WHERE organization_id = $1 AND user_id = $2"
        )
        .bind(Text(organization))
        .bind(Text(user))
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        on!(self, |conn| sqlx::query(
            "UPDATE login SET active_organization_id = NULL \
             WHERE user_id = $1 AND active_organization_id = $2"
        )
        .bind(Text(user))
        .bind(Text(organization))
        .execute(conn)
        .await
        .map(drop))?;
        self.note_standing(user).await?;
        Ok(count > 0)
    }

    /// Notes, in the database's time, that what a user may do has changed: services that
    /// remember it look for such notes. No note is like the one before, however soon it comes.
    pub(crate) async fn note_standing(&mut self, user: UserId) -> Result<()> {
        let text = sql!(
            self,
            sqlite: note_standing!(sqlite, "id = $1"),
            postgres: note_standing!(postgres, "id = $1"),
        );
        on!(self, |conn| sqlx::query(text)
            .bind(Text(user))
            .execute(conn)
            .await
            .map(drop))?;
        Ok(())
    }
}
