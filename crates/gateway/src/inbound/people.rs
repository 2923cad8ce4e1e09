//! What is learned of people outside of their messages.

use wagate_engine::ContactName;
use wagate_model::{ContactUpdatePayload, EventKind, Jid};
use wagate_store::{Account, IdentityFacts, Owned, Result};

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

/// The account chose another name.
pub(super) async fn own_push_name(
    owned: &mut Owned<'_>,
    account: Option<&Account>,
    name: &str,
    now_ms: i64,
) -> Result<()> {
    let Some(account) = account else {
        return Ok(());
    };
    let account = Account {
        push_name: Some(name.to_owned()),
        ..account.clone()
    };
    owned.set_account(Some(&account), now_ms).await
}

/// The stories of a person were muted or unmuted.
pub(super) async fn status_muted(
    owned: &mut Owned<'_>,
    person: &Jid,
    is_muted: bool,
    now_ms: i64,
) -> Result<()> {
    let facts = facts_of(person, None);
    owned.upsert_identity(&facts, now_ms).await?;
    owned.mute_status(person.as_str(), is_muted, now_ms).await
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
pub(crate) async fn alias(
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

/// The row of a person by one of their addresses; nothing where the address is none.
pub(crate) async fn identity_of(
    owned: &mut Owned<'_>,
    person: &str,
    now_ms: i64,
) -> Result<Option<i64>> {
    let Ok(jid) = person.parse::<Jid>() else {
        return Ok(None);
    };
    let written = owned.upsert_identity(&facts_of(&jid, None), now_ms).await?;
    Ok(written.map(|written| written.identity.id))
}
