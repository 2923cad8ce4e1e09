//! The end of a chat, with all its messages.

use sqlx::QueryBuilder;
use wagate_model::{OrganizationId, SessionId};

use crate::error::Result;
use crate::text::Text;
use crate::tx::{Tx, on};

/// How far the deletion of a chat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatDeletion {
    /// There is no such chat.
    NotThere,
    /// As many messages are deleted as were asked for; there may be more.
    Begun,
    /// The chat is gone, with all its messages.
    Done,
}

impl Tx {
    /// Deletes up to so many of a chat's messages, with their files; with the last of them the
    /// chat itself.
    ///
    /// A chat can have a million messages, and the transaction that deletes them all at once
    /// would hold up every other writer for as long.
    pub async fn delete_part_of_chat(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        chat_id: i64,
        most: u32,
        now_ms: i64,
    ) -> Result<ChatDeletion> {
        self.write_own_messages().await?;
        let messages: Vec<i64> = on!(self, |conn| sqlx::query_scalar(
            "SELECT m.id FROM message m JOIN chat c ON c.id = m.chat_id \
             JOIN session s ON s.id = c.session_id \
             WHERE c.id = $3 AND c.session_id = $2 AND s.organization_id = $1 LIMIT $4"
        )
        .bind(Text(organization))
        .bind(Text(session))
        .bind(chat_id)
        .bind(i64::from(most))
        .fetch_all(conn)
        .await)?;
        let is_all = u32::try_from(messages.len()).is_ok_and(|count| count < most);
        if !messages.is_empty() {
            self.remove_media_of(&messages, now_ms).await?;
            self.delete_messages(&messages).await?;
        }
        if !is_all {
            return Ok(ChatDeletion::Begun);
        }
        let was_there = self
            .delete_chat(organization, session, chat_id, now_ms)
            .await?;
        Ok(if was_there {
            ChatDeletion::Done
        } else {
            ChatDeletion::NotThere
        })
    }

    /// Deletes messages by their rows; gives how many.
    pub(crate) async fn delete_messages(&mut self, rows: &[i64]) -> Result<u64> {
        let count = on!(self, |conn| {
            let mut query = QueryBuilder::new("DELETE FROM message WHERE id IN (");
            let mut list = query.separated(", ");
            for row in rows {
                list.push_bind(*row);
            }
            query.push(")");
            query
                .build()
                .persistent(false)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(count)
    }
}
