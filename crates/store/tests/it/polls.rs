use wagate_model::{ChatType, PollData};
use wagate_store::testing::{self, START_MS};
use wagate_store::{ChatFacts, PollVote, StoreError};

use crate::write;

fn vote(voter: &str, option: &str, voted_at_ms: i64) -> PollVote {
    PollVote {
        voter: voter.into(),
        name: Some(voter.to_uppercase()),
        options: vec![option.into()],
        voted_at_ms,
    }
}

#[tokio::test]
async fn a_poll_is_closed_once_with_the_last_vote_of_each() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    store
        .write::<_, StoreError, _>(organization, move |tx| {
            let fence = fence.clone();
            Box::pin(async move {
                let mut owned = tx.owned(&fence).await?;
                let facts = ChatFacts {
                    jid: "1-2@g.us".into(),
                    alias_jid: None,
                    kind: ChatType::Group,
                    name: None,
                };
                let chat = owned.upsert_chat(&facts, START_MS).await?.id;
                let poll = PollData {
                    name: "lunch?".into(),
                    options: vec!["a".into(), "b".into()],
                    ..PollData::default()
                };
                let ends_at = START_MS + 10;
                owned.note_timed_poll(chat, "P", &poll, ends_at).await?;
                owned.note_timed_poll(chat, "P", &poll, 1).await?;
                for (id, vote) in [
                    ("P", vote("x@lid", "a", 2)),
                    ("P", vote("y@lid", "a", 3)),
                    ("P", vote("x@lid", "b", 4)),
                    ("P", vote("x@lid", "a", 3)),
                    // Of a poll that closes never.
                    ("Q", vote("x@lid", "a", 4)),
                ] {
                    owned.note_poll_vote(chat, id, &vote).await?;
                }
                Ok(())
            })
        })
        .await
        .unwrap();
    let due = async |now_ms| {
        let mut tx = store.read().await.unwrap();
        tx.admin().due_polls(now_ms, 10).await.unwrap()
    };
    assert!(due(START_MS + 9).await.is_empty());
    let poll = due(START_MS + 10).await.remove(0);
    assert_eq!((poll.organization, poll.session), (organization, session));
    assert_eq!((&*poll.chat_jid, &*poll.poll.name), ("1-2@g.us", "lunch?"));
    let close = async || {
        let poll = poll.clone();
        write!(store, organization, |tx| tx.close_poll(&poll).await).unwrap()
    };
    let votes = close().await.unwrap();
    assert!(votes == [vote("y@lid", "a", 3), vote("x@lid", "b", 4)]);
    assert!(close().await.is_none(), "it is closed");
    assert!(due(i64::MAX).await.is_empty());
}
