//! Stored messages as later ones refer to them.

use serde_json::Value;
use sqlx::{FromRow, QueryBuilder};
use wagate_model::{MessageDetails, MessageStatus};

use super::write::IDS_PER_STATEMENT;
use crate::error::Result;
use crate::leases::Owned;
use crate::text::{Text, storable};
use crate::tx::on;

/// Messages of one id that are looked at; more are nobody's but an attacker's.
const MAX_OF_ONE_ID: i64 = 16;

/// What later messages refer to: a poll that is voted in, a text that is quoted.
#[derive(Clone)]
pub struct StoredMessage {
    /// The row's number.
    pub id: i64,
    /// The chat's row.
    pub chat_id: i64,
    /// Who sent it, as in [`super::NewMessage::sender_key`].
    pub sender_key: String,
    /// Whether the account itself sent it.
    pub is_from_me: bool,
    /// Whether it was deleted for everyone.
    pub is_deleted: bool,
    /// Whether its text was changed since it was sent.
    pub is_edited: bool,
    /// The kind of content.
    pub kind: String,
    /// The text, or the caption.
    pub body: Option<String>,
    /// The sender by phone number.
    pub sender_jid: Option<String>,
    /// The sender by LID.
    pub sender_lid: Option<String>,
    /// When it was sent, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// How far it is; for outgoing ones.
    pub status: Option<MessageStatus>,
    /// The whole content as the protocol has it.
    pub content: Option<Value>,
    /// What is shown of it beside its text and its file.
    pub details: MessageDetails,
}

#[derive(FromRow)]
struct StoredRow {
    id: i64,
    chat_id: i64,
    sender_key: String,
    is_from_me: bool,
    is_deleted: bool,
    is_edited: bool,
    kind: String,
    body: Option<String>,
    sender_jid: Option<String>,
    sender_lid: Option<String>,
    timestamp: i64,
    status: Option<Text<MessageStatus>>,
    content: Option<String>,
    details: Option<String>,
}

impl TryFrom<StoredRow> for StoredMessage {
    type Error = crate::StoreError;

    fn try_from(row: StoredRow) -> Result<Self> {
        let details = row.details.as_deref().map(serde_json::from_str);
        let content = row.content.as_deref().map(serde_json::from_str);
        Ok(Self {
            id: row.id,
            chat_id: row.chat_id,
            sender_key: row.sender_key,
            is_from_me: row.is_from_me,
            is_deleted: row.is_deleted,
            is_edited: row.is_edited,
            kind: row.kind,
            body: row.body,
            sender_jid: row.sender_jid,
            sender_lid: row.sender_lid,
            timestamp_ms: row.timestamp,
            status: row.status.map(|status| status.0),
            content: content.transpose()?,
            details: details.transpose()?.unwrap_or_default(),
        })
    }
}

macro_rules! select_stored {
    ($condition:literal) => {
        concat!(
            "SELECT id, chat_id, sender_key, is_from_me, is_deleted, is_edited, kind, body, \
             sender_jid, sender_lid, timestamp, status, content, details FROM message WHERE session_id = ",
            $condition
        )
    };
}

impl Owned<'_> {
    /// How many messages of others came into a chat after the newest of these; `None` where none
    /// of these is stored.
    pub async fn incoming_after(
        &mut self,
        chat_id: i64,
        wa_message_ids: &[String],
    ) -> Result<Option<i64>> {
        self.write_own_message(wa_message_ids.iter().map(String::as_str))
            .await?;
        let mut newest: Option<i64> = None;
        for chunk in wa_message_ids.chunks(IDS_PER_STATEMENT) {
            let found: Option<i64> = on!(self.tx, |conn| {
                let mut query =
                    QueryBuilder::new("SELECT MAX(id) FROM message WHERE session_id = ");
                query.push_bind(Text(self.session));
                query.push(" AND chat_id = ").push_bind(chat_id);
                query.push(" AND wa_message_id IN (");
                let mut list = query.separated(", ");
                for id in chunk {
                    list.push_bind(storable(id));
                }
                query.push(")");
                query
                    .build_query_scalar()
                    .persistent(chunk.len() <= 4)
                    .fetch_one(conn)
                    .await
            })?;
            newest = newest.max(found);
        }
        let Some(newest) = newest else {
            return Ok(None);
        };
        let count: i64 = on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT COUNT(*) FROM message WHERE session_id = $1 AND chat_id = $2 AND id > $3 \
             AND timestamp >= (SELECT n.timestamp FROM message n WHERE n.id = $3) \
             AND direction = 'in' AND is_from_me = $4 \
             AND kind NOT IN ('reaction', 'edit', 'revoke', 'poll_vote', 'event_response', \
                 'pin', 'keep')"
        )
        .bind(Text(self.session))
        .bind(chat_id)
        .bind(newest)
        .bind(false)
        .fetch_one(conn)
        .await)?;
        Ok(Some(count))
    }

    /// A message of a chat, of one sender where given, else the first of that id.
    pub async fn stored_message(
        &mut self,
        chat_id: i64,
        wa_message_id: &str,
        sender_key: Option<&str>,
    ) -> Result<Option<StoredMessage>> {
        self.write_own_message(std::iter::once(wa_message_id))
            .await?;
        let row: Option<StoredRow> = on!(self.tx, |conn| sqlx::query_as(select_stored!(
            "$1 AND chat_id = $2 AND wa_message_id = $3 \
             AND sender_key = COALESCE($4, sender_key) ORDER BY id LIMIT 1"
        ))
        .bind(Text(self.session))
        .bind(chat_id)
        .bind(storable(wa_message_id))
        .bind(sender_key.map(storable))
        .fetch_optional(conn)
        .await)?;
        row.map(StoredMessage::try_from).transpose()
    }

    /// The messages of a chat that have one id, the account's own first, then as they came;
    /// only those sent from one of the addresses, where some are given.
    ///
    /// Ids are chosen by who sends: several people can use the same.
    pub async fn stored_messages(
        &mut self,
        chat_id: i64,
        wa_message_id: &str,
        senders: &[String],
    ) -> Result<Vec<StoredMessage>> {
        self.write_own_message(std::iter::once(wa_message_id))
            .await?;
        let rows: Vec<StoredRow> = on!(self.tx, |conn| {
            let mut query = QueryBuilder::new(select_stored!(""));
            query.push_bind(Text(self.session));
            query.push(" AND chat_id = ").push_bind(chat_id);
            query
                .push(" AND wa_message_id = ")
                .push_bind(storable(wa_message_id));
            for (begin, end) in [
                (" AND (sender_lid IN (", ")"),
                (" OR sender_jid IN (", "))"),
            ] {
                if senders.is_empty() {
                    continue;
                }
                query.push(begin);
                let mut list = query.separated(", ");
                for sender in senders {
                    list.push_bind(storable(sender));
                }
                query.push(end);
            }
            query
                .push(" ORDER BY is_from_me DESC, id LIMIT ")
                .push_bind(MAX_OF_ONE_ID);
            query
                .build_query_as()
                .persistent(senders.len() <= 2)
                .fetch_all(conn)
                .await
        })?;
        rows.into_iter().map(StoredMessage::try_from).collect()
    }
}
