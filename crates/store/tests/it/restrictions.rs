use wagate_model::{ChatType, Direction, MessageStatus, Restriction, RestrictionKind};
use wagate_store::testing;
use wagate_store::{ChatFacts, IdentityFacts, NewMessage};

use crate::write;

/// Nothing that a test waits for ends before this.
const FAR_MS: i64 = 4_102_444_800_000;

fn restriction(kind: RestrictionKind, until: Option<i64>) -> Restriction {
    Restriction {
        kind,
        cause: None,
        until,
    }
}

#[tokio::test]
async fn restrictions_are_kept_each_by_its_kind_until_they_end() {
    use RestrictionKind::{NewChatCap, ReachoutTimelock};
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let lock = restriction(ReachoutTimelock, Some(FAR_MS));
    let cap = restriction(NewChatCap, None);
    let over = restriction(ReachoutTimelock, Some(1));
    for (kind, set, expected) in [
        (ReachoutTimelock, Some(lock.clone()), vec![lock.clone()]),
        (
            NewChatCap,
            Some(cap.clone()),
            vec![lock.clone(), cap.clone()],
        ),
        (ReachoutTimelock, Some(over), vec![cap.clone()]),
        (NewChatCap, None, vec![]),
    ] {
        let fence = fence.clone();
        write!(store, organization, |tx| {
            let mut owned = tx.owned(&fence).await?;
            owned.set_restriction(kind, set.as_ref(), 5).await
        })
        .unwrap();
        let mut tx = store.read().await.unwrap();
        let record = tx.session(organization, session).await.unwrap().unwrap();
        assert_eq!(record.session.restriction.as_ref(), expected.first());
        assert_eq!(record.restrictions, expected);
    }
    let lock = Some(lock);
    write!(store, organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        owned
            .set_restriction(ReachoutTimelock, lock.as_ref(), 6)
            .await?;
        owned.clear_restrictions(7).await
    })
    .unwrap();
    let mut tx = store.read().await.unwrap();
    let record = tx.session(organization, session).await.unwrap().unwrap();
    assert!(record.restrictions.is_empty());
}

fn message(chat_id: i64, id: &str, is_from_me: bool, status: Option<MessageStatus>) -> NewMessage {
    NewMessage {
        sender_key: if is_from_me { "me" } else { "" }.to_owned(),
        direction: if is_from_me {
            Direction::Out
        } else {
            Direction::In
        },
        is_from_me,
        status,
        ..testing::text_message(chat_id, id)
    }
}

#[tokio::test]
async fn a_chat_is_begun_once_something_came_in_or_was_taken() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let found = write!(store, organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        let mut found = Vec::new();
        for (jid, is_from_me, status) in [
            (
                "15550000001@s.whatsapp.net",
                true,
                Some(MessageStatus::Pending),
            ),
            (
                "15550000002@s.whatsapp.net",
                true,
                Some(MessageStatus::Failed),
            ),
            (
                "15550000003@s.whatsapp.net",
                true,
                Some(MessageStatus::Sent),
            ),
            ("15550000004@s.whatsapp.net", false, None),
        ] {
            let facts = testing::person_chat(jid);
            let chat = owned.upsert_chat(&facts, 1).await?.id;
            let new = message(chat, "A", is_from_me, status);
            owned.insert_message(&new, 1).await?;
            found.push(owned.has_exchanged(chat).await?);
        }
        Ok(found)
    })
    .unwrap();
    assert_eq!(found, [false, false, true, true]);
}

#[tokio::test]
async fn stories_come_before_chats_and_the_address_book_and_nobody_else() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    write!(store, organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        for (lid, phone, full_name) in [
            ("1@lid", Some("15550000001@s.whatsapp.net"), Some("Ada")),
            // Seen in a group.
            ("2@lid", None, None),
        ] {
            let facts = IdentityFacts {
                lid: Some(lid.to_owned()),
                phone_jid: phone.map(str::to_owned),
                full_name: full_name.map(str::to_owned),
                ..IdentityFacts::default()
            };
            owned.upsert_identity(&facts, 1).await?;
        }
        for (jid, alias, kind) in [
            ("15550000003@s.whatsapp.net", Some("3@lid"), ChatType::Dm),
            ("15550000004@s.whatsapp.net", None, ChatType::Dm),
            ("120363000000000001@g.us", None, ChatType::Group),
        ] {
            let facts = ChatFacts {
                jid: jid.to_owned(),
                alias_jid: alias.map(str::to_owned),
                kind,
                name: None,
            };
            owned.upsert_chat(&facts, 1).await?;
        }
        Ok(())
    })
    .unwrap();
    let mut tx = store.read().await.unwrap();
    let mut people = tx.status_audience(organization, session, 10).await.unwrap();
    people.sort();
    assert_eq!(people, ["15550000004@s.whatsapp.net", "1@lid", "3@lid"]);
    let others = store.organization().await;
    let foreign = tx.status_audience(others, session, 10).await.unwrap();
    assert!(foreign.is_empty());
}
