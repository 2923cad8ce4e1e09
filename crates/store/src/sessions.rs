//! Sessions: one WhatsApp number each.

use serde_json::Value;
use sqlx::FromRow;
use wagate_model::{
    GatewayId, HistorySync, HistorySyncStatus, OrganizationId, Restriction, SessionId,
    SessionStatus, StatusDetail, StatusReason, UpdateSession, WaSession, hide_contents,
};

use crate::error::Result;
use crate::leases::Owned;
use crate::restrictions;
use crate::text::{Text, storable};
use crate::tx::{Tx, db_now, on, sql};

/// A session that is added.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The id.
    pub id: SessionId,
    /// The label.
    pub label: Option<String>,
    /// Whether it is to be started at once.
    pub is_wanted_running: bool,
    /// The gateway that it is placed on.
    pub gateway_id: GatewayId,
    /// Whether inbound messages are marked as read.
    pub auto_read: bool,
    /// Whether typing is shown before a send.
    pub presence_typing: bool,
    /// Whether it is the operator's own number.
    pub is_admin_session: bool,
    /// Sends a minute; 0 or less: unlimited.
    pub rate_per_min: i64,
    /// Sends an hour; 0 or less: unlimited.
    pub rate_per_hour: i64,
    /// The user who made it; nobody where an API key did.
    pub created_by_user_id: Option<String>,
}

/// A session as it is stored and shown.
#[derive(Debug, Clone)]
pub struct SessionRecord {
    /// What clients see; the status is `starting` where a live one's lease has run out.
    pub session: WaSession,
    /// Whether it should run.
    pub is_wanted_running: bool,
    /// The status as the last owner wrote it.
    pub stored_status: SessionStatus,
    /// The account's own name.
    pub push_name: Option<String>,
    /// What WhatsApp forbids the account now.
    pub restrictions: Vec<Restriction>,
}

/// The columns of a session, with the status that clients see.
macro_rules! select_session {
    ($dialect:ident, $condition:literal) => {
        concat!(
            "SELECT s.id, s.organization_id, s.label, s.status AS stored_status, \
             CASE WHEN s.status IN ('working', 'scan_qr_code', 'starting') \
             AND NOT EXISTS (SELECT 1 FROM session_lease l WHERE l.session_id = s.id \
             AND l.expires_at > ",
            db_now!($dialect),
            ") THEN 'starting' ELSE s.status END AS status, \
             s.status_reason, s.status_detail, s.is_wanted_running, s.gateway_id, s.auto_read, \
             s.presence_typing, s.is_admin_session, s.rate_per_min, s.rate_per_hour, \
             s.created_by_user_id, s.wa_jid, s.wa_lid, s.phone_number, s.push_name, \
             s.last_connected_at, s.created_at, s.updated_at, s.history_status, \
             s.history_progress, s.history_messages, s.history_chats, s.history_started_at, \
             s.history_updated_at, s.restrictions, ",
            db_now!($dialect),
            " AS read_at FROM session s \
             WHERE s.deleted_at IS NULL AND ",
            $condition
        )
    };
}

pub(crate) use select_session;

#[derive(FromRow)]
pub(crate) struct SessionRow {
    id: Text<SessionId>,
    organization_id: Text<OrganizationId>,
    label: Option<String>,
    stored_status: Text<SessionStatus>,
    status: Text<SessionStatus>,
    status_reason: Option<String>,
    status_detail: Option<String>,
    is_wanted_running: bool,
    gateway_id: Text<GatewayId>,
    auto_read: bool,
    presence_typing: bool,
    is_admin_session: bool,
    rate_per_min: i64,
    rate_per_hour: i64,
    created_by_user_id: Option<String>,
    wa_jid: Option<String>,
    wa_lid: Option<String>,
    phone_number: Option<String>,
    push_name: Option<String>,
    last_connected_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
    history_status: Option<Text<HistorySyncStatus>>,
    history_progress: i64,
    history_messages: i64,
    history_chats: i64,
    history_started_at: i64,
    history_updated_at: i64,
    restrictions: Option<String>,
    read_at: i64,
}

impl SessionRow {
    fn history(&self) -> Option<HistorySync> {
        self.history_status.map(|status| HistorySync {
            chats: self.history_chats,
            messages: self.history_messages,
            progress: self.history_progress,
            started_at: self.history_started_at,
            status: status.0,
            updated_at: self.history_updated_at,
        })
    }

    pub(crate) fn into_record(self) -> Result<SessionRecord> {
        let history_sync = self.history();
        let restrictions = restrictions::read(self.restrictions.as_deref());
        let restrictions: Vec<_> = restrictions
            .into_iter()
            .filter(|restriction| restriction.holds_at(self.read_at))
            .collect();
        let reason = self
            .status_reason
            .map(|name| serde_json::from_value(Value::String(name)));
        let detail = self.status_detail.as_deref().map(serde_json::from_str);
        Ok(SessionRecord {
            session: WaSession {
                auto_read: self.auto_read,
                created_at: self.created_at,
                created_by_user_id: self.created_by_user_id,
                gateway_id: self.gateway_id.0,
                history_sync,
                id: self.id.0,
                is_admin_session: self.is_admin_session,
                label: self.label,
                last_connected_at: self.last_connected_at,
                organization_id: self.organization_id.0,
                phone_number: self.phone_number,
                presence_typing: self.presence_typing,
                restriction: restrictions.first().cloned(),
                rate_per_hour: self.rate_per_hour,
                rate_per_min: self.rate_per_min,
                status: self.status.0,
                updated_at: self.updated_at,
                wa_jid: self.wa_jid,
                wa_lid: self.wa_lid,
                status_reason: reason.transpose()?,
                status_detail: detail.transpose()?,
            },
            is_wanted_running: self.is_wanted_running,
            stored_status: self.stored_status.0,
            push_name: self.push_name,
            restrictions,
        })
    }
}

impl Tx {
    /// Adds a session: `starting` where it is to be started, else `stopped`.
    pub async fn insert_session(
        &mut self,
        organization: OrganizationId,
        new: &NewSession,
        now_ms: i64,
    ) -> Result<()> {
        self.hold_organization(organization).await?;
        let status = if new.is_wanted_running {
            SessionStatus::Starting
        } else {
            SessionStatus::Stopped
        };
        on!(self, |conn| sqlx::query(
            "INSERT INTO session (id, organization_id, label, status, is_wanted_running, \
             gateway_id, auto_read, presence_typing, is_admin_session, rate_per_min, \
             rate_per_hour, created_by_user_id, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)"
        )
        .bind(Text(new.id))
        .bind(Text(organization))
        .bind(new.label.as_deref().map(storable))
        .bind(status.as_str())
        .bind(new.is_wanted_running)
        .bind(new.gateway_id.as_str())
        .bind(new.auto_read)
        .bind(new.presence_typing)
        .bind(new.is_admin_session)
        .bind(new.rate_per_min)
        .bind(new.rate_per_hour)
        .bind(new.created_by_user_id.as_deref())
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// One session of the organization.
    pub async fn session(
        &mut self,
        organization: OrganizationId,
        id: SessionId,
    ) -> Result<Option<SessionRecord>> {
        let text = sql!(
            self,
            sqlite: select_session!(sqlite, "s.organization_id = $1 AND s.id = $2"),
            postgres: select_session!(postgres, "s.organization_id = $1 AND s.id = $2"),
        );
        let row: Option<SessionRow> = on!(self, |conn| sqlx::query_as(text)
            .bind(Text(organization))
            .bind(Text(id))
            .fetch_optional(conn)
            .await)?;
        row.map(SessionRow::into_record).transpose()
    }

    /// The sessions of the organization, oldest first.
    pub async fn sessions(&mut self, organization: OrganizationId) -> Result<Vec<SessionRecord>> {
        let text = sql!(
            self,
            sqlite: select_session!(sqlite, "s.organization_id = $1 ORDER BY s.id"),
            postgres: select_session!(postgres, "s.organization_id = $1 ORDER BY s.id"),
        );
        let rows: Vec<SessionRow> = on!(self, |conn| sqlx::query_as(text)
            .bind(Text(organization))
            .fetch_all(conn)
            .await)?;
        rows.into_iter().map(SessionRow::into_record).collect()
    }

    /// Changes settings of a session; parts that are absent stay. Whether it is there.
    pub async fn update_session(
        &mut self,
        organization: OrganizationId,
        id: SessionId,
        change: &UpdateSession,
        now_ms: i64,
    ) -> Result<bool> {
        let count = on!(self, |conn| sqlx::query(
            "UPDATE session SET label = COALESCE($3, label), \
             auto_read = COALESCE($4, auto_read), \
             presence_typing = COALESCE($5, presence_typing), \
             rate_per_min = COALESCE($6, rate_per_min), \
             rate_per_hour = COALESCE($7, rate_per_hour), updated_at = $8 \
             WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .bind(change.label.as_deref().map(storable))
        .bind(change.auto_read)
        .bind(change.presence_typing)
        .bind(change.rate_per_min)
        .bind(change.rate_per_hour)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Says whether a session should run; whether it is there.
    pub async fn set_session_wanted(
        &mut self,
        organization: OrganizationId,
        id: SessionId,
        is_wanted_running: bool,
        now_ms: i64,
    ) -> Result<bool> {
        let count = on!(self, |conn| sqlx::query(
            "UPDATE session SET is_wanted_running = $3, updated_at = $4 \
             WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .bind(is_wanted_running)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Writes the status of a session that nobody owns; whether that was so.
    ///
    /// The status of an owned session is its owner's to write: [`Owned::set_status`].
    pub async fn set_unowned_status(
        &mut self,
        organization: OrganizationId,
        id: SessionId,
        status: SessionStatus,
        now_ms: i64,
    ) -> Result<bool> {
        let text = sql!(
            self,
            sqlite: concat!(
                "UPDATE session SET status = $3, status_reason = NULL, status_detail = NULL, \
                 updated_at = $4 WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL \
                 AND NOT EXISTS (SELECT 1 FROM session_lease l WHERE l.session_id = $2 \
                 AND l.expires_at > ", db_now!(sqlite), ")",
            ),
            postgres: concat!(
                "UPDATE session SET status = $3, status_reason = NULL, status_detail = NULL, \
                 updated_at = $4 WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL \
                 AND NOT EXISTS (SELECT 1 FROM session_lease l WHERE l.session_id = $2 \
                 AND l.expires_at > ", db_now!(postgres), ")",
            ),
        );
        let count = on!(self, |conn| sqlx::query(text)
            .bind(Text(organization))
            .bind(Text(id))
            .bind(status.as_str())
            .bind(now_ms)
            .execute(conn)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Deletes a session for every reader at once; whether it was there.
    ///
    /// Its owner is fenced from now on. The stored data goes in pieces, by
    /// [`Admin::purge_deleted_sessions`](crate::Admin::purge_deleted_sessions), so that
    /// a large session does not hold up everybody else.
    pub async fn delete_session(
        &mut self,
        organization: OrganizationId,
        id: SessionId,
        now_ms: i64,
    ) -> Result<bool> {
        self.write_deferred().await?;
        self.forget_leases();
        let count = on!(self, |conn| sqlx::query(
            "UPDATE session SET deleted_at = $3, is_wanted_running = $4, updated_at = $3 \
             WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .bind(now_ms)
        .bind(false)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        // A lease that cannot be renewed ends the connection of an owner that hears nothing.
        on!(self, |conn| sqlx::query(
            "UPDATE session_lease SET epoch = epoch + 1, expires_at = 0 WHERE session_id IN \
             (SELECT s.id FROM session s WHERE s.id = $2 AND s.organization_id = $1 \
             AND s.deleted_at IS NOT NULL)"
        )
        .bind(Text(organization))
        .bind(Text(id))
        .execute(conn)
        .await
        .map(drop))?;
        Ok(count > 0)
    }
}

/// The WhatsApp account that a session is attached to.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Its JID by phone number.
    pub jid: String,
    /// Its LID.
    pub lid: Option<String>,
    /// Its phone number in digits.
    pub phone_number: Option<String>,
    /// Its own name.
    pub push_name: Option<String>,
}

hide_contents!(Account);

impl Owned<'_> {
    /// The session itself.
    pub async fn record(&mut self) -> Result<Option<SessionRecord>> {
        let (organization, session) = (self.organization, self.session);
        self.tx.session(organization, session).await
    }

    /// Writes the status; whether status or reason changed.
    ///
    /// `working` also notes the time of the connection.
    pub async fn set_status(
        &mut self,
        status: SessionStatus,
        reason: Option<StatusReason>,
        detail: Option<StatusDetail>,
        now_ms: i64,
    ) -> Result<bool> {
        let reason = reason.map(StatusReason::as_str);
        let detail = detail.as_ref().map(serde_json::to_string).transpose()?;
        let connected_at = (status == SessionStatus::Working).then_some(now_ms);
        let gateway_status = status.as_str();
        let before: Option<(String, Option<String>)> = on!(self.tx, |conn| sqlx::query_as(
            "SELECT status, status_reason FROM session WHERE id = $1"
        )
        .bind(Text(self.session))
        .fetch_optional(conn)
        .await)?;
        on!(self.tx, |conn| sqlx::query(
            "UPDATE session SET status = $2, status_reason = $3, status_detail = $4, \
             last_connected_at = COALESCE($5, last_connected_at), updated_at = $6, \
             gateway_id = (SELECT l.gateway_id FROM session_lease l WHERE l.session_id = $1) \
             WHERE id = $1"
        )
        .bind(Text(self.session))
        .bind(gateway_status)
        .bind(reason)
        .bind(detail)
        .bind(connected_at)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(before.is_none_or(|(old, old_reason)| {
            old != gateway_status || old_reason.as_deref() != reason
        }))
    }

    /// Says whether the session should run: not, after it was logged out or banned.
    pub async fn set_wanted(&mut self, is_wanted_running: bool, now_ms: i64) -> Result<()> {
        let (organization, session) = (self.organization, self.session);
        self.tx
            .set_session_wanted(organization, session, is_wanted_running, now_ms)
            .await
            .map(drop)
    }

    /// Notes the account that the session is attached to, or that it is attached to none.
    pub async fn set_account(&mut self, account: Option<&Account>, now_ms: i64) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE session SET wa_jid = $2, wa_lid = $3, phone_number = $4, \
             push_name = $5, updated_at = $6, groups_synced_at = \
             CASE WHEN $2 IS NULL THEN NULL ELSE groups_synced_at END, default_timer = \
             CASE WHEN $2 IS NULL THEN NULL ELSE default_timer END WHERE id = $1"
        )
        .bind(Text(self.session))
        .bind(account.map(|account| storable(&account.jid)))
        .bind(
            account
                .and_then(|account| account.lid.as_deref())
                .map(storable)
        )
        .bind(
            account
                .and_then(|account| account.phone_number.as_deref())
                .map(storable)
        )
        .bind(
            account
                .and_then(|account| account.push_name.as_deref())
                .map(storable)
        )
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }
}
