use wagate_model::{ChatType, Direction, MediaMeta, MessageStatus, OrganizationId, SessionId};
use wagate_store::testing::{self, TestStore};
use wagate_store::{
    ChatChange, ChatFacts, ChatPosition, Fence, IdentityFacts, MessagePosition, NewMessage,
};

use crate::write;

const PHONE: &str = "15551234567@s.whatsapp.net";
const LID: &str = "111@lid";

fn chat(jid: &str, alias: Option<&str>) -> ChatFacts {
    ChatFacts {
        jid: jid.to_owned(),
        alias_jid: alias.map(str::to_owned),
        kind: ChatType::Dm,
        name: None,
    }
}

fn inbound(chat_id: i64, id: &str, timestamp_ms: i64) -> NewMessage {
    NewMessage {
        chat_id,
        wa_message_id: id.to_owned(),
        sender_key: String::new(),
        direction: Direction::In,
        is_from_me: false,
        kind: "text".into(),
        body: Some(format!("text of {id}")),
        sender_jid: Some(PHONE.into()),
        sender_lid: Some(LID.into()),
        timestamp_ms,
        status: None,
        quoted_message_id: None,
        mentions: Vec::new(),
        media: None,
        content: Some(serde_json::json!({"text": id})),
        details: None,
        expires_at_ms: None,
        is_unread: true,
    }
}

fn outbound(chat_id: i64, id: &str, timestamp_ms: i64) -> NewMessage {
    NewMessage {
        sender_key: "me".into(),
        direction: Direction::Out,
        is_from_me: true,
        status: Some(MessageStatus::Pending),
        is_unread: false,
        ..inbound(chat_id, id, timestamp_ms)
    }
}

async fn paired() -> (TestStore, OrganizationId, SessionId, Fence) {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    (store, organization, session, fence)
}

#[tokio::test]
async fn a_chat_seen_under_both_addresses_becomes_one_row() {
    let (store, organization, session, fence) = paired().await;
    let (by_phone, merged) = write!(store, organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        let by_phone = owned.upsert_chat(&chat(PHONE, None), 1).await?.id;
        let by_lid = owned.upsert_chat(&chat(LID, None), 2).await?.id;
        assert_ne!(by_phone, by_lid);
        owned.insert_message(&inbound(by_phone, "A", 10), 1).await?;
        owned.insert_message(&inbound(by_lid, "A", 10), 1).await?;
        owned.insert_message(&inbound(by_lid, "B", 20), 1).await?;
        let named = ChatFacts {
            name: Some("Ann".into()),
            ..chat(LID, Some(PHONE))
        };
        let merged = owned.upsert_chat(&named, 3).await?.id;
        assert_eq!(
            owned.upsert_chat(&chat(LID, Some(PHONE)), 4).await?.id,
            merged
        );
        assert_eq!(owned.upsert_chat(&chat(LID, None), 4).await?.id, merged);
        Ok((by_phone, merged))
    })
    .unwrap();
    assert_eq!(by_phone, merged);
    let mut tx = store.read().await.unwrap();
    for jid in [PHONE, LID] {
        let found = tx.chat(organization, session, jid).await.unwrap().unwrap();
        assert_eq!(found.id, merged);
        assert_eq!(
            (found.jid.as_str(), found.aliases),
            (PHONE, Some(vec![LID.to_owned()]))
        );
        assert_eq!(found.name.as_deref(), Some("Ann"));
        assert_eq!(found.last_message_at, Some(20));
    }
    let messages = tx
        .messages(organization, session, merged, None, 10)
        .await
        .unwrap();
    let ids: Vec<_> = messages
        .iter()
        .map(|(_, message)| message.id.as_str())
        .collect();
    assert_eq!(ids, ["B", "A"]);
    assert_eq!(
        tx.chats(organization, session, None, None, 10)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_message_that_comes_again_is_not_new() {
    let (store, organization, session, fence) = paired().await;
    let mut results = Vec::new();
    for _ in 0..2 {
        let fence = fence.clone();
        results.push(
            write!(store, organization, |tx| {
                let mut owned = tx.owned(&fence).await?;
                let id = owned.upsert_chat(&chat(PHONE, Some(LID)), 1).await?.id;
                let first = owned.insert_message(&inbound(id, "A\0", 10), 5).await?;
                // The same id from somebody else is another message.
                let other = NewMessage {
                    sender_key: "2@lid".into(),
                    ..inbound(id, "A\0", 11)
                };
                Ok((
                    first.is_some(),
                    owned.insert_message(&other, 5).await?.is_some(),
                ))
            })
            .unwrap(),
        );
    }
    assert_eq!(results, [(true, true), (false, false)]);
    let mut tx = store.read().await.unwrap();
    let found = tx
        .chat(organization, session, PHONE)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.unread_count, found.last_message_at), (2, Some(11)));
}

#[tokio::test]
async fn a_status_never_goes_back_and_only_real_progress_is_told() {
    let (store, organization, session, fence) = paired().await;
    let advance = async |ids: &[&str], status: MessageStatus, error: Option<&'static str>| {
        let ids: Vec<_> = ids.iter().map(|&id| id.to_owned()).collect();
        let fence = fence.clone();
        let advanced = write!(store, organization, |tx| {
            tx.owned(&fence)
                .await?
                .advance_messages(&ids, status, error, 9)
                .await
        });
        let mut ids: Vec<_> = advanced
            .unwrap()
            .into_iter()
            .map(|advanced| advanced.wa_message_id)
            .collect();
        ids.sort();
        ids
    };
    let proof = fence.clone();
    write!(store, organization, |tx| {
        let mut owned = tx.owned(&proof).await?;
        let id = owned.upsert_chat(&chat(PHONE, None), 1).await?.id;
        for message in ["A", "B", "C"] {
            owned.insert_message(&outbound(id, message, 10), 1).await?;
        }
        owned.insert_message(&inbound(id, "in", 10), 1).await
    })
    .unwrap();
    assert_eq!(
        advance(&["A", "B", "in", "?"], MessageStatus::Sent, None).await,
        ["A", "B"]
    );
    assert_eq!(advance(&["A"], MessageStatus::Read, None).await, ["A"]);
    assert_eq!(
        advance(&["A", "B"], MessageStatus::Delivered, None).await,
        ["B"]
    );
    assert!(
        advance(&["A", "B"], MessageStatus::Failed, Some("no"))
            .await
            .is_empty()
    );
    assert_eq!(
        advance(&["C"], MessageStatus::Failed, Some("463")).await,
        ["C"]
    );
    assert!(
        advance(&["C"], MessageStatus::Pending, None)
            .await
            .is_empty()
    );
    let mut tx = store.read().await.unwrap();
    let read = tx
        .message(organization, session, None, "A")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (read.status, read.ack_level),
        (Some(MessageStatus::Read), Some(3))
    );
    let failed = tx
        .message(organization, session, None, "C")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(failed.error.as_deref(), Some("463"));
    drop(tx);
    assert_eq!(advance(&["C"], MessageStatus::Sent, None).await, ["C"]);
    let mut tx = store.read().await.unwrap();
    let sent = tx
        .message(organization, session, None, "C")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((sent.error, sent.status), (None, Some(MessageStatus::Sent)));
}

#[tokio::test]
async fn pages_of_messages_stay_valid_while_rows_are_added() {
    let (store, organization, session, fence) = paired().await;
    let proof = fence.clone();
    let chat_id = write!(store, organization, |tx| {
        let mut owned = tx.owned(&proof).await?;
        let id = owned.upsert_chat(&chat(PHONE, None), 1).await?.id;
        for number in 0..5 {
            // Two of them at the same time.
            owned
                .insert_message(&inbound(id, &format!("{number}"), 10 + number / 2), 1)
                .await?;
        }
        Ok(id)
    })
    .unwrap();
    let mut seen = Vec::new();
    let mut after: Option<MessagePosition> = None;
    loop {
        let mut tx = store.read().await.unwrap();
        let page = tx
            .messages(organization, session, chat_id, after, 2)
            .await
            .unwrap();
        drop(tx);
        let Some((position, _)) = page.last() else {
            break;
        };
        after = Some(*position);
        seen.extend(page.into_iter().map(|(_, message)| message.id));
        let fence = fence.clone();
        let id = format!("late {}", seen.len());
        write!(store, organization, |tx| {
            tx.owned(&fence)
                .await?
                .insert_message(&inbound(chat_id, &id, 99), 1)
                .await
        })
        .unwrap();
    }
    assert_eq!(seen, ["4", "3", "2", "1", "0"]);
}

#[tokio::test]
async fn the_latest_messages_of_others_leave_out_ones_own() {
    let (store, organization, session, fence) = paired().await;
    let holder = fence.clone();
    let chat_id = write!(store, organization, |tx| {
        let mut owned = tx.owned(&holder).await?;
        let id = owned.upsert_chat(&chat(PHONE, None), 1).await?.id;
        for message in [
            inbound(id, "old", 10),
            inbound(id, "middle", 20),
            outbound(id, "own", 30),
            inbound(id, "new", 40),
        ] {
            owned.insert_message(&message, 1).await?;
        }
        Ok(id)
    })
    .unwrap();
    let stranger = store.organization().await;
    let mut tx = store.read().await.unwrap();
    for (organization, expected) in [(organization, vec!["new", "middle"]), (stranger, vec![])] {
        let latest = tx.latest_incoming(organization, session, chat_id, 2).await;
        let ids: Vec<_> = latest
            .unwrap()
            .into_iter()
            .map(|message| message.id)
            .collect();
        assert_eq!(ids, expected);
    }
    drop(tx);
    for (ids, newer) in [
        (vec!["old"], Some(2)),
        (vec!["middle", "old"], Some(1)),
        (vec!["own"], Some(1)),
        (vec!["new", "unknown"], Some(0)),
        (vec!["unknown"], None),
    ] {
        let named: Vec<_> = ids.iter().copied().map(str::to_owned).collect();
        let fence = fence.clone();
        let counted = write!(store, organization, |tx| {
            let mut owned = tx.owned(&fence).await?;
            owned.incoming_after(chat_id, &named).await
        });
        assert_eq!(counted.unwrap(), newer, "{ids:?}");
    }
}

#[tokio::test]
async fn chats_are_paged_in_display_order() {
    let (store, organization, session, fence) = paired().await;
    let stranger = store.organization().await;
    let ids = write!(store, organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        let mut ids = Vec::new();
        for (number, last) in [30, 10, 0, 30, 20].into_iter().enumerate() {
            let id = owned
                .upsert_chat(&chat(&format!("{number}@lid"), None), 1)
                .await?
                .id;
            if last > 0 {
                owned.insert_message(&inbound(id, "m", last), 1).await?;
            }
            ids.push(id);
        }
        let pin = ChatChange {
            is_pinned: Some(true),
            ..ChatChange::default()
        };
        owned
            .update_chat(organization, session, ids[1], &pin, 2)
            .await?;
        Ok(ids)
    })
    .unwrap();
    let mut tx = store.read().await.unwrap();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = tx
            .chats(organization, session, None, after, 2)
            .await
            .unwrap();
        let Some(last) = page.last() else { break };
        after = Some(ChatPosition::from(last));
        seen.extend(page.iter().map(|chat| chat.id));
    }
    assert_eq!(seen, [ids[1], ids[3], ids[0], ids[4], ids[2]]);
    assert!(
        tx.chats(stranger, session, None, None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        tx.messages(stranger, session, ids[0], None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        tx.message(stranger, session, None, "m")
            .await
            .unwrap()
            .is_none()
    );
    assert!(tx.chat(stranger, session, "1@lid").await.unwrap().is_none());
}

#[tokio::test]
async fn settings_and_deletion_of_a_chat_are_the_organizations() {
    let (store, organization, session, fence) = paired().await;
    let stranger = store.organization().await;
    let id = write!(store, organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        let id = owned.upsert_chat(&chat(PHONE, None), 1).await?.id;
        owned.insert_message(&inbound(id, "A", 10), 1).await?;
        owned.set_unread(id, 7, 2).await?;
        Ok(id)
    })
    .unwrap();
    let change = async |by: OrganizationId, change: ChatChange| {
        write!(store, by, |tx| tx
            .update_chat(by, session, id, &change, 3)
            .await)
        .unwrap()
    };
    let mute = ChatChange {
        muted_until: Some(99),
        is_archived: Some(true),
        ..ChatChange::default()
    };
    assert!(!change(stranger, mute).await);
    assert!(change(organization, mute).await);
    let mut tx = store.read().await.unwrap();
    let found = tx
        .chat(organization, session, PHONE)
        .await
        .unwrap()
        .unwrap();
    assert!(found.archived && !found.pinned);
    assert_eq!((found.muted_until, found.unread_count), (Some(99), 7));
    assert!(
        change(
            organization,
            ChatChange {
                muted_until: Some(0),
                ..ChatChange::default()
            }
        )
        .await
    );
    assert!(
        !write!(store, stranger, |tx| tx
            .mark_chat_read(stranger, session, id, 4)
            .await)
        .unwrap()
    );
    assert!(
        write!(store, organization, |tx| tx
            .mark_chat_read(organization, session, id, 4)
            .await)
        .unwrap()
    );
    let found = tx
        .chat(organization, session, PHONE)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.muted_until, found.unread_count, found.archived),
        (None, 0, true)
    );
    assert!(
        !write!(store, stranger, |tx| tx
            .delete_chat(stranger, session, id, 9)
            .await)
        .unwrap()
    );
    assert!(
        write!(store, organization, |tx| tx
            .delete_chat(organization, session, id, 9)
            .await)
        .unwrap()
    );
    assert!(
        tx.message(organization, session, None, "A")
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn edits_are_the_senders_and_a_revoked_message_keeps_no_content() {
    let (store, organization, session, fence) = paired().await;
    write!(store, organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        let id = owned.upsert_chat(&chat("7@g.us", None), 1).await?.id;
        let message = NewMessage {
            sender_key: LID.into(),
            mentions: vec!["2@lid".into(), "3@lid".into()],
            media: Some(MediaMeta {
                size: Some(5),
                ..MediaMeta::default()
            }),
            quoted_message_id: Some("Q".into()),
            ..inbound(id, "A", 10)
        };
        owned.insert_message(&message, 1).await?;
        for (lid, name) in [(LID, "Ann"), ("2@lid", "Bob")] {
            let facts = IdentityFacts {
                lid: Some(lid.into()),
                push_name: Some(name.into()),
                ..IdentityFacts::default()
            };
            owned.upsert_identity(&facts, 1).await?;
        }
        assert!(!owned.edit_message(id, "A", "2@lid", "forged", 2).await?);
        assert!(owned.edit_message(id, "A", LID, "better", 2).await?);
        let stored = owned.stored_message(id, "A", Some(LID)).await?.unwrap();
        assert_eq!(stored.body.as_deref(), Some("better"));
        assert_eq!(stored.content, Some(serde_json::json!({"text": "A"})));
        assert!(
            owned
                .stored_message(id, "A", Some("2@lid"))
                .await?
                .is_none()
        );
        let shown = owned
            .message(organization, session, Some(id), "A")
            .await?
            .unwrap();
        assert!(shown.edited && shown.has_media);
        assert_eq!(shown.sender_name.as_deref(), Some("Ann"));
        assert_eq!(shown.mentions, Some(serde_json::json!(["2@lid", "3@lid"])));
        assert_eq!(
            shown.mention_names.unwrap().into_iter().collect::<Vec<_>>(),
            [("2@lid".to_owned(), "Bob".to_owned())]
        );
        assert!(!owned.revoke_message(id, "A", Some("2@lid"), 3).await?);
        assert!(owned.revoke_message(id, "A", None, 3).await?);
        assert!(!owned.revoke_message(id, "A", None, 3).await?);
        assert!(!owned.edit_message(id, "A", LID, "again", 4).await?);
        let shown = owned
            .message(organization, session, None, "A")
            .await?
            .unwrap();
        assert!(shown.deleted);
        assert_eq!((shown.body, shown.media), (None, None));
        Ok(())
    })
    .unwrap();
}
