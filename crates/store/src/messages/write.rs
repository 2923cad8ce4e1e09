//! What the owner of a session writes.

use serde_json::Value;
use sqlx::{FromRow, QueryBuilder};
use wagate_model::{Direction, MediaMeta, MessageDetails, MessageStatus};

use crate::error::Result;
use crate::leases::Owned;
use crate::text::{Text, storable};
use crate::tx::{on, sql};

/// Message ids in one statement.
pub(super) const IDS_PER_STATEMENT: usize = 500;

/// A message that came in or is going out.
#[derive(Clone)]
pub struct NewMessage {
    /// The chat's row.
    pub chat_id: i64,
    /// WhatsApp's id of the message.
    pub wa_message_id: String,
    /// Who sent it, in the form in which it would come again: `me` for the account itself,
    /// the participant's address in a group, and empty where the chat says it.
    pub sender_key: String,
    /// Whether it came in or went out.
    pub direction: Direction,
    /// Whether the account itself sent it, from any device.
    pub is_from_me: bool,
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
    /// The message that it answers.
    pub quoted_message_id: Option<String>,
    /// The JIDs of those who are mentioned.
    pub mentions: Vec<String>,
    /// Its media.
    pub media: Option<MediaMeta>,
    /// The whole content as the protocol has it, for later use.
    pub content: Option<Value>,
    /// What is shown with it beside its text and its file.
    pub details: Option<MessageDetails>,
    /// When it disappears, in milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
    /// Whether it adds to the chat's unread counter.
    pub is_unread: bool,
}

impl NewMessage {
    /// The parts of a message that are stored as JSON.
    pub(super) fn json_columns(&self) -> Result<JsonColumns> {
        let mentions = (!self.mentions.is_empty())
            .then(|| serde_json::to_string(&self.mentions))
            .transpose()?;
        let details = self.details.as_ref().filter(|details| !details.is_empty());
        let details = details.map(serde_json::to_string).transpose()?;
        Ok(JsonColumns {
            mentions,
            media: self.media.as_ref().map(serde_json::to_string).transpose()?,
            details: details.map(|details| storable(&details).into_owned()),
        })
    }
}

/// Parts of a message as JSON.
pub(super) struct JsonColumns {
    pub(super) mentions: Option<String>,
    pub(super) media: Option<String>,
    pub(super) details: Option<String>,
}

/// Binds a message's columns, from the session to its end, to an INSERT.
macro_rules! bind_message {
    ($query:expr, $session:expr, $new:expr, $json:expr) => {
        $query
            .bind(Text($session))
            .bind($new.chat_id)
            .bind(storable(&$new.sender_key))
            .bind(storable(&$new.wa_message_id))
            .bind($new.direction.as_str())
            .bind($new.is_from_me)
            .bind(storable(&$new.kind))
            .bind($new.body.as_deref().map(storable))
            .bind($new.sender_jid.as_deref().map(storable))
            .bind($new.sender_lid.as_deref().map(storable))
            .bind($new.timestamp_ms)
            .bind($new.status.map(MessageStatus::as_str))
            .bind($new.status.map_or(0, MessageStatus::ack_level))
            .bind($new.quoted_message_id.as_deref().map(storable))
            .bind($json.mentions.as_deref())
            .bind($json.media.as_deref())
            .bind($new.content.as_ref().map(Value::to_string))
            .bind($json.details.as_deref())
            .bind($new.expires_at_ms)
    };
}

pub(super) use bind_message;

/// A message that reached a further status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvancedMessage {
    /// WhatsApp's id.
    pub wa_message_id: String,
    /// The chat's row.
    pub chat_id: i64,
    /// The chat's address.
    pub chat_jid: String,
}

#[derive(FromRow)]
struct AdvancedRow {
    wa_message_id: String,
    chat_id: i64,
    chat_jid: String,
}

macro_rules! insert_message {
    () => {
        "INSERT INTO message (session_id, chat_id, sender_key, wa_message_id, direction, \
         is_from_me, kind, body, sender_jid, sender_lid, timestamp, status, ack_level, \
         quoted_message_id, mentions, media, content, details, expires_at, is_edited, \
         is_deleted, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, \
         $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $20, $21, $21) \
         ON CONFLICT (session_id, wa_message_id, chat_id, sender_key) DO NOTHING \
         RETURNING id"
    };
}

macro_rules! chat_mark {
    () => {
        "last_message_at = CASE WHEN last_message_at >= $11 THEN last_message_at ELSE $11 END, \
         unread_count = unread_count + $22, updated_at = $21"
    };
}

impl Owned<'_> {
    /// Stores a message, and its mark on the chat; nothing where it is there already.
    ///
    /// Gives the new row's number: the sign that its event has not been emitted yet.
    pub async fn insert_message(&mut self, new: &NewMessage, now_ms: i64) -> Result<Option<i64>> {
        let json = new.json_columns()?;
        // Two statements in one round trip: the chat is only marked for a message that is new.
        let text = sql!(
            self.tx,
            sqlite: concat!(
                insert_message!(), "; UPDATE chat SET ", chat_mark!(),
                " WHERE id = $2 AND changes() > 0",
            ),
            postgres: concat!(
                "WITH new AS (", insert_message!(), "), mark AS (UPDATE chat SET ", chat_mark!(),
                " WHERE id = $2 AND EXISTS (SELECT 1 FROM new)) SELECT id FROM new",
            ),
        );
        let ids: Vec<i64> = on!(self.tx, |conn| {
            let query = sqlx::query_scalar(text);
            bind_message!(query, self.session, new, json)
                .bind(false)
                .bind(now_ms)
                .bind(i64::from(new.is_unread))
                .fetch_all(conn)
                .await
        })?;
        let id = ids.into_iter().next();
        if let Some(id) = id.filter(|_| new.body.is_some()) {
            self.tx.defer_text(id);
        }
        Ok(id)
    }

    /// Moves outgoing messages on to a status; gives those that were not that far yet.
    ///
    /// `error` says why, for `failed`.
    pub async fn advance_messages(
        &mut self,
        wa_message_ids: &[String],
        status: MessageStatus,
        error: Option<&str>,
        now_ms: i64,
    ) -> Result<Vec<AdvancedMessage>> {
        let earlier: Vec<_> = MessageStatus::ALL
            .into_iter()
            .filter(|earlier| earlier.may_become(status))
            .map(MessageStatus::as_str)
            .collect();
        let mut advanced = Vec::new();
        if earlier.is_empty() {
            return Ok(advanced);
        }
        self.write_own_message(wa_message_ids.iter().map(String::as_str))
            .await?;
        for chunk in wa_message_ids.chunks(IDS_PER_STATEMENT) {
            let rows: Vec<AdvancedRow> = on!(self.tx, |conn| {
                let mut query = QueryBuilder::new("UPDATE message SET status = ");
                query.push_bind(status.as_str());
                query.push(", ack_level = ").push_bind(status.ack_level());
                query.push(", error = ").push_bind(error);
                query.push(", updated_at = ").push_bind(now_ms);
                query
                    .push(" WHERE session_id = ")
                    .push_bind(Text(self.session));
                query.push(" AND is_from_me AND status IN (");
                let mut list = query.separated(", ");
                for earlier in &earlier {
                    list.push_bind(*earlier);
                }
                query.push(") AND wa_message_id IN (");
                let mut list = query.separated(", ");
                for id in chunk {
                    list.push_bind(storable(id));
                }
                query.push(
                    ") RETURNING wa_message_id, chat_id, \
                     (SELECT c.jid FROM chat c WHERE c.id = message.chat_id) AS chat_jid",
                );
                query
                    .build_query_as()
                    .persistent(chunk.len() <= 4)
                    .fetch_all(conn)
                    .await
            })?;
            advanced.extend(rows.into_iter().map(|row| AdvancedMessage {
                wa_message_id: row.wa_message_id,
                chat_id: row.chat_id,
                chat_jid: row.chat_jid,
            }));
        }
        Ok(advanced)
    }

    /// How far a message that the account itself sent is; nothing where there is no such message.
    pub async fn own_message_status(
        &mut self,
        wa_message_id: &str,
    ) -> Result<Option<MessageStatus>> {
        self.write_own_message(std::iter::once(wa_message_id))
            .await?;
        let status: Option<Option<Text<MessageStatus>>> = on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT status FROM message \
                 WHERE session_id = $1 AND wa_message_id = $2 AND is_from_me LIMIT 1"
        )
        .bind(Text(self.session))
        .bind(storable(wa_message_id))
        .fetch_optional(conn)
        .await)?;
        Ok(status.flatten().map(|status| status.0))
    }

    /// Replaces a message's text; whether there was such a message of that sender.
    pub async fn edit_message(
        &mut self,
        chat_id: i64,
        wa_message_id: &str,
        sender_key: &str,
        body: &str,
        now_ms: i64,
    ) -> Result<bool> {
        self.write_own_message(std::iter::once(wa_message_id))
            .await?;
        let rows: Vec<i64> = on!(self.tx, |conn| sqlx::query_scalar(
            "UPDATE message SET body = $5, is_edited = $6, updated_at = $7 \
             WHERE session_id = $1 AND chat_id = $2 AND wa_message_id = $3 AND sender_key = $4 \
             AND NOT is_deleted RETURNING id"
        )
        .bind(Text(self.session))
        .bind(chat_id)
        .bind(storable(wa_message_id))
        .bind(storable(sender_key))
        .bind(storable(body))
        .bind(true)
        .bind(now_ms)
        .fetch_all(conn)
        .await)?;
        for row in &rows {
            self.tx.defer_text(*row);
        }
        Ok(!rows.is_empty())
    }

    /// Marks a message as deleted for everyone and forgets its content; whether it was there.
    ///
    /// Without a sender (an admin deletes in a group), whoever sent it.
    pub async fn revoke_message(
        &mut self,
        chat_id: i64,
        wa_message_id: &str,
        sender_key: Option<&str>,
        now_ms: i64,
    ) -> Result<bool> {
        self.write_own_message(std::iter::once(wa_message_id))
            .await?;
        let rows: Vec<i64> = on!(self.tx, |conn| sqlx::query_scalar(
            "UPDATE message SET is_deleted = $5, body = NULL, content = NULL, media = NULL, \
             mentions = NULL, details = NULL, pinned_until = NULL, updated_at = $6 \
             WHERE session_id = $1 AND chat_id = $2 AND wa_message_id = $3 \
             AND sender_key = COALESCE($4, sender_key) AND NOT is_deleted RETURNING id"
        )
        .bind(Text(self.session))
        .bind(chat_id)
        .bind(storable(wa_message_id))
        .bind(sender_key.map(storable))
        .bind(true)
        .bind(now_ms)
        .fetch_all(conn)
        .await)?;
        self.tx.forget_texts(&rows).await?;
        self.tx.remove_media_of(&rows, now_ms).await?;
        Ok(!rows.is_empty())
    }

    /// Stars a message, or takes the star back; whether that is news.
    pub async fn star_message(&mut self, row: i64, is_starred: bool, now_ms: i64) -> Result<bool> {
        let count = on!(self.tx, |conn| sqlx::query(
            "UPDATE message SET is_starred = $3, updated_at = $4 \
             WHERE session_id = $1 AND id = $2 AND is_starred <> $3"
        )
        .bind(Text(self.session))
        .bind(row)
        .bind(is_starred)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Deletes a stored message, and has its file removed; whether it was there.
    pub async fn delete_message(&mut self, row: i64, now_ms: i64) -> Result<bool> {
        self.tx.remove_media_of(&[row], now_ms).await?;
        let count = on!(self.tx, |conn| sqlx::query(
            "DELETE FROM message WHERE session_id = $1 AND id = $2"
        )
        .bind(Text(self.session))
        .bind(row)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Stores of a message that this account has sent where its file is now; gives its row,
    /// where it is there.
    pub async fn note_sent_file(
        &mut self,
        chat_id: i64,
        wa_message_id: &str,
        media: &MediaMeta,
        content: Option<&serde_json::Value>,
        now_ms: i64,
    ) -> Result<Option<i64>> {
        self.write_own_message(std::iter::once(wa_message_id))
            .await?;
        let media = serde_json::to_string(media)?;
        let content = content.map(serde_json::to_string).transpose()?;
        Ok(on!(self.tx, |conn| sqlx::query_scalar(
            "UPDATE message SET media = $4, content = $5, updated_at = $6 \
             WHERE session_id = $1 AND chat_id = $2 AND wa_message_id = $3 AND is_from_me \
             RETURNING id"
        )
        .bind(Text(self.session))
        .bind(chat_id)
        .bind(storable(wa_message_id))
        .bind(&media)
        .bind(content.as_deref().map(storable))
        .bind(now_ms)
        .fetch_optional(conn)
        .await)?)
    }
}
