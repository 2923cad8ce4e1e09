//! Pages of the history that the phone sends after pairing: stored, and told to nobody.

use wagate_engine::{HistoryChat, HistoryChunk};
use wagate_model::{ChatType, Jid};
use wagate_store::{ChatChange, ChatFacts, IdentityFacts, Owned, Result};

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
    for chat in &page.chats {
        commit_chat(owned, chat, now_ms).await?;
    }
    Ok(())
}

async fn commit_chat(owned: &mut Owned<'_>, chat: &HistoryChat, now_ms: i64) -> Result<()> {
    let facts = ChatFacts {
        jid: chat.chat.to_string(),
        alias_jid: chat.alias.as_ref().map(Jid::to_string),
        kind: ChatType::from(chat.chat.kind()),
        name: chat.name.clone(),
    };
    let chat_id = owned.upsert_chat(&facts, now_ms).await?.id;
    // Oldest first, so that rows have the order of the messages.
    let messages: Vec<_> = chat.messages.iter().rev().cloned().collect();
    Batch::new(owned, now_ms).write_history(&messages).await?;
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
    Ok(())
}
