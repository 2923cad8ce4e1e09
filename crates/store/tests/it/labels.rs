use wagate_model::{ChatType, Label, OrganizationId, SessionId};
use wagate_store::testing::{self, TestStore};
use wagate_store::{ChatFacts, Fence, MessageFilter, NewMessage};

use crate::write;

struct World {
    store: TestStore,
    organization: OrganizationId,
    session: SessionId,
    fence: Fence,
}

async fn world() -> World {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    World {
        store,
        organization,
        session,
        fence,
    }
}

fn label(id: &str, name: &str, color: i64) -> Label {
    Label {
        color,
        id: id.into(),
        name: name.into(),
    }
}

fn person(jid: &str, alias: Option<&str>) -> ChatFacts {
    ChatFacts {
        jid: jid.into(),
        alias_jid: alias.map(str::to_owned),
        kind: ChatType::Dm,
        name: None,
    }
}

fn message(chat_id: i64, id: &str) -> NewMessage {
    NewMessage {
        body: Some("words".into()),
        timestamp_ms: 1_000,
        is_unread: true,
        ..testing::text_message(chat_id, id)
    }
}

const LID: &str = "7@lid";
const PHONE: &str = "15551234567@s.whatsapp.net";

fn addresses(addresses: &[&str]) -> Vec<String> {
    addresses
        .iter()
        .map(|&address| address.to_owned())
        .collect()
}

impl World {
    async fn labels(&self) -> Vec<Label> {
        let mut tx = self.store.read().await.unwrap();
        tx.labels(self.organization, self.session).await.unwrap()
    }

    /// The labels of the person's chat, and whether the list of a label has it.
    async fn of_chat(&self, listed: &str) -> (Vec<String>, bool) {
        let mut tx = self.store.read().await.unwrap();
        let (organization, session) = (self.organization, self.session);
        let chat = tx.labelled_chat(organization, session, LID).await.unwrap();
        let found = tx
            .chats(organization, session, Some(listed), None, 10)
            .await
            .unwrap();
        (chat.unwrap().labels, found.len() == 1)
    }

    async fn of_message(&self, id: &str) -> Vec<String> {
        let mut tx = self.store.read().await.unwrap();
        let found = tx
            .message(self.organization, self.session, None, id)
            .await
            .unwrap();
        found.unwrap().labels
    }
}

#[tokio::test]
async fn labels_are_kept_by_id_and_their_ids_are_not_used_again() {
    let world = world().await;
    let fence = world.fence.clone();
    write!(world.store, world.organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        assert_eq!(owned.reserve_label(1).await?, "1");
        // One that is only reserved is not there.
        assert_eq!(owned.reserve_label(1).await?, "2");
        for (put, is_news) in [
            (label("2", "Paid", 3), true),
            (label("2", "Paid", 3), false),
            (label("2", "Paid", 4), true),
            (label("10", "Late", 0), true),
        ] {
            assert_eq!(owned.put_label(&put, 2).await?, is_news);
        }
        Ok(())
    })
    .unwrap();
    let expected = [label("2", "Paid", 4), label("10", "Late", 0)];
    assert_eq!(world.labels().await, expected);
    let fence = world.fence.clone();
    write!(world.store, world.organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        assert!(owned.delete_label("10", 3).await?);
        assert!(!owned.delete_label("10", 3).await?);
        assert!(!owned.delete_label("99", 3).await?);
        assert_eq!(owned.reserve_label(3).await?, "11");
        Ok(())
    })
    .unwrap();
    assert_eq!(world.labels().await.len(), 1);
    let stranger = world.store.organization().await;
    let mut tx = world.store.read().await.unwrap();
    let foreign = tx.labels(stranger, world.session).await.unwrap();
    assert!(foreign.is_empty());
    let foreign = tx.label(stranger, world.session, "2").await.unwrap();
    assert_eq!(foreign, None);
    let own = tx.label(world.organization, world.session, "2").await;
    assert_eq!(own.unwrap(), Some(label("2", "Paid", 4)));
}

#[tokio::test]
async fn what_has_a_label_is_found_by_either_address() {
    let world = world().await;
    let fence = world.fence.clone();
    write!(world.store, world.organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        owned.put_label(&label("1", "a", 0), 1).await?;
        owned.put_label(&label("2", "b", 1), 1).await?;
        // Before the chat is known, and under the address that it gets later.
        let early = addresses(&[PHONE]);
        assert!(owned.label_chat(&early, "1", true).await?);
        assert!(!owned.label_chat(&early, "1", true).await?);
        assert!(owned.label_message(&early, "M", "2", true).await?);
        let chat = owned.upsert_chat(&person(LID, Some(PHONE)), 1).await?;
        owned.insert_message(&message(chat.id, "M"), 1).await?;
        owned.insert_message(&message(chat.id, "N"), 1).await?;
        Ok(())
    })
    .unwrap();
    assert_eq!(world.of_chat("1").await, (vec!["1".to_owned()], true));
    assert_eq!(world.of_message("M").await, ["2"]);
    assert!(world.of_message("N").await.is_empty());

    let fence = world.fence.clone();
    write!(world.store, world.organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        let both = addresses(&[LID, PHONE]);
        assert!(!owned.label_chat(&both, "1", true).await?);
        assert!(owned.label_chat(&both, "2", true).await?);
        assert!(owned.label_message(&both, "M", "2", false).await?);
        assert!(!owned.label_message(&both, "M", "2", false).await?);
        assert!(owned.label_message(&both, "N", "1", true).await?);
        Ok(())
    })
    .unwrap();
    let both = vec!["1".to_owned(), "2".to_owned()];
    assert_eq!(world.of_chat("2").await, (both, true));
    assert!(world.of_message("M").await.is_empty());
    assert_eq!(world.of_message("N").await, ["1"]);

    let fence = world.fence.clone();
    write!(world.store, world.organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        assert!(owned.delete_label("1", 5).await?);
        // It comes back as another device has it, and nothing has it.
        owned.put_label(&label("1", "a", 0), 6).await?;
        Ok(())
    })
    .unwrap();
    assert_eq!(world.of_chat("1").await, (vec!["2".to_owned()], false));
    assert!(world.of_message("N").await.is_empty());
}

#[tokio::test]
async fn starred_messages_are_found_and_deleted_ones_are_gone() {
    let world = world().await;
    let fence = world.fence.clone();
    write!(world.store, world.organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        let chat = owned.upsert_chat(&person(LID, None), 1).await?;
        let mut rows = Vec::new();
        for id in ["A", "B", "C"] {
            let row = owned.insert_message(&message(chat.id, id), 1).await?;
            rows.push(row.unwrap());
        }
        assert!(owned.star_message(rows[0], true, 2).await?);
        assert!(!owned.star_message(rows[0], true, 2).await?);
        assert!(owned.star_message(rows[1], true, 2).await?);
        assert!(owned.star_message(rows[1], false, 2).await?);
        assert!(owned.delete_message(rows[2], 2).await?);
        assert!(!owned.delete_message(rows[2], 2).await?);
        Ok(())
    })
    .unwrap();
    for (is_starred, words, expected) in [
        (Some(true), None, &["A"][..]),
        (Some(false), None, &["B"]),
        (None, None, &["B", "A"]),
        (Some(true), Some("words"), &["A"]),
        (None, Some("words"), &["B", "A"]),
    ] {
        let filter = MessageFilter {
            words: words.into_iter().map(str::to_owned).collect(),
            is_starred,
            ..MessageFilter::default()
        };
        let mut tx = world.store.read().await.unwrap();
        let found = tx
            .search_messages(world.organization, world.session, &filter, None, 10)
            .await
            .unwrap();
        let ids: Vec<_> = found.iter().map(|(_, message)| &*message.id).collect();
        assert_eq!(ids, expected, "{is_starred:?} {words:?}");
    }
}
