//! Which stored message is meant by a reference.
//!
//! Whoever sends a message chooses its id, so several people of a chat can use the same one, by
//! chance or on purpose. Who sent it decides then.

use wagate_engine::{InboundMessage, MessageRef};
use wagate_model::{Jid, JidKind, TargetMessage};
use wagate_store::{Owned, Result, StoredMessage};

/// Whose message is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose<'w> {
    /// The account's own.
    Account,
    /// Not the account's: in a chat of two, the other side's.
    Others,
    /// A person's, by either address.
    Person(&'w Jid),
    /// Nothing is said of it.
    Anybody,
}

impl<'w> Whose<'w> {
    /// Whose message a reference within a message names.
    pub(crate) fn of(chat: &Jid, target: &'w MessageRef) -> Self {
        match (target.from_me, &target.sender) {
            (Some(true), _) => Self::Account,
            (Some(false), _) if chat.kind().is_person() => Self::Others,
            (_, Some(sender)) if !chat.kind().is_person() => Self::Person(sender),
            _ => Self::Anybody,
        }
    }

    /// Who sent a message.
    pub(crate) fn sent(message: &'w InboundMessage) -> Self {
        if message.from_me {
            return Self::Account;
        }
        if message.chat.kind().is_person() {
            return Self::Others;
        }
        let sender = message.sender_lid.as_ref().or(message.sender_jid.as_ref());
        sender.map_or(Self::Others, Self::Person)
    }
}

/// The messages of a chat that a reference can mean, the account's own first, then as they came.
pub(crate) async fn candidates(
    owned: &mut Owned<'_>,
    chat_id: i64,
    id: &str,
    whose: Whose<'_>,
) -> Result<Vec<StoredMessage>> {
    let senders = match whose {
        Whose::Person(person) => addresses_of(owned, person).await?,
        _ => Vec::new(),
    };
    let mut found = owned.stored_messages(chat_id, id, &senders).await?;
    match whose {
        Whose::Account => found.retain(|stored| stored.is_from_me),
        Whose::Others => found.retain(|stored| !stored.is_from_me),
        Whose::Person(_) | Whose::Anybody => {}
    }
    Ok(found)
}

/// The one message that a reference within a message means: of several, the one that was first.
pub(crate) async fn referred(
    owned: &mut Owned<'_>,
    chat_id: i64,
    id: &str,
    whose: Whose<'_>,
) -> Result<Option<StoredMessage>> {
    let found = candidates(owned, chat_id, id, whose).await?;
    Ok(found.into_iter().min_by_key(|stored| stored.id))
}

/// What a request can mean by a message's id.
pub(crate) enum Named {
    /// No message that is stored.
    Nothing,
    /// This one.
    One(Box<StoredMessage>),
    /// One of several people's: the request has to say whose.
    Ambiguous,
}

/// Finds the message that a request names.
///
/// Without a sender it is the account's own where `prefers_own`, as for an edit.
pub(crate) async fn named(
    owned: &mut Owned<'_>,
    target: &TargetMessage,
    prefers_own: bool,
) -> Result<Named> {
    let mut found = of_request(owned, target).await?;
    // One person's can only be several where they were written under both addresses.
    let is_clear = target.sender.is_some() || (prefers_own && found.first().is_some_and(is_own));
    if found.len() > 1 && !is_clear {
        return Ok(Named::Ambiguous);
    }
    found.truncate(1);
    Ok(found
        .pop()
        .map_or(Named::Nothing, |one| Named::One(Box::new(one))))
}

/// The message of a request that was accepted: it was the only one then, and is the first now.
pub(crate) async fn accepted(
    owned: &mut Owned<'_>,
    target: &TargetMessage,
    prefers_own: bool,
) -> Result<Option<StoredMessage>> {
    let mut found = of_request(owned, target).await?;
    if !(prefers_own && found.first().is_some_and(is_own)) {
        found.sort_by_key(|stored| stored.id);
    }
    found.truncate(1);
    Ok(found.pop())
}

const fn is_own(stored: &StoredMessage) -> bool {
    stored.is_from_me
}

async fn of_request(owned: &mut Owned<'_>, target: &TargetMessage) -> Result<Vec<StoredMessage>> {
    let (organization, session) = (owned.organization(), owned.session());
    let chat = owned
        .chat(organization, session, target.chat.as_str())
        .await?;
    let Some(chat) = chat else {
        return Ok(Vec::new());
    };
    let whose = target.sender.as_ref().map_or(Whose::Anybody, Whose::Person);
    candidates(owned, chat.id, &target.id, whose).await
}

/// Both addresses of a person: a row was written under either.
pub(crate) async fn addresses_of(owned: &mut Owned<'_>, person: &Jid) -> Result<Vec<String>> {
    let session = owned.session();
    let mut addresses = vec![person.to_string()];
    let mut known = owned.identities_of(session, &addresses).await?;
    if let Some(known) = known.remove(person.as_str()) {
        let other = match person.kind() {
            JidKind::Lid => known.phone_jid,
            _ => known.lid,
        };
        addresses.extend(other);
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(sender: Option<&str>, from_me: Option<bool>) -> MessageRef {
        MessageRef {
            id: "A".to_owned(),
            sender: sender.map(|sender| sender.parse().unwrap()),
            from_me,
        }
    }

    #[test]
    fn in_a_chat_of_two_a_message_is_of_one_side_or_the_other() {
        let chat: Jid = "7@lid".parse().unwrap();
        for (sender, from_me, whose) in [
            (None, Some(true), Whose::Account),
            (Some("7@lid"), Some(false), Whose::Others),
            (None, Some(false), Whose::Others),
            (Some("7@lid"), None, Whose::Anybody),
        ] {
            assert_eq!(Whose::of(&chat, &target(sender, from_me)), whose);
        }
    }

    #[test]
    fn in_a_group_the_sender_decides() {
        let (group, person): (Jid, Jid) = ("1-2@g.us".parse().unwrap(), "7@lid".parse().unwrap());
        for (sender, from_me, whose) in [
            (Some("7@lid"), Some(false), Whose::Person(&person)),
            (Some("7@lid"), Some(true), Whose::Account),
            (None, None, Whose::Anybody),
        ] {
            assert_eq!(Whose::of(&group, &target(sender, from_me)), whose);
        }
    }
}
