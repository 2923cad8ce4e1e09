//! What is learned of people outside of their messages.

use wagate_engine::{ContactName, GroupChange};
use wagate_model::{ContactUpdatePayload, EventKind, GroupPayload, Jid};
use wagate_store::{GroupFacts, IdentityFacts, Owned, Result};

use super::batch::both_addresses;
use super::news::tell;

fn facts_of(person: &Jid, alias: Option<&Jid>) -> IdentityFacts {
    let addresses = both_addresses(person, alias);
    IdentityFacts {
        lid: addresses.lid,
        phone_jid: addresses.phone,
        ..IdentityFacts::default()
    }
}

/// Somebody chose another name.
pub(super) async fn push_name(
    owned: &mut Owned<'_>,
    person: &Jid,
    alias: Option<&Jid>,
    name: &str,
    now_ms: i64,
) -> Result<()> {
    let facts = IdentityFacts {
        push_name: Some(name.to_owned()),
        ..facts_of(person, alias)
    };
    owned.upsert_identity(&facts, now_ms).await?;
    let payload = ContactUpdatePayload {
        jid: person.to_string(),
        push_name: Some(name.to_owned()),
        ..ContactUpdatePayload::default()
    };
    tell(owned, EventKind::ContactUpdate, &payload, None, now_ms)
}

/// The phone's address book names somebody.
pub(super) async fn contact_name(
    owned: &mut Owned<'_>,
    contact: &ContactName,
    now_ms: i64,
) -> Result<()> {
    let facts = IdentityFacts {
        full_name: contact.full_name.clone(),
        first_name: contact.first_name.clone(),
        ..facts_of(&contact.person, contact.alias.as_ref())
    };
    let written = owned.upsert_identity(&facts, now_ms).await?;
    if contact.is_initial || written.is_none_or(|written| !written.has_changed) {
        return Ok(());
    }
    let payload = ContactUpdatePayload {
        jid: contact.person.to_string(),
        full_name: contact.full_name.clone(),
        first_name: contact.first_name.clone(),
        push_name: None,
    };
    tell(owned, EventKind::ContactUpdate, &payload, None, now_ms)
}

/// Two addresses are one person.
pub(super) async fn alias(
    owned: &mut Owned<'_>,
    phone: &Jid,
    lid: &Jid,
    now_ms: i64,
) -> Result<()> {
    owned
        .upsert_identity(&facts_of(phone, Some(lid)), now_ms)
        .await
        .map(drop)
}

/// A group's settings or members changed.
pub(super) async fn group(
    owned: &mut Owned<'_>,
    change: &GroupChange,
    own: Option<&wagate_store::Account>,
    now_ms: i64,
) -> Result<()> {
    for (phone, lid) in &change.aliases {
        alias(owned, phone, lid, now_ms).await?;
    }
    let payload = &change.payload;
    let facts = GroupFacts {
        jid: change.group.to_string(),
        subject: payload.subject.clone(),
        description: payload.description.clone(),
        is_announce: payload.is_announce,
        is_locked: payload.is_locked,
        ..GroupFacts::default()
    };
    let group_id = owned.upsert_group(&facts, now_ms).await?;
    members(owned, group_id, payload, now_ms).await?;
    let is_own =
        |jid: &String| own.is_some_and(|own| own.jid == *jid || own.lid.as_ref() == Some(jid));
    if payload.leave.iter().flatten().any(is_own) {
        owned.leave_group(change.group.as_str(), now_ms).await?;
    }
    let kind = if change.is_about_members {
        EventKind::GroupParticipant
    } else {
        EventKind::GroupUpdate
    };
    tell(owned, kind, payload, Some(&change.group), now_ms)
}

async fn members(
    owned: &mut Owned<'_>,
    group_id: i64,
    payload: &GroupPayload,
    now_ms: i64,
) -> Result<()> {
    for (people, role) in [
        (&payload.join, "member"),
        (&payload.promote, "admin"),
        (&payload.demote, "member"),
    ] {
        for person in people.iter().flatten() {
            if let Some(id) = identity_of(owned, person, now_ms).await? {
                owned
                    .upsert_group_member(group_id, id, role, None, now_ms)
                    .await?;
            }
        }
    }
    for person in payload.leave.iter().flatten() {
        if let Some(id) = identity_of(owned, person, now_ms).await? {
            owned.remove_group_member(group_id, id).await?;
        }
    }
    Ok(())
}

async fn identity_of(owned: &mut Owned<'_>, person: &str, now_ms: i64) -> Result<Option<i64>> {
    let Ok(jid) = person.parse::<Jid>() else {
        return Ok(None);
    };
    let written = owned.upsert_identity(&facts_of(&jid, None), now_ms).await?;
    Ok(written.map(|written| written.identity.id))
}
