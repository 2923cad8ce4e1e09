//! What is done to stored messages: pinned, kept, moved; the answers to events; and their end.

use std::collections::BTreeMap;

use sqlx::FromRow;
use wagate_model::{
    EventAnswer, EventData, EventResponder, LocationData, MessageDetails, MessageType,
};

use super::StoredMessage;
use crate::admin::Admin;
use crate::error::Result;
use crate::leases::Owned;
use crate::text::{Text, storable};
use crate::tx::{Tx, on};

/// Answers that are shown with one event.
const MAX_SHOWN_ANSWERS: i64 = 1_024;

#[derive(FromRow)]
struct AnswerRow {
    message_id: i64,
    responder: String,
    name: Option<String>,
    answer: Text<EventAnswer>,
    extra_guests: i64,
    answered_at: i64,
}

impl Owned<'_> {
    /// Pins a sender's message until a time, or unpins it; whether it is there.
    pub async fn pin_message(
        &mut self,
        chat_id: i64,
        wa_message_id: &str,
        sender_key: &str,
        until_ms: Option<i64>,
        now_ms: i64,
    ) -> Result<bool> {
        self.mark_message(
            "UPDATE message SET pinned_until = $4, updated_at = $5 \
             WHERE session_id = $1 AND chat_id = $2 AND wa_message_id = $3 AND sender_key = $6 \
             AND NOT is_deleted",
            (chat_id, wa_message_id, sender_key),
            until_ms,
            now_ms,
        )
        .await
    }

    /// Has a message stay though it would disappear, or not any more; whether it is there.
    pub async fn keep_message(
        &mut self,
        chat_id: i64,
        wa_message_id: &str,
        sender_key: &str,
        kept_at_ms: Option<i64>,
        now_ms: i64,
    ) -> Result<bool> {
        self.mark_message(
            "UPDATE message SET kept_at = $4, updated_at = $5 \
             WHERE session_id = $1 AND chat_id = $2 AND wa_message_id = $3 AND sender_key = $6",
            (chat_id, wa_message_id, sender_key),
            kept_at_ms,
            now_ms,
        )
        .await
    }

    async fn mark_message(
        &mut self,
        text: &'static str,
        (chat_id, wa_message_id, sender_key): (i64, &str, &str),
        value: Option<i64>,
        now_ms: i64,
    ) -> Result<bool> {
        self.write_own_message(std::iter::once(wa_message_id))
            .await?;
        let count = on!(self.tx, |conn| sqlx::query(text)
            .bind(Text(self.session))
            .bind(chat_id)
            .bind(storable(wa_message_id))
            .bind(value)
            .bind(now_ms)
            .bind(storable(sender_key))
            .execute(conn)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Notes where a live location is now; whether there is such a message of that sender.
    pub async fn move_location(
        &mut self,
        chat_id: i64,
        wa_message_id: &str,
        sender_key: &str,
        place: &LocationData,
        now_ms: i64,
    ) -> Result<bool> {
        let sender = Some(sender_key);
        let stored = self.stored_message(chat_id, wa_message_id, sender).await?;
        let Some(stored) = stored.filter(|stored| !stored.is_deleted) else {
            return Ok(false);
        };
        let details = MessageDetails {
            location: Some(place.clone()),
            ..stored.details
        };
        let details = serde_json::to_string(&details)?;
        on!(self.tx, |conn| sqlx::query(
            "UPDATE message SET details = $2, updated_at = $3 WHERE id = $1"
        )
        .bind(stored.id)
        .bind(storable(&details))
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(true)
    }

    /// Changes an event as its author has edited it; whether there is such an event.
    pub async fn change_event(
        &mut self,
        chat_id: i64,
        wa_message_id: &str,
        sender_key: &str,
        event: &EventData,
        now_ms: i64,
    ) -> Result<bool> {
        let sender = Some(sender_key);
        let stored = self.stored_message(chat_id, wa_message_id, sender).await?;
        let is_event = |stored: &StoredMessage| stored.kind == MessageType::Event.as_str();
        let Some(stored) = stored.filter(|stored| is_event(stored) && !stored.is_deleted) else {
            return Ok(false);
        };
        let details = MessageDetails {
            event: Some(event.clone()),
            ..stored.details
        };
        let details = serde_json::to_string(&details)?;
        on!(self.tx, |conn| sqlx::query(
            "UPDATE message SET body = $2, details = $3, is_edited = $4, updated_at = $5 \
             WHERE id = $1"
        )
        .bind(stored.id)
        .bind(storable(&event.name))
        .bind(storable(&details))
        .bind(true)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        self.tx.defer_text(stored.id);
        Ok(true)
    }

    /// Notes an answer to an event of a chat; an older one than the person's last says nothing.
    ///
    /// Gives whether the event is there.
    pub async fn note_event_answer(
        &mut self,
        chat_id: i64,
        wa_message_id: &str,
        sender_key: &str,
        answer: &EventResponder,
    ) -> Result<bool> {
        self.write_own_message(std::iter::once(wa_message_id))
            .await?;
        let count = on!(self.tx, |conn| sqlx::query(
            "INSERT INTO event_answer \
             (message_id, responder, name, answer, extra_guests, answered_at) \
             SELECT m.id, $4, $5, $6, $7, $8 FROM message m \
             WHERE m.session_id = $1 AND m.chat_id = $2 AND m.wa_message_id = $3 \
             AND m.sender_key = $9 AND m.kind = 'event' \
             ON CONFLICT (message_id, responder) DO UPDATE SET name = excluded.name, \
             answer = excluded.answer, extra_guests = excluded.extra_guests, \
             answered_at = excluded.answered_at \
             WHERE excluded.answered_at >= event_answer.answered_at"
        )
        .bind(Text(self.session))
        .bind(chat_id)
        .bind(storable(wa_message_id))
        .bind(storable(&answer.jid))
        .bind(answer.name.as_deref().map(storable))
        .bind(answer.response.as_str())
        .bind(answer.extra_guests)
        .bind(answer.answered_at)
        .bind(storable(sender_key))
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }
}

impl Tx {
    /// The answers to events, by the number of the event's row, in the order in which they came.
    pub(super) async fn event_answers(
        &mut self,
        events: &[i64],
    ) -> Result<BTreeMap<i64, Vec<EventResponder>>> {
        let mut answers = BTreeMap::<i64, Vec<EventResponder>>::new();
        for event in events {
            let rows: Vec<AnswerRow> = on!(self, |conn| sqlx::query_as(
                "SELECT message_id, responder, name, answer, extra_guests, answered_at \
                 FROM event_answer WHERE message_id = $1 ORDER BY answered_at, responder LIMIT $2"
            )
            .bind(event)
            .bind(MAX_SHOWN_ANSWERS)
            .fetch_all(conn)
            .await)?;
            for row in rows {
                answers
                    .entry(row.message_id)
                    .or_default()
                    .push(EventResponder {
                        answered_at: row.answered_at,
                        extra_guests: row.extra_guests,
                        jid: row.responder,
                        name: row.name,
                        response: row.answer.0,
                    });
            }
        }
        Ok(answers)
    }
}

impl Admin<'_> {
    /// Deletes messages that were to disappear before a time, with their files, unless somebody
    /// keeps them; gives how many.
    pub async fn purge_expired_messages(&mut self, before_ms: i64, limit: i64) -> Result<u64> {
        let ids: Vec<i64> = on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT id FROM message WHERE expires_at <= $1 AND expires_at IS NOT NULL \
             AND kept_at IS NULL ORDER BY expires_at LIMIT $2"
        )
        .bind(before_ms)
        .bind(limit)
        .fetch_all(conn)
        .await)?;
        if ids.is_empty() {
            return Ok(0);
        }
        self.tx.remove_media_of(&ids, before_ms).await?;
        self.tx.delete_messages(&ids).await
    }
}
