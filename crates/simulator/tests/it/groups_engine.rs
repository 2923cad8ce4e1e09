//! Groups of the real client library with simulated phones.

use std::sync::Arc;

use wacore::iq::groups::{
    GroupCreateOptions, GroupDescription, GroupParticipantOptions, GroupSubject, JoinGroupResult,
    MemberLinkMode, MembershipApprovalMode, PictureType,
};
use wacore::stanza::groups::GroupNotificationAction;
use wacore::store::in_memory::InMemoryBackend;
use wacore::types::events::{Event, GroupUpdate};
use wacore::types::presence::ReceiptType;
use wagate_simulator::Simulator;
use wagate_simulator::phone::{MemberAction, MessageStatus, NewGroup, Phone, StoredMessage};
use whatsapp_rust::features::{CreateCommunityOptions, GroupMetadata, PreviousDescription};

use crate::support_engine::{Engine, WAIT, simulator};

struct Cast {
    simulator: Simulator,
    /// Alice's companion.
    engine: Engine,
    alice: Phone,
    bob: Phone,
    carol: Phone,
}

impl Cast {
    async fn new() -> Self {
        let simulator = simulator().await;
        let mut phones = Vec::new();
        for name in ["Alice", "Bob", "Carol"] {
            let phone = simulator.phones().create(None, Some(name.to_owned()));
            phones.push(phone.await.unwrap());
        }
        let backend = Arc::new(InMemoryBackend::new());
        let engine = Engine::linked(&simulator, &backend, &phones[0]).await;
        let [alice, bob, carol] = phones.try_into().unwrap();
        Self {
            simulator,
            engine,
            alice,
            bob,
            carol,
        }
    }

    /// A group that Alice's companion has made, with Bob and Carol in it.
    async fn group(&self) -> GroupMetadata {
        let mut options = GroupCreateOptions::new("Friends");
        for phone in [&self.bob, &self.carol] {
            options = options.with_participant(GroupParticipantOptions::new(phone.jid().clone()));
        }
        let groups = self.engine.client.groups();
        groups.create_group(options).await.unwrap().metadata
    }

    async fn end(self) {
        self.engine.stop().await;
        self.simulator.shutdown().await;
    }
}

async fn arrived(phone: &Phone, id: &str) -> StoredMessage {
    phone
        .wait_for_message(WAIT, |message| message.id == id)
        .await
        .expect("the message did not arrive")
}

/// The next change of a group that `pick` takes.
async fn told<T>(
    engine: &mut Engine,
    what: &str,
    pick: impl Fn(&GroupNotificationAction, &GroupUpdate) -> Option<T>,
) -> T {
    engine
        .wait_for(what, |event| match event {
            Event::GroupUpdate(update) => pick(&update.action, update),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_and_phones_write_in_a_group() {
    let mut cast = Cast::new().await;
    let made = cast.group().await;
    assert_eq!((&*made.subject, made.participants.len()), ("Friends", 3));
    let group = made.id;
    told(&mut cast.engine, "creation", |action, _| {
        matches!(action, GroupNotificationAction::Create { .. }).then_some(())
    })
    .await;
    for round in 0..2 {
        let text = format!("from the client {round}");
        let id = cast.engine.send_text(&group, &text).await;
        for phone in [&cast.bob, &cast.carol, &cast.alice] {
            let message = arrived(phone, &id).await;
            assert_eq!((&*message.body, message.duplicates), (&*text, 0));
            assert_eq!(message.chat_jid, group.to_string());
            assert_eq!(message.sender_jid, cast.alice.jid().to_string());
            assert_eq!(message.from_me, phone.number() == cast.alice.number());
        }
        cast.bob.read(&id).await.unwrap();
        let reader = cast.bob.lid().user.clone();
        cast.engine
            .wait_for("read receipt", |event| match event {
                Event::Receipt(receipt) => {
                    let is_it = receipt.r#type == ReceiptType::Read
                        && receipt.source.sender.user == reader
                        && receipt.message_ids.contains(&id);
                    is_it.then_some(())
                }
                _ => None,
            })
            .await;
        for phone in [&cast.bob, &cast.alice] {
            let text = format!("from {} {round}", phone.number());
            let sent = phone.send_text(&group.to_string(), &text).await.unwrap();
            assert_eq!(cast.engine.text().await, (text, sent.id.clone()));
            assert!(
                phone
                    .wait_for_status(&sent.id, MessageStatus::Delivered, WAIT)
                    .await
            );
        }
    }
    cast.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_missing_are_asked_for() {
    let mut cast = Cast::new().await;
    let group = cast.group().await.id;
    let first = cast.engine.send_text(&group, "first").await;
    arrived(&cast.bob, &first).await;
    cast.bob.forget_sessions().await.unwrap();
    let second = cast.engine.send_text(&group, "second").await;
    assert_eq!(arrived(&cast.bob, &second).await.body, "second");
    let sent = cast.bob.send_text(&group.to_string(), "third").await;
    assert_eq!(
        cast.engine.text().await,
        ("third".to_owned(), sent.unwrap().id)
    );
    // A companion of Carol's that Bob has not written to in the group.
    let backend = Arc::new(InMemoryBackend::new());
    let mut carols = Engine::linked(&cast.simulator, &backend, &cast.carol).await;
    for (text, sender) in [("fourth", &cast.bob), ("fifth", &cast.alice)] {
        let sent = sender.send_text(&group.to_string(), text).await.unwrap();
        assert_eq!(carols.text().await, (text.to_owned(), sent.id));
    }
    let id = cast.engine.send_text(&group, "sixth").await;
    assert_eq!(carols.text().await, ("sixth".to_owned(), id));
    let id = carols.send_text(&group, "seventh").await;
    assert_eq!(arrived(&cast.bob, &id).await.body, "seventh");
    carols.stop().await;
    cast.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_changes_what_a_group_is_like() {
    let mut cast = Cast::new().await;
    let group = cast.group().await.id;
    let groups = cast.engine.client.groups();
    let subject = GroupSubject::new("Old friends").unwrap();
    groups.set_subject(&group, subject).await.unwrap();
    let description = |text| Some(GroupDescription::new(text).unwrap());
    let resolve = PreviousDescription::Resolve;
    groups
        .set_description(&group, description("one"), resolve)
        .await
        .unwrap();
    let stale = PreviousDescription::Absent;
    let conflict = groups
        .set_description(&group, description("two"), stale)
        .await;
    assert!(conflict.is_err(), "a description was overwritten unseen");
    groups.set_locked(&group, true).await.unwrap();
    groups.set_announce(&group, true).await.unwrap();
    groups
        .set_membership_approval(&group, MembershipApprovalMode::On)
        .await
        .unwrap();
    groups
        .set_no_frequently_forwarded(&group, true)
        .await
        .unwrap();
    groups
        .set_member_link_mode(&group, MemberLinkMode::AllMemberLink)
        .await
        .unwrap();
    cast.bob.group_invite(&group, false).await.unwrap();
    let picture = groups
        .set_profile_picture(&group, vec![9; 100])
        .await
        .unwrap();
    assert!(!picture.id.is_empty());
    let known = groups.get_metadata(&group).await.unwrap();
    assert_eq!(
        (&*known.subject, known.description.as_deref()),
        ("Old friends", Some("one"))
    );
    assert!(known.is_locked && known.is_announcement && known.membership_approval);
    assert!(
        known
            .participants
            .iter()
            .all(|member| member.phone_number.is_some())
    );
    let all = groups.get_participating().await.unwrap();
    assert_eq!(all[&group].subject, "Old friends");
    let pictures = groups
        .get_profile_pictures(vec![group.clone()], PictureType::Preview)
        .await
        .unwrap();
    assert_eq!(pictures[0].photo_id.as_ref(), Some(&picture.id));
    let subject = told(&mut cast.engine, "subject", |action, update| match action {
        GroupNotificationAction::Subject { subject, .. } => {
            assert!(update.participant_pn.is_some());
            Some(subject.clone())
        }
        _ => None,
    });
    assert_eq!(subject.await, "Old friends");
    told(&mut cast.engine, "description", |action, _| match action {
        GroupNotificationAction::Description { description, .. } => description.clone(),
        _ => None,
    })
    .await;
    told(
        &mut cast.engine,
        "approval mode",
        |action, _| match action {
            GroupNotificationAction::MembershipApprovalMode { enabled } => Some(*enabled),
            _ => None,
        },
    )
    .await;
    cast.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_and_go() {
    let mut cast = Cast::new().await;
    let group = cast.group().await.id;
    let dave = cast.simulator.phones().create(None, None).await.unwrap();
    let groups = cast.engine.client.groups();
    let link = groups.get_invite_link(&group, false).await.unwrap();
    let code = link.rsplit('/').next().unwrap().to_owned();
    let info = groups.get_invite_info(&code).await.unwrap();
    assert_eq!((info.id.clone(), info.size), (group.clone(), Some(3)));
    groups
        .set_membership_approval(&group, MembershipApprovalMode::On)
        .await
        .unwrap();
    dave.join_group(&code).await.unwrap();
    let asked = told(&mut cast.engine, "request", |action, _| match action {
        GroupNotificationAction::CreatedMembershipRequests { requests, .. } => {
            Some(requests[0].jid.clone())
        }
        _ => None,
    })
    .await;
    assert_eq!(asked, *dave.lid());
    let groups = cast.engine.client.groups();
    let requests = groups.get_membership_requests(&group).await.unwrap();
    assert_eq!(requests[0].jid, *dave.lid());
    let approved = groups
        .approve_membership_requests(&group, &[dave.lid().clone()])
        .await
        .unwrap();
    assert!(approved[0].is_ok());
    told(&mut cast.engine, "newcomer", |action, _| match action {
        GroupNotificationAction::Add { participants, .. } => {
            (participants[0].jid == *dave.lid()).then_some(())
        }
        _ => None,
    })
    .await;
    let id = cast.engine.send_text(&group, "welcome").await;
    assert_eq!(arrived(&dave, &id).await.body, "welcome");

    let groups = cast.engine.client.groups();
    let of = |phone: &Phone| [phone.jid().clone()];
    assert!(
        groups
            .promote_participants(&group, &of(&cast.bob))
            .await
            .unwrap()[0]
            .is_ok()
    );
    let removed = groups
        .remove_participants(&group, &of(&dave))
        .await
        .unwrap();
    assert!(removed[0].is_ok());
    let added = groups.add_participants(&group, &of(&dave)).await.unwrap();
    assert_eq!(added[0].jid, *dave.lid());
    assert!(
        groups
            .remove_participants(&group, &of(&dave))
            .await
            .unwrap()[0]
            .is_ok()
    );
    let id = cast.engine.send_text(&group, "without dave").await;
    arrived(&cast.carol, &id).await;
    let ping = cast.bob.send_text(dave.number(), "ping").await.unwrap();
    arrived(&dave, &ping.id).await;
    assert!(dave.message(&id).is_none());

    let number = cast.carol.number().to_owned();
    let action = MemberAction::Remove;
    cast.bob
        .change_members(&group, action, &[number])
        .await
        .unwrap();
    told(&mut cast.engine, "removal", |action, update| match action {
        GroupNotificationAction::Remove { participants, .. } => {
            let is_it = participants[0].jid == *cast.carol.lid()
                && update.participant.as_ref() == Some(cast.bob.lid());
            is_it.then_some(())
        }
        _ => None,
    })
    .await;
    let other = NewGroup {
        subject: "Other".to_owned(),
        ..NewGroup::default()
    };
    let other = cast.bob.create_group(&other).await.unwrap();
    let code = cast.bob.group_invite(&other, false).await.unwrap();
    let groups = cast.engine.client.groups();
    let joined = groups.join_with_invite_code(&code).await.unwrap();
    assert_eq!(joined, JoinGroupResult::Joined(other.clone()));
    groups.leave(&other).await.unwrap();
    let left = groups.get_participating().await.unwrap();
    assert!(left.contains_key(&group) && !left.contains_key(&other));
    cast.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_gathered_in_a_community() {
    let cast = Cast::new().await;
    let group = cast.group().await.id;
    let community = cast.engine.client.community();
    let made = community
        .create(CreateCommunityOptions::new("Town"))
        .await
        .unwrap();
    let parent = made.metadata.id;
    assert!(made.metadata.is_parent_group);
    let linked = community
        .link_subgroups(&parent, std::slice::from_ref(&group))
        .await
        .unwrap();
    assert_eq!(linked.linked_jids, std::slice::from_ref(&group));
    let inner = community
        .create_subgroup("Council", &[], parent.clone())
        .await
        .unwrap();
    let inner = inner.metadata.id;
    let members = community
        .get_linked_groups_participants(&parent)
        .await
        .unwrap();
    assert_eq!(members.len(), 3);
    let known = community.query_linked_group(&parent, &inner).await.unwrap();
    assert_eq!(known.parent_group_jid, Some(parent.clone()));
    let all = cast
        .engine
        .client
        .groups()
        .get_participating()
        .await
        .unwrap();
    let default = all
        .values()
        .find(|group| group.is_default_sub_group)
        .unwrap();
    assert_eq!(
        (default.participants.len(), default.is_announcement),
        (3, true)
    );
    let news = cast.engine.send_text(&default.id, "news").await;
    assert_eq!(
        arrived(&cast.bob, &news).await.chat_jid,
        default.id.to_string()
    );
    let listed = community.get_subgroups(&parent).await.unwrap();
    // With the ones for announcements and for talk that every community has.
    assert_eq!(listed.len(), 4);
    let counts = community
        .get_subgroup_participant_counts(&parent)
        .await
        .unwrap();
    assert!(counts.contains(&(group.clone(), 3)) && counts.contains(&(inner.clone(), 1)));
    let unlinked = community
        .unlink_subgroups(&parent, std::slice::from_ref(&group), true)
        .await
        .unwrap();
    assert_eq!(unlinked.unlinked_jids, std::slice::from_ref(&group));
    let members = community
        .get_linked_groups_participants(&parent)
        .await
        .unwrap();
    assert_eq!(members.len(), 1);
    community.deactivate(&parent).await.unwrap();
    let left = cast
        .engine
        .client
        .groups()
        .get_participating()
        .await
        .unwrap();
    assert!(left.contains_key(&group) && left.contains_key(&inner));
    assert!(!left.contains_key(&parent) && !left.contains_key(&default.id));
    cast.end().await;
}
