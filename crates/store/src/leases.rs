//! Who owns a session: one gateway at a time, under an epoch that only grows.
//!
//! All times here are the database's, so that the clocks of gateways do not matter.
//! On PostgreSQL a fenced transaction holds the lease row `FOR KEY SHARE`: renewals
//! pass, a takeover (`FOR UPDATE`) waits until the last transaction of the old owner
//! has ended.

use std::collections::{BTreeSet, HashMap};

use sqlx::{FromRow, QueryBuilder};
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

/// The owners whose fences were found to hold, with the organizations of their sessions.
pub(crate) type Confirmed = HashMap<SessionId, (Fence, OrganizationId)>;

#[derive(FromRow)]
struct LeaseRow {
    session_id: Text<SessionId>,
    gateway_id: Text<GatewayId>,
    epoch: i64,
    organization_id: Text<OrganizationId>,
}

/// Leases that are looked at by one statement.
const LEASES_PER_STATEMENT: usize = 128;

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

    /// Looks at the leases of many jobs at once, so that [`owned`](Self::owned) need not.
    ///
    /// What is found holds until the transaction ends, or until
    /// [`forget_leases`](Self::forget_leases): nobody else can change it before.
    pub(crate) async fn confirm_fences(&mut self, sessions: &BTreeSet<SessionId>) -> Result<()> {
        let sessions: Vec<_> = sessions.iter().copied().collect();
        for chunk in sessions.chunks(LEASES_PER_STATEMENT) {
            let lock =
                sql!(self, sqlite: ")", postgres: ") ORDER BY l.session_id FOR KEY SHARE OF l");
            let rows: Vec<LeaseRow> = on!(self, |conn| {
                let mut query = QueryBuilder::new(
                    "SELECT l.session_id, l.gateway_id, l.epoch, s.organization_id \
                     FROM session_lease l JOIN session s ON s.id = l.session_id \
                     WHERE s.deleted_at IS NULL AND l.session_id IN (",
                );
                let mut list = query.separated(", ");
                for session in chunk {
                    list.push_bind(Text(*session));
                }
                query.push(lock);
                query
                    .build_query_as()
                    .persistent(chunk.len() <= 4)
                    .fetch_all(conn)
                    .await
            })?;
            self.confirmed.extend(rows.into_iter().map(|row| {
                let fence = Fence {
                    session_id: row.session_id.0,
                    gateway_id: row.gateway_id.0,
                    epoch: row.epoch,
                };
                (fence.session_id, (fence, row.organization_id.0))
            }));
        }
        Ok(())
    }

    /// To be called by whoever changes a lease, or ends a session, in this transaction.
    pub(crate) fn forget_leases(&mut self) {
        self.confirmed.clear();
    }

    /// Checks the fence and hands over what only the owner may do.
    pub async fn owned(&mut self, fence: &Fence) -> Result<Owned<'_>> {
        let known = self.confirmed.get(&fence.session_id);
        if let Some((_, organization)) = known.filter(|(found, _)| found == fence) {
            let organization = *organization;
            return Ok(Owned {
                tx: self,
                session: fence.session_id,
                organization,
            });
        }
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
