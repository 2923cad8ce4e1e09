//! What clients read.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;
use wagate_model::{
    Direction, EventResponder, MediaMeta, Message, MessageDetails, MessageStatus, OrganizationId,
    SessionId,
};

use crate::error::Result;
use crate::text::Text;
use crate::tx::{Tx, on};

/// A position in a chat, for the next page of older messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MessagePosition {
    /// When the message was sent, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The row's number.
    pub id: i64,
}

macro_rules! select_message {
    ($condition:literal) => {
        concat!(
            "SELECT m.id, m.session_id, c.jid AS chat_jid, c.alias_jid AS chat_alias, m.wa_message_id, m.direction, \
             m.is_from_me, m.kind, m.body, m.sender_jid, m.sender_lid, m.timestamp, m.status, \
             m.ack_level, m.error, m.quoted_message_id, m.mentions, m.media, m.is_edited, \
             m.is_deleted, m.is_starred, m.pinned_until, m.expires_at, m.details, m.created_at FROM message m JOIN chat c ON c.id = m.chat_id \
             JOIN session s ON s.id = m.session_id WHERE s.deleted_at IS NULL AND ",
            $condition
        )
    };
}

pub(super) use select_message;

#[derive(FromRow)]
pub(super) struct MessageRow {
    id: i64,
    session_id: Text<SessionId>,
    chat_jid: String,
    chat_alias: Option<String>,
    wa_message_id: String,
    direction: String,
    is_from_me: bool,
    kind: String,
    body: Option<String>,
    sender_jid: Option<String>,
    sender_lid: Option<String>,
    timestamp: i64,
    status: Option<Text<MessageStatus>>,
    ack_level: i64,
    error: Option<String>,
    quoted_message_id: Option<String>,
    mentions: Option<String>,
    media: Option<String>,
    is_edited: bool,
    is_deleted: bool,
    is_starred: bool,
    pinned_until: Option<i64>,
    expires_at: Option<i64>,
    details: Option<String>,
    created_at: i64,
}

impl MessageRow {
    fn into_message(
        self,
        names: &BTreeMap<String, String>,
        answers: Option<Vec<EventResponder>>,
    ) -> Result<Message> {
        let details: Option<MessageDetails> = self
            .details
            .as_deref()
            .map(serde_json::from_str)
            .transpose()?;
        let details = details.unwrap_or_default();
        let mentions: Option<Vec<String>> = self
            .mentions
            .as_deref()
            .map(serde_json::from_str)
            .transpose()?;
        let media: Option<MediaMeta> = self
            .media
            .as_deref()
            .map(serde_json::from_str)
            .transpose()?;
        let mention_names: BTreeMap<_, _> = mentions
            .iter()
            .flatten()
            .filter_map(|jid| Some((jid.clone(), names.get(jid)?.clone())))
            .collect();
        let sender_name = [&self.sender_lid, &self.sender_jid]
            .into_iter()
            .flatten()
            .find_map(|jid| names.get(jid).cloned());
        let direction = if self.direction == Direction::In.as_str() {
            Direction::In
        } else {
            Direction::Out
        };
        Ok(Message {
            ack_level: (direction == Direction::Out).then_some(self.ack_level),
            body: self.body,
            chat_jid: self.chat_jid,
            choices: details.choices,
            created_at: self.created_at,
            deleted: self.is_deleted,
            direction,
            edited: self.is_edited,
            error: self.error,
            event: details.event,
            event_responses: answers,
            expires_at: self.expires_at,
            from_me: self.is_from_me,
            has_media: media.is_some(),
            id: self.wa_message_id.clone(),
            labels: Vec::new(),
            location: details.location,
            media,
            mention_names: (!mention_names.is_empty()).then_some(mention_names),
            mentions: mentions.map(serde_json::Value::from),
            pinned_until: self.pinned_until,
            quoted_message_id: self.quoted_message_id,
            selected_id: details.selected_id,
            sender_jid: self.sender_jid,
            sender_lid: self.sender_lid,
            sender_name,
            session_id: self.session_id.0,
            starred: self.is_starred,
            status: self.status.map(|status| status.0),
            timestamp: self.timestamp,
            kind: self.kind,
            wa_message_id: self.wa_message_id,
        })
    }
}

impl Tx {
    /// Lists a chat's messages, newest first, with the names that are known now.
    ///
    /// Those that only change another message are left out: their rows exist so that a
    /// second delivery is recognized.
    pub async fn messages(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        chat_id: i64,
        after: Option<MessagePosition>,
        limit: i64,
    ) -> Result<Vec<(MessagePosition, Message)>> {
        let rows: Vec<MessageRow> = match after {
            None => on!(self, |conn| sqlx::query_as(select_message!(
                "s.organization_id = $1 AND m.session_id = $2 AND m.chat_id = $3 \
                 AND m.kind NOT IN ('reaction', 'edit', 'revoke', 'poll_vote', \
                 'event_response', 'pin', 'keep') \
                 ORDER BY m.timestamp DESC, m.id DESC LIMIT $4"
            ))
            .bind(Text(organization))
            .bind(Text(session))
            .bind(chat_id)
            .bind(limit)
            .fetch_all(conn)
            .await)?,
            Some(after) => on!(self, |conn| sqlx::query_as(select_message!(
                "s.organization_id = $1 AND m.session_id = $2 AND m.chat_id = $3 \
                 AND m.kind NOT IN ('reaction', 'edit', 'revoke', 'poll_vote', \
                 'event_response', 'pin', 'keep') \
                 AND (m.timestamp, m.id) < ($4, $5) \
                 ORDER BY m.timestamp DESC, m.id DESC LIMIT $6"
            ))
            .bind(Text(organization))
            .bind(Text(session))
            .bind(chat_id)
            .bind(after.timestamp_ms)
            .bind(after.id)
            .bind(limit)
            .fetch_all(conn)
            .await)?,
        };
        self.with_names(session, rows).await
    }

    /// The latest messages of others in a chat, newest first.
    pub async fn latest_incoming(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        chat_id: i64,
        limit: i64,
    ) -> Result<Vec<Message>> {
        let rows: Vec<MessageRow> = on!(self, |conn| sqlx::query_as(select_message!(
            "s.organization_id = $1 AND m.session_id = $2 AND m.chat_id = $3 \
             AND m.direction = 'in' AND m.is_from_me = $4 \
             AND m.kind NOT IN ('reaction', 'edit', 'revoke', 'poll_vote', \
                 'event_response', 'pin', 'keep') \
             ORDER BY m.timestamp DESC, m.id DESC LIMIT $5"
        ))
        .bind(Text(organization))
        .bind(Text(session))
        .bind(chat_id)
        .bind(false)
        .bind(limit)
        .fetch_all(conn)
        .await)?;
        rows.into_iter()
            .map(|row| row.into_message(&BTreeMap::new(), None))
            .collect()
    }

    /// One message by WhatsApp's id; in one chat where given, else the first of that id.
    pub async fn message(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        chat_id: Option<i64>,
        wa_message_id: &str,
    ) -> Result<Option<Message>> {
        let rows: Vec<MessageRow> = on!(self, |conn| sqlx::query_as(select_message!(
            "s.organization_id = $1 AND m.session_id = $2 AND m.wa_message_id = $3 \
             AND m.chat_id = COALESCE($4, m.chat_id) ORDER BY m.id LIMIT 1"
        ))
        .bind(Text(organization))
        .bind(Text(session))
        .bind(wa_message_id)
        .bind(chat_id)
        .fetch_all(conn)
        .await)?;
        Ok(self
            .with_names(session, rows)
            .await?
            .pop()
            .map(|(_, message)| message))
    }

    /// The message of a chat that a person has sent under an id, by either of their addresses.
    pub async fn message_by(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        (chat_id, wa_message_id): (i64, &str),
        [address, other]: [&str; 2],
    ) -> Result<Option<Message>> {
        let rows: Vec<MessageRow> = on!(self, |conn| sqlx::query_as(select_message!(
            "s.organization_id = $1 AND m.session_id = $2 AND m.chat_id = $3 \
             AND m.wa_message_id = $4 AND (m.sender_lid IN ($5, $6) OR m.sender_jid IN ($5, $6)) \
             ORDER BY m.id LIMIT 1"
        ))
        .bind(Text(organization))
        .bind(Text(session))
        .bind(chat_id)
        .bind(wa_message_id)
        .bind(address)
        .bind(other)
        .fetch_all(conn)
        .await)?;
        let mut shown = self.with_names(session, rows).await?;
        Ok(shown.pop().map(|(_, message)| message))
    }

    pub(super) async fn with_names(
        &mut self,
        session: SessionId,
        rows: Vec<MessageRow>,
    ) -> Result<Vec<(MessagePosition, Message)>> {
        let mut jids = BTreeSet::new();
        for row in &rows {
            jids.extend(
                [&row.sender_jid, &row.sender_lid]
                    .into_iter()
                    .flatten()
                    .cloned(),
            );
            if let Some(mentions) = &row.mentions {
                jids.extend(serde_json::from_str::<Vec<String>>(mentions)?);
            }
        }
        let jids: Vec<_> = jids.into_iter().collect();
        let mut names = BTreeMap::new();
        for chunk in jids.chunks(500) {
            names.extend(self.names(session, chunk).await?);
        }
        let ids: Vec<_> = rows.iter().map(|row| row.wa_message_id.as_str()).collect();
        let labels = self.labels_of_messages(session, &ids).await?;
        let events = rows.iter().filter(|row| row.kind == "event");
        let events: Vec<_> = events.map(|row| row.id).collect();
        let mut answers = self.event_answers(&events).await?;
        rows.into_iter()
            .map(|row| {
                let position = MessagePosition {
                    timestamp_ms: row.timestamp,
                    id: row.id,
                };
                // They may have been noted before both addresses of the chat were known.
                let chats = std::iter::once(&row.chat_jid).chain(&row.chat_alias);
                let labels: Vec<_> = chats
                    .filter_map(|chat| labels.get(&(row.wa_message_id.clone(), chat.clone())))
                    .flatten()
                    .cloned()
                    .collect();
                let answers = answers.remove(&row.id);
                let mut message = row.into_message(&names, answers)?;
                message.labels = labels;
                Ok((position, message))
            })
            .collect()
    }
}
