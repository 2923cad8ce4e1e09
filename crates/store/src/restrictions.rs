//! What WhatsApp forbids an account for a while, and whom that concerns.

use wagate_model::{Restriction, RestrictionKind};

use crate::error::Result;
use crate::leases::Owned;
use crate::text::Text;
use crate::tx::on;

impl Owned<'_> {
    /// Writes that a restriction holds, or no longer does; others stay.
    pub async fn set_restriction(
        &mut self,
        kind: RestrictionKind,
        restriction: Option<&Restriction>,
        now_ms: i64,
    ) -> Result<()> {
        let stored: Option<Option<String>> = on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT restrictions FROM session WHERE id = $1"
        )
        .bind(Text(self.session))
        .fetch_optional(conn)
        .await)?;
        let mut restrictions = read(stored.flatten().as_deref());
        restrictions.retain(|other| other.kind != kind);
        restrictions.extend(restriction.cloned());
        self.write_restrictions(&restrictions, now_ms).await
    }

    /// Forgets what restricted an account that is gone.
    pub async fn clear_restrictions(&mut self, now_ms: i64) -> Result<()> {
        self.write_restrictions(&[], now_ms).await
    }

    async fn write_restrictions(&mut self, list: &[Restriction], now_ms: i64) -> Result<()> {
        let text = match list {
            [] => None,
            list => Some(serde_json::to_string(list)?),
        };
        on!(self.tx, |conn| sqlx::query(
            "UPDATE session SET restrictions = $2, updated_at = $3 WHERE id = $1"
        )
        .bind(Text(self.session))
        .bind(text.as_deref())
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Whether anything came in in a chat, or went out and was taken by WhatsApp.
    pub async fn has_exchanged(&mut self, chat_id: i64) -> Result<bool> {
        let found: Option<i64> = on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT id FROM message WHERE session_id = $1 AND chat_id = $2 \
             AND (is_from_me = $3 OR status IN ('sent', 'delivered', 'read', 'played')) LIMIT 1"
        )
        .bind(Text(self.session))
        .bind(chat_id)
        .bind(false)
        .fetch_optional(conn)
        .await)?;
        Ok(found.is_some())
    }
}

/// The restrictions in a column; none where they cannot be read.
pub(crate) fn read(text: Option<&str>) -> Vec<Restriction> {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}
