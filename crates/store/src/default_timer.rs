//! The timer that an account gives to the chats that it begins.

use wagate_model::ChatType;

use crate::chats::ChatRef;
use crate::error::Result;
use crate::leases::Owned;
use crate::text::Text;
use crate::tx::on;

impl Owned<'_> {
    /// Notes after how many seconds messages disappear in chats that the account begins; 0: never.
    pub async fn set_default_timer(&mut self, seconds: u32, now_ms: i64) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE session SET default_timer = $2, updated_at = $3 \
             WHERE id = $1 AND (default_timer IS NULL OR default_timer <> $2)"
        )
        .bind(Text(self.session))
        .bind(i64::from(seconds))
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Gives the account's timer to a chat of two that it is about to begin.
    ///
    /// A chat with messages has the timer that somebody set there, or none.
    pub async fn begin_timer(&mut self, chat: &mut ChatRef) -> Result<()> {
        if !chat.is_empty || chat.disappearing_seconds.is_some() {
            return Ok(());
        }
        let seconds: Option<i64> = on!(self.tx, |conn| sqlx::query_scalar(
            "UPDATE chat SET disappearing_seconds = (SELECT s.default_timer FROM session s \
             WHERE s.id = chat.session_id) WHERE session_id = $1 AND id = $2 AND kind = $3 \
             AND disappearing_seconds IS NULL AND EXISTS (SELECT 1 FROM session s \
             WHERE s.id = chat.session_id AND s.default_timer > 0) \
             RETURNING disappearing_seconds"
        )
        .bind(Text(self.session))
        .bind(chat.id)
        .bind(ChatType::Dm.as_str())
        .fetch_optional(conn)
        .await)?;
        chat.disappearing_seconds = seconds.and_then(|seconds| u32::try_from(seconds).ok());
        Ok(())
    }
}
