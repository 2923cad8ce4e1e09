//! Pages of the history that the phone sends after pairing: stored, and told to nobody.

use wagate_engine::{HistoryChat, HistoryChunk};
use wagate_model::{ChatType, Jid};
use wagate_store::{ChatChange, ChatFacts, HistoryStep, IdentityFacts, Owned, Result};

use super::batch::{Batch, both_addresses};
use super::people;

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
    if let Some(unread) = chat.unread_count {
        owned.set_unread(chat_id, i64::from(unread), now_ms).await?;
    }
    let change = ChatChange {
        is_archived: chat.is_archived,
        is_pinned: chat.is_pinned,
        muted_until: chat.muted_until_ms,
    };
    let (organization, session) = (owned.organization(), owned.session());
    owned
        .update_chat(organization, session, chat_id, &change, now_ms)
        .await?;
    Ok(committed.new_count)
}

#[cfg(test)]
mod tests {
    use wagate_engine::{Content, InboundMessage};
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
                last_activity_ms: None,
                messages: ids.iter().map(|id| message(id)).collect(),
            }],
            progress: Some(progress),
            is_last,
            ..HistoryChunk::default()
        }
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
    }
}
