//! Messages by their words, and by what else is known of them.
//!
//! PostgreSQL keeps the words of a text beside it. SQLite has an index of its own
//! (`message_text`), which the writer brings up to date once for each group of jobs:
//! whoever writes a text leaves the row's number in [`crate::deferred::Deferred`].

use sqlx::QueryBuilder;
use wagate_model::{Message, OrganizationId, SessionId, hide_contents};

use super::MessagePosition;
use super::read::{MessageRow, select_message};
use crate::batch;
use crate::error::Result;
use crate::text::{Text, storable};
use crate::tx::{DatabaseKind, Tx, on};

/// Which messages of a session are wanted; absent parts are not asked for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// Words in lower case, letters and digits only; a text has all of them, or words that
    /// begin with them.
    pub words: Vec<String>,
    /// The row of the chat.
    pub chat_id: Option<i64>,
    /// The addresses of whoever sent it.
    pub sender: Option<Vec<String>>,
    /// The kind of content.
    pub kind: Option<String>,
    /// The earliest time of sending, in milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// The time of sending before which it was sent, in milliseconds since 1970.
    pub until_ms: Option<i64>,
    /// Whether the account itself sent it.
    pub is_from_me: Option<bool>,
    /// Whether the account has starred it.
    pub is_starred: Option<bool>,
}

// What is looked for must not reach logs by way of `{:?}`.
hide_contents!(MessageFilter);

/// Up to so many matches are looked up one by one and sorted. Where there are more, SQLite walks
/// the messages from the newest on until a page is full, which with few matches would be all.
const FEW: i64 = 2_000;

const INDEX: &str = "INSERT OR REPLACE INTO message_text (rowid, words) \
     SELECT id, substr(body, 1, 65536) || ' ' || session_id FROM message \
     WHERE body IS NOT NULL AND NOT is_deleted \
     AND kind NOT IN ('reaction', 'edit', 'revoke', 'poll_vote', 'event_response', 'pin', 'keep') \
     AND id IN";

impl MessageFilter {
    /// The words as the index is asked for them; each in quotes, so that nothing is syntax.
    fn asked(&self, database: DatabaseKind, session: SessionId) -> String {
        let words = self.words.iter();
        match database {
            DatabaseKind::Sqlite => words
                .map(|word| format!("\"{}\" *", word.replace('"', "")))
                .chain([format!("\"{session}\"")])
                .collect::<Vec<_>>()
                .join(" AND "),
            DatabaseKind::Postgres => words
                .map(|word| format!("'{}':*", word.replace(['\'', '\\'], "")))
                .collect::<Vec<_>>()
                .join(" & "),
        }
    }
}

impl Tx {
    /// Lists a session's messages, newest first, with the names that are known now; deleted
    /// ones and those that only change another message are left out.
    pub async fn search_messages(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        filter: &MessageFilter,
        after: Option<MessagePosition>,
        limit: i64,
    ) -> Result<Vec<(MessagePosition, Message)>> {
        let database = self.database();
        let asked = filter.asked(database, session);
        // Without statistics, SQLite takes any index of ours for better than a list of rows.
        let from = if self.has_few_matches(filter, &asked).await? {
            "FROM message m NOT INDEXED"
        } else {
            "FROM message m"
        };
        let rows: Vec<MessageRow> = on!(self, |conn| {
            let select = select_message!(
                "NOT m.is_deleted AND m.kind NOT IN ('reaction', 'edit', 'revoke', 'poll_vote', \
                 'event_response', 'pin', 'keep') \
                 AND s.organization_id = "
            );
            let mut query = QueryBuilder::new(select.replacen("FROM message m", from, 1));
            query.push_bind(Text(organization));
            query.push(" AND m.session_id = ").push_bind(Text(session));
            if !filter.words.is_empty() {
                match database {
                    DatabaseKind::Sqlite => query
                        .push(" AND m.id IN (SELECT rowid FROM message_text WHERE message_text MATCH ")
                        .push_bind(asked)
                        .push(")"),
                    DatabaseKind::Postgres => query
                        .push(" AND m.words @@ CAST(")
                        .push_bind(asked)
                        .push(" AS tsquery)"),
                };
            }
            if let Some(chat) = filter.chat_id {
                query.push(" AND m.chat_id = ").push_bind(chat);
            }
            if let Some(addresses) = &filter.sender {
                let mut joint = " AND (";
                for column in ["m.sender_jid", "m.sender_lid"] {
                    for address in addresses {
                        query.push(joint).push(column).push(" = ");
                        query.push_bind(storable(address));
                        joint = " OR ";
                    }
                }
                query.push(if joint == " OR " { ")" } else { " AND FALSE" });
            }
            if let Some(kind) = &filter.kind {
                query.push(" AND m.kind = ").push_bind(storable(kind));
            }
            if let Some(from) = filter.from_ms {
                query.push(" AND m.timestamp >= ").push_bind(from);
            }
            if let Some(until) = filter.until_ms {
                query.push(" AND m.timestamp < ").push_bind(until);
            }
            if let Some(is_from_me) = filter.is_from_me {
                query.push(" AND m.is_from_me = ").push_bind(is_from_me);
            }
            match filter.is_starred {
                // As the index is declared, which a bound value would not match.
                Some(true) => {
                    query.push(" AND m.is_starred");
                }
                Some(false) => {
                    query.push(" AND NOT m.is_starred");
                }
                None => {}
            }
            if let Some(after) = after {
                query.push(" AND (m.timestamp, m.id) < (");
                query.push_bind(after.timestamp_ms).push(", ");
                query.push_bind(after.id).push(")");
            }
            query.push(" ORDER BY m.timestamp DESC, m.id DESC LIMIT ");
            query.push_bind(limit);
            query
                .build_query_as()
                .persistent(false)
                .fetch_all(conn)
                .await
        })?;
        self.with_names(session, rows).await
    }

    async fn has_few_matches(&mut self, filter: &MessageFilter, asked: &str) -> Result<bool> {
        if filter.words.is_empty() || self.database() == DatabaseKind::Postgres {
            return Ok(false);
        }
        let count: i64 = on!(self, |conn| sqlx::query_scalar(
            "SELECT COUNT(*) FROM (SELECT 1 FROM message_text WHERE message_text MATCH $1 \
             LIMIT $2)"
        )
        .bind(asked)
        .bind(FEW)
        .fetch_one(conn)
        .await)?;
        Ok(count < FEW)
    }

    /// Has the text of a message's row found by its words from this transaction on.
    pub(super) fn defer_text(&mut self, row: i64) {
        if self.database() == DatabaseKind::Sqlite {
            self.deferred.texts.push(row);
        }
    }

    /// Has the texts of rows that are deleted found no longer.
    pub(super) async fn forget_texts(&mut self, rows: &[i64]) -> Result<()> {
        if self.database() == DatabaseKind::Postgres {
            return Ok(());
        }
        for row in rows {
            on!(self, |conn| sqlx::query(
                "DELETE FROM message_text WHERE rowid = $1"
            )
            .bind(row)
            .execute(conn)
            .await
            .map(drop))?;
        }
        Ok(())
    }

    /// Brings the index up to date with the texts that wait for it.
    pub(crate) async fn write_texts(&mut self) -> Result<()> {
        let rows = self.deferred.texts.take_unwritten();
        for piece in batch::pieces(&rows) {
            let text = batch::list(INDEX, 0, piece.len());
            on!(self, |conn| {
                let mut query = sqlx::query(text);
                for row in piece {
                    query = query.bind(**row);
                }
                query.execute(conn).await.map(drop)
            })?;
        }
        Ok(())
    }
}
