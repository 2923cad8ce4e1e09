//! What the store is known to hold already, so that a message from somebody who writes
//! often costs no look-ups.

use moka::sync::Cache;
use wagate_engine::InboundMessage;
use wagate_model::{Jid, SessionId};
use wagate_store::ChatRef;

/// Senders, and chats, that a gateway remembers; an entry takes about 300 bytes.
const CAPACITY: u64 = 20_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Person {
    session: SessionId,
    phone: Option<Jid>,
    lid: Option<Jid>,
}

/// The names that a message gives its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Names {
    push_name: Option<String>,
    business_name: Option<String>,
}

/// A chat of a session, by all addresses that are known at the moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ChatAddress {
    pub(crate) session: SessionId,
    pub(crate) chat: Jid,
    pub(crate) alias: Option<Jid>,
}

/// All that a message says of its sender and its chat.
#[derive(Debug, Clone)]
pub(crate) struct Acquaintance {
    person: Person,
    names: Names,
    address: ChatAddress,
}

impl Acquaintance {
    pub(crate) fn of(session: SessionId, message: &InboundMessage) -> Self {
        Self {
            person: Person {
                session,
                phone: message.sender_jid.clone(),
                lid: message.sender_lid.clone(),
            },
            names: Names {
                push_name: message.push_name.clone(),
                business_name: message.business_name.clone(),
            },
            address: ChatAddress {
                session,
                chat: message.chat.clone(),
                alias: message.chat_alias.clone(),
            },
        }
    }
}

/// Senders and chats of which the store has everything that their last message said.
///
/// An entry saves writes that would change nothing. It does not have to be taken back when
/// somebody else writes newer facts: those are then kept. A chat's row that is gone by now
/// fails the commit, which is then repeated without this.
#[derive(Debug)]
pub(crate) struct Familiar {
    people: Cache<Person, Names>,
    chats: Cache<ChatAddress, ChatRef>,
}

impl Default for Familiar {
    fn default() -> Self {
        Self {
            people: Cache::new(CAPACITY),
            chats: Cache::new(CAPACITY),
        }
    }
}

impl Familiar {
    /// The chat's row, where nothing about sender and chat is new.
    pub(crate) fn chat_of_known(&self, acquaintance: &Acquaintance) -> Option<ChatRef> {
        self.people
            .get(&acquaintance.person)
            .filter(|names| *names == acquaintance.names)?;
        self.chat(&acquaintance.address)
    }

    /// The chat's row, where nothing about its addresses is new.
    pub(crate) fn chat(&self, address: &ChatAddress) -> Option<ChatRef> {
        self.chats.get(address)
    }

    /// Remembers a chat that a committed transaction has written.
    pub(crate) fn remember_chat(&self, address: ChatAddress, chat: ChatRef) {
        self.chats.insert(address, chat);
    }

    /// Remembers what a committed transaction has written.
    pub(crate) fn remember(&self, met: Vec<(Acquaintance, ChatRef)>) {
        for (acquaintance, chat) in met {
            self.people.insert(acquaintance.person, acquaintance.names);
            self.remember_chat(acquaintance.address, chat);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(name: &str, chat: &str) -> Acquaintance {
        let session = SessionId::from_parts(1, 1);
        Acquaintance {
            person: Person {
                session,
                phone: None,
                lid: Some("7@lid".parse().unwrap()),
            },
            names: Names {
                push_name: Some(name.to_owned()),
                business_name: None,
            },
            address: ChatAddress {
                session,
                chat: chat.parse().unwrap(),
                alias: None,
            },
        }
    }

    #[test]
    fn a_sender_is_known_by_the_last_name_only() {
        let familiar = Familiar::default();
        let chat = |jid: &str| ChatRef {
            disappearing_seconds: None,
            id: 5,
            is_empty: false,
            jid: jid.to_owned(),
        };
        let ann = called("Ann", "1@g.us");
        assert_eq!(familiar.chat_of_known(&ann), None);
        familiar.remember(vec![(ann.clone(), chat("1@g.us"))]);
        assert_eq!(familiar.chat_of_known(&ann), Some(chat("1@g.us")));

        // Another name, seen in another chat, is news in every chat; and so is the old one.
        let renamed = called("Anna", "2@g.us");
        assert_eq!(familiar.chat_of_known(&renamed), None);
        familiar.remember(vec![(renamed, chat("2@g.us"))]);
        assert_eq!(familiar.chat_of_known(&ann), None);
    }
}
