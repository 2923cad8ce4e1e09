//! Places in organizations that wait for the owners of addresses.

use sqlx::FromRow;
use wagate_model::{Email, Invitation, InvitationId, OrganizationId, Role};

use crate::error::Result;
use crate::text::{Text, storable};
use crate::tx::{Tx, on};

#[derive(FromRow)]
pub(crate) struct InvitationRow {
    id: Text<InvitationId>,
    organization_id: Text<OrganizationId>,
    email: Text<Email>,
    role: Text<Role>,
    invited_by: String,
    created_at: i64,
    expires_at: i64,
}

impl From<InvitationRow> for Invitation {
    fn from(row: InvitationRow) -> Self {
        Self {
            id: row.id.0,
            organization_id: row.organization_id.0,
            email: row.email.0,
            role: row.role.0,
            invited_by: row.invited_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}

macro_rules! select_invitation {
    ($condition:literal) => {
        concat!(
            "SELECT i.id, i.organization_id, i.email, i.role, i.invited_by, i.created_at, \
             i.expires_at FROM invitation i ",
            $condition
        )
    };
}

pub(crate) use select_invitation;

impl Tx {
    /// Adds an invitation under the SHA-256 of what is in its link; an earlier one for the
    /// same address is replaced.
    pub async fn put_invitation(
        &mut self,
        organization: OrganizationId,
        invitation: &Invitation,
        token_hash: &[u8; 32],
    ) -> Result<()> {
        self.hold_organization(organization).await?;
        on!(self, |conn| sqlx::query(
            "DELETE FROM invitation WHERE organization_id = $1 AND email = $2"
        )
        .bind(Text(organization))
        .bind(Text(&invitation.email))
        .execute(conn)
        .await
        .map(drop))?;
        on!(self, |conn| sqlx::query(
            "INSERT INTO invitation (id, organization_id, email, role, token_hash, invited_by, \
             created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        )
        .bind(Text(invitation.id))
        .bind(Text(organization))
        .bind(Text(&invitation.email))
        .bind(Text(invitation.role))
        .bind(token_hash.as_slice())
        .bind(storable(&invitation.invited_by))
        .bind(invitation.created_at)
        .bind(invitation.expires_at)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// The invitations that can be accepted at a time, oldest first.
    pub async fn invitations(
        &mut self,
        organization: OrganizationId,
        now_ms: i64,
    ) -> Result<Vec<Invitation>> {
        let rows: Vec<InvitationRow> = on!(self, |conn| sqlx::query_as(select_invitation!(
            "JOIN organization o ON o.id = i.organization_id AND o.deleted_at IS NULL \
             WHERE i.organization_id = $1 AND i.expires_at > $2 ORDER BY i.id"
        ))
        .bind(Text(organization))
        .bind(now_ms)
        .fetch_all(conn)
        .await)?;
        Ok(rows.into_iter().map(Invitation::from).collect())
    }

    /// Takes an invitation back; gives whose it was.
    pub async fn delete_invitation(
        &mut self,
        organization: OrganizationId,
        id: InvitationId,
    ) -> Result<Option<Email>> {
        let email: Option<Text<Email>> = on!(self, |conn| sqlx::query_scalar(
            "DELETE FROM invitation WHERE organization_id = $1 AND id = $2 RETURNING email"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .fetch_optional(conn)
        .await)?;
        Ok(email.map(|email| email.0))
    }
}
