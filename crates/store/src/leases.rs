//! Who owns a session: one gateway at a time, under an epoch that only grows.
//!
//! All times here are the database's, so that the clocks of gateways do not matter.
//! On PostgreSQL a fenced transaction holds the lease row `FOR KEY SHARE`: renewals
//! pass, a takeover (`FOR UPDATE`) waits until the last transaction of the old owner
//! has ended.

use sqlx::FromRow;
use wagate_model::{GatewayId, OrganizationId, SessionId};

use crate::error::{Result, StoreError};
use crate::text::Text;
use crate::tx::{Tx, db_now, on, sql};

/// Proof of ownership that is checked in every transaction of the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The session.
    pub session_id: SessionId,
    /// The gateway that owns it.
    pub gateway_id: GatewayId,
    /// The epoch of the lease.
    pub epoch: i64,
}

/// The present owner of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionOwner {
    /// The gateway.
    pub gateway_id: GatewayId,
    /// The epoch of its lease.
    pub epoch: i64,
    /// How long the lease lasts from now, in milliseconds.
    pub expires_in_ms: i64,
}

#[derive(FromRow)]
struct OwnerRow {
    gateway_id: Text<GatewayId>,
    epoch: i64,
    expires_in_ms: i64,
}

/// What the owner of a session may do; can only be had with a fence that holds.
///
/// Everything that [`Tx`] does can be done on it too.
#[derive(Debug)]
pub struct Owned<'t> {
    pub(crate) tx: &'t mut Tx,
    pub(crate) session: SessionId,
    pub(crate) organization: OrganizationId,
}

impl Owned<'_> {
    /// The session that is owned.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// The organization that the session belongs to.
    #[must_use]
    pub const fn organization(&self) -> OrganizationId {
        self.organization
    }
}

impl std::ops::Deref for Owned<'_> {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        self.tx
    }
}

impl std::ops::DerefMut for Owned<'_> {
    fn deref_mut(&mut self) -> &mut Tx {
        self.tx
    }
}

impl Tx {
    /// Fails with [`StoreError::Fenced`] unless the lease is still the fence's.
    ///
    /// Until the transaction ends, nobody else can take the session over.
    pub async fn check_fence(&mut self, fence: &Fence) -> Result<()> {
        self.owned(fence).await.map(drop)
    }

    /// Checks the fence and hands over what only the owner may do.
    pub async fn owned(&mut self, fence: &Fence) -> Result<Owned<'_>> {
        let text = sql!(
            self,
            sqlite: "SELECT s.organization_id FROM session_lease l \
                     JOIN session s ON s.id = l.session_id \
                     WHERE l.session_id = $1 AND l.gateway_id = $2 AND l.epoch = $3 \
                     AND s.deleted_at IS NULL",
            postgres: "SELECT s.organization_id FROM session_lease l \
                       JOIN session s ON s.id = l.session_id \
                       WHERE l.session_id = $1 AND l.gateway_id = $2 AND l.epoch = $3 \
                       AND s.deleted_at IS NULL FOR KEY SHARE OF l",
        );
        let organization: Option<Text<OrganizationId>> =
            on!(self, |conn| sqlx::query_scalar(text)
                .bind(Text(fence.session_id))
                .bind(fence.gateway_id.as_str())
                .bind(fence.epoch)
                .fetch_optional(conn)
                .await)?;
        match organization {
            Some(Text(organization)) => Ok(Owned {
                tx: self,
                session: fence.session_id,
                organization,
            }),
            None => Err(StoreError::Fenced),
        }
    }

    /// The gateway that owns a session of the organization now, where one does.
    pub async fn session_owner(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
    ) -> Result<Option<SessionOwner>> {
        let text = sql!(
            self,
            sqlite: concat!(
                "SELECT l.gateway_id, l.epoch, l.expires_at - ", db_now!(sqlite),
                " AS expires_in_ms FROM session_lease l JOIN session s ON s.id = l.session_id \
                  WHERE s.organization_id = $1 AND s.id = $2 AND s.deleted_at IS NULL \
                  AND l.expires_at > ", db_now!(sqlite),
            ),
            postgres: concat!(
                "SELECT l.gateway_id, l.epoch, l.expires_at - ", db_now!(postgres),
                " AS expires_in_ms FROM session_lease l JOIN session s ON s.id = l.session_id \
                  WHERE s.organization_id = $1 AND s.id = $2 AND s.deleted_at IS NULL \
                  AND l.expires_at > ", db_now!(postgres),
            ),
        );
        let row: Option<OwnerRow> = on!(self, |conn| sqlx::query_as(text)
            .bind(Text(organization))
            .bind(Text(session))
            .fetch_optional(conn)
            .await)?;
        Ok(row.map(|row| SessionOwner {
            gateway_id: row.gateway_id.0,
            epoch: row.epoch,
            expires_in_ms: row.expires_in_ms,
        }))
    }
}
