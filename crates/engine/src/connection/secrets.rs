//! Secrets of the messages that came in last.
//!
//! The library stores a message's secret some time after it has handed the message over. What is
//! sealed with it, and comes right behind, would be looked at before.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wagate_model::Jid;
use whatsapp_rust::types::events::InboundMessage as LibraryMessage;

use crate::convert::model_jid;

/// So many are kept, and all of the last batch: by then the library has long stored the oldest.
/// Each session keeps them.
const KEPT: usize = 32;

struct Recent {
    chat: Jid,
    author: Jid,
    id: String,
    secret: Vec<u8>,
}

/// The secrets of the messages that came in last.
#[derive(Default)]
pub(super) struct RecentSecrets(Mutex<VecDeque<Recent>>);

impl RecentSecrets {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Recent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the secrets that messages bear.
    pub(super) fn note(&self, batch: &[LibraryMessage]) {
        for item in batch {
            let context = item.message.message_context_info.as_option();
            let Some(secret) = context.and_then(|context| context.message_secret.clone()) else {
                continue;
            };
            let source = &item.info.source;
            let addresses = model_jid(&source.chat).zip(model_jid(&source.sender));
            if let Some((chat, author)) = addresses {
                let id = item.info.id.clone();
                self.lock().push_back(Recent {
                    chat,
                    author,
                    id,
                    secret,
                });
            }
        }
        self.forget_but(batch.len());
    }

    /// Forgets all but the last, of which so many at least are kept.
    fn forget_but(&self, count: usize) {
        let mut kept = self.lock();
        let surplus = kept.len().saturating_sub(count.max(KEPT));
        kept.drain(..surplus);
        kept.shrink_to(KEPT);
    }

    /// The secret of a message that one of `authors` has sent to one of `chats`, and the author's
    /// address that it is for.
    pub(super) fn find(
        &self,
        id: &str,
        chats: [Option<&Jid>; 2],
        authors: &[Jid],
    ) -> Option<(Jid, Vec<u8>)> {
        let kept = self.lock();
        let found = kept.iter().rev().find(|recent| {
            recent.id == id
                && chats.contains(&Some(&recent.chat))
                && authors.contains(&recent.author)
        });
        found.map(|recent| (recent.author.clone(), recent.secret.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(text: &str) -> Jid {
        text.parse().unwrap()
    }

    fn recent(id: &str) -> Recent {
        Recent {
            chat: jid("120363@g.us"),
            author: jid("1@lid"),
            id: id.to_owned(),
            secret: vec![7; 32],
        }
    }

    #[test]
    fn a_secret_is_found_for_its_chat_and_author_only() {
        let secrets = RecentSecrets::default();
        secrets.lock().push_back(recent("POLL"));
        let (group, other) = (jid("120363@g.us"), jid("120364@g.us"));
        let authors = [jid("15551234567@s.whatsapp.net"), jid("1@lid")];
        let found = secrets.find("POLL", [Some(&group), None], &authors);
        assert_eq!(found, Some((jid("1@lid"), vec![7; 32])));
        for (id, chat, authors) in [
            ("OTHER", &group, &authors[..]),
            ("POLL", &other, &authors[..]),
            ("POLL", &group, &authors[..1]),
        ] {
            assert_eq!(secrets.find(id, [None, Some(chat)], authors), None);
        }
    }

    #[test]
    fn only_the_last_are_kept() {
        let secrets = RecentSecrets::default();
        for number in 0..=KEPT {
            secrets.lock().push_back(recent(&number.to_string()));
        }
        // A larger batch stays as a whole.
        secrets.forget_but(KEPT + 1);
        assert_eq!(secrets.lock().len(), KEPT + 1);
        secrets.forget_but(1);
        let (group, authors) = (jid("120363@g.us"), [jid("1@lid")]);
        let found = |id: &str| secrets.find(id, [Some(&group), None], &authors);
        assert!(found("0").is_none() && found("1").is_some());
        assert_eq!(secrets.lock().len(), KEPT);
    }
}
