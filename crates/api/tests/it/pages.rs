//! Chats and messages in pages.

use std::ops::Range;

use serde_json::Value;
use wagate_model::{ChatType, Direction, Label, SessionId};
use wagate_store::{ChatFacts, GroupFacts, IdentityFacts, Lane, NewMessage, StoreError, testing};

use crate::harness::{Service, Tenant};

async fn fill(service: &Service, session: SessionId, chats: usize, messages: usize) {
    fill_with(service, session, 0..chats, messages, "x").await;
}

/// Stores chats, numbered in their addresses, with messages of a text.
pub(crate) async fn fill_with(
    service: &Service,
    session: SessionId,
    chats: Range<usize>,
    messages: usize,
    text: &'static str,
) {
    let fence = service.store.claim(session).await;
    service
        .store
        .write::<_, StoreError, _>(Lane::SHARED, move |tx| {
            Box::pin(async move {
                let mut owned = tx.owned(&fence).await?;
                let group = GroupFacts {
                    jid: format!("1203631555000{:04}@g.us", chats.start),
                    subject: Some(text.into()),
                    ..GroupFacts::default()
                };
                let group = owned.upsert_group(&group, 1).await?;
                for chat in chats {
                    let facts = testing::person_chat(format!("1555000{chat:04}@s.whatsapp.net"));
                    let chat_id = owned.upsert_chat(&facts, 1).await?.id;
                    let person = IdentityFacts {
                        phone_jid: Some(facts.jid.clone()),
                        ..IdentityFacts::default()
                    };
                    let person = owned.upsert_identity(&person, 1).await?.unwrap();
                    let person = person.identity.id;
                    owned
                        .upsert_group_member(group, person, "admin", None, 1)
                        .await?;
                    for message in 0..messages {
                        // Pairs share a second, so that the order needs the row too.
                        let time = i64::try_from(1_000 * (chat * messages + message / 2)).unwrap();
                        let new = NewMessage {
                            sender_key: "me".into(),
                            direction: Direction::Out,
                            is_from_me: true,
                            body: Some(text.into()),
                            timestamp_ms: time + 1,
                            ..testing::text_message(chat_id, format!("M{chat}-{message}"))
                        };
                        owned.insert_message(&new, 1).await?;
                    }
                }
                Ok(())
            })
        })
        .await
        .unwrap();
}

/// Stores a channel with posts.
pub(crate) async fn fill_channel(
    service: &Service,
    session: SessionId,
    jid: String,
    text: &'static str,
) {
    let fence = service.store.claim(session).await;
    service
        .store
        .write::<_, StoreError, _>(Lane::SHARED, move |tx| {
            Box::pin(async move {
                let mut owned = tx.owned(&fence).await?;
                let label = Label {
                    color: 0,
                    id: jid.chars().take_while(char::is_ascii_digit).collect(),
                    name: text.into(),
                };
                owned.put_label(&label, 1).await?;
                let facts = ChatFacts {
                    jid,
                    alias_jid: None,
                    kind: ChatType::Newsletter,
                    name: Some(text.into()),
                };
                let chat_id = owned.upsert_chat(&facts, 1).await?.id;
                for post in 0..3 {
                    let new = NewMessage {
                        body: Some(text.into()),
                        timestamp_ms: 1_000 * (post + 1),
                        ..testing::text_message(chat_id, format!("P{post}"))
                    };
                    owned.insert_message(&new, 1).await?;
                }
                Ok(())
            })
        })
        .await
        .unwrap();
}

async fn all(service: &Service, key: &str, path: &str, limit: usize) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = service
            .get(&format!("{path}?limit={limit}&cursor={cursor}"), key)
            .await
            .ok(200);
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= limit);
        rows.extend(data.iter().cloned());
        match page.get("nextCursor") {
            Some(next) => next.as_str().unwrap().clone_into(&mut cursor),
            None => return rows,
        }
        assert_eq!(data.len(), limit);
    }
}

async fn world() -> (Service, Tenant, SessionId, String) {
    let service = Service::start().await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    let path = format!("/api/v1/sessions/{session}/chats");
    (service, tenant, session, path)
}

#[tokio::test]
async fn pages_cover_every_chat_once() {
    let (service, tenant, session, path) = world().await;
    assert_eq!(
        service.get(&path, &tenant.key).await.ok(200)["data"],
        serde_json::json!([])
    );
    fill(&service, session, 7, 1).await;
    let jids = |rows: Vec<Value>| -> Vec<_> {
        rows.into_iter()
            .map(|row| row["jid"].as_str().unwrap().to_owned())
            .collect()
    };
    let whole = jids(all(&service, &tenant.key, &path, 200).await);
    assert_eq!(whole.len(), 7);
    assert_eq!(whole[0], "15550000006@s.whatsapp.net");
    for limit in [1, 2, 3, 7] {
        assert_eq!(
            jids(all(&service, &tenant.key, &path, limit).await),
            whole,
            "{limit}"
        );
    }
}

#[tokio::test]
async fn pages_cover_every_message_once() {
    let (service, tenant, session, path) = world().await;
    fill(&service, session, 1, 9).await;
    let path = format!("{path}/15550000000/messages");
    let ids = |rows: Vec<Value>| -> Vec<_> {
        rows.into_iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let whole = ids(all(&service, &tenant.key, &path, 50).await);
    let newest_first: Vec<_> = (0..9).rev().map(|n| format!("M0-{n}")).collect();
    assert_eq!(whole, newest_first);
    for limit in [1, 2, 4, 9] {
        assert_eq!(
            ids(all(&service, &tenant.key, &path, limit).await),
            whole,
            "{limit}"
        );
    }
}

#[tokio::test]
async fn a_chat_is_found_by_every_spelling_of_its_address() {
    let (service, tenant, session, path) = world().await;
    fill(&service, session, 1, 0).await;
    for chat in [
        "15550000000",
        "%2B15550000000",
        "15550000000@s.whatsapp.net",
        "15550000000%40s.whatsapp.net",
    ] {
        let found = service
            .get(&format!("{path}/{chat}"), &tenant.key)
            .await
            .ok(200);
        assert_eq!(found["jid"], "15550000000@s.whatsapp.net");
    }
    for chat in [
        "15559999999",
        "nonsense",
        "1:2@s.whatsapp.net",
        "%00",
        ":start",
        "15550000000%3Astart",
    ] {
        for rest in ["", "/messages"] {
            let reply = service
                .get(&format!("{path}/{chat}{rest}"), &tenant.key)
                .await;
            reply.error(404, "not_found");
        }
    }
}

#[tokio::test]
async fn forged_cursors_and_wrong_limits_are_faults() {
    let (service, tenant, session, path) = world().await;
    fill(&service, session, 2, 2).await;
    let page = service
        .get(&format!("{path}?limit=1"), &tenant.key)
        .await
        .ok(200);
    let cursor = page["nextCursor"].as_str().unwrap();
    let messages = format!("{path}/15550000000/messages");
    for query in [
        format!("{path}?cursor=forged"),
        format!("{path}?cursor={cursor}x"),
        // The position alone, as anybody could write it.
        format!("{path}?cursor={}", &cursor[22..]),
        // A cursor of another list.
        format!("{messages}?cursor={cursor}"),
    ] {
        assert_eq!(
            service.get(&query, &tenant.key).await.faults(),
            ["cursor"],
            "{query}"
        );
    }
    for list in [&path, &messages] {
        let reply = service
            .get(&format!("{list}?limit=-1&cursor=x"), &tenant.key)
            .await;
        assert_eq!(reply.faults(), ["limit", "cursor"]);
    }
    // Another session's cursor does not fit either.
    let other = service.store.session(tenant.organization).await;
    let reply = service
        .get(
            &format!("/api/v1/sessions/{other}/chats?cursor={cursor}"),
            &tenant.key,
        )
        .await;
    assert_eq!(reply.faults(), ["cursor"]);
}

#[tokio::test]
async fn stored_groups_and_their_members_are_read() {
    let (service, tenant, session, _) = world().await;
    let key = tenant.key;
    fill_with(&service, session, 0..3, 1, "Harbour").await;
    let at = |rest: &str| format!("/api/v1/sessions/{session}/groups{rest}");
    let groups = service.get(&at(""), &key).await.ok(200);
    let group = &groups["data"][0];
    assert_eq!(
        (&group["subject"], groups["data"].as_array().unwrap().len()),
        (&"Harbour".into(), 1)
    );
    let jid = group["groupJid"].as_str().unwrap();
    assert_eq!(
        service.get(&at(&format!("/{jid}")), &key).await.ok(200),
        *group
    );
    let members = service
        .get(&at(&format!("/{jid}/members")), &key)
        .await
        .ok(200);
    let members = members["data"].as_array().unwrap();
    assert_eq!((members.len(), &members[0]["role"]), (3, &"admin".into()));
    let person = service
        .get(
            &format!("/api/v1/sessions/{session}/contacts/15550000001"),
            &key,
        )
        .await
        .ok(200);
    assert_eq!(
        (&person["dm"], &person["groups"][0]["jid"]),
        (&true.into(), &jid.into())
    );
}
