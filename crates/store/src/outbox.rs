//! Messages on their way out, and the idempotency keys that name them.

use serde_json::value::RawValue;
use sqlx::FromRow;
use wagate_model::{OrganizationId, OutboxId, SendMode, SessionId};

use crate::batch;
use crate::error::{Result, StoreError};
use crate::leases::Owned;
use crate::text::{Text, storable};
use crate::tx::{Tx, on};

/// What outbox requests are sealed under.
pub(crate) const SEALED_AS: &str = "outbox.request";

/// How far a message on its way out is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboxState {
    /// Waits for its first or next attempt.
    Pending,
    /// An attempt is under way, or was when its gateway died.
    Sending,
    /// WhatsApp has it.
    Sent,
    /// Given up.
    Failed,
}

impl OutboxState {
    /// The name used in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        [Self::Pending, Self::Sending, Self::Sent, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| StoreError::Corrupt("outbox.state".to_owned()))
    }
}

/// The key by which a caller repeats a request without sending twice.
#[derive(Clone)]
pub struct IdempotencyKey {
    /// The key, unique in the organization.
    pub key: String,
    /// The SHA-256 of what the request means.
    pub body_hash: [u8; 32],
}

/// A message that is put into the outbox.
#[derive(Clone)]
pub struct NewOutbox {
    /// The id.
    pub id: OutboxId,
    /// The session that sends it.
    pub session_id: SessionId,
    /// WhatsApp's id of the message, reserved before the first attempt.
    pub wa_message_id: String,
    /// The chat.
    pub chat_jid: String,
    /// Whether the caller waits.
    pub mode: SendMode,
    /// The request; sealed in the store.
    pub request: Vec<u8>,
    /// The caller's key.
    pub idempotency: Option<IdempotencyKey>,
    /// When it may first be tried, in milliseconds since 1970.
    pub next_attempt_at_ms: i64,
}

/// What became of a message that was put into the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enqueued {
    /// It is in the outbox.
    New,
    /// The key was used before, for the same request: this is the outbox entry of the first.
    Replayed(OutboxId),
    /// The key was used before for another request.
    OtherRequest,
}

/// An entry of the outbox, without its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRecord {
    /// The id.
    pub id: OutboxId,
    /// The session.
    pub session_id: SessionId,
    /// WhatsApp's id of the message.
    pub wa_message_id: String,
    /// The chat.
    pub chat_jid: String,
    /// Whether the first caller waited.
    pub mode: SendMode,
    /// How far it is.
    pub state: OutboxState,
    /// How many attempts were begun.
    pub attempts: i64,
    /// When it is tried next, in milliseconds since 1970.
    pub next_attempt_at_ms: i64,
    /// When it was added, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When it was sent or given up, in milliseconds since 1970.
    pub finished_at_ms: Option<i64>,
    /// The result as JSON, once finished.
    pub result: Option<String>,
}

/// An entry that is due, with its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueOutbox {
    /// The entry.
    pub record: OutboxRecord,
    /// The request; nothing where it was sealed under a key that is gone.
    pub request: Option<Vec<u8>>,
}

/// An entry that waits in a transaction.
#[derive(Debug)]
pub(crate) struct WaitingOutbox {
    id: OutboxId,
    organization: OrganizationId,
    session: SessionId,
    wa_message_id: String,
    chat_jid: String,
    mode: &'static str,
    /// Sealed.
    request: Vec<u8>,
    next_attempt_at: i64,
    created_at: i64,
}

const INSERT: &str = "INSERT INTO outbox \
     (state, id, organization_id, session_id, wa_message_id, chat_jid, mode, request, attempts, \
      next_attempt_at, created_at) VALUES";

macro_rules! outbox_columns {
    () => {
        "id, session_id, wa_message_id, chat_jid, mode, state, attempts, next_attempt_at, \
         created_at, finished_at, result"
    };
}

#[derive(FromRow)]
struct OutboxRow {
    id: Text<OutboxId>,
    session_id: Text<SessionId>,
    wa_message_id: String,
    chat_jid: String,
    mode: String,
    state: String,
    attempts: i64,
    next_attempt_at: i64,
    created_at: i64,
    finished_at: Option<i64>,
    result: Option<String>,
}

#[derive(FromRow)]
struct DueRow {
    #[sqlx(flatten)]
    entry: OutboxRow,
    request: Vec<u8>,
}

#[derive(FromRow)]
struct KeyRow {
    body_hash: Vec<u8>,
    outbox_id: Text<OutboxId>,
}

impl OutboxRow {
    fn into_record(self) -> Result<OutboxRecord> {
        Ok(OutboxRecord {
            id: self.id.0,
            session_id: self.session_id.0,
            wa_message_id: self.wa_message_id,
            chat_jid: self.chat_jid,
            mode: if self.mode == mode_name(SendMode::Async) {
                SendMode::Async
            } else {
                SendMode::Sync
            },
            state: OutboxState::parse(&self.state)?,
            attempts: self.attempts,
            next_attempt_at_ms: self.next_attempt_at,
            created_at_ms: self.created_at,
            finished_at_ms: self.finished_at,
            result: self.result,
        })
    }
}

const fn mode_name(mode: SendMode) -> &'static str {
    match mode {
        SendMode::Sync => "sync",
        SendMode::Async => "async",
    }
}

impl Tx {
    /// Puts a message into the outbox, unless its idempotency key was used before.
    pub async fn enqueue(
        &mut self,
        organization: OrganizationId,
        new: &NewOutbox,
        now_ms: i64,
    ) -> Result<Enqueued> {
        if let Some(idempotency) = &new.idempotency {
            let claimed = self
                .claim_key(organization, idempotency, new.id, now_ms)
                .await?;
            if claimed != Enqueued::New {
                return Ok(claimed);
            }
        }
        let request = self.seal(SEALED_AS, new.id.to_string().as_bytes(), &new.request);
        self.deferred.outbox.push(WaitingOutbox {
            id: new.id,
            organization,
            session: new.session_id,
            wa_message_id: storable(&new.wa_message_id).into_owned(),
            chat_jid: storable(&new.chat_jid).into_owned(),
            mode: mode_name(new.mode),
            request,
            next_attempt_at: new.next_attempt_at_ms,
            created_at: now_ms,
        });
        Ok(Enqueued::New)
    }

    /// Takes an idempotency key for a message, unless it was used before.
    pub async fn claim_key(
        &mut self,
        organization: OrganizationId,
        idempotency: &IdempotencyKey,
        id: OutboxId,
        now_ms: i64,
    ) -> Result<Enqueued> {
        // The update changes nothing, but makes the statement give the row that won,
        // also when two callers come at the same moment.
        let row: KeyRow = on!(self, |conn| sqlx::query_as(
            "INSERT INTO idempotency_key \
             (organization_id, key, body_hash, outbox_id, created_at) \
             VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (organization_id, key) DO UPDATE SET key = excluded.key \
             RETURNING body_hash, outbox_id"
        )
        .bind(Text(organization))
        .bind(&idempotency.key)
        .bind(idempotency.body_hash.as_slice())
        .bind(Text(id))
        .bind(now_ms)
        .fetch_one(conn)
        .await)?;
        Ok(if row.body_hash != idempotency.body_hash {
            Enqueued::OtherRequest
        } else if row.outbox_id.0 == id {
            Enqueued::New
        } else {
            Enqueued::Replayed(row.outbox_id.0)
        })
    }

    /// Writes the entries that wait, where this one is among them.
    async fn write_outbox_of(&mut self, id: OutboxId) -> Result<()> {
        if self.deferred.outbox.has_unwritten(|row| row.id == id) {
            self.write_outbox().await?;
        }
        Ok(())
    }

    /// Writes the entries that wait for it.
    pub(crate) async fn write_outbox(&mut self) -> Result<()> {
        let rows = self.deferred.outbox.take_unwritten();
        for piece in batch::pieces(&rows) {
            let text = batch::values(INSERT, 1, 10, piece.len(), "");
            on!(self, |conn| {
                let mut query = sqlx::query(text).bind(OutboxState::Pending.as_str());
                for row in piece {
                    query = query
                        .bind(Text(row.id))
                        .bind(Text(row.organization))
                        .bind(Text(row.session))
                        .bind(&row.wa_message_id)
                        .bind(&row.chat_jid)
                        .bind(row.mode)
                        .bind(&row.request)
                        .bind(0_i64)
                        .bind(row.next_attempt_at)
                        .bind(row.created_at);
                }
                query.execute(conn).await.map(drop)
            })?;
        }
        Ok(())
    }

    /// The outbox entry of an idempotency key: nothing where the key was not used.
    pub async fn outbox_by_key(
        &mut self,
        organization: OrganizationId,
        idempotency: &IdempotencyKey,
    ) -> Result<Option<Enqueued>> {
        let row: Option<KeyRow> = on!(self, |conn| sqlx::query_as(
            "SELECT body_hash, outbox_id FROM idempotency_key \
             WHERE organization_id = $1 AND key = $2"
        )
        .bind(Text(organization))
        .bind(&idempotency.key)
        .fetch_optional(conn)
        .await)?;
        Ok(row.map(|row| {
            if row.body_hash == idempotency.body_hash {
                Enqueued::Replayed(row.outbox_id.0)
            } else {
                Enqueued::OtherRequest
            }
        }))
    }

    /// One outbox entry.
    pub async fn outbox(
        &mut self,
        organization: OrganizationId,
        id: OutboxId,
    ) -> Result<Option<OutboxRecord>> {
        self.write_outbox_of(id).await?;
        let row: Option<OutboxRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            outbox_columns!(),
            " FROM outbox WHERE organization_id = $1 AND id = $2"
        ))
        .bind(Text(organization))
        .bind(Text(id))
        .fetch_optional(conn)
        .await)?;
        row.map(OutboxRow::into_record).transpose()
    }

    /// How many messages of a session are still on their way out.
    pub async fn outbox_depth(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
    ) -> Result<i64> {
        self.write_outbox().await?;
        Ok(on!(self, |conn| sqlx::query_scalar(
            "SELECT COUNT(*) FROM outbox \
             WHERE organization_id = $1 AND session_id = $2 AND finished_at IS NULL"
        )
        .bind(Text(organization))
        .bind(Text(session))
        .fetch_one(conn)
        .await)?)
    }
}

impl Owned<'_> {
    /// The entries that are due, those of a dead gateway's attempts too: of each chat the
    /// oldest `per_chat`, so that one chat with many hides no other; first the first of each
    /// chat, and so on.
    pub async fn due_outbox(
        &mut self,
        now_ms: i64,
        per_chat: i64,
        limit: i64,
    ) -> Result<Vec<DueOutbox>> {
        self.write_outbox().await?;
        let rows: Vec<DueRow> = on!(self.tx, |conn| sqlx::query_as(concat!(
            "SELECT ",
            outbox_columns!(),
            ", request FROM (SELECT o.*, \
             ROW_NUMBER() OVER (PARTITION BY o.chat_jid ORDER BY o.id) AS place FROM outbox o \
             WHERE o.session_id = $1 AND o.finished_at IS NULL AND o.next_attempt_at <= $2) due \
             WHERE place <= $3 ORDER BY place, id LIMIT $4"
        ))
        .bind(Text(self.session))
        .bind(now_ms)
        .bind(per_chat)
        .bind(limit)
        .fetch_all(conn)
        .await)?;
        rows.into_iter()
            .map(|row| {
                let record = row.entry.into_record()?;
                let key = record.id.to_string();
                let request = self.tx.unseal(SEALED_AS, key.as_bytes(), &row.request).ok();
                Ok(DueOutbox { record, request })
            })
            .collect()
    }

    /// When the next entry is due, in milliseconds since 1970; nothing when the outbox is empty.
    pub async fn next_outbox_at(&mut self) -> Result<Option<i64>> {
        self.write_outbox().await?;
        Ok(on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT MIN(next_attempt_at) FROM outbox \
             WHERE session_id = $1 AND finished_at IS NULL"
        )
        .bind(Text(self.session))
        .fetch_one(conn)
        .await)?)
    }

    /// Notes that an attempt begins; whether the entry is still unfinished.
    pub async fn begin_send(&mut self, id: OutboxId) -> Result<bool> {
        self.write_outbox_of(id).await?;
        let count = on!(self.tx, |conn| sqlx::query(
            "UPDATE outbox SET state = $3, attempts = attempts + 1 \
             WHERE session_id = $1 AND id = $2 AND finished_at IS NULL"
        )
        .bind(Text(self.session))
        .bind(Text(id))
        .bind(OutboxState::Sending.as_str())
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Has an entry wait for its next attempt; whether it is still unfinished.
    pub async fn defer_send(&mut self, id: OutboxId, next_attempt_at_ms: i64) -> Result<bool> {
        self.write_outbox_of(id).await?;
        let count = on!(self.tx, |conn| sqlx::query(
            "UPDATE outbox SET state = $3, next_attempt_at = $4 \
             WHERE session_id = $1 AND id = $2 AND finished_at IS NULL"
        )
        .bind(Text(self.session))
        .bind(Text(id))
        .bind(OutboxState::Pending.as_str())
        .bind(next_attempt_at_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Finishes an entry with a result that repetitions of the request get too.
    ///
    /// Whether it was unfinished: only then the outcome's event is to be emitted.
    pub async fn finish_send(
        &mut self,
        id: OutboxId,
        is_sent: bool,
        result: &RawValue,
        now_ms: i64,
    ) -> Result<bool> {
        self.write_outbox_of(id).await?;
        let state = if is_sent {
            OutboxState::Sent
        } else {
            OutboxState::Failed
        };
        let count = on!(self.tx, |conn| sqlx::query(
            "UPDATE outbox SET state = $3, finished_at = $4, result = $5 \
             WHERE session_id = $1 AND id = $2 AND finished_at IS NULL"
        )
        .bind(Text(self.session))
        .bind(Text(id))
        .bind(state.as_str())
        .bind(now_ms)
        .bind(result.get())
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }
}
