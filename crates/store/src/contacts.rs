//! Contacts: the people that a session has seen, as clients list them.

use sqlx::{FromRow, QueryBuilder};
use wagate_model::{OrganizationId, SessionId};

use crate::error::Result;
use crate::identities::{IdentityRecord, identity_columns};
use crate::text::{Text, storable};
use crate::tx::{Tx, on};

/// Where contacts were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContactSource {
    /// In a chat of their own.
    Dm,
    /// In groups only.
    Group,
}

/// Which contacts are wanted; the parts combine.
#[derive(Debug, Clone, Default)]
pub struct ContactFilter {
    /// Only those seen there.
    pub source: Option<ContactSource>,
    /// Only members of this group (its JID).
    pub group_jid: Option<String>,
    /// Only those with this in a name or in the number, in any case.
    pub search: Option<String>,
}

/// A person with where the session knows it from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactRecord {
    /// The person.
    pub identity: IdentityRecord,
    /// Whether there is a chat with the person.
    pub has_dm: bool,
}

#[derive(FromRow)]
struct ContactRow {
    #[sqlx(flatten)]
    identity: IdentityRecord,
    has_dm: bool,
}

fn like_pattern(text: &str) -> String {
    let escaped = text
        .to_lowercase()
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    format!("%{escaped}%")
}

impl Tx {
    /// Lists people in the order in which they were first stored, after a row's number.
    pub async fn contacts(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        filter: &ContactFilter,
        after: Option<i64>,
        limit: i64,
    ) -> Result<Vec<ContactRecord>> {
        const HAS_DM: &str = "EXISTS (SELECT 1 FROM chat c WHERE c.session_id = i.session_id \
                              AND (c.jid = i.lid OR c.jid = i.phone_jid \
                              OR c.alias_jid = i.lid OR c.alias_jid = i.phone_jid))";
        let rows: Vec<ContactRow> = on!(self, |conn| {
            let mut query = QueryBuilder::new(concat!("SELECT ", identity_columns!(), ", "));
            query.push(HAS_DM).push(
                " AS has_dm FROM identity i JOIN session s ON s.id = i.session_id \
                 WHERE s.deleted_at IS NULL AND s.organization_id = ",
            );
            query.push_bind(Text(organization));
            query.push(" AND i.session_id = ").push_bind(Text(session));
            match filter.source {
                Some(ContactSource::Dm) => _ = query.push(" AND ").push(HAS_DM),
                Some(ContactSource::Group) => _ = query.push(" AND NOT ").push(HAS_DM),
                None => {}
            }
            if let Some(group) = &filter.group_jid {
                query
                    .push(
                        " AND i.id IN (SELECT m.identity_id FROM group_member m \
                         JOIN chat_group g ON g.id = m.group_id \
                         WHERE g.session_id = i.session_id AND g.jid = ",
                    )
                    .push_bind(group.as_str())
                    .push(")");
            }
            if let Some(search) = &filter.search {
                query
                    .push(" AND i.search_text LIKE ")
                    .push_bind(like_pattern(&storable(search)));
                query.push(" ESCAPE '\\'");
            }
            if let Some(after) = after {
                query.push(" AND i.id > ").push_bind(after);
            }
            query.push(" ORDER BY i.id LIMIT ").push_bind(limit);
            query.build_query_as().fetch_all(conn).await
        })?;
        Ok(rows
            .into_iter()
            .map(|row| ContactRecord {
                identity: row.identity,
                has_dm: row.has_dm,
            })
            .collect())
    }

    /// Before whom the account's stories come: those with a name in the phone's address book,
    /// and those with whom there is a chat; by LID where it is known. Some may be named twice.
    pub async fn status_audience(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        limit: i64,
    ) -> Result<Vec<String>> {
        Ok(on!(self, |conn| sqlx::query_scalar(
            "SELECT COALESCE(i.lid, i.phone_jid) FROM identity i \
             JOIN session s ON s.id = i.session_id \
             WHERE s.deleted_at IS NULL AND s.organization_id = $1 AND i.session_id = $2 \
             AND (i.full_name IS NOT NULL OR i.first_name IS NOT NULL) \
             UNION SELECT CASE WHEN c.alias_jid LIKE '%@lid' THEN c.alias_jid ELSE c.jid END \
             FROM chat c JOIN session s ON s.id = c.session_id \
             WHERE s.deleted_at IS NULL AND s.organization_id = $1 AND c.session_id = $2 \
             AND c.kind = 'dm' ORDER BY 1 LIMIT $3"
        )
        .bind(Text(organization))
        .bind(Text(session))
        .bind(limit)
        .fetch_all(conn)
        .await)?)
    }

    /// One person by LID or by phone JID.
    pub async fn contact(
        &mut self,
        organization: OrganizationId,
        session: SessionId,
        jid: &str,
    ) -> Result<Option<ContactRecord>> {
        let row: Option<ContactRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            identity_columns!(),
            ", EXISTS (SELECT 1 FROM chat c WHERE c.session_id = i.session_id \
             AND (c.jid = i.lid OR c.jid = i.phone_jid \
             OR c.alias_jid = i.lid OR c.alias_jid = i.phone_jid)) AS has_dm \
             FROM identity i JOIN session s ON s.id = i.session_id \
             WHERE s.deleted_at IS NULL AND s.organization_id = $1 AND i.session_id = $2 \
             AND (i.lid = $3 OR i.phone_jid = $3)"
        ))
        .bind(Text(organization))
        .bind(Text(session))
        .bind(jid)
        .fetch_optional(conn)
        .await)?;
        Ok(row.map(|row| ContactRecord {
            identity: row.identity,
            has_dm: row.has_dm,
        }))
    }
}
