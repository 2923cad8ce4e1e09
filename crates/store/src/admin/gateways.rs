//! The gateways of the cluster, as they report themselves; times are the database's.

use sqlx::FromRow;
use wagate_model::GatewayId;

use super::Admin;
use crate::error::Result;
use crate::text::Text;
use crate::tx::{db_now, on, sql};

/// A gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// Its name.
    pub id: GatewayId,
    /// When it started, in milliseconds since 1970.
    pub started_at_ms: i64,
    /// How long ago it last reported itself, in milliseconds.
    pub silent_for_ms: i64,
    /// The version of the program.
    pub version: String,
    /// Whether it hands its sessions over to others.
    pub is_draining: bool,
    /// How many sessions it holds a live lease of.
    pub session_count: i64,
}

/// What a gateway told when it last reported itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Heartbeat {
    /// When that was, in milliseconds since 1970.
    #[sqlx(rename = "heartbeat_at")]
    pub at_ms: i64,
    /// How long ago that is, in milliseconds.
    pub silent_for_ms: i64,
    /// Whether it hands its sessions over to others.
    pub is_draining: bool,
}

#[derive(FromRow)]
struct GatewayRow {
    id: Text<GatewayId>,
    started_at: i64,
    silent_for_ms: i64,
    version: String,
    is_draining: bool,
    session_count: i64,
}

impl Admin<'_> {
    /// When a gateway last reported itself; nothing where it left in order or never was.
    pub async fn heartbeat(&mut self, id: &GatewayId) -> Result<Option<Heartbeat>> {
        let text = sql!(
            self.tx,
            sqlite: concat!(
                "SELECT heartbeat_at, is_draining, ", db_now!(sqlite),
                " - heartbeat_at AS silent_for_ms FROM gateway WHERE id = $1",
            ),
            postgres: concat!(
                "SELECT heartbeat_at, is_draining, ", db_now!(postgres),
                " - heartbeat_at AS silent_for_ms FROM gateway WHERE id = $1",
            ),
        );
        Ok(on!(self.tx, |conn| sqlx::query_as(text)
            .bind(id.as_str())
            .fetch_optional(conn)
            .await)?)
    }

    /// Enters a gateway that starts; whether it could be.
    ///
    /// It cannot where somebody has reported under the name since the heartbeat that was
    /// `seen`: another process has it.
    pub async fn enter_gateway(
        &mut self,
        id: &GatewayId,
        version: &str,
        seen: Option<Heartbeat>,
    ) -> Result<bool> {
        let text = sql!(
            self.tx,
            sqlite: concat!(
                "INSERT INTO gateway (id, started_at, heartbeat_at, version, is_draining) VALUES ($1, ",
                db_now!(sqlite), ", ", db_now!(sqlite), ", $2, $3) ON CONFLICT (id) DO UPDATE SET \
                 started_at = excluded.started_at, heartbeat_at = excluded.heartbeat_at, \
                 version = excluded.version, is_draining = excluded.is_draining \
                 WHERE gateway.heartbeat_at = $4",
            ),
            postgres: concat!(
                "INSERT INTO gateway (id, started_at, heartbeat_at, version, is_draining) VALUES ($1, ",
                db_now!(postgres), ", ", db_now!(postgres), ", $2, $3) ON CONFLICT (id) DO UPDATE SET \
                 started_at = excluded.started_at, heartbeat_at = excluded.heartbeat_at, \
                 version = excluded.version, is_draining = excluded.is_draining \
                 WHERE gateway.heartbeat_at = $4",
            ),
        );
        let count = on!(self.tx, |conn| sqlx::query(text)
            .bind(id.as_str())
            .bind(version)
            .bind(false)
            .bind(seen.map(|heartbeat| heartbeat.at_ms))
            .execute(conn)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Reports a gateway as alive; the first report after a start sets `is_start`.
    pub async fn report_gateway(
        &mut self,
        id: &GatewayId,
        version: &str,
        is_draining: bool,
        is_start: bool,
    ) -> Result<()> {
        let text = sql!(
            self.tx,
            sqlite: concat!(
                "INSERT INTO gateway (id, started_at, heartbeat_at, version, is_draining) VALUES ($1, ",
                db_now!(sqlite), ", ", db_now!(sqlite), ", $2, $3) ON CONFLICT (id) DO UPDATE SET \
                 started_at = CASE WHEN $4 THEN excluded.started_at ELSE gateway.started_at END, \
                 heartbeat_at = excluded.heartbeat_at, version = excluded.version, \
                 is_draining = excluded.is_draining",
            ),
            postgres: concat!(
                "INSERT INTO gateway (id, started_at, heartbeat_at, version, is_draining) VALUES ($1, ",
                db_now!(postgres), ", ", db_now!(postgres), ", $2, $3) ON CONFLICT (id) DO UPDATE SET \
                 started_at = CASE WHEN $4 THEN excluded.started_at ELSE gateway.started_at END, \
                 heartbeat_at = excluded.heartbeat_at, version = excluded.version, \
                 is_draining = excluded.is_draining",
            ),
        );
        on!(self.tx, |conn| sqlx::query(text)
            .bind(id.as_str())
            .bind(version)
            .bind(is_draining)
            .bind(is_start)
            .execute(conn)
            .await
            .map(drop))?;
        Ok(())
    }

    /// The gateways with the number of sessions that each owns now.
    pub async fn gateways(&mut self) -> Result<Vec<Gateway>> {
        let text = sql!(
            self.tx,
            sqlite: concat!(
                "SELECT g.id, g.started_at, g.version, g.is_draining, ", db_now!(sqlite),
                " - g.heartbeat_at AS silent_for_ms, (SELECT COUNT(*) FROM session_lease l \
                   WHERE l.gateway_id = g.id AND l.expires_at > ", db_now!(sqlite),
                ") AS session_count FROM gateway g ORDER BY g.id",
            ),
            postgres: concat!(
                "SELECT g.id, g.started_at, g.version, g.is_draining, ", db_now!(postgres),
                " - g.heartbeat_at AS silent_for_ms, (SELECT COUNT(*) FROM session_lease l \
                   WHERE l.gateway_id = g.id AND l.expires_at > ", db_now!(postgres),
                ") AS session_count FROM gateway g ORDER BY g.id",
            ),
        );
        let rows: Vec<GatewayRow> =
            on!(self.tx, |conn| sqlx::query_as(text).fetch_all(conn).await)?;
        Ok(rows
            .into_iter()
            .map(|row| Gateway {
                id: row.id.0,
                started_at_ms: row.started_at,
                silent_for_ms: row.silent_for_ms,
                version: row.version,
                is_draining: row.is_draining,
                session_count: row.session_count,
            })
            .collect())
    }

    /// Forgets a gateway that left for good.
    pub async fn remove_gateway(&mut self, id: &GatewayId) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "DELETE FROM gateway WHERE id = $1"
        )
        .bind(id.as_str())
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }
}
