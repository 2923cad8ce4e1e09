//! Taking, keeping and giving up sessions.

use sqlx::{FromRow, QueryBuilder};
use wagate_model::{GatewayId, OrganizationId, SessionId};

use super::Admin;
use crate::error::Result;
use crate::leases::Fence;
use crate::text::Text;
use crate::tx::{db_now, on, sql};

/// Leases renewed by one statement; two parameters each.
const LEASES_PER_STATEMENT: usize = 4000;

/// A session that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedSession {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The proof of ownership.
    pub fence: Fence,
}

#[derive(FromRow)]
struct Claimable {
    id: Text<SessionId>,
    organization_id: Text<OrganizationId>,
}

impl Admin<'_> {
    /// Takes a session that has no live lease of another gateway.
    ///
    /// The epoch grows with every claim, also when the gateway had the lease already.
    /// Nothing where another gateway owns the session, or there is no such session.
    pub async fn claim_lease(
        &mut self,
        session: SessionId,
        gateway: &GatewayId,
        ttl_ms: i64,
    ) -> Result<Option<Fence>> {
        let is_free = sql!(
            self.tx,
            sqlite: concat!(
                "SELECT gateway_id = $2 OR expires_at <= ", db_now!(sqlite),
                " FROM session_lease WHERE session_id = $1",
            ),
            postgres: concat!(
                "SELECT gateway_id = $2 OR expires_at <= ", db_now!(postgres),
                " FROM session_lease WHERE session_id = $1",
            ),
        );
        let state: Option<bool> = on!(self.tx, |conn| sqlx::query_scalar(is_free)
            .bind(Text(session))
            .bind(gateway.as_str())
            .fetch_optional(conn)
            .await)?;
        let epoch = match state {
            Some(false) => None,
            Some(true) => self.take_over_lease(session, gateway, ttl_ms).await?,
            None => self.first_lease(session, gateway, ttl_ms).await?,
        };
        self.tx.forget_leases();
        Ok(epoch.map(|epoch| Fence {
            session_id: session,
            gateway_id: gateway.clone(),
            epoch,
        }))
    }

    async fn first_lease(
        &mut self,
        session: SessionId,
        gateway: &GatewayId,
        ttl_ms: i64,
    ) -> Result<Option<i64>> {
        let insert = sql!(
            self.tx,
            sqlite: concat!(
                "INSERT INTO session_lease (session_id, gateway_id, epoch, expires_at) \
                 SELECT id, $2, 1, ", db_now!(sqlite), " + $3 FROM session \
                 WHERE id = $1 AND deleted_at IS NULL \
                 ON CONFLICT (session_id) DO NOTHING RETURNING epoch",
            ),
            postgres: concat!(
                "INSERT INTO session_lease (session_id, gateway_id, epoch, expires_at) \
                 SELECT id, $2, 1, ", db_now!(postgres), " + $3 FROM session \
                 WHERE id = $1 AND deleted_at IS NULL \
                 ON CONFLICT (session_id) DO NOTHING RETURNING epoch",
            ),
        );
        Ok(on!(self.tx, |conn| sqlx::query_scalar(insert)
            .bind(Text(session))
            .bind(gateway.as_str())
            .bind(ttl_ms)
            .fetch_optional(conn)
            .await)?)
    }

    async fn take_over_lease(
        &mut self,
        session: SessionId,
        gateway: &GatewayId,
        ttl_ms: i64,
    ) -> Result<Option<i64>> {
        // An UPDATE alone would not wait for the old owner's transactions: they hold the
        // row FOR KEY SHARE, which only the strongest lock conflicts with.
        let wait = sql!(
            self.tx,
            sqlite: "SELECT epoch FROM session_lease WHERE session_id = $1",
            postgres: "SELECT epoch FROM session_lease WHERE session_id = $1 FOR UPDATE",
        );
        on!(self.tx, |conn| sqlx::query(wait)
            .bind(Text(session))
            .execute(conn)
            .await
            .map(drop))?;
        let update = sql!(
            self.tx,
            sqlite: concat!(
                "UPDATE session_lease SET gateway_id = $2, epoch = epoch + 1, expires_at = ",
                db_now!(sqlite), " + $3 WHERE session_id = $1 \
                 AND (gateway_id = $2 OR expires_at <= ", db_now!(sqlite), ") \
                 AND EXISTS (SELECT 1 FROM session s WHERE s.id = $1 AND s.deleted_at IS NULL) \
                 RETURNING epoch",
            ),
            postgres: concat!(
                "UPDATE session_lease SET gateway_id = $2, epoch = epoch + 1, expires_at = ",
                db_now!(postgres), " + $3 WHERE session_id = $1 \
                 AND (gateway_id = $2 OR expires_at <= ", db_now!(postgres), ") \
                 AND EXISTS (SELECT 1 FROM session s WHERE s.id = $1 AND s.deleted_at IS NULL) \
                 RETURNING epoch",
            ),
        );
        Ok(on!(self.tx, |conn| sqlx::query_scalar(update)
            .bind(Text(session))
            .bind(gateway.as_str())
            .bind(ttl_ms)
            .fetch_optional(conn)
            .await)?)
    }

    /// Whether [`Self::claim_wanted_sessions`] would find anything; for a reader.
    pub async fn has_wanted_sessions(&mut self) -> Result<bool> {
        let text = sql!(
            self.tx,
            sqlite: concat!(
                "SELECT s.id FROM session s LEFT JOIN session_lease l ON l.session_id = s.id \
                 WHERE s.is_wanted_running AND s.deleted_at IS NULL \
                 AND (l.session_id IS NULL OR l.expires_at <= ", db_now!(sqlite), ") LIMIT 1",
            ),
            postgres: concat!(
                "SELECT s.id FROM session s LEFT JOIN session_lease l ON l.session_id = s.id \
                 WHERE s.is_wanted_running AND s.deleted_at IS NULL \
                 AND (l.session_id IS NULL OR l.expires_at <= ", db_now!(postgres), ") LIMIT 1",
            ),
        );
        let found: Option<Text<SessionId>> = on!(self.tx, |conn| sqlx::query_scalar(text)
            .fetch_optional(conn)
            .await)?;
        Ok(found.is_some())
    }

    /// Ends every lease of a gateway; gives how many.
    ///
    /// For the start of a gateway, which owns nothing yet: what is still held under its
    /// name was an earlier process's.
    pub async fn end_leases(&mut self, gateway: &GatewayId) -> Result<u64> {
        Ok(on!(self.tx, |conn| sqlx::query(
            "UPDATE session_lease SET expires_at = 0 WHERE gateway_id = $1 AND expires_at > 0"
        )
        .bind(gateway.as_str())
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?)
    }

    /// Claims sessions that should run and that nobody owns, at most `limit`.
    pub async fn claim_wanted_sessions(
        &mut self,
        gateway: &GatewayId,
        ttl_ms: i64,
        limit: i64,
    ) -> Result<Vec<ClaimedSession>> {
        let text = sql!(
            self.tx,
            sqlite: concat!(
                "SELECT s.id, s.organization_id FROM session s \
                 LEFT JOIN session_lease l ON l.session_id = s.id \
                 WHERE s.is_wanted_running AND s.deleted_at IS NULL \
                 AND (l.session_id IS NULL OR l.expires_at <= ", db_now!(sqlite),
                ") ORDER BY s.id LIMIT $1",
            ),
            // Not FOR UPDATE: rows that refer to the session may be written meanwhile.
            postgres: concat!(
                "SELECT s.id, s.organization_id FROM session s \
                 LEFT JOIN session_lease l ON l.session_id = s.id \
                 WHERE s.is_wanted_running AND s.deleted_at IS NULL \
                 AND (l.session_id IS NULL OR l.expires_at <= ", db_now!(postgres),
                ") ORDER BY s.id LIMIT $1 FOR NO KEY UPDATE OF s SKIP LOCKED",
            ),
        );
        let rows: Vec<Claimable> = on!(self.tx, |conn| sqlx::query_as(text)
            .bind(limit)
            .fetch_all(conn)
            .await)?;
        let mut claimed = Vec::with_capacity(rows.len());
        for row in rows {
            if let Some(fence) = self.claim_lease(row.id.0, gateway, ttl_ms).await? {
                claimed.push(ClaimedSession {
                    organization_id: row.organization_id.0,
                    fence,
                });
            }
        }
        Ok(claimed)
    }

    /// Renews many leases at once; gives the sessions that are still the gateway's.
    ///
    /// A session that is missing in the answer was taken over (or deleted): its client
    /// must stop at once.
    pub async fn renew_leases(
        &mut self,
        gateway: &GatewayId,
        held: &[(SessionId, i64)],
        ttl_ms: i64,
    ) -> Result<Vec<SessionId>> {
        let expiry = sql!(self.tx, sqlite: db_now!(sqlite), postgres: db_now!(postgres));
        let mut renewed = Vec::with_capacity(held.len());
        for chunk in held.chunks(LEASES_PER_STATEMENT) {
            let rows: Vec<Text<SessionId>> = on!(self.tx, |conn| {
                let mut query = QueryBuilder::new("UPDATE session_lease SET expires_at = ");
                query.push(expiry).push(" + ").push_bind(ttl_ms);
                query
                    .push(" WHERE gateway_id = ")
                    .push_bind(gateway.as_str());
                query.push(" AND (session_id, epoch) IN (");
                query.push_values(chunk, |mut values, (session, epoch)| {
                    values.push_bind(Text(*session)).push_bind(*epoch);
                });
                query.push(") RETURNING session_id");
                query
                    .build_query_scalar()
                    .persistent(false)
                    .fetch_all(conn)
                    .await
            })?;
            renewed.extend(rows.into_iter().map(|row| row.0));
        }
        Ok(renewed)
    }

    /// Gives a session up, so that it can be claimed at once; whether it was still owned.
    pub async fn release_lease(&mut self, fence: &Fence) -> Result<bool> {
        let count = on!(self.tx, |conn| sqlx::query(
            "UPDATE session_lease SET expires_at = 0 \
             WHERE session_id = $1 AND gateway_id = $2 AND epoch = $3"
        )
        .bind(Text(fence.session_id))
        .bind(fence.gateway_id.as_str())
        .bind(fence.epoch)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }
}
