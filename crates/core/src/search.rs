//! Use cases of the search in stored messages.

use sha2::{Digest as _, Sha256};
use wagate_model::{Draft, Faults, Jid, ListMessage, MessageType, hide_contents, limits};
use wagate_store::{MessageFilter, MessagePosition, Tx};

use crate::caller::SessionAccess;
use crate::error::{Error, Result};
use crate::pages::{Page, cut};
use crate::service::Core;

/// Which messages of a session are wanted; absent parts are not asked for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MessageSearch {
    /// Words, in any form.
    pub text: Option<String>,
    /// The chat, by its address or a phone number.
    pub chat: Option<String>,
    /// Whoever sent it, by an address or a phone number.
    pub sender: Option<String>,
    /// The kind of content.
    pub kind: Option<String>,
    /// The earliest time of sending, in milliseconds since 1970; 0 for none.
    pub from: i64,
    /// The time before which it was sent, in milliseconds since 1970; 0 for none.
    pub to: i64,
    /// Whether the number itself sent it.
    pub from_me: Option<bool>,
    /// Whether the account has starred it.
    pub starred: Option<bool>,
    /// Which part of the list.
    pub page: Page,
}

// What is looked for must not reach logs by way of `{:?}`.
hide_contents!(MessageSearch);

/// The parts of a search that are right in themselves.
struct Wanted {
    filter: MessageFilter,
    chat: Option<Jid>,
    sender: Option<Jid>,
}

impl MessageSearch {
    fn check(&self, faults: &mut Faults) -> Wanted {
        let words = self.text.as_deref().map(|text| {
            faults.check_length("q", text, limits::SEARCH_CHARS);
            let words = words(text);
            faults.check(!words.is_empty(), "q", || {
                "must contain a letter or a digit".into()
            });
            faults.check(words.len() <= limits::SEARCH_WORDS, "q", || {
                format!("must be at most {} words", limits::SEARCH_WORDS)
            });
            words
        });
        let mut address = |field: &str, text: &Option<String>| {
            let jid = Jid::parse_lenient(text.as_deref()?).ok();
            faults.check(jid.is_some(), field, || {
                "must be a JID or a phone number in digits".into()
            });
            jid
        };
        let chat = address("chat", &self.chat);
        let sender = address("sender", &self.sender);
        if let Some(kind) = &self.kind {
            let is_kind = serde_json::from_value::<MessageType>(kind.as_str().into()).is_ok();
            faults.check(is_kind, "type", || {
                "is not the name of a kind of message".into()
            });
        }
        let is_span = self.from == 0 || self.to == 0 || self.from < self.to;
        faults.check(is_span, "to", || "must be later than `from`".into());
        Wanted {
            filter: MessageFilter {
                words: words.unwrap_or_default(),
                chat_id: None,
                sender: None,
                kind: self.kind.clone(),
                from_ms: (self.from > 0).then_some(self.from),
                until_ms: (self.to > 0).then_some(self.to),
                is_from_me: self.from_me,
                is_starred: self.starred,
            },
            chat,
            sender,
        }
    }

    /// A name for the list of what is found: cursors of one search fit no other.
    fn name(&self, access: &SessionAccess) -> Result<String> {
        let parts = serde_json::to_vec(&(
            &self.text,
            &self.chat,
            &self.sender,
            &self.kind,
            (self.from, self.to, self.from_me, self.starred),
        ))
        .map_err(Error::internal)?;
        let digest = hex::encode(Sha256::digest(parts));
        Ok(format!("search/{}/{digest}", access.id()))
    }
}

impl Core {
    /// Lists the stored messages of a session that match a search, newest first.
    pub async fn search_messages(
        &self,
        access: &SessionAccess,
        search: Draft<MessageSearch>,
    ) -> Result<ListMessage> {
        let (search, mut faults) = search.open()?;
        let Wanted {
            mut filter,
            chat,
            sender,
        } = search.check(&mut faults);
        let cursors = self.list(access.organization_id(), search.name(access)?);
        let after: Option<MessagePosition> = cursors.start(&search.page, &mut faults);
        faults.into_result()?;
        let (organization, session) = (access.organization_id(), access.id());
        let mut tx = self.store.read().await?;
        if let Some(jid) = chat {
            let Some(chat) = tx.chat(organization, session, jid.as_str()).await? else {
                return Ok(ListMessage {
                    data: Vec::new(),
                    next_cursor: None,
                });
            };
            filter.chat_id = Some(chat.id);
        }
        if let Some(jid) = sender {
            filter.sender = Some(addresses(&mut tx, access, jid).await?);
        }
        let limit = search.page.rows();
        let mut rows = tx
            .search_messages(organization, session, &filter, after, limit + 1)
            .await?;
        let has_more = cut(&mut rows, limit);
        let last = rows.last().filter(|_| has_more);
        let next_cursor = last.map(|(position, _)| cursors.cursor(position));
        Ok(ListMessage {
            data: rows.into_iter().map(|(_, message)| message).collect(),
            next_cursor,
        })
    }
}

/// All addresses under which a person may have written.
async fn addresses(tx: &mut Tx, access: &SessionAccess, jid: Jid) -> Result<Vec<String>> {
    let mut addresses = vec![jid.as_str().to_owned()];
    let known = tx
        .contact(access.organization_id(), access.id(), jid.as_str())
        .await?;
    let known = known.map(|contact| contact.identity);
    let both = known.map(|identity| [identity.lid, identity.phone_jid]);
    for other in both.into_iter().flatten().flatten() {
        if !addresses.contains(&other) {
            addresses.push(other);
        }
    }
    Ok(addresses)
}

/// The words of a text in lower case, each once.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for word in text.split(|c: char| !is_part_of_word(c)) {
        let word = word.to_lowercase();
        if word.chars().any(char::is_alphanumeric) && !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// Letters, digits, and the marks that many scripts write within words.
///
/// Characters beyond ASCII that are neither stay where they are: the index takes them apart.
fn is_part_of_word(c: char) -> bool {
    let is_punctuation = matches!(
        c,
        '\u{a0}'..='\u{bf}' | '\u{2000}'..='\u{200b}' | '\u{200e}'..='\u{206f}'
            | '\u{2e00}'..='\u{2e7f}' | '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ff20}'
    );
    c.is_alphanumeric() || !(c.is_ascii() || c.is_control() || is_punctuation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_letters_and_digits_in_lower_case() {
        for (text, expected) in [
            ("Order  ORDER order-17", &["order", "17"][..]),
            (
                "a AND (b OR \"c*\") NEAR/2 ^d",
                &["a", "and", "b", "or", "c", "near", "2", "d"],
            ),
            ("'; DROP TABLE message; --", &["drop", "table", "message"]),
            ("ÄPFEL\u{a0}und—नमस्ते", &["äpfel", "und", "नमस्ते"]),
            ("!? \u{1f389} --", &[]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn searches_that_differ_have_faults_of_their_own() {
        let fields = |search: MessageSearch| -> Vec<_> {
            let mut faults = Faults::new();
            search.check(&mut faults);
            let faults = faults.into_vec().into_iter();
            faults.map(|fault| fault.field).collect()
        };
        let wrong = MessageSearch {
            text: Some("?!".into()),
            chat: Some("nobody".into()),
            sender: Some("1:2".into()),
            kind: Some("smoke".into()),
            from: 5,
            to: 5,
            ..MessageSearch::default()
        };
        assert_eq!(fields(wrong), ["q", "chat", "sender", "type", "to"]);
        let many: Vec<_> = (0..=limits::SEARCH_WORDS)
            .map(|n| format!("w{n}"))
            .collect();
        let many = MessageSearch {
            text: Some(many.join(" ")),
            ..MessageSearch::default()
        };
        assert_eq!(fields(many), ["q"]);
        assert!(fields(MessageSearch::default()).is_empty());
    }
}
