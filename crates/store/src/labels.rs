//! Labels, and which chats and messages have them.
//!
//! What has a label is noted by its address, not by its row: WhatsApp tells of labels before
//! the chats and messages that have them come.

use std::collections::BTreeMap;

use sqlx::{FromRow, QueryBuilder};
use wagate_model::{Chat, Label, OrganizationId, SessionId};

use crate::error::Result;
use crate::leases::Owned;
use crate::text::{Text, storable};
use crate::tx::{Tx, on};

/// Addresses in one statement.
const PER_STATEMENT: usize = 400;

/// A change of a label; absent parts stay.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct LabelChange {
    /// Its name.
    pub name: Option<String>,
    /// The number of its colour.
    pub color: Option<i64>,
}

#[derive(FromRow)]
struct LabelRow {
    wa_label_id: String,
    name: String,
    color: i64,
}

impl From<LabelRow> for Label {
    fn from(row: LabelRow) -> Self {
        Self {
            color: row.color,
            id: row.wa_label_id,
            name: row.name,
        }
    }
}

#[derive(FromRow)]
struct LabelledRow {
    chat_jid: String,
    wa_label_id: String,
}

#[derive(FromRow)]
struct LabelledMessageRow {
    wa_message_id: String,
    chat_jid: String,
    wa_label_id: String,
}

/// The order in which labels were made: their ids are numbers.
fn in_order(ids: &mut [String]) {
    ids.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
}

impl Owned<'_> {
    /// Takes an id that no label of the session has had, for one to be made.
    ///
    /// The label is there once [`Self::put_label`] says so.
    pub async fn reserve_label(&mut self, now_ms: i64) -> Result<String> {
        let ids: Vec<String> = on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT wa_label_id FROM label WHERE session_id = $1"
        )
        .bind(Text(self.session))
        .fetch_all(conn)
        .await)?;
        let last = ids.iter().filter_map(|id| id.parse::<u32>().ok()).max();
        let id = last.map_or(1, |last| last.saturating_add(1)).to_string();
        self.write_label(&id, ("", 0), true, now_ms).await?;
        Ok(id)
    }

    /// Stores a label as it is now; whether that is news.
    pub async fn put_label(&mut self, label: &Label, now_ms: i64) -> Result<bool> {
        let parts = (label.name.as_str(), label.color);
        self.write_label(&label.id, parts, false, now_ms).await
    }

    async fn write_label(
        &mut self,
        id: &str,
        (name, color): (&str, i64),
        is_deleted: bool,
        now_ms: i64,
    ) -> Result<bool> {
        let count = on!(self.tx, |conn| sqlx::query(
            "INSERT INTO label (session_id, wa_label_id, name, color, is_deleted, created_at, \
             updated_at) VALUES ($1, $2, $3, $4, $5, $6, $6) \
             ON CONFLICT (session_id, wa_label_id) DO UPDATE SET name = excluded.name, \
             color = excluded.color, is_deleted = excluded.is_deleted, \
             updated_at = excluded.updated_at \
             WHERE label.name <> excluded.name OR label.color <> excluded.color \
             OR label.is_deleted <> excluded.is_deleted"
        )
        .bind(Text(self.session))
        .bind(storable(id))
        .bind(storable(name))
        .bind(color)
        .bind(is_deleted)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Deletes a label, and takes it off everything; whether it was there.
    pub async fn delete_label(&mut self, id: &str, now_ms: i64) -> Result<bool> {
        for statement in [
            "DELETE FROM label_chat WHERE session_id = $1 AND wa_label_id = $2",
            "DELETE FROM label_message WHERE session_id = $1 AND wa_label_id = $2",
        ] {
            on!(self.tx, |conn| sqlx::query(statement)
                .bind(Text(self.session))
                .bind(storable(id))
                .execute(conn)
                .await
                .map(drop))?;
        }
        let count = on!(self.tx, |conn| sqlx::query(
            "UPDATE label SET is_deleted = $3, name = '', updated_at = $4 \
             WHERE session_id = $1 AND wa_label_id = $2 AND NOT is_deleted"
        )
        .bind(Text(self.session))
        .bind(storable(id))
        .bind(true)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Puts a label on a chat, by all of its addresses, or takes it off; whether that is news.
    ///
    /// It is noted under the first of them.
    pub async fn label_chat(
        &mut self,
        addresses: &[String],
        label: &str,
        is_labelled: bool,
    ) -> Result<bool> {
        let Some(first) = addresses.first() else {
            return Ok(false);
        };
        let mut had = false;
        for address in addresses {
            let count = on!(self.tx, |conn| sqlx::query(
                "DELETE FROM label_chat \
                 WHERE session_id = $1 AND chat_jid = $2 AND wa_label_id = $3"
            )
            .bind(Text(self.session))
            .bind(storable(address))
            .bind(storable(label))
            .execute(conn)
            .await
            .map(|done| done.rows_affected()))?;
            had |= count > 0;
        }
        if is_labelled {
            on!(self.tx, |conn| sqlx::query(
                "INSERT INTO label_chat (session_id, chat_jid, wa_label_id) VALUES ($1, $2, $3)"
            )
            .bind(Text(self.session))
            .bind(storable(first))
            .bind(storable(label))
            .execute(conn)
            .await
            .map(drop))?;
        }
        Ok(had != is_labelled)
    }

    /// Puts a label on a message of a chat, by all of the chat's addresses, or takes it off;
    /// whether that is news.
    pub async fn label_message(
        &mut self,
        addresses: &[String],
        wa_message_id: &str,
        label: &str,
        is_labelled: bool,
    ) -> Result<bool> {
        let Some(first) = addresses.first() else {
            return Ok(false);
        };
        let mut had = false;
        for address in addresses {
            let count = on!(self.tx, |conn| sqlx::query(
                "DELETE FROM label_message WHERE session_id = $1 AND wa_message_id = $2 \
                 AND chat_jid = $3 AND wa_label_id = $4"
            )
            .bind(Text(self.session))
            .bind(storable(wa_message_id))
            .bind(storable(address))
            .bind(storable(label))
            .execute(conn)
            .await
            .map(|done| done.rows_affected()))?;
            had |= count > 0;
        }
        if is_labelled {
            on!(self.tx, |conn| sqlx::query(
                "INSERT INTO label_message (session_id, wa_message_id, chat_jid, wa_label_id) \
                 VALUES ($1, $2, $3, $4)"
            )
            .bind(Text(self.session))
            .bind(storable(wa_message_id))
            .bind(storable(first))
            .bind(storable(label))
            .execute(conn)
            .await
            .map(drop))?;
        }
        Ok(had != is_labelled)
    }
}

impl Tx {
    /// The labels of a session in the order of their ids.
    pub async fn labels(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
    ) -> Result<Vec<Label>> {
        let rows: Vec<LabelRow> = on!(self, |conn| sqlx::query_as(
            "SELECT l.wa_label_id, l.name, l.color FROM label l \
             JOIN session s ON s.id = l.session_id WHERE s.deleted_at IS NULL \
             AND s.organization_id = $1 AND l.session_id = $2 AND NOT l.is_deleted \
             ORDER BY LENGTH(l.wa_label_id), l.wa_label_id"
        )
        .bind(Text(organization))
        .bind(Text(session))
        .fetch_all(conn)
        .await)?;
        Ok(rows.into_iter().map(Label::from).collect())
    }

    /// One label of a session.
    pub async fn label(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        id: &str,
    ) -> Result<Option<Label>> {
        let row: Option<LabelRow> = on!(self, |conn| sqlx::query_as(
            "SELECT l.wa_label_id, l.name, l.color FROM label l \
             JOIN session s ON s.id = l.session_id WHERE s.deleted_at IS NULL \
             AND s.organization_id = $1 AND l.session_id = $2 AND l.wa_label_id = $3 \
             AND NOT l.is_deleted"
        )
        .bind(Text(organization))
        .bind(Text(session))
        .bind(storable(id))
        .fetch_optional(conn)
        .await)?;
        Ok(row.map(Label::from))
    }

    /// Adds to each of a session's chats the labels that it has.
    pub(crate) async fn add_labels(
        &mut self,
        session: SessionId,
        chats: &mut [Chat],
    ) -> Result<()> {
        let addresses: Vec<String> = chats
            .iter()
            .flat_map(|chat| std::iter::once(&chat.jid).chain(chat.aliases.iter().flatten()))
            .cloned()
            .collect();
        let labels = self.labels_of_chats(session, &addresses).await?;
        for chat in chats {
            let addresses = std::iter::once(&chat.jid).chain(chat.aliases.iter().flatten());
            let mut ids: Vec<String> = addresses
                .filter_map(|address| labels.get(address))
                .flatten()
                .cloned()
                .collect();
            in_order(&mut ids);
            ids.dedup();
            chat.labels = ids;
        }
        Ok(())
    }

    async fn labels_of_chats(
        &mut self,
        session: SessionId,
        addresses: &[String],
    ) -> Result<BTreeMap<String, Vec<String>>> {
        let mut labels: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for chunk in addresses.chunks(PER_STATEMENT) {
            let rows: Vec<LabelledRow> = on!(self, |conn| {
                let mut query = QueryBuilder::new(
                    "SELECT a.chat_jid, a.wa_label_id FROM label_chat a JOIN label l \
                     ON l.session_id = a.session_id AND l.wa_label_id = a.wa_label_id \
                     WHERE NOT l.is_deleted AND a.session_id = ",
                );
                query.push_bind(Text(session)).push(" AND a.chat_jid IN (");
                let mut list = query.separated(", ");
                for address in chunk {
                    list.push_bind(storable(address));
                }
                query.push(")");
                query
                    .build_query_as()
                    .persistent(chunk.len() <= 2)
                    .fetch_all(conn)
                    .await
            })?;
            for row in rows {
                labels
                    .entry(row.chat_jid)
                    .or_default()
                    .push(row.wa_label_id);
            }
        }
        Ok(labels)
    }

    /// The labels of messages of a session, by WhatsApp's ids of the messages and the addresses
    /// of their chats.
    pub(crate) async fn labels_of_messages(
        &mut self,
        session: SessionId,
        ids: &[&str],
    ) -> Result<BTreeMap<(String, String), Vec<String>>> {
        let mut labels: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for chunk in ids.chunks(PER_STATEMENT) {
            let rows: Vec<LabelledMessageRow> = on!(self, |conn| {
                let mut query = QueryBuilder::new(
                    "SELECT a.wa_message_id, a.chat_jid, a.wa_label_id FROM label_message a \
                     JOIN label l ON l.session_id = a.session_id \
                     AND l.wa_label_id = a.wa_label_id \
                     WHERE NOT l.is_deleted AND a.session_id = ",
                );
                query.push_bind(Text(session));
                query.push(" AND a.wa_message_id IN (");
                let mut list = query.separated(", ");
                for id in chunk {
                    list.push_bind(storable(id));
                }
                query.push(")");
                query
                    .build_query_as()
                    .persistent(chunk.len() <= 1)
                    .fetch_all(conn)
                    .await
            })?;
            for row in rows {
                labels
                    .entry((row.wa_message_id, row.chat_jid))
                    .or_default()
                    .push(row.wa_label_id);
            }
        }
        for ids in labels.values_mut() {
            in_order(ids);
        }
        Ok(labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_as_numbers() {
        let mut ids = ["10", "9", "1", "12"].map(str::to_owned);
        in_order(&mut ids);
        assert_eq!(ids, ["1", "9", "10", "12"]);
    }
}
