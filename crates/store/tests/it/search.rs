use wagate_model::{Direction, OrganizationId, SessionId};
use wagate_store::testing::{self, TestStore};
use wagate_store::{ChatFacts, DatabaseKind, Fence, MessageFilter, MessagePosition, NewMessage};

use crate::write;

const ANN: &str = "15551234567@s.whatsapp.net";
const ANN_LID: &str = "111@lid";

struct World {
    store: TestStore,
    organization: OrganizationId,
    session: SessionId,
    fence: Fence,
    chat: i64,
}

async fn world() -> World {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let proof = fence.clone();
    let chat = write!(store, organization, |tx| {
        let mut owned = tx.owned(&proof).await?;
        Ok(owned.upsert_chat(&chat(ANN), 1).await?.id)
    })
    .unwrap();
    World {
        store,
        organization,
        session,
        fence,
        chat,
    }
}

fn chat(jid: &str) -> ChatFacts {
    testing::person_chat(jid)
}

fn text(chat_id: i64, id: &str, timestamp_ms: i64, body: &str) -> NewMessage {
    NewMessage {
        body: Some(body.into()),
        sender_jid: Some(ANN.into()),
        sender_lid: Some(ANN_LID.into()),
        timestamp_ms,
        is_unread: true,
        ..testing::text_message(chat_id, id)
    }
}

fn words(words: &[&str]) -> MessageFilter {
    MessageFilter {
        words: words.iter().map(|&word| word.to_owned()).collect(),
        ..MessageFilter::default()
    }
}

impl World {
    async fn put(&self, messages: Vec<NewMessage>) {
        let fence = self.fence.clone();
        write!(self.store, self.organization, |tx| {
            let mut owned = tx.owned(&fence).await?;
            for message in &messages {
                assert!(owned.insert_message(message, 1).await?.is_some());
            }
            Ok(())
        })
        .unwrap();
    }

    async fn found(&self, filter: &MessageFilter) -> Vec<String> {
        let mut tx = self.store.read().await.unwrap();
        let (organization, session) = (self.organization, self.session);
        let found = tx
            .search_messages(organization, session, filter, None, 100)
            .await;
        let found = found.unwrap().into_iter();
        found.map(|(_, message)| message.id).collect()
    }
}

#[tokio::test]
async fn words_and_their_beginnings_are_found_in_any_order_and_case() {
    let world = world().await;
    let chat = world.chat;
    world
        .put(vec![
            text(chat, "A", 10, "The ORDER no. 17-b (3d print) was shipped"),
            text(
                chat,
                "B",
                20,
                "order_17 is late; see https://shop.example/track?id=9",
            ),
            text(chat, "C", 30, "Größere Äpfel für नमस्ते, привет!"),
            text(chat, "D", 40, "nothing\u{0}of interest"),
        ])
        .await;
    for (asked, expected) in [
        (&["order"][..], &["B", "A"][..]),
        (&["ord"], &["B", "A"]),
        (&["17", "order"], &["B", "A"]),
        (&["ship", "ord"], &["A"]),
        (&["b"], &["A"]),
        (&["3d"], &["A"]),
        (&["shop"], &["B"]),
        (&["track", "9"], &["B"]),
        (&["größ", "äpfel"], &["C"]),
        (&["नमस्ते"], &["C"]),
        (&["прив"], &["C"]),
        (&["nothing", "interest"], &["D"]),
        (&["rder"], &[]),
        (&["order", "interest"], &[]),
        // What would be syntax for one index or the other.
        (&["or"], &["B", "A"]),
        (&["near"], &[]),
        (&["a\"b"], &[]),
        (&["a'b\\"], &[]),
    ] {
        assert_eq!(world.found(&words(asked)).await, expected, "{asked:?}");
    }
}

#[tokio::test]
async fn the_index_follows_edits_and_deletions() {
    let world = world().await;
    let (chat, organization) = (world.chat, world.organization);
    world
        .put(vec![
            text(chat, "A", 10, "apple"),
            text(chat, "B", 20, "apple pear"),
            NewMessage {
                kind: "reaction".into(),
                ..text(chat, "R", 25, "apple")
            },
        ])
        .await;
    assert_eq!(world.found(&words(&["apple"])).await, ["B", "A"]);
    let fence = world.fence.clone();
    write!(world.store, organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        assert!(owned.edit_message(chat, "A", "", "plum", 2).await?);
        assert!(owned.revoke_message(chat, "B", None, 2).await?);
        // Written, changed and deleted within one transaction.
        for (id, body) in [("C", "cherry"), ("D", "cherry")] {
            owned.insert_message(&text(chat, id, 30, body), 2).await?;
        }
        assert!(owned.edit_message(chat, "C", "", "date cherry", 2).await?);
        assert!(owned.revoke_message(chat, "D", None, 2).await?);
        owned.defer_own_message(
            NewMessage {
                is_from_me: true,
                direction: Direction::Out,
                ..text(chat, "E", 40, "elderberry")
            },
            2,
        )
    })
    .unwrap();
    for (word, expected) in [
        ("apple", &[][..]),
        ("pear", &[]),
        ("plum", &["A"]),
        ("cherry", &["C"]),
        ("date", &["C"]),
        ("elder", &["E"]),
    ] {
        assert_eq!(world.found(&words(&[word])).await, expected, "{word}");
    }
    assert_eq!(world.found(&words(&[])).await, ["E", "C", "A"]);
    let session = world.session;
    write!(world.store, organization, |tx| {
        tx.delete_chat(organization, session, chat, 9).await
    })
    .unwrap();
    assert!(world.found(&words(&["plum"])).await.is_empty());
    world.put_again().await;
}

impl World {
    /// Numbers of rows are not used twice: what was deleted is not found in what comes later.
    async fn put_again(&self) {
        let fence = self.fence.clone();
        write!(self.store, self.organization, |tx| {
            let mut owned = tx.owned(&fence).await?;
            let id = owned.upsert_chat(&chat(ANN), 3).await?.id;
            owned.insert_message(&text(id, "A", 10, "fig"), 3).await
        })
        .unwrap();
        assert!(self.found(&words(&["plum"])).await.is_empty());
        assert_eq!(self.found(&words(&["fig"])).await, ["A"]);
    }
}

#[tokio::test]
async fn a_job_that_fails_leaves_nothing_in_the_index() {
    let world = world().await;
    let (chat, fence) = (world.chat, world.fence.clone());
    let failed = write!(world.store, world.organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        owned
            .insert_message(&text(chat, "A", 10, "apple"), 1)
            .await?;
        Err::<(), _>(wagate_store::StoreError::Config("no".into()))
    });
    failed.unwrap_err();
    assert!(world.found(&words(&["apple"])).await.is_empty());
    world.put(vec![text(chat, "B", 10, "apple")]).await;
    assert_eq!(world.found(&words(&["apple"])).await, ["B"]);
}

#[tokio::test]
async fn every_condition_narrows_the_list() {
    let world = world().await;
    let (chat_id, fence) = (world.chat, world.fence.clone());
    let other = write!(world.store, world.organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        Ok(owned.upsert_chat(&chat("2@g.us"), 1).await?.id)
    })
    .unwrap();
    world
        .put(vec![
            text(chat_id, "A", 10, "apple"),
            NewMessage {
                kind: "image".into(),
                ..text(chat_id, "B", 20, "apple")
            },
            NewMessage {
                sender_jid: None,
                sender_lid: Some("9@lid".into()),
                ..text(other, "C", 30, "apple")
            },
            NewMessage {
                is_from_me: true,
                sender_key: "me".into(),
                ..text(other, "D", 40, "apple")
            },
        ])
        .await;
    let base = || words(&["apple"]);
    let of = |sender: &[&str]| Some(sender.iter().map(|&jid| jid.to_owned()).collect());
    for (filter, expected) in [
        (base(), &["D", "C", "B", "A"][..]),
        (
            MessageFilter {
                chat_id: Some(other),
                ..base()
            },
            &["D", "C"],
        ),
        (
            MessageFilter {
                kind: Some("image".into()),
                ..base()
            },
            &["B"],
        ),
        (
            MessageFilter {
                sender: of(&["9@lid"]),
                ..base()
            },
            &["C"],
        ),
        (
            MessageFilter {
                sender: of(&[ANN]),
                ..base()
            },
            &["D", "B", "A"],
        ),
        (
            MessageFilter {
                sender: of(&[ANN_LID, "9@lid"]),
                ..base()
            },
            &["D", "C", "B", "A"],
        ),
        (
            MessageFilter {
                sender: of(&[]),
                ..base()
            },
            &[],
        ),
        (
            MessageFilter {
                from_ms: Some(20),
                until_ms: Some(40),
                ..base()
            },
            &["C", "B"],
        ),
        (
            MessageFilter {
                is_from_me: Some(true),
                ..base()
            },
            &["D"],
        ),
        (
            MessageFilter {
                is_from_me: Some(false),
                from_ms: Some(20),
                ..base()
            },
            &["C", "B"],
        ),
    ] {
        assert_eq!(world.found(&filter).await, expected);
        let without_words = MessageFilter {
            words: Vec::new(),
            ..filter
        };
        assert_eq!(world.found(&without_words).await, expected);
    }
}

#[tokio::test]
async fn others_find_nothing_and_pages_go_on() {
    let world = world().await;
    let chat = world.chat;
    let many = (0..7).map(|n| text(chat, &format!("{n}"), 10 + n / 2, "apple"));
    world.put(many.collect()).await;
    let elsewhere = world.store.organization().await;
    let other = world.store.session(world.organization).await;
    let mut tx = world.store.read().await.unwrap();
    for (organization, session) in [(elsewhere, world.session), (world.organization, other)] {
        for filter in [words(&["apple"]), words(&[])] {
            let found = tx
                .search_messages(organization, session, &filter, None, 10)
                .await;
            assert!(found.unwrap().is_empty());
        }
    }
    let mut seen = Vec::new();
    let mut after: Option<MessagePosition> = None;
    loop {
        let page = tx
            .search_messages(
                world.organization,
                world.session,
                &words(&["app"]),
                after,
                2,
            )
            .await
            .unwrap();
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        seen.extend(page.into_iter().map(|(_, message)| message.id));
    }
    assert_eq!(seen, ["6", "5", "4", "3", "2", "1", "0"]);
}

#[tokio::test]
async fn what_was_stored_before_is_indexed_by_the_migration() {
    let world = world().await;
    if world.store.database() == DatabaseKind::Postgres {
        // There the words are a generated column, which no row can be without.
        return;
    }
    let chat = world.chat;
    world.put(vec![text(chat, "A", 10, "apple")]).await;
    world.store.close().await;
    // As it was before.
    let url = &world.store.config().url;
    let mut conn = <sqlx::SqliteConnection as sqlx::Connection>::connect(url)
        .await
        .unwrap();
    let undo = "DROP TRIGGER message_text_deletion; DROP TABLE message_text; \
                DROP INDEX message_session_order; \
                DELETE FROM _sqlx_migrations WHERE version = 10";
    sqlx::raw_sql(undo).execute(&mut conn).await.unwrap();
    let store = world.store.second().await.unwrap();
    let mut tx = store.read().await.unwrap();
    let found = tx
        .search_messages(
            world.organization,
            world.session,
            &words(&["apple"]),
            None,
            10,
        )
        .await;
    assert_eq!(found.unwrap().len(), 1);
}
