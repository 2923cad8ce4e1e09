//! How far the history is that a session's phone sends.

use crate::error::Result;
use crate::leases::Owned;
use crate::text::Text;
use crate::tx::on;

/// What a page of history has brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HistoryStep {
    /// How much of the history has come, in percent, where the phone says so.
    pub progress: Option<i64>,
    /// Messages that were not stored before.
    pub messages: i64,
    /// Chats that began on the page.
    pub chats: i64,
    /// Whether it is the last page of its part.
    pub is_last: bool,
    /// Whether it is of the part that a phone begins with after a pairing.
    pub is_beginning: bool,
}

impl HistoryStep {
    /// Whether everything has come.
    const fn is_end(self) -> bool {
        self.is_last && matches!(self.progress, Some(100..))
    }
}

impl Owned<'_> {
    /// Notes a page of history that is stored in this transaction.
    ///
    /// What a phone begins with, after the end of a history, begins the next one: the number was
    /// paired anew. Older history that follows an end goes on with the same one, and so does
    /// what tells no progress.
    pub async fn note_history(&mut self, step: HistoryStep, now_ms: i64) -> Result<()> {
        // Told progress may fall behind, where parts overtake each other.
        on!(self.tx, |conn| {
            sqlx::query(
                "UPDATE session SET \
             history_progress = CASE WHEN history_status IS NULL OR (history_status = 'done' \
             AND $7) THEN COALESCE($2, 0) WHEN $2 > history_progress \
             OR (history_status = 'done' AND $2 < 100) THEN $2 ELSE history_progress END, \
             history_messages = $3 + CASE WHEN history_status IS NULL \
             OR (history_status = 'done' AND $7) THEN 0 ELSE history_messages END, \
             history_chats = $4 + CASE WHEN history_status IS NULL \
             OR (history_status = 'done' AND $7) THEN 0 ELSE history_chats END, \
             history_started_at = CASE WHEN history_status IS NULL \
             OR (history_status = 'done' AND $7) THEN $6 ELSE history_started_at END, \
             history_updated_at = $6, \
             history_status = CASE WHEN $5 THEN 'done' WHEN history_status = 'done' AND NOT $7 \
             AND ($2 IS NULL OR $2 >= 100) THEN 'done' ELSE 'running' END \
             WHERE id = $1",
            )
            .bind(Text(self.session))
            .bind(step.progress.map(|progress| progress.clamp(0, 100)))
            .bind(step.messages)
            .bind(step.chats)
            .bind(step.is_end())
            .bind(now_ms)
            .bind(step.is_beginning)
            .execute(conn)
            .await
            .map(drop)
        })?;
        Ok(())
    }
}
