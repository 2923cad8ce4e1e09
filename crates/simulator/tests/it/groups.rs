//! Groups of simulated phones: everything goes through the server, as ciphertext.

use std::time::Duration;

use wacore_binary::Jid;
use wagate_simulator::journal::Journal;
use wagate_simulator::phone::{
    Content, GroupSettings, MemberAction, MessageStatus, NewGroup, Phone, PhoneError, Phones,
    SendRequest, StoredMessage,
};
use wagate_simulator::server::{Role, Server, ServerConfig};

const WAIT: Duration = Duration::from_secs(20);

async fn simulator(journal: &Journal) -> (Server, Phones) {
    let server = Server::open(ServerConfig::default(), journal.clone()).unwrap();
    let phones = Phones::start(server.clone()).await.unwrap();
    (server, phones)
}

/// Phones with numbers that end in 1, 2 and so on.
async fn people<const N: usize>(phones: &Phones) -> [Phone; N] {
    let mut people = Vec::new();
    for at in 1..=N {
        let number = format!("1555000000{at}");
        people.push(phones.create(Some(number), None).await.unwrap());
    }
    people.try_into().unwrap()
}

fn numbers(people: &[&Phone]) -> Vec<String> {
    people.iter().map(|phone| phone.number().into()).collect()
}

async fn group_of(founder: &Phone, others: &[&Phone]) -> Jid {
    let group = NewGroup {
        subject: "Friends".to_owned(),
        participants: numbers(others),
        ..NewGroup::default()
    };
    founder.create_group(&group).await.unwrap()
}

async fn arrived(phone: &Phone, id: &str) -> StoredMessage {
    phone
        .wait_for_message(WAIT, |message| message.id == id)
        .await
        .expect("the message did not arrive")
}

async fn say(phone: &Phone, to: &Jid, text: &str) -> String {
    phone.send_text(&to.to_string(), text).await.unwrap().id
}

fn code_of<T: std::fmt::Debug>(refused: Result<T, PhoneError>) -> u16 {
    match refused {
        Err(PhoneError::Refused { code, .. }) => code,
        other => panic!("not refused: {other:?}"),
    }
}

/// Does something with one person; the server's code when it was not done.
async fn change(phone: &Phone, group: &Jid, action: MemberAction, who: &str) -> Option<u16> {
    let outcomes = phone.change_members(group, action, &[who.to_owned()]).await;
    outcomes.unwrap()[0].error
}

#[tokio::test]
async fn members_read_what_each_of_them_writes() {
    let (_server, phones) = simulator(&Journal::memory()).await;
    let [alice, bob, carol] = people(&phones).await;
    let group = group_of(&alice, &[&bob, &carol]).await;
    for round in 0..2 {
        for (sender, readers) in [
            (&alice, [&bob, &carol]),
            (&bob, [&alice, &carol]),
            (&carol, [&alice, &bob]),
        ] {
            let text = format!("{} {round}", sender.number());
            let id = say(sender, &group, &text).await;
            for reader in readers {
                let message = arrived(reader, &id).await;
                assert_eq!(message.body, text);
                assert_eq!(message.chat_jid, group.to_string());
                assert_eq!(message.sender_jid, sender.jid().to_string());
                assert_eq!((message.from_me, message.duplicates), (false, 0));
            }
            let delivered = MessageStatus::Delivered;
            assert!(sender.wait_for_status(&id, delivered, WAIT).await);
        }
    }
}

#[tokio::test]
async fn the_books_count_a_message_of_a_group_for_each_other_member() {
    let (server, phones) = simulator(&Journal::memory()).await;
    let [alice, bob, carol] = people(&phones).await;
    let group = group_of(&alice, &[&bob, &carol]).await;
    let id = say(&alice, &group, "counted").await;
    let (books, group) = (server.accounting(), Some(group.user.as_str()));
    let read_by = |phone: &Phone| {
        let record = books.message_in(group, alice.number(), phone.number(), &id);
        record.is_some_and(|record| record.is_acknowledged() && !record.is_pending())
    };
    let counted = async {
        while !(read_by(&bob) && read_by(&carol)) {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(WAIT, counted).await;
    in_time.expect("everybody's receipt is counted");
    let pairs = books.pairs();
    assert_eq!(pairs.len(), 2, "nothing is counted for its author");
    assert!(pairs.iter().all(|pair| pair.group.as_deref() == group));
    assert!(books.message(alice.number(), bob.number(), &id).is_none());
}

#[tokio::test]
async fn what_is_said_about_a_message_reaches_everybody() {
    let (_server, phones) = simulator(&Journal::memory()).await;
    let [alice, bob, carol] = people(&phones).await;
    let group = group_of(&alice, &[&bob, &carol]).await;
    let id = say(&alice, &group, "lunch?").await;
    arrived(&bob, &id).await;
    arrived(&carol, &id).await;
    bob.read(&id).await.unwrap();
    assert!(alice.wait_for_status(&id, MessageStatus::Read, WAIT).await);
    let answer = SendRequest {
        to: group.to_string(),
        content: Content::Text("yes".to_owned()),
        reply_to: Some(id.clone()),
        mentions: vec![carol.number().to_owned()],
        expires_in_s: None,
    };
    let answer = bob.send(answer).await.unwrap();
    let reaction = carol.react(&id, "👍").await.unwrap();
    let edit = alice.edit(&id, "dinner?").await.unwrap();
    let revoke = alice.revoke(&id).await.unwrap();
    let answer = arrived(&carol, &answer.id).await;
    assert_eq!(answer.quoted_id.as_ref(), Some(&id));
    assert_eq!(answer.mentions, [carol.jid().to_string()]);
    for (sent, kind) in [(reaction, "reaction"), (edit, "edit"), (revoke, "revoke")] {
        let about = arrived(&bob, &sent.id).await;
        assert_eq!((&*about.kind, about.target_id.as_ref()), (kind, Some(&id)));
    }
}

#[tokio::test]
async fn whoever_is_put_out_reads_and_writes_no_more() {
    let (server, phones) = simulator(&Journal::memory()).await;
    let [alice, bob, carol] = people(&phones).await;
    let group = group_of(&alice, &[&bob, &carol]).await;
    let before = say(&alice, &group, "before").await;
    arrived(&carol, &before).await;
    let named = numbers(&[&carol]);
    let forbidden = bob.change_members(&group, MemberAction::Remove, &named);
    assert_eq!(code_of(forbidden.await), 403);
    assert_eq!(
        change(&alice, &group, MemberAction::Remove, carol.number()).await,
        None
    );
    let after = say(&alice, &group, "after").await;
    arrived(&bob, &after).await;
    let ping = alice.send_text(carol.number(), "ping").await.unwrap();
    arrived(&carol, &ping.id).await;
    assert!(carol.message(&after).is_none(), "it was read from outside");
    assert_eq!(
        code_of(carol.send_text(&group.to_string(), "hello?").await),
        403
    );
    assert_eq!(
        change(&alice, &group, MemberAction::Add, carol.number()).await,
        None
    );
    let again = say(&carol, &group, "back").await;
    assert_eq!(arrived(&alice, &again).await.body, "back");
    let again = say(&alice, &group, "welcome").await;
    assert_eq!(arrived(&carol, &again).await.body, "welcome");
    bob.leave_group(&group).await.unwrap();
    alice.leave_group(&group).await.unwrap();
    let members = server.group(&group).unwrap().members;
    assert_eq!(members.len(), 1);
    assert_eq!(
        (&*members[0].number, members[0].role),
        (carol.number(), Role::Admin)
    );
    carol.leave_group(&group).await.unwrap();
    assert!(server.groups().is_empty());
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_asked_for_again() {
    let (_server, phones) = simulator(&Journal::memory()).await;
    let [alice, bob, carol] = people(&phones).await;
    let group = group_of(&alice, &[&bob, &carol]).await;
    let first = say(&alice, &group, "first").await;
    arrived(&bob, &first).await;
    // Bob has no sender key of Alice any more, and she thinks that he has.
    bob.forget_sessions().await.unwrap();
    let second = say(&alice, &group, "second").await;
    assert_eq!(arrived(&bob, &second).await.body, "second");
    assert_eq!(arrived(&carol, &second).await.duplicates, 0);
    let third = say(&alice, &group, "third").await;
    assert_eq!(arrived(&bob, &third).await.body, "third");
    let answer = say(&bob, &group, "fourth").await;
    assert_eq!(arrived(&alice, &answer).await.body, "fourth");
}

#[tokio::test]
async fn groups_go_on_after_a_restart() {
    let journal = Journal::memory();
    let (_server, phones) = simulator(&journal).await;
    let [alice, bob] = people(&phones).await;
    let group = group_of(&alice, &[&bob]).await;
    alice
        .set_group_description(&group, "old friends")
        .await
        .unwrap();
    let before = say(&alice, &group, "before").await;
    arrived(&bob, &before).await;
    bob.go_offline().await.unwrap();
    let waiting = say(&alice, &group, "while you were away").await;
    phones.stop().await;
    let (server, phones) = simulator(&journal).await;
    let (alice, bob) = (
        phones.get("15550000001").unwrap(),
        phones.get("15550000002").unwrap(),
    );
    let known = server.group(&group).unwrap();
    assert_eq!(
        (&*known.subject, known.description.as_deref()),
        ("Friends", Some("old friends"))
    );
    bob.go_online().await.unwrap();
    assert_eq!(arrived(&bob, &waiting).await.body, "while you were away");
    for (sender, reader) in [(&alice, &bob), (&bob, &alice)] {
        let id = say(sender, &group, "still here").await;
        assert_eq!(arrived(reader, &id).await.body, "still here");
    }
}

#[tokio::test]
async fn only_admins_write_when_the_group_says_so() {
    let (server, phones) = simulator(&Journal::memory()).await;
    let [alice, bob] = people(&phones).await;
    let group = group_of(&alice, &[&bob]).await;
    let settings = GroupSettings {
        is_announcement: Some(true),
        is_locked: Some(true),
        is_adding_open: Some(false),
        ephemeral_s: Some(86_400),
        needs_approval: None,
    };
    assert_eq!(code_of(bob.set_group_settings(&group, settings).await), 403);
    bob.set_group_subject(&group, "Bob's").await.unwrap();
    alice.set_group_settings(&group, settings).await.unwrap();
    assert_eq!(code_of(bob.set_group_subject(&group, "mine").await), 403);
    assert_eq!(code_of(bob.send_text(&group.to_string(), "hi").await), 420);
    let id = say(&alice, &group, "news").await;
    arrived(&bob, &id).await;
    bob.react(&id, "🎉").await.unwrap();
    assert_eq!(
        change(&alice, &group, MemberAction::Promote, bob.number()).await,
        None
    );
    let id = say(&bob, &group, "more news").await;
    arrived(&alice, &id).await;
    let known = server.group(&group).unwrap();
    assert_eq!((&*known.subject, known.ephemeral_s), ("Bob's", 86_400));
    assert!(known.is_locked && known.is_announcement && !known.is_adding_open);
    assert_eq!(
        change(&bob, &group, MemberAction::Demote, alice.number()).await,
        Some(406)
    );
}

#[tokio::test]
async fn a_link_lets_in_until_it_is_reset() {
    let (server, phones) = simulator(&Journal::memory()).await;
    let [alice, bob, carol, dave] = people(&phones).await;
    let group = group_of(&alice, &[&bob]).await;
    assert_eq!(code_of(bob.group_invite(&group, false).await), 401);
    let code = alice.group_invite(&group, false).await.unwrap();
    let joined = carol.join_group(&code).await.unwrap();
    assert!(joined.is_member && joined.jid == group);
    assert_eq!(code_of(carol.join_group(&code).await), 304);
    let id = say(&carol, &group, "hello").await;
    arrived(&bob, &id).await;
    assert_eq!(
        change(&alice, &group, MemberAction::Remove, carol.number()).await,
        None
    );
    assert_eq!(code_of(carol.join_group(&code).await), 405);
    let fresh = alice.group_invite(&group, true).await.unwrap();
    assert_eq!(code_of(dave.join_group(&code).await), 410);
    assert_eq!(code_of(dave.join_group("nonsense").await), 406);

    let approval = GroupSettings {
        needs_approval: Some(true),
        ..GroupSettings::default()
    };
    alice.set_group_settings(&group, approval).await.unwrap();
    assert!(!dave.join_group(&fresh).await.unwrap().is_member);
    assert_eq!(server.group(&group).unwrap().requests, [dave.number()]);
    assert_eq!(
        change(&alice, &group, MemberAction::Reject, dave.number()).await,
        None
    );
    assert_eq!(
        change(&alice, &group, MemberAction::Approve, dave.number()).await,
        Some(404)
    );
    dave.join_group(&fresh).await.unwrap();
    assert_eq!(
        change(&alice, &group, MemberAction::Approve, dave.number()).await,
        None
    );
    let id = say(&dave, &group, "thanks").await;
    arrived(&alice, &id).await;
}

#[tokio::test]
async fn what_cannot_be_done_is_told_of_each() {
    let (server, phones) = simulator(&Journal::memory()).await;
    let [alice, bob, carol] = people(&phones).await;
    let group = group_of(&alice, &[&bob]).await;
    let add = MemberAction::Add;
    assert_eq!(change(&alice, &group, add, bob.number()).await, Some(409));
    assert_eq!(change(&alice, &group, add, "15559999999").await, Some(404));
    let remove = MemberAction::Remove;
    assert_eq!(
        change(&alice, &group, remove, carol.number()).await,
        Some(404)
    );
    assert_eq!(change(&bob, &group, add, carol.number()).await, None);
    for error in [None, Some(408)] {
        carol.leave_group(&group).await.unwrap();
        assert_eq!(change(&alice, &group, add, carol.number()).await, error);
    }
    assert_eq!(
        code_of(
            carol
                .leave_group(&Jid::group("1"))
                .await
                .and(carol.group_invite(&Jid::group("1"), false).await,)
        ),
        404
    );
    let faulty = alice.create_group(&NewGroup::default()).await;
    assert!(matches!(faulty, Err(PhoneError::Invalid(_))));
    server.delete_account(bob.number()).unwrap();
    assert_eq!(server.group(&group).unwrap().members.len(), 1);
}
