//! What an operator wants to know of an installation, over all organizations.

use sqlx::FromRow;

use super::Admin;
use crate::error::Result;
use crate::tx::{DatabaseKind, db_now, on, sql};

/// What an operator should look into, as counts.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Diagnosis {
    /// Organizations.
    pub organizations: i64,
    /// Organizations without a key that works.
    pub organizations_without_key: i64,
    /// Live leases of gateways that have been silent for too long.
    pub leases_without_gateway: i64,
    /// Sessions that should run and that nobody owns.
    pub sessions_without_owner: i64,
    /// Sessions that have been starting for too long.
    pub sessions_stuck: i64,
    /// Webhooks that the service disabled.
    pub webhooks_disabled: i64,
    /// Deliveries that were given up.
    pub deliveries_dead: i64,
}

/// `$1`: silence after which a gateway is dead; `$2`: now; `$3`: since when starting is too long.
macro_rules! diagnosis {
    ($now:expr) => {
        concat!(
            "SELECT (SELECT COUNT(*) FROM organization WHERE deleted_at IS NULL) AS organizations, \
             (SELECT COUNT(*) FROM organization o WHERE o.deleted_at IS NULL \
                AND NOT EXISTS (SELECT 1 FROM api_key k \
                WHERE k.organization_id = o.id AND k.revoked_at IS NULL \
                AND (k.expires_at IS NULL OR k.expires_at > $2))) AS organizations_without_key, \
             (SELECT COUNT(*) FROM session_lease l WHERE l.expires_at > ",
            $now,
            " AND NOT EXISTS (SELECT 1 FROM gateway g WHERE g.id = l.gateway_id \
                AND g.heartbeat_at > ",
            $now,
            " - $1)) AS leases_without_gateway, \
             (SELECT COUNT(*) FROM session s WHERE s.is_wanted_running AND s.deleted_at IS NULL \
                AND NOT EXISTS (SELECT 1 FROM session_lease l WHERE l.session_id = s.id \
                AND l.expires_at > ",
            $now,
            ")) AS sessions_without_owner, \
             (SELECT COUNT(*) FROM session s WHERE s.status = 'starting' AND s.is_wanted_running \
                AND s.deleted_at IS NULL AND s.updated_at < $3) AS sessions_stuck, \
             (SELECT COUNT(*) FROM webhook WHERE disabled_reason IS NOT NULL) AS webhooks_disabled, \
             (SELECT COUNT(*) FROM webhook_delivery WHERE status = 'dead') AS deliveries_dead"
        )
    };
}

impl Admin<'_> {
    /// Counts what should be looked into. A gateway that has not reported for
    /// `dead_after_ms` counts as dead, a start that takes longer than `stuck_after_ms` as stuck.
    pub async fn diagnosis(
        &mut self,
        dead_after_ms: i64,
        stuck_after_ms: i64,
        now_ms: i64,
    ) -> Result<Diagnosis> {
        let text = sql!(
            self.tx,
            sqlite: diagnosis!(db_now!(sqlite)),
            postgres: diagnosis!(db_now!(postgres)),
        );
        Ok(on!(self.tx, |conn| sqlx::query_as(text)
            .bind(dead_after_ms)
            .bind(now_ms)
            .bind(now_ms.saturating_sub(stuck_after_ms))
            .fetch_one(conn)
            .await)?)
    }

    /// The version of the database's own program.
    pub async fn database_version(&mut self) -> Result<String> {
        let text = sql!(
            self.tx,
            sqlite: "SELECT sqlite_version()",
            postgres: "SELECT current_setting('server_version')",
        );
        Ok(on!(self.tx, |conn| sqlx::query_scalar(text)
            .fetch_one(conn)
            .await)?)
    }

    /// What SQLite finds wrong in its file; PostgreSQL has tools of its own for that.
    pub async fn integrity_faults(&mut self) -> Result<Vec<String>> {
        if self.tx.database() == DatabaseKind::Postgres {
            return Ok(Vec::new());
        }
        let told: Vec<String> = on!(self.tx, |conn| sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_all(conn)
            .await)?;
        Ok(told.into_iter().filter(|line| line != "ok").collect())
    }
}
