use wagate_model::{ChatType, PollData};
use wagate_store::testing::{self, START_MS};
use wagate_store::{ChatFacts, DuePolls, PollVote, StoreError};

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
    assert!(due(START_MS + 9).await.polls.is_empty());
    let poll = due(START_MS + 10).await.polls.remove(0);
    assert_eq!((poll.organization, poll.session), (organization, session));
    assert_eq!((&*poll.chat_jid, &*poll.poll.name), ("1-2@g.us", "lunch?"));
    let close = async || {
        let poll = poll.clone();
        write!(store, organization, |tx| tx.close_poll(&poll).await).unwrap()
    };
    let closed = close().await.unwrap();
    assert_eq!(closed.unreadable, 0);
    assert!(closed.votes == [vote("y@lid", "a", 3), vote("x@lid", "b", 4)]);
    assert!(close().await.is_none(), "it is closed");
    assert!(due(i64::MAX).await == DuePolls::default());
}

#[tokio::test]
async fn a_row_that_cannot_be_read_harms_no_other() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    write!(store, organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        let facts = ChatFacts {
            jid: "1-2@g.us".into(),
            alias_jid: None,
            kind: ChatType::Group,
            name: None,
        };
        let chat = owned.upsert_chat(&facts, START_MS).await?.id;
        for id in ["broken", "whole"] {
            let poll = PollData::default();
            owned.note_timed_poll(chat, id, &poll, START_MS).await?;
            for voter in ["x@lid", "y@lid"] {
                owned.note_poll_vote(chat, id, &vote(voter, "a", 2)).await?;
            }
        }
        Ok(())
    })
    .unwrap();
    store
        .execute("UPDATE timed_poll SET poll = '{' WHERE wa_message_id = 'broken'")
        .await;
    store
        .execute("UPDATE timed_poll_vote SET options = '[' WHERE voter = 'x@lid'")
        .await;
    let due = async || {
        let mut tx = store.read().await.unwrap();
        tx.admin().due_polls(START_MS, 10).await.unwrap()
    };
    let DuePolls {
        mut polls,
        mut unreadable,
    } = due().await;
    let (whole, broken) = (polls.remove(0), unreadable.remove(0));
    assert_eq!((polls.len(), unreadable.len()), (0, 0));
    assert_eq!(
        (&*whole.wa_message_id, &*broken.wa_message_id),
        ("whole", "broken")
    );
    let closed = write!(store, organization, |tx| tx.close_poll(&whole).await);
    let closed = closed.unwrap().unwrap();
    assert!(closed.votes == [vote("y@lid", "a", 2)]);
    assert_eq!(closed.unreadable, 1);
    write!(store, organization, |tx| tx.set_poll_aside(&broken).await).unwrap();
    assert!(due().await == DuePolls::default());
}

#[tokio::test]
async fn a_poll_stays_open_when_its_chat_is_merged_into_another() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let facts = |jid: &str, alias: Option<&str>| ChatFacts {
        jid: jid.into(),
        alias_jid: alias.map(str::to_owned),
        kind: ChatType::Dm,
        name: None,
    };
    let (phone, lid) = ("15551234567@s.whatsapp.net", "7@lid");
    let kept = write!(store, organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        let kept = owned.upsert_chat(&facts(phone, None), 1).await?.id;
        let gone = owned.upsert_chat(&facts(lid, None), 1).await?.id;
        let poll = PollData::default();
        for (chat, id) in [(kept, "both"), (gone, "both"), (gone, "one")] {
            owned.note_timed_poll(chat, id, &poll, START_MS).await?;
        }
        for (chat, id, vote) in [
            (kept, "both", vote("x@lid", "old", 2)),
            (gone, "both", vote("x@lid", "new", 3)),
            (kept, "both", vote("y@lid", "new", 5)),
            (gone, "both", vote("y@lid", "old", 4)),
            (gone, "one", vote("x@lid", "a", 2)),
        ] {
            owned.note_poll_vote(chat, id, &vote).await?;
        }
        let merged = owned.upsert_chat(&facts(phone, Some(lid)), 2).await?.id;
        assert_eq!(merged, kept);
        Ok(kept)
    })
    .unwrap();
    let mut tx = store.read().await.unwrap();
    let mut due = tx.admin().due_polls(START_MS, 10).await.unwrap().polls;
    drop(tx);
    due.sort_by(|a, b| a.wa_message_id.cmp(&b.wa_message_id));
    assert!(due.iter().all(|poll| poll.chat_id == kept));
    let mut closed = Vec::new();
    for poll in due {
        let votes = write!(store, organization, |tx| tx.close_poll(&poll).await);
        closed.push(votes.unwrap().unwrap().votes);
    }
    assert_eq!(closed.len(), 2);
    assert!(closed[0] == [vote("x@lid", "new", 3), vote("y@lid", "new", 5)]);
    assert!(closed[1] == [vote("x@lid", "a", 2)]);
}
