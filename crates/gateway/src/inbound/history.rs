//! Pages of the history that the phone sends after pairing: stored, and told to nobody.

use std::sync::Arc;

use wagate_engine::{EngineEvent, HistoryChat, HistoryChunk, InboundMessage};
use wagate_model::{ChatType, Jid};
use wagate_store::{ChatChange, ChatFacts, HistoryStep, IdentityFacts, Owned, Result};

use super::batch::{Batch, both_addresses};
use super::news::commit_news;
use super::people;
use super::sink::{is_about_contents, without_content};
use crate::context::Context;
use crate::session::Session;

/// Stores a page.
pub(super) async fn commit_page(
    owned: &mut Owned<'_>,
    page: &HistoryChunk,
    now_ms: i64,
) -> Result<()> {
    for (phone, lid) in &page.aliases {
        people::alias(owned, phone, lid, now_ms).await?;
    }
    for (person, name) in &page.push_names {
        let addresses = both_addresses(person, None);
        let facts = IdentityFacts {
            lid: addresses.lid,
            phone_jid: addresses.phone,
            push_name: Some(name.clone()),
            ..IdentityFacts::default()
        };
        owned.upsert_identity(&facts, now_ms).await?;
    }
    // After a crash a part comes again from its first page.
    let is_new = owned
        .note_history_page(&page.part, i64::from(page.index), page.is_last)
        .await?;
    let mut step = HistoryStep {
        progress: page.progress.map(i64::from),
        is_last: page.is_last,
        is_beginning: page.is_beginning && is_new,
        ..HistoryStep::default()
    };
    for chat in &page.chats {
        let new_count = commit_chat(owned, chat, now_ms).await?;
        step.messages += i64::try_from(new_count).unwrap_or(0);
        step.chats += i64::from(chat.is_first && is_new);
    }
    if is_new || step.messages > 0 {
        owned.note_history(step, now_ms).await?;
    }
    Ok(())
}

/// Stores a page that is refused as a whole, message by message; one that cannot be stored is
/// stored without its content, so that the part comes to its end.
pub(crate) async fn commit_page_singly(
    cx: &Arc<Context>,
    session: &Arc<Session>,
    page: &HistoryChunk,
) -> Result<()> {
    let commit = async |page: HistoryChunk| {
        let news = Arc::new(vec![EngineEvent::History(page)]);
        session
            .persist(|| commit_news(cx, session, news.clone()))
            .await
    };
    let (head, singles, tail) = taken_apart(page);
    match commit(head).await {
        Err(error) if is_about_contents(&error) => {
            tracing::error!(session.id = %session.id(), error = %error, "what a history says of its chats is not stored");
        }
        committed => committed?,
    }
    for mut single in singles {
        match commit(single.clone()).await {
            Err(error) if is_about_contents(&error) => {
                tracing::error!(session.id = %session.id(), error = %error, "a message of the history is stored without its content");
                metrics::counter!("wagate_gateway_inbound_unstorable_total").increment(1);
                for chat in &mut single.chats {
                    let messages = std::mem::take(&mut chat.messages);
                    chat.messages = messages.into_iter().map(without_content).collect();
                }
                commit(single).await?;
            }
            committed => committed?,
        }
    }
    commit(tail).await
}

/// A page's chats without messages, a page for each message, and the end of the page.
fn taken_apart(page: &HistoryChunk) -> (HistoryChunk, Vec<HistoryChunk>, HistoryChunk) {
    let tail = HistoryChunk {
        chats: Vec::new(),
        aliases: Vec::new(),
        push_names: Vec::new(),
        is_beginning: false,
        ..page.clone()
    };
    let piece = HistoryChunk {
        progress: None,
        is_last: false,
        ..tail.clone()
    };
    let mut head = HistoryChunk {
        progress: None,
        is_last: false,
        ..page.clone()
    };
    let mut singles = Vec::new();
    for chat in &mut head.chats {
        let messages = std::mem::take(&mut chat.messages);
        let starred = std::mem::take(&mut chat.starred);
        // Oldest first, as they are stored.
        singles.extend(messages.into_iter().rev().map(|message| HistoryChunk {
            chats: vec![single(chat, message, &starred)],
            ..piece.clone()
        }));
    }
    (head, singles, tail)
}

/// A message of a chat, of which nothing else is said.
fn single(chat: &HistoryChat, message: InboundMessage, starred: &[String]) -> HistoryChat {
    let starred = starred.iter().filter(|id| **id == message.id);
    HistoryChat {
        starred: starred.cloned().collect(),
        messages: vec![message],
        is_first: false,
        name: None,
        unread_count: None,
        is_archived: None,
        is_pinned: None,
        muted_until_ms: None,
        disappearing_seconds: None,
        last_activity_ms: None,
        ..chat.clone()
    }
}

/// Stores a chat; gives how many of its messages are new.
async fn commit_chat(owned: &mut Owned<'_>, chat: &HistoryChat, now_ms: i64) -> Result<usize> {
    let facts = ChatFacts {
        jid: chat.chat.to_string(),
        alias_jid: chat.alias.as_ref().map(Jid::to_string),
        kind: ChatType::from(chat.chat.kind()),
        name: chat.name.clone(),
    };
    let chat_id = owned.upsert_chat(&facts, now_ms).await?.id;
    // Oldest first, so that rows have the order of the messages.
    let messages: Vec<_> = chat.messages.iter().rev().cloned().collect();
    let committed = Batch::new(owned, now_ms).write_history(&messages).await?;
    for id in &chat.starred {
        if let Some(stored) = owned.stored_message(chat_id, id, None).await? {
            owned.star_message(stored.id, true, now_ms).await?;
        }
    }
    if let Some(unread) = chat.unread_count {
        owned.set_unread(chat_id, i64::from(unread), now_ms).await?;
    }
    let change = ChatChange {
        is_archived: chat.is_archived,
        is_pinned: chat.is_pinned,
        muted_until: chat.muted_until_ms,
        disappearing_seconds: chat.disappearing_seconds.map(i64::from),
    };
    let (organization, session) = (owned.organization(), owned.session());
    owned
        .update_chat(organization, session, chat_id, &change, now_ms)
        .await?;
    Ok(committed.new_count)
}

#[cfg(test)]
mod tests {
    use wagate_engine::Content;
    use wagate_model::HistorySyncStatus;
    use wagate_store::{EngineBackend, StoreError, testing};

    use super::*;

    fn message(id: &str) -> InboundMessage {
        InboundMessage {
            id: id.into(),
            chat: "99@lid".parse().unwrap(),
            chat_alias: None,
            sender_jid: None,
            sender_lid: "99@lid".parse().ok(),
            from_me: false,
            push_name: None,
            business_name: None,
            timestamp_ms: 1_700_000_000_000,
            content: Content::Text { body: id.into() },
            mentions: Vec::new(),
            quoted: None,
            is_forwarded: false,
            is_view_once: false,
            expires_after_s: None,
            is_offline: false,
            raw: bytes::Bytes::new(),
        }
    }

    fn page(
        (part, index): (&str, u32),
        ids: &[&str],
        progress: u32,
        is_last: bool,
    ) -> HistoryChunk {
        HistoryChunk {
            part: part.into(),
            index,
            chats: vec![HistoryChat {
                chat: "99@lid".parse().unwrap(),
                is_first: index == 0 && part == "P",
                alias: None,
                name: None,
                unread_count: None,
                is_archived: None,
                is_pinned: None,
                muted_until_ms: None,
                disappearing_seconds: None,
                last_activity_ms: None,
                messages: ids.iter().map(|id| message(id)).collect(),
                starred: ids.iter().take(1).map(|id| (*id).to_owned()).collect(),
            }],
            progress: Some(progress),
            is_last,
            ..HistoryChunk::default()
        }
    }

    #[test]
    fn a_page_that_is_taken_apart_says_the_same() {
        let page = page(("P", 0), &["C", "B"], 50, true);
        let (head, singles, tail) = taken_apart(&page);
        assert!(head.chats[0].is_first && head.chats[0].messages.is_empty());
        assert!(!head.is_last && head.progress.is_none());
        let told = singles.iter().map(|single| {
            let [chat] = single.chats.as_slice() else {
                panic!("one chat each");
            };
            assert!(!chat.is_first && !single.is_last);
            (chat.messages[0].id.as_str(), chat.starred.len())
        });
        assert_eq!(told.collect::<Vec<_>>(), [("B", 0), ("C", 1)]);
        assert!(tail.chats.is_empty() && tail.is_last);
        assert_eq!(tail.progress, Some(50));
    }

    #[tokio::test]
    async fn pages_count_chats_once_and_messages_that_are_new() {
        let store = testing::store().await;
        let organization = store.organization().await;
        let session = store.session(organization).await;
        let fence = store.claim(session).await;
        let backend = EngineBackend::open((*store).clone(), organization, fence.clone());
        let backend = backend.await.unwrap();
        let parts: [(&str, &[u8]); 2] = [("P", b"p"), ("Q", b"q")];
        for (page, expected) in [
            (page(("P", 0), &["C", "B"], 50, false), (2, 50, false)),
            // It was read again after a crash.
            (page(("P", 0), &["C", "B"], 50, false), (2, 50, false)),
            (page(("P", 1), &["B", "A"], 50, true), (3, 50, false)),
            (page(("Q", 0), &[], 100, true), (3, 100, true)),
            (page(("Q", 0), &[], 100, true), (3, 100, true)),
        ] {
            let fence = fence.clone();
            let kept = backend.keep_history_parts(parts);
            let is_over = page.is_last;
            store
                .write::<_, StoreError, _>(organization, move |tx| {
                    Box::pin(async move {
                        let mut owned = tx.owned(&fence).await?;
                        if !is_over {
                            kept.apply(&mut owned).await?;
                        }
                        commit_page(&mut owned, &page, 5).await
                    })
                })
                .await
                .unwrap();
            let mut tx = store.read().await.unwrap();
            let record = tx.session(organization, session).await.unwrap();
            let history = record.unwrap().session.history_sync.unwrap();
            let is_done = history.status == HistorySyncStatus::Done;
            assert_eq!((history.messages, history.progress, is_done), expected);
            assert_eq!(history.chats, 1);
        }
        let mut tx = store.read().await.unwrap();
        for (id, is_starred) in [("C", true), ("B", true), ("A", false)] {
            let stored = tx.message(organization, session, None, id).await.unwrap();
            assert_eq!(stored.unwrap().starred, is_starred, "{id}");
        }
    }
}
