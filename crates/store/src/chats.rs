//! Chats: one row each, found by either address.

use sqlx::FromRow;
use wagate_model::{Chat, ChatType, OrganizationId, SessionId};

use crate::error::Result;
use crate::leases::Owned;
use crate::text::{Text, storable};
use crate::tx::{Tx, on};

/// What is known of a chat now; absent parts are not known, and change nothing.
#[derive(Clone)]
pub struct ChatFacts {
    /// The address; it becomes the chat's own where the chat is new.
    pub jid: String,
    /// The other address of the same person.
    pub alias_jid: Option<String>,
    /// What it is.
    pub kind: ChatType,
    /// The name.
    pub name: Option<String>,
}

/// A chat's row, and the address that clients know it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatRef {
    /// The row's number; another one once the chat was merged into an older one.
    pub id: i64,
    /// The address.
    pub jid: String,
    /// After how many seconds new messages disappear, where the chat was just looked up and is
    /// set so.
    pub disappearing_seconds: Option<u32>,
    /// Whether it was just looked up, and has no messages yet.
    pub is_empty: bool,
}

/// A position in the display order, for the next page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ChatPosition {
    /// Whether the chat is pinned.
    pub is_pinned: bool,
    /// When its last message was sent; 0 without one.
    pub last_message_at: i64,
    /// The row's number.
    pub id: i64,
}

impl From<&Chat> for ChatPosition {
    fn from(chat: &Chat) -> Self {
        Self {
            is_pinned: chat.pinned,
            last_message_at: chat.last_message_at.unwrap_or(0),
            id: chat.id,
        }
    }
}

/// Settings of a chat to change; absent parts stay.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChatChange {
    /// Whether it is archived.
    pub is_archived: Option<bool>,
    /// Whether it is pinned.
    pub is_pinned: Option<bool>,
    /// Until when it is muted, in milliseconds since 1970; 0 unmutes.
    pub muted_until: Option<i64>,
    /// After how many seconds new messages disappear; 0: never. For chats of two.
    pub disappearing_seconds: Option<i64>,
}

macro_rules! select_chat {
    ($condition:literal) => {
        concat!(
            "SELECT c.id, c.session_id, c.jid, c.alias_jid, c.kind, c.name, c.last_message_at, \
             c.unread_count, c.is_archived, c.is_pinned, c.muted_until, \
             COALESCE((SELECT g.disappearing_seconds FROM chat_group g \
             WHERE g.session_id = c.session_id AND g.jid = c.jid), c.disappearing_seconds) \
             AS disappearing_seconds FROM chat c \
             JOIN session s ON s.id = c.session_id WHERE s.deleted_at IS NULL AND ",
            $condition
        )
    };
}

#[derive(FromRow)]
struct ChatRow {
    id: i64,
    session_id: Text<SessionId>,
    jid: String,
    alias_jid: Option<String>,
    kind: Text<ChatType>,
    name: Option<String>,
    last_message_at: i64,
    unread_count: i64,
    is_archived: bool,
    is_pinned: bool,
    muted_until: Option<i64>,
    disappearing_seconds: Option<i64>,
}

impl From<ChatRow> for Chat {
    fn from(row: ChatRow) -> Self {
        Self {
            aliases: row.alias_jid.map(|alias| vec![alias]),
            archived: row.is_archived,
            disappearing_seconds: row.disappearing_seconds,
            id: row.id,
            jid: row.jid,
            labels: Vec::new(),
            last_message_at: (row.last_message_at > 0).then_some(row.last_message_at),
            muted_until: row.muted_until,
            name: row.name,
            pinned: row.is_pinned,
            session_id: row.session_id.0,
            kind: row.kind.0,
            unread_count: row.unread_count,
        }
    }
}

#[derive(FromRow)]
struct FoundChat {
    id: i64,
    jid: String,
    alias_jid: Option<String>,
    name: Option<String>,
    disappearing_seconds: Option<i64>,
    last_message_at: i64,
}

impl Owned<'_> {
    /// Finds or makes the chat of an address and gives its row.
    ///
    /// A chat that was made once under each address of the same person is merged into
    /// the older row, with its messages.
    pub async fn upsert_chat(&mut self, facts: &ChatFacts, now_ms: i64) -> Result<ChatRef> {
        let jid = storable(&facts.jid);
        let alias = facts
            .alias_jid
            .as_deref()
            .filter(|alias| *alias != facts.jid)
            .map(storable);
        let found: Vec<FoundChat> = on!(self.tx, |conn| sqlx::query_as(
            "SELECT id, jid, alias_jid, name, COALESCE((SELECT g.disappearing_seconds \
             FROM chat_group g WHERE g.session_id = chat.session_id AND g.jid = chat.jid), \
             disappearing_seconds) AS disappearing_seconds, last_message_at \
             FROM chat WHERE session_id = $1 \
             AND (jid = $2 OR alias_jid = $2 OR jid = $3 OR alias_jid = $3) ORDER BY id"
        )
        .bind(Text(self.session))
        .bind(&jid)
        .bind(alias.as_deref())
        .fetch_all(conn)
        .await)?;
        let mut found = found.into_iter();
        let Some(chat) = found.next() else {
            return self.insert_chat(facts, now_ms).await;
        };
        let has_others = found.len() > 0;
        for other in found {
            self.merge_chat(chat.id, other.id, now_ms).await?;
        }
        let other_address = match alias.as_deref() {
            Some(alias) if *alias != chat.jid => Some(alias),
            _ if *jid != chat.jid => Some(&*jid),
            _ => None,
        };
        let alias_jid = other_address.or(chat.alias_jid.as_deref());
        let name = facts.name.as_deref().map(storable);
        let name = name.as_deref().or(chat.name.as_deref());
        if has_others || alias_jid != chat.alias_jid.as_deref() || name != chat.name.as_deref() {
            on!(self.tx, |conn| sqlx::query(
                "UPDATE chat SET alias_jid = $2, name = $3, updated_at = $4 WHERE id = $1"
            )
            .bind(chat.id)
            .bind(alias_jid)
            .bind(name)
            .bind(now_ms)
            .execute(conn)
            .await
            .map(drop))?;
        }
        let seconds = chat.disappearing_seconds.unwrap_or(0);
        Ok(ChatRef {
            id: chat.id,
            jid: chat.jid,
            disappearing_seconds: u32::try_from(seconds).ok().filter(|it| *it > 0),
            is_empty: chat.last_message_at == 0 && !has_others,
        })
    }

    async fn insert_chat(&mut self, facts: &ChatFacts, now_ms: i64) -> Result<ChatRef> {
        let alias = facts
            .alias_jid
            .as_deref()
            .filter(|alias| *alias != facts.jid);
        let jid = storable(&facts.jid).into_owned();
        let id = on!(self.tx, |conn| sqlx::query_scalar(
            "INSERT INTO chat (session_id, jid, alias_jid, kind, name, last_message_at, \
             unread_count, is_archived, is_pinned, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, 0, 0, $6, $6, $7, $7) RETURNING id"
        )
        .bind(Text(self.session))
        .bind(&jid)
        .bind(alias.map(storable))
        .bind(facts.kind.as_str())
        .bind(facts.name.as_deref().map(storable))
        .bind(false)
        .bind(now_ms)
        .fetch_one(conn)
        .await)?;
        let disappearing_seconds = match facts.kind {
            ChatType::Group => self.group_timer(&jid).await?,
            _ => None,
        };
        Ok(ChatRef {
            id,
            jid,
            disappearing_seconds,
            is_empty: true,
        })
    }

    async fn merge_chat(&mut self, kept: i64, gone: i64, now_ms: i64) -> Result<()> {
        self.write_own_messages().await?;
        for statement in [
            // What is in both stays once.
            "UPDATE message SET chat_id = $1 WHERE chat_id = $2 AND NOT EXISTS ( \
             SELECT 1 FROM message k WHERE k.chat_id = $1 \
             AND k.session_id = message.session_id \
             AND k.wa_message_id = message.wa_message_id AND k.sender_key = message.sender_key)",
            "UPDATE chat SET \
             last_message_at = CASE WHEN last_message_at >= o.last_at THEN last_message_at \
             ELSE o.last_at END, \
             unread_count = unread_count + o.unread, \
             is_pinned = (is_pinned OR o.pinned), name = COALESCE(name, o.other_name), \
             disappearing_seconds = COALESCE(disappearing_seconds, o.timer) \
             FROM (SELECT last_message_at AS last_at, unread_count AS unread, \
             is_pinned AS pinned, name AS other_name, disappearing_seconds AS timer \
             FROM chat WHERE id = $2) AS o \
             WHERE id = $1",
            // Polls that are open close in the chat that stays, with all their votes.
            "INSERT INTO timed_poll (chat_id, wa_message_id, poll, ends_at, is_unreadable) \
             SELECT $1, p.wa_message_id, p.poll, p.ends_at, p.is_unreadable FROM timed_poll p \
             WHERE p.chat_id = $2 ON CONFLICT (chat_id, wa_message_id) DO NOTHING",
            "INSERT INTO timed_poll_vote (chat_id, wa_message_id, voter, name, options, voted_at) \
             SELECT $1, v.wa_message_id, v.voter, v.name, v.options, v.voted_at \
             FROM timed_poll_vote v WHERE v.chat_id = $2 \
             ON CONFLICT (chat_id, wa_message_id, voter) DO UPDATE SET \
             name = excluded.name, options = excluded.options, voted_at = excluded.voted_at \
             WHERE excluded.voted_at > timed_poll_vote.voted_at",
        ] {
            on!(self.tx, |conn| sqlx::query(statement)
                .bind(kept)
                .bind(gone)
                .execute(conn)
                .await
                .map(drop))?;
        }
        self.tx.remove_media_of_chat(gone, now_ms).await?;
        on!(self.tx, |conn| sqlx::query(
            "DELETE FROM chat WHERE id = $1"
        )
        .bind(gone)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// After how many seconds new messages of a group disappear, where it is set so.
    async fn group_timer(&mut self, jid: &str) -> Result<Option<u32>> {
        let seconds: Option<Option<i64>> = on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT disappearing_seconds FROM chat_group WHERE session_id = $1 AND jid = $2"
        )
        .bind(Text(self.session))
        .bind(jid)
        .fetch_optional(conn)
        .await)?;
        let seconds = seconds.flatten().unwrap_or(0);
        Ok(u32::try_from(seconds).ok().filter(|seconds| *seconds > 0))
    }

    /// Notes the timer of a chat of two that was not known yet: a message has told it.
    pub async fn learn_timer(&mut self, chat_id: i64, seconds: u32) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE chat SET disappearing_seconds = $3 \
             WHERE session_id = $1 AND id = $2 AND disappearing_seconds IS NULL"
        )
        .bind(Text(self.session))
        .bind(chat_id)
        .bind(i64::from(seconds))
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Sets the unread counter, as another device of the account changed it.
    pub async fn set_unread(&mut self, chat_id: i64, unread_count: i64, now_ms: i64) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE chat SET unread_count = $3, updated_at = $4 WHERE session_id = $1 AND id = $2"
        )
        .bind(Text(self.session))
        .bind(chat_id)
        .bind(unread_count)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }
}

impl Tx {
    /// Lists chats in display order: pinned ones first, then the latest; those with a label,
    /// where one is named.
    pub async fn chats(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        label: Option<&str>,
        after: Option<ChatPosition>,
        limit: i64,
    ) -> Result<Vec<Chat>> {
        let label = label.map(storable);
        let rows: Vec<ChatRow> = match after {
            None => on!(self, |conn| sqlx::query_as(select_chat!(
                "s.organization_id = $1 AND c.session_id = $2 \
                 AND ($3 IS NULL OR EXISTS (SELECT 1 FROM label_chat a JOIN label l \
                 ON l.session_id = a.session_id AND l.wa_label_id = a.wa_label_id \
                 WHERE a.session_id = c.session_id AND a.chat_jid IN (c.jid, c.alias_jid) \
                 AND a.wa_label_id = $3 AND NOT l.is_deleted)) \
                 ORDER BY c.is_pinned DESC, c.last_message_at DESC, c.id DESC LIMIT $4"
            ))
            .bind(Text(organization))
            .bind(Text(session))
            .bind(label.as_deref())
            .bind(limit)
            .fetch_all(conn)
            .await)?,
            Some(after) => on!(self, |conn| sqlx::query_as(select_chat!(
                "s.organization_id = $1 AND c.session_id = $2 \
                 AND ($3 IS NULL OR EXISTS (SELECT 1 FROM label_chat a JOIN label l \
                 ON l.session_id = a.session_id AND l.wa_label_id = a.wa_label_id \
                 WHERE a.session_id = c.session_id AND a.chat_jid IN (c.jid, c.alias_jid) \
                 AND a.wa_label_id = $3 AND NOT l.is_deleted)) \
                 AND (c.is_pinned, c.last_message_at, c.id) < ($4, $5, $6) \
                 ORDER BY c.is_pinned DESC, c.last_message_at DESC, c.id DESC LIMIT $7"
            ))
            .bind(Text(organization))
            .bind(Text(session))
            .bind(label.as_deref())
            .bind(after.is_pinned)
            .bind(after.last_message_at)
            .bind(after.id)
            .bind(limit)
            .fetch_all(conn)
            .await)?,
        };
        let mut chats: Vec<_> = rows.into_iter().map(Chat::from).collect();
        self.add_labels(session, &mut chats).await?;
        Ok(chats)
    }

    /// One chat by either of its addresses, with its labels.
    pub async fn labelled_chat(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        jid: &str,
    ) -> Result<Option<Chat>> {
        let mut chat = self.chat(organization, session, jid).await?;
        if let Some(chat) = &mut chat {
            self.add_labels(session, std::slice::from_mut(chat)).await?;
        }
        Ok(chat)
    }

    /// One chat by either of its addresses, without its labels.
    pub async fn chat(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        jid: &str,
    ) -> Result<Option<Chat>> {
        let row: Option<ChatRow> = on!(self, |conn| sqlx::query_as(select_chat!(
            "s.organization_id = $1 AND c.session_id = $2 AND (c.jid = $3 OR c.alias_jid = $3) \
             ORDER BY c.id LIMIT 1"
        ))
        .bind(Text(organization))
        .bind(Text(session))
        .bind(jid)
        .fetch_optional(conn)
        .await)?;
        Ok(row.map(Chat::from))
    }

    /// Changes settings of a chat; whether it is there.
    pub async fn update_chat(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        chat_id: i64,
        change: &ChatChange,
        now_ms: i64,
    ) -> Result<bool> {
        let count = on!(self, |conn| sqlx::query(
            "UPDATE chat SET is_archived = COALESCE($4, is_archived), \
             is_pinned = COALESCE($5, is_pinned), \
             muted_until = CASE WHEN $6 = 0 THEN NULL ELSE COALESCE($6, muted_until) END, \
             disappearing_seconds = COALESCE($8, disappearing_seconds), \
             updated_at = $7 WHERE id = $3 AND session_id = $2 \
             AND session_id IN (SELECT s.id FROM session s WHERE s.organization_id = $1)"
        )
        .bind(Text(organization))
        .bind(Text(session))
        .bind(chat_id)
        .bind(change.is_archived)
        .bind(change.is_pinned)
        .bind(change.muted_until)
        .bind(now_ms)
        .bind(change.disappearing_seconds)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Sets a chat's unread counter to zero; whether it is there.
    pub async fn mark_chat_read(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        chat_id: i64,
        now_ms: i64,
    ) -> Result<bool> {
        let count = on!(self, |conn| {
            sqlx::query(
            "UPDATE chat SET unread_count = 0, updated_at = $4 WHERE id = $3 AND session_id = $2 \
             AND session_id IN (SELECT s.id FROM session s WHERE s.organization_id = $1)"
        )
        .bind(Text(organization))
        .bind(Text(session))
        .bind(chat_id)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected())
        })?;
        Ok(count > 0)
    }

    async fn chat_is_of(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        chat_id: i64,
    ) -> Result<bool> {
        let found: Option<i64> = on!(self, |conn| sqlx::query_scalar(
            "SELECT c.id FROM chat c JOIN session s ON s.id = c.session_id \
             WHERE c.id = $3 AND c.session_id = $2 AND s.organization_id = $1"
        )
        .bind(Text(organization))
        .bind(Text(session))
        .bind(chat_id)
        .fetch_optional(conn)
        .await)?;
        Ok(found.is_some())
    }

    /// Deletes a chat with its messages; whether it was there.
    pub async fn delete_chat(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        chat_id: i64,
        now_ms: i64,
    ) -> Result<bool> {
        self.write_own_messages().await?;
        if self.chat_is_of(organization, session, chat_id).await? {
            self.remove_media_of_chat(chat_id, now_ms).await?;
        }
        let count = on!(self, |conn| sqlx::query(
            "DELETE FROM chat WHERE id = $3 AND session_id = $2 \
             AND session_id IN (SELECT s.id FROM session s WHERE s.organization_id = $1)"
        )
        .bind(Text(organization))
        .bind(Text(session))
        .bind(chat_id)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }
}
