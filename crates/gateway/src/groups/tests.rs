//! What is told of groups, whichever way it is learned.

use serde_json::{Value, json};
use wagate_engine::{GroupChange, GroupPerson, GroupSnapshot};
use wagate_model::{GroupPayload, GroupRole};
use wagate_store::testing::{self, TestStore};
use wagate_store::{Account, EventFilter, Fence, GroupRecord, StoreError};

use super::{Arrival, store_change, store_snapshot};

const GROUP: &str = "1203@g.us";

struct World {
    store: TestStore,
    organization: wagate_model::OrganizationId,
    session: wagate_model::SessionId,
    fence: Fence,
}

fn own() -> Account {
    Account {
        jid: "15550000001@s.whatsapp.net".into(),
        lid: Some("1@lid".into()),
        phone_number: None,
        push_name: None,
    }
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

fn person(lid: &str, role: GroupRole) -> GroupPerson {
    let digits = lid.split('@').next().unwrap();
    GroupPerson {
        person: lid.parse().unwrap(),
        alias: format!("1555000000{digits}@s.whatsapp.net").parse().ok(),
        role,
        tag: None,
    }
}

fn snapshot(subject: &str, members: Vec<GroupPerson>) -> GroupSnapshot {
    GroupSnapshot {
        group: GROUP.parse().unwrap(),
        subject: subject.into(),
        description: String::new(),
        owner: "1@lid".parse().ok(),
        created_at_ms: Some(1_000),
        is_announce: false,
        is_locked: false,
        disappearing_seconds: 0,
        size: None,
        members,
        is_complete: true,
        is_approval_required: false,
        is_community: false,
        community: None,
        is_community_announcements: false,
    }
}

fn change(payload: GroupPayload, is_about_members: bool) -> GroupChange {
    GroupChange {
        group: GROUP.parse().unwrap(),
        payload: GroupPayload {
            group_jid: GROUP.into(),
            ..payload
        },
        is_about_members,
        is_deleted: false,
        aliases: Vec::new(),
    }
}

impl World {
    async fn change(&self, change: GroupChange) -> bool {
        let fence = self.fence.clone();
        self.store
            .write::<_, StoreError, _>(self.organization, move |tx| {
                Box::pin(async move {
                    let mut owned = tx.owned(&fence).await?;
                    store_change(&mut owned, &change, Some(&own()), 5).await
                })
            })
            .await
            .unwrap()
    }

    async fn snapshot(&self, snapshot: GroupSnapshot) {
        let fence = self.fence.clone();
        let arrival = Arrival {
            tells_entry: true,
            ..Arrival::default()
        };
        self.store
            .write::<_, StoreError, _>(self.organization, move |tx| {
                Box::pin(async move {
                    let mut owned = tx.owned(&fence).await?;
                    store_snapshot(&mut owned, &snapshot, &arrival, Some(&own()), 5).await
                })
            })
            .await
            .unwrap();
    }

    /// What was told so far, without the group and the time.
    async fn told(&self) -> Vec<(String, Value)> {
        let mut tx = self.store.read().await.unwrap();
        let filter = EventFilter::default();
        let events = tx
            .events_after(self.organization, None, &filter, 100)
            .await
            .unwrap();
        let shown = events.into_iter().map(|(_, json)| {
            let mut event: Value = serde_json::from_str(&json).unwrap();
            let mut payload = event["payload"].take();
            let fields = payload.as_object_mut().unwrap();
            fields.remove("groupJid");
            fields.remove("timestamp");
            (event["event"].as_str().unwrap().to_owned(), payload)
        });
        shown.collect()
    }

    async fn members(&self) -> Vec<(String, String)> {
        let mut tx = self.store.read().await.unwrap();
        let members = tx
            .group_members(self.organization, self.session, GROUP)
            .await
            .unwrap();
        let members = members
            .into_iter()
            .map(|member| (member.lid.unwrap_or_default(), member.role));
        members.collect()
    }

    async fn group(&self) -> GroupRecord {
        let mut tx = self.store.read().await.unwrap();
        let found = tx.group(self.organization, self.session, GROUP).await;
        found.unwrap().unwrap()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "payloads hold it so")]
fn people(all: &[&str]) -> Option<Vec<String>> {
    Some(all.iter().map(|&one| one.to_owned()).collect())
}

fn participant(payload: Value) -> (String, Value) {
    ("group.participant".to_owned(), payload)
}

#[tokio::test]
async fn each_change_is_told_once_whichever_way_it_is_learned() {
    use GroupRole::{Admin, Member, SuperAdmin};
    let world = world().await;
    let two = || vec![person("1@lid", SuperAdmin), person("2@lid", Member)];
    world.snapshot(snapshot("Crew", two())).await;
    world.snapshot(snapshot("Crew", two())).await;
    let mut expected = vec![participant(json!({ "join": ["1@lid"], "subject": "Crew" }))];
    assert_eq!(world.told().await, expected);
    assert_eq!(world.group().await.participant_count, Some(2));

    let joined = || {
        let payload = GroupPayload {
            join: people(&["2@lid", "3@lid"]),
            ..GroupPayload::default()
        };
        change(payload, true)
    };
    for _ in 0..2 {
        assert!(!world.change(joined()).await);
    }
    expected.push(participant(json!({ "join": ["3@lid"] })));
    assert_eq!(world.told().await, expected);

    // By the phone number it is the same person.
    let mut promoted = change(
        GroupPayload {
            promote: people(&["15550000002@s.whatsapp.net", "1@lid"]),
            ..GroupPayload::default()
        },
        true,
    );
    promoted.aliases = vec![(
        "15550000002@s.whatsapp.net".parse().unwrap(),
        "2@lid".parse().unwrap(),
    )];
    world.change(promoted.clone()).await;
    world.change(promoted).await;
    expected.push(participant(
        json!({ "promote": ["15550000002@s.whatsapp.net"] }),
    ));
    assert_eq!(world.told().await, expected);

    let mut now = snapshot(
        "Crew",
        vec![
            person("1@lid", SuperAdmin),
            person("2@lid", Member),
            person("4@lid", Admin),
        ],
    );
    now.is_announce = true;
    world.snapshot(now.clone()).await;
    world.snapshot(now).await;
    expected.extend([
        ("group.update".to_owned(), json!({ "isAnnounce": true })),
        participant(json!({ "join": ["4@lid"] })),
        participant(json!({ "leave": ["3@lid"] })),
        participant(json!({ "demote": ["2@lid"] })),
    ]);
    assert_eq!(world.told().await, expected);
    let stored = [
        ("1@lid", "superadmin"),
        ("2@lid", "member"),
        ("4@lid", "admin"),
    ];
    let stored = stored.map(|(lid, role)| (lid.to_owned(), role.to_owned()));
    assert_eq!(world.members().await, stored);
}

#[tokio::test]
async fn settings_that_are_so_already_are_not_told() {
    let world = world().await;
    world
        .snapshot(snapshot("Crew", vec![person("1@lid", GroupRole::Admin)]))
        .await;
    let link = "https://chat.whatsapp.com/HG4pQ2mRz7c8KdT1vWxYbN";
    for _ in 0..2 {
        let payload = GroupPayload {
            subject: Some("Crew".into()),
            description: Some("Boats".into()),
            is_announce: Some(false),
            is_locked: Some(true),
            new_invite_link: Some(link.into()),
            ..GroupPayload::default()
        };
        world.change(change(payload, false)).await;
    }
    let told = world.told().await.split_off(1);
    let update = json!({ "description": "Boats", "isLocked": true, "newInviteLink": link });
    assert_eq!(told, [("group.update".to_owned(), update)]);
    let group = world.group().await;
    assert_eq!(group.is_locked, Some(true));
    assert_eq!(group.invite_code.as_deref(), Some("HG4pQ2mRz7c8KdT1vWxYbN"));
}

#[tokio::test]
async fn the_account_leaves_and_comes_back() {
    let world = world().await;
    let members = || vec![person("1@lid", GroupRole::Member)];
    world.snapshot(snapshot("Crew", members())).await;
    let left = || {
        let payload = GroupPayload {
            leave: people(&["1@lid"]),
            ..GroupPayload::default()
        };
        change(payload, true)
    };
    for _ in 0..2 {
        assert!(!world.change(left()).await);
    }
    assert!(world.group().await.is_left);
    let late = GroupPayload {
        subject: Some("Late".into()),
        ..GroupPayload::default()
    };
    assert!(!world.change(change(late, false)).await);
    assert!(world.group().await.is_left);
    let back = GroupPayload {
        join: people(&["15550000001@s.whatsapp.net"]),
        ..GroupPayload::default()
    };
    // Who else is in it now has to be asked.
    assert!(world.change(change(back, true)).await);
    assert!(!world.group().await.is_left);
    let told: Vec<_> = world.told().await.split_off(1);
    let expected = [
        participant(json!({ "leave": ["1@lid"] })),
        ("group.update".to_owned(), json!({ "subject": "Late" })),
        participant(json!({ "join": ["15550000001@s.whatsapp.net"] })),
    ];
    assert_eq!(told, expected);
    let mut over = change(GroupPayload::default(), false);
    over.is_deleted = true;
    world.change(over.clone()).await;
    world.change(over).await;
    assert!(world.group().await.is_left);
    assert_eq!(world.told().await.len(), 5);
}

#[tokio::test]
async fn a_group_that_is_not_known_is_asked_for() {
    let world = world().await;
    let payload = GroupPayload {
        leave: people(&["9@lid"]),
        ..GroupPayload::default()
    };
    assert!(world.change(change(payload, true)).await);
    let expected = [participant(json!({ "leave": ["9@lid"] }))];
    assert_eq!(world.told().await, expected);
    // What was there before is no news.
    world
        .snapshot(snapshot("Crew", vec![person("1@lid", GroupRole::Member)]))
        .await;
    assert_eq!(world.told().await, expected);
}
