//! People that a session has seen: one row each, whether seen by phone number or by LID.

use std::collections::{BTreeMap, HashMap};

use sqlx::{FromRow, QueryBuilder};
use wagate_model::{SessionId, hide_contents};

use crate::error::Result;
use crate::leases::Owned;
use crate::text::{Text, storable};
use crate::tx::{Tx, on};

/// What is known of a person now; absent parts are not known, and change nothing.
#[derive(Clone, Default)]
pub struct IdentityFacts {
    /// The LID.
    pub lid: Option<String>,
    /// The JID by phone number.
    pub phone_jid: Option<String>,
    /// The name that the person gave.
    pub push_name: Option<String>,
    /// The name in the account's address book.
    pub full_name: Option<String>,
    /// The first name in the account's address book.
    pub first_name: Option<String>,
    /// The verified name of a business.
    pub business_name: Option<String>,
}

/// A person as stored.
#[derive(Clone, PartialEq, Eq, FromRow)]
pub struct IdentityRecord {
    /// The row's number; stays with the person.
    pub id: i64,
    /// The LID, where known.
    pub lid: Option<String>,
    /// The JID by phone number, where known.
    pub phone_jid: Option<String>,
    /// The name that the person gave.
    pub push_name: Option<String>,
    /// The name in the account's address book.
    pub full_name: Option<String>,
    /// The first name in the account's address book.
    pub first_name: Option<String>,
    /// The verified name of a business.
    pub business_name: Option<String>,
    /// Whether the account has muted the person's stories.
    pub is_status_muted: bool,
    /// When the person was first seen, in milliseconds since 1970.
    pub first_seen_at: i64,
    /// When the row last changed, in milliseconds since 1970.
    pub updated_at: i64,
}

hide_contents!(IdentityRecord { id });

impl IdentityRecord {
    /// The name to show: the account's own name for the person before the person's.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        [
            &self.full_name,
            &self.first_name,
            &self.push_name,
            &self.business_name,
        ]
        .into_iter()
        .find_map(|name| name.as_deref().filter(|name| !name.is_empty()))
    }

    /// The phone number in digits, where known.
    #[must_use]
    pub fn phone_number(&self) -> Option<&str> {
        self.phone_jid
            .as_deref()
            .and_then(|jid| jid.split('@').next())
    }

    fn apply(&mut self, facts: &IdentityFacts) {
        let pairs = [
            (&mut self.lid, &facts.lid),
            (&mut self.phone_jid, &facts.phone_jid),
            (&mut self.push_name, &facts.push_name),
            (&mut self.full_name, &facts.full_name),
            (&mut self.first_name, &facts.first_name),
            (&mut self.business_name, &facts.business_name),
        ];
        for (stored, fact) in pairs {
            if let Some(fact) = fact {
                *stored = Some(storable(fact).into_owned());
            }
        }
    }

    /// Takes over what another row of the same person knows.
    fn absorb(&mut self, other: Self) {
        self.phone_jid = self.phone_jid.take().or(other.phone_jid);
        self.push_name = self.push_name.take().or(other.push_name);
        self.full_name = self.full_name.take().or(other.full_name);
        self.first_name = self.first_name.take().or(other.first_name);
        self.business_name = self.business_name.take().or(other.business_name);
        self.is_status_muted |= other.is_status_muted;
        self.first_seen_at = self.first_seen_at.min(other.first_seen_at);
    }

    // Lower case is made here, because SQLite's lower() knows ASCII only.
    fn search_text(&self) -> String {
        [
            self.full_name.as_deref(),
            self.first_name.as_deref(),
            self.push_name.as_deref(),
            self.business_name.as_deref(),
            self.phone_number(),
        ]
        .into_iter()
        .flatten()
        .map(str::to_lowercase)
        .collect::<Vec<_>>()
        .join("\n")
    }
}

/// What became of an identity that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpsertedIdentity {
    /// The row as it is now.
    pub identity: IdentityRecord,
    /// Whether the row is new.
    pub is_new: bool,
    /// Whether anything about the person changed.
    pub has_changed: bool,
}

macro_rules! identity_columns {
    () => {
        "i.id, i.lid, i.phone_jid, i.push_name, i.full_name, i.first_name, i.business_name, \
         i.is_status_muted, i.first_seen_at, i.updated_at"
    };
}

pub(crate) use identity_columns;

impl Owned<'_> {
    /// Writes what is known of a person, and merges two rows that turn out to be one person.
    ///
    /// Nothing where neither LID nor phone number is known.
    pub async fn upsert_identity(
        &mut self,
        facts: &IdentityFacts,
        now_ms: i64,
    ) -> Result<Option<UpsertedIdentity>> {
        let by_lid = match &facts.lid {
            Some(lid) => self.identity_by("lid", lid).await?,
            None => None,
        };
        let by_phone = match &facts.phone_jid {
            Some(phone) => self.identity_by("phone", phone).await?,
            None => None,
        };
        let (mut identity, other) = match (by_lid, by_phone) {
            (None, None) if facts.lid.is_none() && facts.phone_jid.is_none() => return Ok(None),
            (None, None) => return self.insert_identity(facts, now_ms).await.map(Some),
            (Some(found), Some(other)) if found.id != other.id => (found, Some(other)),
            (None, Some(found)) if found.lid.is_some() && facts.lid.is_some() => {
                // The number went to another person: the LID is who somebody is.
                self.clear_phone(found.id, now_ms).await?;
                return self.insert_identity(facts, now_ms).await.map(Some);
            }
            (Some(found), _) | (None, Some(found)) => (found, None),
        };
        let before = identity.clone();
        if let Some(other) = other {
            if other.lid.is_some() {
                self.clear_phone(other.id, now_ms).await?;
            } else {
                self.merge_rows(identity.id, other.id).await?;
                identity.absorb(other);
            }
        }
        identity.apply(facts);
        let has_changed = identity != before;
        if has_changed {
            identity.updated_at = now_ms;
            self.update_identity(&identity).await?;
        }
        Ok(Some(UpsertedIdentity {
            identity,
            is_new: false,
            has_changed,
        }))
    }

    async fn identity_by(&mut self, address: &str, jid: &str) -> Result<Option<IdentityRecord>> {
        let text = if address == "lid" {
            concat!(
                "SELECT ",
                identity_columns!(),
                " FROM identity i WHERE i.session_id = $1 AND i.lid = $2"
            )
        } else {
            concat!(
                "SELECT ",
                identity_columns!(),
                " FROM identity i WHERE i.session_id = $1 AND i.phone_jid = $2"
            )
        };
        Ok(on!(self.tx, |conn| sqlx::query_as(text)
            .bind(Text(self.session))
            .bind(storable(jid))
            .fetch_optional(conn)
            .await)?)
    }

    async fn insert_identity(
        &mut self,
        facts: &IdentityFacts,
        now_ms: i64,
    ) -> Result<UpsertedIdentity> {
        let mut identity = IdentityRecord {
            id: 0,
            lid: None,
            phone_jid: None,
            push_name: None,
            full_name: None,
            first_name: None,
            business_name: None,
            is_status_muted: false,
            first_seen_at: now_ms,
            updated_at: now_ms,
        };
        identity.apply(facts);
        identity.id = on!(self.tx, |conn| {
            sqlx::query_scalar(
            "INSERT INTO identity (session_id, lid, phone_jid, push_name, full_name, first_name, \
             business_name, search_text, first_seen_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) RETURNING id"
        )
        .bind(Text(self.session))
        .bind(&identity.lid)
        .bind(&identity.phone_jid)
        .bind(&identity.push_name)
        .bind(&identity.full_name)
        .bind(&identity.first_name)
        .bind(&identity.business_name)
        .bind(identity.search_text())
        .bind(now_ms)
        .fetch_one(conn)
        .await
        })?;
        Ok(UpsertedIdentity {
            identity,
            is_new: true,
            has_changed: true,
        })
    }

    async fn update_identity(&mut self, identity: &IdentityRecord) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE identity SET lid = $2, phone_jid = $3, push_name = $4, full_name = $5, \
             first_name = $6, business_name = $7, search_text = $8, first_seen_at = $9, \
             updated_at = $10 WHERE id = $1"
        )
        .bind(identity.id)
        .bind(&identity.lid)
        .bind(&identity.phone_jid)
        .bind(&identity.push_name)
        .bind(&identity.full_name)
        .bind(&identity.first_name)
        .bind(&identity.business_name)
        .bind(identity.search_text())
        .bind(identity.first_seen_at)
        .bind(identity.updated_at)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Mutes a person's stories or no longer does; nothing where the address is not known.
    pub async fn mute_status(&mut self, address: &str, is_muted: bool, now_ms: i64) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE identity SET is_status_muted = $3, updated_at = $4 \
             WHERE session_id = $1 AND (lid = $2 OR phone_jid = $2) AND is_status_muted <> $3"
        )
        .bind(Text(self.session))
        .bind(storable(address))
        .bind(is_muted)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    async fn clear_phone(&mut self, id: i64, now_ms: i64) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE identity SET phone_jid = NULL, updated_at = $2 WHERE id = $1"
        )
        .bind(id)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Moves what refers to `gone` over to `kept`, and deletes `gone`.
    async fn merge_rows(&mut self, kept: i64, gone: i64) -> Result<()> {
        on!(self.tx, |conn| sqlx::query(
            "UPDATE group_member SET identity_id = $1 WHERE identity_id = $2 \
             AND group_id NOT IN (SELECT group_id FROM group_member WHERE identity_id = $1)"
        )
        .bind(kept)
        .bind(gone)
        .execute(conn)
        .await
        .map(drop))?;
        on!(self.tx, |conn| sqlx::query(
            "UPDATE identity SET is_status_muted = (is_status_muted OR \
             (SELECT g.is_status_muted FROM identity g WHERE g.id = $2)) WHERE id = $1"
        )
        .bind(kept)
        .bind(gone)
        .execute(conn)
        .await
        .map(drop))?;
        on!(self.tx, |conn| sqlx::query(
            "DELETE FROM identity WHERE id = $1"
        )
        .bind(gone)
        .execute(conn)
        .await
        .map(drop))?;
        Ok(())
    }
}

impl Tx {
    /// The names of people by the JIDs that they are asked by; unknown ones are left out.
    pub async fn names(
        &mut self,
        session: SessionId,
        jids: &[String],
    ) -> Result<BTreeMap<String, String>> {
        let identities = self.identities_of(session, jids).await?;
        Ok(identities
            .into_iter()
            .filter_map(|(jid, identity)| Some((jid, identity.name()?.to_owned())))
            .collect())
    }

    /// People by the JIDs that they are asked by; unknown ones are left out.
    pub async fn identities_of(
        &mut self,
        session: SessionId,
        jids: &[String],
    ) -> Result<HashMap<String, IdentityRecord>> {
        if jids.is_empty() {
            return Ok(HashMap::new());
        }
        let rows: Vec<IdentityRecord> = on!(self, |conn| {
            let mut query = QueryBuilder::new(concat!(
                "SELECT ",
                identity_columns!(),
                " FROM identity i WHERE i.session_id = "
            ));
            query.push_bind(Text(session)).push(" AND (i.lid IN (");
            let mut list = query.separated(", ");
            for jid in jids {
                list.push_bind(jid.as_str());
            }
            query.push(") OR i.phone_jid IN (");
            let mut list = query.separated(", ");
            for jid in jids {
                list.push_bind(jid.as_str());
            }
            query.push("))");
            query
                .build_query_as()
                .persistent(jids.len() <= 4)
                .fetch_all(conn)
                .await
        })?;
        let mut found = HashMap::new();
        for row in rows {
            for jid in [&row.lid, &row.phone_jid].into_iter().flatten() {
                if jids.contains(jid) {
                    found.insert(jid.clone(), row.clone());
                }
            }
        }
        Ok(found)
    }
}
