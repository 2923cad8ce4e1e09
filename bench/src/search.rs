//! The search in stored messages: straight at the store, without service and simulator.

use std::time::Instant;

use wagate_model::{OrganizationId, SessionId};
use wagate_store::testing::{self, TestStore};
use wagate_store::{Fence, MessageFilter, NewMessage, StoreError};

use crate::latency::Latencies;

/// Messages in one transaction.
const PER_COMMIT: usize = 1_000;

/// Chats that the messages are in.
const CHATS: usize = 200;

/// How often each question is asked.
const TIMES: usize = 50;

/// Made-up words: the first is in every text, the later ones are rarer and rarer.
fn word(rank: usize) -> String {
    format!("word{rank}x")
}

/// A text of a dozen words; how often a word comes falls with its rank, as in real texts.
fn text(number: usize) -> String {
    let mut state = number as u64;
    let mut words = vec![word(0)];
    for _ in 0..11 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let spread = usize::try_from((state >> 33) % 100_000).unwrap_or(0);
        words.push(word(spread * spread / 100_000));
    }
    words.join(" ")
}

async fn fill(
    store: &TestStore,
    organization: OrganizationId,
    fence: &Fence,
    messages: usize,
) -> anyhow::Result<()> {
    for first in (0..messages).step_by(PER_COMMIT) {
        let fence = fence.clone();
        let last = messages.min(first + PER_COMMIT);
        store
            .write::<_, StoreError, _>(organization, move |tx| {
                Box::pin(async move {
                    let mut owned = tx.owned(&fence).await?;
                    for number in first..last {
                        let facts = testing::person_chat(format!(
                            "1555{:07}@s.whatsapp.net",
                            number % CHATS
                        ));
                        let chat = owned.upsert_chat(&facts, 1).await?;
                        owned.insert_message(&message(chat.id, number), 1).await?;
                    }
                    Ok(())
                })
            })
            .await?;
    }
    Ok(())
}

fn message(chat_id: i64, number: usize) -> NewMessage {
    NewMessage {
        body: Some(text(number)),
        timestamp_ms: i64::try_from(number).unwrap_or(i64::MAX),
        is_unread: true,
        ..testing::text_message(chat_id, format!("M{number}"))
    }
}

async fn ask(
    store: &TestStore,
    organization: OrganizationId,
    session: SessionId,
    words: &[String],
) -> anyhow::Result<(usize, Latencies)> {
    let filter = MessageFilter {
        words: words.to_vec(),
        ..MessageFilter::default()
    };
    let (mut found, mut latencies) = (0, Latencies::default());
    for _ in 0..TIMES {
        let begun = Instant::now();
        let mut tx = store.read().await?;
        let rows = tx
            .search_messages(organization, session, &filter, None, 51)
            .await?;
        latencies.add(begun.elapsed());
        found = rows.len();
    }
    Ok((found, latencies))
}

pub(crate) async fn measure(messages: usize) -> anyhow::Result<String> {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let begun = Instant::now();
    fill(&store, organization, &fence, messages).await?;
    let mut lines = vec![format!(
        "{messages} messages were stored in {:.1} s, on {}",
        begun.elapsed().as_secs_f64(),
        store.database().as_str(),
    )];
    for (question, words) in [
        ("a filtered list", vec![]),
        ("a word of every message", vec![word(0)]),
        ("a frequent word", vec![word(1)]),
        ("a rare word", vec![word(90_001)]),
        ("two words", vec![word(1), word(2)]),
        ("the beginning of many words", vec!["word12".to_owned()]),
        ("a word of none", vec!["absent".to_owned()]),
    ] {
        let (found, latencies) = ask(&store, organization, session, &words).await?;
        lines.push(format!("{question}: {found} rows of a page; {latencies}"));
    }
    Ok(lines.join("\n"))
}
