//! Groups and their members, as far as a session has seen them.

use std::collections::HashMap;

use sqlx::{FromRow, QueryBuilder};
use wagate_model::{OrganizationId, SessionId};

use crate::error::Result;
use crate::leases::Owned;
use crate::text::{Text, storable};
use crate::tx::{Tx, on};

/// What is known of a group now; absent parts are not known, and change nothing.
#[derive(Clone, Default)]
pub struct GroupFacts {
    /// The group's JID.
    pub jid: String,
    /// The subject.
    pub subject: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// Who owns it.
    pub owner_jid: Option<String>,
    /// Whether only admins may write.
    pub is_announce: Option<bool>,
    /// Whether only admins may change its settings.
    pub is_locked: Option<bool>,
    /// How many members it has.
    pub participant_count: Option<i64>,
    /// When it was made on WhatsApp, in milliseconds since 1970.
    pub created_at_wa: Option<i64>,
    /// The code of its invite link.
    pub invite_code: Option<String>,
    /// After how many seconds new messages disappear; 0: never.
    pub disappearing_seconds: Option<i64>,
    /// Whether the account is no longer in it.
    pub is_left: Option<bool>,
}

/// A group as stored.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct GroupRecord {
    /// The row's number.
    pub id: i64,
    /// The group's JID.
    pub jid: String,
    /// The subject.
    pub subject: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// Who owns it.
    pub owner_jid: Option<String>,
    /// Whether only admins may write.
    pub is_announce: Option<bool>,
    /// Whether only admins may change its settings.
    pub is_locked: Option<bool>,
    /// How many members it has.
    pub participant_count: Option<i64>,
    /// When it was made on WhatsApp, in milliseconds since 1970.
    pub created_at_wa: Option<i64>,
    /// The code of its invite link, where it was told.
    pub invite_code: Option<String>,
    /// After how many seconds new messages disappear, where known; 0: never.
    pub disappearing_seconds: Option<i64>,
    /// Whether the account is no longer in it.
    pub is_left: bool,
    /// When it was first seen, in milliseconds since 1970.
    pub first_seen_at: i64,
    /// When the row last changed, in milliseconds since 1970.
    pub updated_at: i64,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct GroupMemberRecord {
    /// The row's number.
    pub id: i64,
    /// The group's JID.
    pub group_jid: String,
    /// The group's subject.
    pub group_subject: Option<String>,
    /// The person's row.
    pub identity_id: i64,
    /// The person's LID, where known.
    pub lid: Option<String>,
    /// The person's JID by phone number, where known.
    pub phone_jid: Option<String>,
    /// `member`, `admin` or `superadmin`.
    pub role: String,
    /// The tag that the person has in the group.
    pub tag: Option<String>,
    /// When the member was first seen there, in milliseconds since 1970.
    pub first_seen_at: i64,
    /// When the member was last seen there, in milliseconds since 1970.
    pub last_seen_at: i64,
}

macro_rules! select_group {
    ($condition:literal) => {
        concat!(
            "SELECT g.id, g.jid, g.subject, g.description, g.owner_jid, g.is_announce, \
             g.is_locked, g.participant_count, g.created_at_wa, g.invite_code, \
             g.disappearing_seconds, g.is_left, g.first_seen_at, \
             g.updated_at FROM chat_group g JOIN session s ON s.id = g.session_id \
             WHERE s.deleted_at IS NULL AND s.organization_id = $1 AND g.session_id = $2",
            $condition
        )
    };
}

macro_rules! select_member {
    ($condition:literal) => {
        concat!(
            "SELECT m.id, g.jid AS group_jid, g.subject AS group_subject, m.identity_id, i.lid, \
             i.phone_jid, m.role, m.tag, m.first_seen_at, m.last_seen_at FROM group_member m \
             JOIN chat_group g ON g.id = m.group_id JOIN identity i ON i.id = m.identity_id \
             JOIN session s ON s.id = g.session_id \
             WHERE s.deleted_at IS NULL AND s.organization_id = $1 AND g.session_id = $2 AND ",
            $condition,
            " ORDER BY m.id"
        )
    };
}

impl Owned<'_> {
    /// Writes what is known of a group and gives its row's number.
    pub async fn upsert_group(&mut self, facts: &GroupFacts, now_ms: i64) -> Result<i64> {
        Ok(on!(self.tx, |conn| sqlx::query_scalar(
            "INSERT INTO chat_group (session_id, jid, subject, description, owner_jid, \
             is_announce, is_locked, participant_count, created_at_wa, invite_code, is_left, \
             first_seen_at, updated_at, disappearing_seconds) VALUES ($1, $2, $3, $4, $5, $6, \
             $7, $8, $9, $10, COALESCE($11, $12), $13, $13, $14) \
             ON CONFLICT (session_id, jid) DO UPDATE SET \
             subject = COALESCE(excluded.subject, chat_group.subject), \
             description = COALESCE(excluded.description, chat_group.description), \
             owner_jid = COALESCE(excluded.owner_jid, chat_group.owner_jid), \
             is_announce = COALESCE(excluded.is_announce, chat_group.is_announce), \
             is_locked = COALESCE(excluded.is_locked, chat_group.is_locked), \
             participant_count = COALESCE(excluded.participant_count, \
             chat_group.participant_count), \
             created_at_wa = COALESCE(excluded.created_at_wa, chat_group.created_at_wa), \
             invite_code = COALESCE(excluded.invite_code, chat_group.invite_code), \
             disappearing_seconds = COALESCE(excluded.disappearing_seconds, \
             chat_group.disappearing_seconds), \
             is_left = COALESCE($11, chat_group.is_left), updated_at = excluded.updated_at \
             RETURNING id"
        )
        .bind(Text(self.session))
        .bind(storable(&facts.jid))
        .bind(facts.subject.as_deref().map(storable))
        .bind(facts.description.as_deref().map(storable))
        .bind(facts.owner_jid.as_deref().map(storable))
        .bind(facts.is_announce)
        .bind(facts.is_locked)
        .bind(facts.participant_count)
        .bind(facts.created_at_wa)
        .bind(facts.invite_code.as_deref().map(storable))
        .bind(facts.is_left)
        .bind(false)
        .bind(now_ms)
        .bind(facts.disappearing_seconds)
        .fetch_one(conn)
        .await)?)
    }

    /// Notes that the account is no longer in a group; whether it was stored.
    pub async fn leave_group(&mut self, jid: &str, now_ms: i64) -> Result<bool> {
        let count = on!(self.tx, |conn| sqlx::query(
            "UPDATE chat_group SET is_left = $3, updated_at = $4 \
             WHERE session_id = $1 AND jid = $2"
        )
        .bind(Text(self.session))
        .bind(storable(jid))
        .bind(true)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// Adds a person to a group, or changes role and tag; an absent tag stays.
    pub async fn upsert_group_member(
        &mut self,
        group_id: i64,
        identity_id: i64,
        role: &str,
        tag: Option<&str>,
        now_ms: i64,
    ) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "INSERT INTO group_member (session_id, group_id, identity_id, role, tag, \
             first_seen_at, last_seen_at) VALUES ($1, $2, $3, $4, $5, $6, $6) \
             ON CONFLICT (group_id, identity_id) DO UPDATE SET role = excluded.role, \
             tag = COALESCE(excluded.tag, group_member.tag), last_seen_at = excluded.last_seen_at"
        )
        .bind(Text(self.session))
        .bind(group_id)
        .bind(identity_id)
        .bind(storable(role))
        .bind(tag.map(storable))
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Takes a person out of a group; whether it was in.
    pub async fn remove_group_member(&mut self, group_id: i64, identity_id: i64) -> Result<bool> {
        let count = on!(self.tx, |conn| sqlx::query(
            "DELETE FROM group_member WHERE session_id = $1 AND group_id = $2 \
             AND identity_id = $3"
        )
        .bind(Text(self.session))
        .bind(group_id)
        .bind(identity_id)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
        Ok(count > 0)
    }

    /// What a person may do in a group; nothing where they are not stored as a member.
    pub async fn group_role(&mut self, group_id: i64, identity_id: i64) -> Result<Option<String>> {
        Ok(on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT role FROM group_member WHERE session_id = $1 AND group_id = $2 \
             AND identity_id = $3"
        )
        .bind(Text(self.session))
        .bind(group_id)
        .bind(identity_id)
        .fetch_optional(conn)
        .await)?)
    }

    /// The tags of people in a group, by their rows; who has none is left out.
    pub async fn member_tags(
        &mut self,
        group: &str,
        people: &[i64],
    ) -> Result<HashMap<i64, String>> {
        if people.is_empty() {
            return Ok(HashMap::new());
        }
        let rows: Vec<(i64, String)> = on!(self.tx, |conn| {
            let mut query = QueryBuilder::new(
                "SELECT m.identity_id, m.tag FROM group_member m \
                 JOIN chat_group g ON g.id = m.group_id WHERE m.tag IS NOT NULL \
                 AND g.session_id = ",
            );
            query.push_bind(Text(self.session));
            query.push(" AND g.jid = ").push_bind(storable(group));
            query.push(" AND m.identity_id IN (");
            let mut list = query.separated(", ");
            for person in people {
                list.push_bind(*person);
            }
            query.push(")");
            query
                .build_query_as()
                .persistent(people.len() <= 4)
                .fetch_all(conn)
                .await
        })?;
        Ok(rows.into_iter().collect())
    }

    /// Names the chat of a group after its subject, where there is such a chat.
    pub async fn name_group_chat(&mut self, jid: &str, name: &str, now_ms: i64) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE chat SET name = $3, updated_at = $4 WHERE session_id = $1 AND jid = $2"
        )
        .bind(Text(self.session))
        .bind(storable(jid))
        .bind(storable(name))
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Notes that the account's groups were brought in line with WhatsApp.
    pub async fn note_groups_synced(&mut self, now_ms: i64) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE session SET groups_synced_at = $2 WHERE id = $1"
        )
        .bind(Text(self.session))
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }
}

impl Tx {
    /// The groups that the account is in, in the order in which they were first stored.
    pub async fn groups(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
    ) -> Result<Vec<GroupRecord>> {
        Ok(on!(self, |conn| sqlx::query_as(select_group!(
            " AND NOT g.is_left ORDER BY g.id"
        ))
        .bind(Text(organization))
        .bind(Text(session))
        .fetch_all(conn)
        .await)?)
    }

    /// When a session's groups were last brought in line with WhatsApp, in milliseconds since
    /// 1970; nothing where they never were.
    pub async fn groups_synced_at(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
    ) -> Result<Option<i64>> {
        let found: Option<Option<i64>> = on!(self, |conn| sqlx::query_scalar(
            "SELECT groups_synced_at FROM session WHERE organization_id = $1 AND id = $2 \
             AND deleted_at IS NULL"
        )
        .bind(Text(organization))
        .bind(Text(session))
        .fetch_optional(conn)
        .await)?;
        Ok(found.flatten())
    }

    /// One group by its JID, also after the account left it.
    pub async fn group(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        jid: &str,
    ) -> Result<Option<GroupRecord>> {
        Ok(on!(self, |conn| sqlx::query_as(select_group!(
            " AND g.jid = $3"
        ))
        .bind(Text(organization))
        .bind(Text(session))
        .bind(jid)
        .fetch_optional(conn)
        .await)?)
    }

    /// The members of a group.
    pub async fn group_members(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        group_jid: &str,
    ) -> Result<Vec<GroupMemberRecord>> {
        Ok(on!(self, |conn| sqlx::query_as(select_member!(
            "g.jid = $3"
        ))
        .bind(Text(organization))
        .bind(Text(session))
        .bind(group_jid)
        .fetch_all(conn)
        .await)?)
    }

    /// The groups that a person is seen in.
    pub async fn memberships(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        identity_id: i64,
    ) -> Result<Vec<GroupMemberRecord>> {
        Ok(on!(self, |conn| sqlx::query_as(select_member!(
            "m.identity_id = $3"
        ))
        .bind(Text(organization))
        .bind(Text(session))
        .bind(identity_id)
        .fetch_all(conn)
        .await)?)
    }
}
