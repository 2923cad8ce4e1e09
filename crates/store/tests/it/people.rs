use wagate_model::ChatType;
use wagate_store::testing::{self, TestStore};
use wagate_store::{
    ChatFacts, ContactFilter, ContactSource, Fence, GroupFacts, IdentityFacts, IdentityRecord,
};

use crate::write;

const LID: &str = "111@lid";
const PHONE: &str = "15551234567@s.whatsapp.net";

fn facts(lid: Option<&str>, phone: Option<&str>, push_name: Option<&str>) -> IdentityFacts {
    IdentityFacts {
        lid: lid.map(str::to_owned),
        phone_jid: phone.map(str::to_owned),
        push_name: push_name.map(str::to_owned),
        ..IdentityFacts::default()
    }
}

async fn upsert(
    store: &TestStore,
    fence: &Fence,
    facts: IdentityFacts,
    now_ms: i64,
) -> IdentityRecord {
    let fence = fence.clone();
    write!(store, wagate_store::Lane::SHARED, |tx| {
        let mut owned = tx.owned(&fence).await?;
        Ok(owned
            .upsert_identity(&facts, now_ms)
            .await?
            .unwrap()
            .identity)
    })
    .unwrap()
}

#[tokio::test]
async fn two_rows_become_one_when_lid_and_phone_meet() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let by_phone = upsert(&store, &fence, facts(None, Some(PHONE), Some("Ann")), 10).await;
    let by_lid = upsert(&store, &fence, facts(Some(LID), None, None), 20).await;
    assert_ne!(by_phone.id, by_lid.id);
    let proof = fence.clone();
    write!(store, organization, |tx| {
        let mut owned = tx.owned(&proof).await?;
        let jid = "1@g.us".to_owned();
        let group = owned
            .upsert_group(
                &GroupFacts {
                    jid,
                    ..GroupFacts::default()
                },
                1,
            )
            .await?;
        owned
            .upsert_group_member(group, by_phone.id, "admin", None, 1)
            .await
    })
    .unwrap();
    let one = upsert(&store, &fence, facts(Some(LID), Some(PHONE), None), 30).await;
    assert_eq!(one.id, by_lid.id);
    assert_eq!(one.name(), Some("Ann"));
    assert_eq!(one.phone_number(), Some("15551234567"));
    assert_eq!((one.first_seen_at, one.updated_at), (10, 30));
    let mut tx = store.read().await.unwrap();
    let all = tx
        .contacts(organization, session, &ContactFilter::default(), None, 10)
        .await
        .unwrap();
    assert_eq!(
        all.iter()
            .map(|contact| &contact.identity)
            .collect::<Vec<_>>(),
        [&one]
    );
    let members = tx
        .group_members(organization, session, "1@g.us")
        .await
        .unwrap();
    assert_eq!(members[0].identity_id, one.id);
    assert_eq!(
        tx.memberships(organization, session, one.id).await.unwrap(),
        members
    );
    let found = tx
        .contact(organization, session, PHONE)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.identity, one);
}

#[tokio::test]
async fn a_number_that_moves_to_another_person_moves() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let before = upsert(
        &store,
        &fence,
        facts(Some(LID), Some(PHONE), Some("Old")),
        1,
    )
    .await;
    let after = upsert(
        &store,
        &fence,
        facts(Some("222@lid"), Some(PHONE), Some("New")),
        2,
    )
    .await;
    assert_ne!(before.id, after.id);
    let third = upsert(&store, &fence, facts(Some("333@lid"), None, None), 3).await;
    let third_now = upsert(&store, &fence, facts(Some("333@lid"), Some(PHONE), None), 4).await;
    assert_eq!(third.id, third_now.id);
    assert_eq!(
        third_now.name(),
        None,
        "another person's name is not taken over"
    );
    let mut tx = store.read().await.unwrap();
    let jids = [PHONE.to_owned(), LID.to_owned(), "222@lid".to_owned()];
    let found = tx.identities_of(session, &jids).await.unwrap();
    assert_eq!(found[PHONE].id, third.id);
    assert_eq!(found[LID].phone_jid, None);
    let names = tx.names(session, &jids).await.unwrap();
    assert_eq!(
        names.into_iter().collect::<Vec<_>>(),
        [
            (LID.to_owned(), "Old".to_owned()),
            ("222@lid".to_owned(), "New".to_owned()),
        ]
    );
}

#[tokio::test]
async fn an_upsert_that_says_nothing_new_changes_nothing() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let results = write!(store, organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        let nobody = owned
            .upsert_identity(&facts(None, None, Some("x")), 1)
            .await?;
        let first = owned
            .upsert_identity(&facts(Some(LID), None, Some("a\0b")), 1)
            .await?
            .unwrap();
        let same = owned
            .upsert_identity(&facts(Some(LID), None, Some("a\0b")), 2)
            .await?
            .unwrap();
        let by_phone = owned
            .upsert_identity(&facts(None, Some(PHONE), None), 3)
            .await?
            .unwrap();
        let learned = owned
            .upsert_identity(&facts(Some("5@lid"), Some(PHONE), None), 4)
            .await?
            .unwrap();
        Ok((nobody, first, same, by_phone, learned))
    })
    .unwrap();
    let (nobody, first, same, by_phone, learned) = results;
    assert_eq!(nobody, None);
    assert!(first.is_new && first.has_changed);
    assert!(!same.is_new && !same.has_changed);
    assert_eq!(same.identity.name(), Some("a\u{fffd}b"));
    assert_eq!(learned.identity.id, by_phone.identity.id);
    assert!(learned.has_changed && !learned.is_new);
}

#[tokio::test]
async fn contacts_are_filtered_and_paged() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let proof = fence.clone();
    write!(store, organization, |tx| {
        let mut owned = tx.owned(&proof).await?;
        let group = GroupFacts {
            jid: "7@g.us".into(),
            ..GroupFacts::default()
        };
        let group = owned.upsert_group(&group, 1).await?;
        for (number, name) in ["Zoë 100%", "Élan", "a_b", "axb"].into_iter().enumerate() {
            let jid = format!("{number}@lid");
            let one = owned
                .upsert_identity(&facts(Some(&jid), None, Some(name)), 1)
                .await?
                .unwrap();
            if number == 1 {
                let chat = ChatFacts {
                    jid,
                    alias_jid: None,
                    kind: ChatType::Dm,
                    name: None,
                };
                owned.upsert_chat(&chat, 1).await?;
            } else {
                owned
                    .upsert_group_member(group, one.identity.id, "member", Some("t"), 1)
                    .await?;
            }
        }
        Ok(())
    })
    .unwrap();
    let mut tx = store.read().await.unwrap();
    let mut found = async |filter: ContactFilter| -> Vec<String> {
        let contacts = tx
            .contacts(organization, session, &filter, None, 10)
            .await
            .unwrap();
        contacts
            .into_iter()
            .map(|contact| contact.identity.lid.unwrap())
            .collect()
    };
    let search = |text: &str| ContactFilter {
        search: Some(text.into()),
        ..ContactFilter::default()
    };
    assert_eq!(found(search("ÉL")).await, ["1@lid"]);
    assert_eq!(found(search("0%")).await, ["0@lid"]);
    assert_eq!(found(search("A_B")).await, ["2@lid"]);
    assert_eq!(found(search("nobody")).await, Vec::<String>::new());
    let source = |source| ContactFilter {
        source: Some(source),
        ..ContactFilter::default()
    };
    assert_eq!(found(source(ContactSource::Dm)).await, ["1@lid"]);
    assert_eq!(found(source(ContactSource::Group)).await.len(), 3);
    let group = ContactFilter {
        group_jid: Some("7@g.us".into()),
        ..search("b")
    };
    assert_eq!(found(group).await, ["2@lid", "3@lid"]);
    let first = tx
        .contacts(organization, session, &ContactFilter::default(), None, 3)
        .await
        .unwrap();
    let cursor = Some(first[2].identity.id);
    let rest = tx
        .contacts(organization, session, &ContactFilter::default(), cursor, 3)
        .await
        .unwrap();
    assert_eq!((first.len(), rest.len()), (3, 1));
    assert!(!first[0].has_dm && first[1].has_dm);
}

#[tokio::test]
async fn groups_keep_what_is_not_said_again() {
    let store = testing::store().await;
    let organization = store.organization().await;
    let stranger = store.organization().await;
    let session = store.session(organization).await;
    let fence = store.claim(session).await;
    let left = write!(store, organization, |tx| {
        let mut owned = tx.owned(&fence).await?;
        let full = GroupFacts {
            jid: "7@g.us".into(),
            subject: Some("Team".into()),
            is_announce: Some(true),
            participant_count: Some(2),
            ..GroupFacts::default()
        };
        let id = owned.upsert_group(&full, 1).await?;
        let partial = GroupFacts {
            jid: "7@g.us".into(),
            subject: Some("Crew".into()),
            ..GroupFacts::default()
        };
        assert_eq!(owned.upsert_group(&partial, 2).await?, id);
        let mut people = Vec::new();
        for lid in ["1@lid", "2@lid", "3@lid"] {
            let one = owned
                .upsert_identity(&facts(Some(lid), None, None), 1)
                .await?
                .unwrap();
            owned
                .upsert_group_member(id, one.identity.id, "member", Some("tag"), 10)
                .await?;
            people.push(one.identity.id);
        }
        owned
            .upsert_group_member(id, people[0], "admin", None, 20)
            .await?;
        assert!(owned.remove_group_member(id, people[1]).await?);
        assert!(!owned.remove_group_member(id, people[1]).await?);
        assert_eq!(owned.group_role(id, people[1]).await?, None);
        let role = owned.group_role(id, people[0]).await?;
        assert_eq!(role.as_deref(), Some("admin"));
        assert!(owned.remove_group_member(id, people[2]).await?);
        owned.note_groups_synced(7).await?;
        let other = GroupFacts {
            jid: "8@g.us".into(),
            ..GroupFacts::default()
        };
        owned.upsert_group(&other, 3).await?;
        let is_left = owned.leave_group("8@g.us", 4).await?;
        // What is heard of a group afterwards does not make the account a member again.
        owned.upsert_group(&other, 5).await?;
        Ok(is_left)
    });
    assert!(left.unwrap());
    let mut tx = store.read().await.unwrap();
    let synced = tx.groups_synced_at(organization, session).await.unwrap();
    assert_eq!(synced, Some(7));
    let groups = tx.groups(organization, session).await.unwrap();
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].subject.as_deref(), Some("Crew"));
    assert_eq!(
        (groups[0].is_announce, groups[0].participant_count),
        (Some(true), Some(2))
    );
    let members = tx
        .group_members(organization, session, "7@g.us")
        .await
        .unwrap();
    assert_eq!(members.len(), 1);
    assert_eq!(
        (members[0].role.as_str(), members[0].tag.as_deref()),
        ("admin", Some("tag"))
    );
    assert!(
        tx.group(organization, session, "8@g.us")
            .await
            .unwrap()
            .unwrap()
            .is_left
    );
    assert!(
        tx.group(stranger, session, "7@g.us")
            .await
            .unwrap()
            .is_none()
    );
    assert!(tx.groups(stranger, session).await.unwrap().is_empty());
    assert!(
        tx.group_members(stranger, session, "7@g.us")
            .await
            .unwrap()
            .is_empty()
    );
}
