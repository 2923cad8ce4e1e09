//! Messages that are to be sent later.
//!
//! They wait here, also while their session runs nowhere. When one is due, the session's owner
//! accepts it as if it were asked for just now: the row goes in the transaction that puts the
//! message into the outbox, so that it is neither lost nor accepted twice.

use sqlx::{FromRow, QueryBuilder};
use wagate_model::{AttachmentId, GatewayId, OrganizationId, OutboxId, SessionId};

use crate::admin::Admin;
use crate::error::Result;
use crate::leases::Owned;
use crate::text::{Text, storable};
use crate::tx::{Tx, on, sql};

/// What the requests are sealed under.
pub(crate) const SEALED_AS: &str = "scheduled_message.request";

/// A message to send later.
#[derive(Clone)]
pub struct NewScheduled {
    /// The id, which its outbox entry will have too.
    pub id: OutboxId,
    /// The session that is to send it.
    pub session_id: SessionId,
    /// WhatsApp's id of the message, reserved.
    pub wa_message_id: String,
    /// The chat.
    pub chat_jid: String,
    /// The request; sealed in the store.
    pub request: Vec<u8>,
    /// When it is to be sent, in milliseconds since 1970.
    pub send_at_ms: i64,
}

/// A message that waits for its time, or was given up.
#[derive(Clone, PartialEq, Eq)]
pub struct ScheduledRecord {
    /// The id.
    pub id: OutboxId,
    /// WhatsApp's id of the message, reserved.
    pub wa_message_id: String,
    /// The chat.
    pub chat_jid: String,
    /// The request; nothing where it was sealed under a key that is gone.
    pub request: Option<Vec<u8>>,
    /// When it is to be sent, in milliseconds since 1970.
    pub send_at_ms: i64,
    /// When it was asked for, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When it was given up, in milliseconds since 1970.
    pub failed_at_ms: Option<i64>,
    /// Why it was given up.
    pub error: Option<String>,
}

/// Where a list of scheduled messages goes on: time and id of the last one.
pub type ScheduledPosition = (i64, OutboxId);

/// A scheduled message whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueScheduled {
    /// The session that is to send it.
    pub session_id: SessionId,
    /// The message.
    pub id: OutboxId,
}

macro_rules! scheduled_columns {
    () => {
        "id, wa_message_id, chat_jid, request, send_at, created_at, failed_at, error"
    };
}

#[derive(FromRow)]
struct ScheduledRow {
    id: Text<OutboxId>,
    wa_message_id: String,
    chat_jid: String,
    request: Vec<u8>,
    send_at: i64,
    created_at: i64,
    failed_at: Option<i64>,
    error: Option<String>,
}

#[derive(FromRow)]
struct DueRow {
    session_id: Text<SessionId>,
    id: Text<OutboxId>,
}

impl ScheduledRow {
    fn into_record(self, tx: &Tx) -> ScheduledRecord {
        let key = self.id.0.to_string();
        ScheduledRecord {
            request: tx.unseal(SEALED_AS, key.as_bytes(), &self.request).ok(),
            id: self.id.0,
            wa_message_id: self.wa_message_id,
            chat_jid: self.chat_jid,
            send_at_ms: self.send_at,
            created_at_ms: self.created_at,
            failed_at_ms: self.failed_at,
            error: self.error,
        }
    }
}

impl Tx {
    /// Whether a phone is attached to a session; that stays so until the transaction ends.
    pub async fn hold_account(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
    ) -> Result<bool> {
        let text = sql!(
            self,
            sqlite: "SELECT id FROM session WHERE organization_id = $1 AND id = $2 \
                     AND deleted_at IS NULL AND wa_jid IS NOT NULL",
            postgres: "SELECT id FROM session WHERE organization_id = $1 AND id = $2 \
                       AND deleted_at IS NULL AND wa_jid IS NOT NULL FOR SHARE",
        );
        let found: Option<Text<SessionId>> = on!(self, |conn| sqlx::query_scalar(text)
            .bind(Text(organization))
            .bind(Text(session))
            .fetch_optional(conn)
            .await)?;
        Ok(found.is_some())
    }

    /// How many messages of a session wait for their time.
    pub async fn scheduled_count(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
    ) -> Result<i64> {
        Ok(on!(self, |conn| sqlx::query_scalar(
            "SELECT COUNT(*) FROM scheduled_message \
             WHERE organization_id = $1 AND session_id = $2 AND failed_at IS NULL"
        )
        .bind(Text(organization))
        .bind(Text(session))
        .fetch_one(conn)
        .await)?)
    }

    /// Adds a message to send later.
    pub async fn insert_scheduled(
        &mut self,
        organization: OrganizationId,
        new: &NewScheduled,
        now_ms: i64,
    ) -> Result<()> {
        let request = self.seal(SEALED_AS, new.id.to_string().as_bytes(), &new.request);
        on!(self, |conn| sqlx::query(
            "INSERT INTO scheduled_message (id, organization_id, session_id, wa_message_id, \
             chat_jid, request, send_at, next_attempt_at, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)"
        )
        .bind(Text(new.id))
        .bind(Text(organization))
        .bind(Text(new.session_id))
        .bind(storable(&new.wa_message_id))
        .bind(storable(&new.chat_jid))
        .bind(request)
        .bind(new.send_at_ms)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Claims files for a scheduled message; false where one is not there, or claimed.
    pub async fn claim_for_scheduled(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        files: &[AttachmentId],
        id: OutboxId,
    ) -> Result<bool> {
        for file in files {
            let count = on!(self, |conn| sqlx::query(
                "UPDATE attachment SET outbox_id = $4 WHERE organization_id = $1 \
                 AND session_id = $2 AND id = $3 AND outbox_id IS NULL"
            )
            .bind(Text(organization))
            .bind(Text(session))
            .bind(Text(*file))
            .bind(Text(id))
            .execute(conn)
            .await
            .map(|done| done.rows_affected()))?;
            if count == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The scheduled messages of a session, those that were given up too, by their time.
    pub async fn scheduled(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        after: Option<ScheduledPosition>,
        limit: i64,
    ) -> Result<Vec<ScheduledRecord>> {
        let (after_ms, after_id) = after.unwrap_or((i64::MIN, OutboxId::from_parts(0, 0)));
        let rows: Vec<ScheduledRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            scheduled_columns!(),
            " FROM scheduled_message WHERE organization_id = $1 AND session_id = $2 \
             AND (send_at, id) > ($3, $4) ORDER BY send_at, id LIMIT $5"
        ))
        .bind(Text(organization))
        .bind(Text(session))
        .bind(after_ms)
        .bind(Text(after_id))
        .bind(limit)
        .fetch_all(conn)
        .await)?;
        Ok(rows.into_iter().map(|row| row.into_record(self)).collect())
    }

    /// One scheduled message.
    pub async fn scheduled_message(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        id: OutboxId,
    ) -> Result<Option<ScheduledRecord>> {
        let row: Option<ScheduledRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            scheduled_columns!(),
            " FROM scheduled_message WHERE organization_id = $1 AND session_id = $2 AND id = $3"
        ))
        .bind(Text(organization))
        .bind(Text(session))
        .bind(Text(id))
        .fetch_optional(conn)
        .await)?;
        Ok(row.map(|row| row.into_record(self)))
    }

    /// Takes a scheduled message back, with its files; whether it was there.
    ///
    /// Against its owner, who deletes the row when it accepts the message, one of both wins.
    pub async fn delete_scheduled(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        id: OutboxId,
    ) -> Result<bool> {
        let count = on!(self, |conn| sqlx::query(
            "DELETE FROM scheduled_message \
             WHERE organization_id = $1 AND session_id = $2 AND id = $3"
        )
        .bind(Text(organization))
        .bind(Text(session))
        .bind(Text(id))
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        if count > 0 {
            on!(self, |conn| sqlx::query(
                "DELETE FROM attachment WHERE organization_id = $1 AND outbox_id = $2"
            )
            .bind(Text(organization))
            .bind(Text(id))
            .execute(conn)
            .await
            .map(drop))?;
        }
        Ok(count > 0)
    }
}

impl Owned<'_> {
    /// Takes a scheduled message out to accept it, and lets go of its files, which its outbox
    /// entries claim; false where it was taken back.
    pub async fn take_scheduled(&mut self, id: OutboxId) -> Result<bool> {
        let count = on!(self.tx, |conn| sqlx::query(
            "DELETE FROM scheduled_message \
             WHERE session_id = $1 AND id = $2 AND failed_at IS NULL"
        )
        .bind(Text(self.session))
        .bind(Text(id))
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        if count > 0 {
            on!(self.tx, |conn| sqlx::query(
                "UPDATE attachment SET outbox_id = NULL WHERE outbox_id = $1"
            )
            .bind(Text(id))
            .execute(conn)
            .await
            .map(drop))?;
        }
        Ok(count > 0)
    }

    /// Looks at scheduled messages again at a time.
    pub async fn defer_scheduled(
        &mut self,
        ids: &[OutboxId],
        next_attempt_at_ms: i64,
    ) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        on!(self.tx, |conn| {
            let mut query = QueryBuilder::new("UPDATE scheduled_message SET next_attempt_at = ");
            query.push_bind(next_attempt_at_ms);
            query.push(" WHERE failed_at IS NULL AND id IN (");
            let mut list = query.separated(", ");
            for id in ids {
                list.push_bind(Text(*id));
            }
            query.push(")");
            query.build().execute(conn).await.map(drop)
        })?;
        Ok(())
    }

    /// Gives a scheduled message up, with its files; whether it was still waiting.
    pub async fn fail_scheduled(&mut self, id: OutboxId, error: &str, now_ms: i64) -> Result<bool> {
        let count = on!(self.tx, |conn| sqlx::query(
            "UPDATE scheduled_message SET failed_at = $3, error = $4 \
             WHERE session_id = $1 AND id = $2 AND failed_at IS NULL"
        )
        .bind(Text(self.session))
        .bind(Text(id))
        .bind(now_ms)
        .bind(storable(error))
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        if count > 0 {
            self.drop_attachments(&[id]).await?;
        }
        Ok(count > 0)
    }

    /// The session's messages that wait for their time, the next ones first.
    pub async fn waiting_scheduled(&mut self, limit: i64) -> Result<Vec<ScheduledRecord>> {
        let rows: Vec<ScheduledRow> = on!(self.tx, |conn| sqlx::query_as(concat!(
            "SELECT ",
            scheduled_columns!(),
            " FROM scheduled_message WHERE session_id = $1 AND failed_at IS NULL \
             ORDER BY send_at, id LIMIT $2"
        ))
        .bind(Text(self.session))
        .bind(limit)
        .fetch_all(conn)
        .await)?;
        let tx: &Tx = self.tx;
        Ok(rows.into_iter().map(|row| row.into_record(tx)).collect())
    }
}

/// Messages of one session that are found at once, so that no session delays the others.
const OF_ONE_SESSION: i64 = 20;

macro_rules! due_columns {
    () => {
        "SELECT session_id, id FROM (SELECT m.session_id, m.id, m.next_attempt_at, m.send_at, \
         ROW_NUMBER() OVER (PARTITION BY m.session_id \
         ORDER BY m.next_attempt_at, m.send_at, m.id) AS turn FROM session_lease l "
    };
}

macro_rules! due_of_session {
    () => {
        "SELECT d.id, d.session_id, d.next_attempt_at, d.send_at FROM scheduled_message d \
         WHERE d.session_id = l.session_id AND d.failed_at IS NULL AND d.next_attempt_at <= $2 \
         ORDER BY d.next_attempt_at, d.send_at, d.id LIMIT $4"
    };
}

impl Admin<'_> {
    /// Messages of a gateway's sessions whose time has come: the first of each session, then
    /// the second of each, and so on.
    pub async fn due_scheduled(
        &mut self,
        gateway: &GatewayId,
        now_ms: i64,
        limit: i64,
    ) -> Result<Vec<DueScheduled>> {
        let text = sql!(
            self.tx,
            sqlite: concat!(
                due_columns!(),
                "CROSS JOIN scheduled_message m ON m.id IN (SELECT id FROM (",
                due_of_session!(),
                ")) WHERE l.gateway_id = $1) AS due \
                 ORDER BY turn, next_attempt_at, send_at, id LIMIT $3",
            ),
            postgres: concat!(
                due_columns!(),
                "CROSS JOIN LATERAL (",
                due_of_session!(),
                ") m WHERE l.gateway_id = $1) AS due \
                 ORDER BY turn, next_attempt_at, send_at, id LIMIT $3",
            ),
        );
        let rows: Vec<DueRow> = on!(self.tx, |conn| sqlx::query_as(text)
            .bind(gateway.as_str())
            .bind(now_ms)
            .bind(limit)
            .bind(OF_ONE_SESSION)
            .fetch_all(conn)
            .await)?;
        let due = rows.into_iter().map(|row| DueScheduled {
            session_id: row.session_id.0,
            id: row.id.0,
        });
        Ok(due.collect())
    }
}
