//! Messages that go out, written together at the end of the group.

use std::collections::BTreeMap;

use serde_json::Value;
use wagate_model::{MessageStatus, SessionId, hide_contents};

use super::NewMessage;
use super::write::{JsonColumns, bind_message};
use crate::batch;
use crate::error::Result;
use crate::leases::Owned;
use crate::text::{Text, storable};
use crate::tx::{Tx, on};

/// A message that waits in a transaction.
pub(crate) struct OwnMessage {
    session: SessionId,
    message: NewMessage,
    json: JsonColumns,
    now_ms: i64,
}

hide_contents!(OwnMessage);

impl OwnMessage {
    pub(super) fn is(&self, session: SessionId, wa_message_id: &str) -> bool {
        self.session == session && self.message.wa_message_id == wa_message_id
    }
}

const INSERT: &str = "INSERT INTO message (session_id, chat_id, sender_key, wa_message_id, \
     direction, is_from_me, kind, body, sender_jid, sender_lid, timestamp, status, ack_level, \
     quoted_message_id, mentions, media, content, details, expires_at, is_edited, is_deleted, \
     created_at, updated_at) VALUES";
const COLUMNS: usize = 23;
const KEEP: &str =
    "ON CONFLICT (session_id, wa_message_id, chat_id, sender_key) DO NOTHING RETURNING id";

// Both databases name the columns of VALUES so.
const MARK: &str = "UPDATE chat SET last_message_at = CASE \
     WHEN last_message_at >= v.column2 THEN last_message_at ELSE v.column2 END, \
     updated_at = v.column3 FROM (VALUES";
const OF_CHAT: &str = ") AS v WHERE chat.id = v.column1";

impl Owned<'_> {
    /// Has an outgoing message stored when the group commits, with its mark on the chat.
    ///
    /// For messages with a fresh id: one that is there already would be left as it is.
    pub fn defer_own_message(&mut self, message: NewMessage, now_ms: i64) -> Result<()> {
        let json = message.json_columns()?;
        let session = self.session;
        self.tx.deferred.messages.push(OwnMessage {
            session,
            message,
            json,
            now_ms,
        });
        Ok(())
    }

    /// Writes the messages that wait, where one with such an id is among them.
    pub(super) async fn write_own_message<'i>(
        &mut self,
        mut ids: impl Iterator<Item = &'i str>,
    ) -> Result<()> {
        let session = self.session;
        let waiting = &self.tx.deferred.messages;
        if ids.any(|id| waiting.has_unwritten(|row| row.is(session, id))) {
            self.tx.write_own_messages().await?;
        }
        Ok(())
    }
}

impl Tx {
    /// Writes the outgoing messages that wait for it.
    pub(crate) async fn write_own_messages(&mut self) -> Result<()> {
        let rows = self.deferred.messages.take_unwritten();
        for piece in batch::pieces(&rows) {
            let text = batch::values(INSERT, 0, COLUMNS, piece.len(), KEEP);
            let ids: Vec<i64> = on!(self, |conn| {
                let mut query = sqlx::query_scalar(text);
                for row in piece {
                    let new = &row.message;
                    query = bind_message!(query, row.session, new, row.json)
                        .bind(false)
                        .bind(false)
                        .bind(row.now_ms)
                        .bind(row.now_ms);
                }
                query.fetch_all(conn).await
            })?;
            for id in ids {
                self.defer_text(id);
            }
        }
        // By chat, in order, so that two writers never wait for each other.
        let mut marks = BTreeMap::<i64, (i64, i64)>::new();
        for row in &rows {
            let mark = marks.entry(row.message.chat_id).or_default();
            mark.0 = mark.0.max(row.message.timestamp_ms);
            mark.1 = mark.1.max(row.now_ms);
        }
        let marks: Vec<_> = marks.into_iter().collect();
        for piece in batch::pieces(&marks) {
            let text = batch::values(MARK, 0, 3, piece.len(), OF_CHAT);
            on!(self, |conn| {
                let mut query = sqlx::query(text);
                for (chat, (last, now_ms)) in piece {
                    query = query.bind(chat).bind(last).bind(now_ms);
                }
                query.execute(conn).await.map(drop)
            })?;
        }
        Ok(())
    }
}
