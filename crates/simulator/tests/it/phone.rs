//! Phones among themselves: everything goes through the server, as ciphertext.

use std::time::Duration;

use wagate_simulator::faults::{Direction, FaultKind, FaultSpec};
use wagate_simulator::journal::Journal;
use wagate_simulator::phone::{
    Behaviour, ChatState, Content, MessageQuery, MessageStatus, Phone, PhoneError, Phones,
    PhonesConfig, SendRequest, StoredMessage,
};
use wagate_simulator::server::{Server, ServerConfig};

const WAIT: Duration = Duration::from_secs(20);

async fn simulator(journal: Journal) -> (Server, Phones) {
    let server = Server::open(ServerConfig::default(), journal).unwrap();
    let phones = Phones::start(server.clone()).await.unwrap();
    (server, phones)
}

async fn pair(phones: &Phones) -> (Phone, Phone) {
    let alice = phones
        .create(Some("15550000001".to_owned()), Some("Alice".to_owned()))
        .await
        .unwrap();
    let bob = phones
        .create(Some("15550000002".to_owned()), None)
        .await
        .unwrap();
    (alice, bob)
}

async fn arrived(phone: &Phone, id: &str) -> StoredMessage {
    phone
        .wait_for_message(WAIT, |message| message.id == id)
        .await
        .expect("the message did not arrive")
}

fn received(phone: &Phone) -> Vec<StoredMessage> {
    let all = phone.messages(&MessageQuery::default()).unwrap();
    all.into_iter().filter(|message| !message.from_me).collect()
}

#[tokio::test]
async fn two_phones_talk() {
    let (_server, phones) = simulator(Journal::memory()).await;
    let (alice, bob) = pair(&phones).await;
    for round in 0..3 {
        let text = format!("question {round}");
        let sent = alice.send_text(bob.number(), &text).await.unwrap();
        let message = arrived(&bob, &sent.id).await;
        assert_eq!(message.body, text);
        assert_eq!(message.kind, "text");
        assert_eq!(message.chat_jid, alice.jid().to_string());
        assert_eq!(message.sender_jid, alice.jid().to_string());
        assert_eq!(message.status, MessageStatus::Received);
        assert!(
            alice
                .wait_for_status(&sent.id, MessageStatus::Delivered, WAIT)
                .await
        );
        let answer = bob.send_text("+15550000001", "answer").await.unwrap();
        assert_eq!(arrived(&alice, &answer.id).await.body, "answer");
    }
}

#[tokio::test]
async fn read_receipts_reactions_edits_and_revocations_arrive() {
    let (_server, phones) = simulator(Journal::memory()).await;
    let (alice, bob) = pair(&phones).await;
    let sent = alice.send_text(bob.number(), "first").await.unwrap();
    arrived(&bob, &sent.id).await;
    bob.read(&sent.id).await.unwrap();
    assert!(
        alice
            .wait_for_status(&sent.id, MessageStatus::Read, WAIT)
            .await
    );

    let reaction = bob.react(&sent.id, "👍").await.unwrap();
    let edit = alice.edit(&sent.id, "second").await.unwrap();
    let revoke = alice.revoke(&sent.id).await.unwrap();
    for (phone, id, kind, body) in [
        (&alice, &reaction.id, "reaction", "👍"),
        (&bob, &edit.id, "edit", "second"),
        (&bob, &revoke.id, "revoke", ""),
    ] {
        let message = arrived(phone, id).await;
        assert_eq!((&*message.kind, &*message.body), (kind, body));
        assert_eq!(message.target_id.as_deref(), Some(&*sent.id));
    }
    let refused = bob.edit(&sent.id, "mine").await;
    assert!(matches!(refused, Err(PhoneError::Conflict(_))));
}

#[tokio::test]
async fn answers_quote_and_mention() {
    let (_server, phones) = simulator(Journal::memory()).await;
    let (alice, bob) = pair(&phones).await;
    let sent = alice.send_text(bob.number(), "who?").await.unwrap();
    arrived(&bob, &sent.id).await;
    let request = SendRequest {
        to: alice.number().to_owned(),
        content: Content::Text("@15550000001 you".to_owned()),
        reply_to: Some(sent.id.clone()),
        mentions: vec![alice.number().to_owned()],
        expires_in_s: None,
    };
    let answer = bob.send(request).await.unwrap();
    let message = arrived(&alice, &answer.id).await;
    assert_eq!(message.quoted_id, Some(sent.id));
    assert_eq!(message.mentions, [alice.jid().to_string()]);
}

#[tokio::test]
async fn an_offline_phone_gets_everything_once_when_it_is_back() {
    let (server, phones) = simulator(Journal::memory()).await;
    let (alice, bob) = pair(&phones).await;
    bob.go_offline().await.unwrap();
    assert!(!server.account(bob.number()).unwrap().is_online);
    let refused = bob.send_text(alice.number(), "x").await;
    assert!(matches!(refused, Err(PhoneError::Unreachable(_))));
    let mut ids = Vec::new();
    for number in 0..50 {
        let sent = alice.send_text(bob.number(), &number.to_string()).await;
        ids.push(sent.unwrap().id);
    }
    assert!(received(&bob).is_empty());
    bob.go_online().await.unwrap();
    arrived(&bob, ids.last().unwrap()).await;
    let received = received(&bob);
    let got: Vec<&String> = received.iter().map(|message| &message.id).collect();
    assert_eq!(got, ids.iter().collect::<Vec<_>>());
    assert!(received.iter().all(|message| message.duplicates == 0));
}

#[tokio::test]
async fn a_phone_that_lost_its_sessions_asks_again_and_is_answered() {
    let (_server, phones) = simulator(Journal::memory()).await;
    let (alice, bob) = pair(&phones).await;
    let first = alice.send_text(bob.number(), "before").await.unwrap();
    arrived(&bob, &first.id).await;
    let answer = bob.send_text(alice.number(), "hi").await.unwrap();
    arrived(&alice, &answer.id).await;
    bob.forget_sessions().await.unwrap();
    let second = alice.send_text(bob.number(), "after").await.unwrap();
    let message = arrived(&bob, &second.id).await;
    assert_eq!(message.body, "after");
    assert_eq!(message.duplicates, 0);
    let back = bob.send_text(alice.number(), "fine").await.unwrap();
    assert_eq!(arrived(&alice, &back.id).await.body, "fine");
}

#[tokio::test]
async fn phones_go_on_from_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let before = {
        let journal = Journal::open(directory.path()).unwrap();
        let (_server, phones) = simulator(journal).await;
        let (alice, bob) = pair(&phones).await;
        let sent = alice.send_text(bob.number(), "one").await.unwrap();
        arrived(&bob, &sent.id).await;
        let answer = bob.send_text(alice.number(), "two").await.unwrap();
        arrived(&alice, &answer.id).await;
        assert!(
            alice
                .wait_for_status(&sent.id, MessageStatus::Delivered, WAIT)
                .await
        );
        bob.go_offline().await.unwrap();
        alice.send_text(bob.number(), "three").await.unwrap();
        phones.stop().await;
        (sent.id, answer.id)
    };
    let journal = Journal::open(directory.path()).unwrap();
    let (_server, phones) = simulator(journal).await;
    let (alice, bob) = (
        phones.get("15550000001").unwrap(),
        phones.get("15550000002").unwrap(),
    );
    assert_eq!(alice.message(&before.1).unwrap().body, "two");
    let status = alice.message(&before.0).unwrap().status;
    assert_eq!(status, MessageStatus::Delivered);
    assert_eq!(bob.message(&before.0).unwrap().body, "one");
    bob.go_online().await.unwrap();
    let waited = bob
        .wait_for_message(WAIT, |message| message.body == "three")
        .await;
    assert!(waited.is_some(), "the queued message was lost");
    let sent = bob.send_text(alice.number(), "four").await.unwrap();
    let message = arrived(&alice, &sent.id).await;
    assert_eq!(message.body, "four");
    let retried = received(&alice)
        .into_iter()
        .map(|message| message.duplicates);
    assert_eq!(retried.sum::<u32>(), 0);
}

/// A second simulator over the same journal sees exactly what a killed one had written.
#[tokio::test]
async fn a_killed_simulator_reuses_no_key_and_loses_no_session() {
    let journal = Journal::memory();
    let (_killed, phones) = simulator(journal.clone()).await;
    let (alice, bob) = pair(&phones).await;
    for round in 0..3 {
        let sent = alice
            .send_text(bob.number(), &format!("{round}"))
            .await
            .unwrap();
        arrived(&bob, &sent.id).await;
        let sent = bob
            .send_text(alice.number(), &format!("{round}"))
            .await
            .unwrap();
        arrived(&alice, &sent.id).await;
    }
    let (_server, phones) = simulator(journal).await;
    let (alice, bob) = (
        phones.get("15550000001").unwrap(),
        phones.get("15550000002").unwrap(),
    );
    let sent = alice.send_text(bob.number(), "again").await.unwrap();
    assert_eq!(arrived(&bob, &sent.id).await.body, "again");
    let sent = bob.send_text(alice.number(), "and again").await.unwrap();
    assert_eq!(arrived(&alice, &sent.id).await.body, "and again");
    for phone in [&alice, &bob] {
        let received = received(phone);
        assert_eq!(received.len(), 4);
        assert!(received.iter().all(|message| message.duplicates == 0));
    }
}

#[tokio::test]
async fn a_message_that_never_reached_the_server_is_sent_after_the_restart() {
    let journal = Journal::memory();
    let (server, phones) = simulator(journal.clone()).await;
    let (alice, bob) = pair(&phones).await;
    let fault = FaultSpec {
        target: Some(alice.number().to_owned()),
        tag: Some("message".to_owned()),
        direction: Direction::In,
        count: Some(1),
        ..FaultSpec::new(FaultKind::Drop)
    };
    server.inject(fault).unwrap();
    let sender = alice.clone();
    let to = bob.number().to_owned();
    let sending = tokio::spawn(async move { sender.send_text(&to, "lost?").await });
    let pending = alice
        .wait_for_message(WAIT, |message| message.status == MessageStatus::Pending)
        .await
        .unwrap();
    sending.abort();
    assert!(received(&bob).is_empty());

    let (_server, phones) = simulator(journal).await;
    let bob = phones.get("15550000002").unwrap();
    let message = arrived(&bob, &pending.id).await;
    assert_eq!((&*message.body, message.duplicates), ("lost?", 0));
    let alice = phones.get("15550000001").unwrap();
    assert!(
        alice
            .wait_for_status(&pending.id, MessageStatus::Delivered, WAIT)
            .await
    );
}

#[tokio::test]
async fn a_repeated_stanza_is_counted_not_stored() {
    let (server, phones) = simulator(Journal::memory()).await;
    let (alice, bob) = pair(&phones).await;
    let fault = FaultSpec {
        target: Some(bob.number().to_owned()),
        tag: Some("message".to_owned()),
        count: Some(1),
        ..FaultSpec::new(FaultKind::Duplicate)
    };
    server.inject(fault).unwrap();
    let sent = alice.send_text(bob.number(), "twice").await.unwrap();
    let repeated = bob
        .wait_for_message(WAIT, |message| {
            message.id == sent.id && message.duplicates == 1
        })
        .await;
    assert!(repeated.is_some(), "the repetition was not counted");
    assert_eq!(received(&bob).len(), 1);
}

#[tokio::test]
async fn a_refused_message_is_failed_and_said_so() {
    let (server, phones) = simulator(Journal::memory()).await;
    let (alice, bob) = pair(&phones).await;
    let fault = FaultSpec {
        target: Some(alice.number().to_owned()),
        count: Some(1),
        code: Some(475),
        ..FaultSpec::new(FaultKind::Nack)
    };
    server.inject(fault).unwrap();
    let refused = alice.send_text(bob.number(), "no").await;
    assert!(matches!(
        refused,
        Err(PhoneError::Refused { code: 475, .. })
    ));
    let all = alice.messages(&MessageQuery::default()).unwrap();
    assert_eq!(all[0].status, MessageStatus::Failed);
    let sent = alice.send_text(bob.number(), "yes").await.unwrap();
    assert_eq!(arrived(&bob, &sent.id).await.body, "yes");
}

#[tokio::test]
async fn a_phone_that_is_cut_off_comes_back() {
    let (server, phones) = simulator(Journal::memory()).await;
    let (alice, bob) = pair(&phones).await;
    let fault = FaultSpec {
        target: Some(bob.number().to_owned()),
        tag: Some("receipt".to_owned()),
        count: Some(1),
        ..FaultSpec::new(FaultKind::CloseSocket)
    };
    server.inject(fault).unwrap();
    let sent = alice.send_text(bob.number(), "still there?").await.unwrap();
    assert_eq!(arrived(&bob, &sent.id).await.body, "still there?");
}

#[tokio::test]
async fn a_phone_that_answers_by_itself_stops_there() {
    let (_server, phones) = simulator(Journal::memory()).await;
    let (alice, bob) = pair(&phones).await;
    for phone in [&alice, &bob] {
        let behaviour = Behaviour {
            is_replying: true,
            is_reading: true,
        };
        phone.set_behaviour(behaviour).await.unwrap();
    }
    let sent = alice.send_text(bob.number(), "echo").await.unwrap();
    let answer = alice
        .wait_for_message(WAIT, |message| {
            message.quoted_id.as_deref() == Some(&*sent.id)
        })
        .await
        .expect("no answer");
    assert_eq!(answer.body, "echo");
    assert!(
        alice
            .wait_for_status(&sent.id, MessageStatus::Read, WAIT)
            .await
    );
    assert!(
        bob.wait_for_status(&answer.id, MessageStatus::Read, WAIT)
            .await
    );
    assert_eq!(bob.messages(&MessageQuery::default()).unwrap().len(), 2);
}

#[tokio::test]
async fn unknown_numbers_and_odd_recipients_are_refused() {
    let (_server, phones) = simulator(Journal::memory()).await;
    let (alice, _bob) = pair(&phones).await;
    let unknown = alice.send_text("15559999999", "x").await;
    assert!(matches!(unknown, Err(PhoneError::NotFound(_))));
    for odd in ["abc", "123@newsletter", ""] {
        let refused = alice.send_text(odd, "x").await;
        assert!(matches!(refused, Err(PhoneError::Invalid(_))), "{odd}");
    }
    alice
        .typing("15550000002", ChatState::Recording)
        .await
        .unwrap();
    alice.set_available(true).await.unwrap();
}

#[tokio::test]
async fn a_deleted_phone_leaves_nothing_behind() {
    let journal = Journal::memory();
    let (server, phones) = simulator(journal.clone()).await;
    let (alice, bob) = pair(&phones).await;
    alice.send_text(bob.number(), "x").await.unwrap();
    phones.delete(alice.number()).await.unwrap();
    assert!(phones.get(alice.number()).is_none());
    assert!(server.account(alice.number()).is_none());
    for namespace in [
        "phone",
        "phone-session",
        "phone-identity",
        "phone-prekey",
        "phone-message",
        "phone-message-status",
        "phone-contact",
    ] {
        let left = journal.scan_prefix(namespace, alice.number()).unwrap();
        assert!(left.is_empty(), "{namespace} still has entries");
    }
    let gone = bob.send_text(alice.number(), "x").await;
    assert!(matches!(gone, Err(PhoneError::NotFound(_))));
}

#[tokio::test]
async fn a_small_log_stays_small_and_right() {
    let server = Server::open(ServerConfig::default(), Journal::memory()).unwrap();
    let config = PhonesConfig {
        message_capacity: 5,
    };
    let phones = Phones::start_with(server, config).await.unwrap();
    let (alice, bob) = pair(&phones).await;
    let mut last = String::new();
    for number in 0..12 {
        last = alice
            .send_text(bob.number(), &number.to_string())
            .await
            .unwrap()
            .id;
    }
    arrived(&bob, &last).await;
    let bodies: Vec<String> = received(&bob).into_iter().map(|m| m.body).collect();
    assert_eq!(bodies, ["7", "8", "9", "10", "11"]);
}

/// Closes the phone's connection when it next asks the server something.
fn cut_next_question(server: &Server, phone: &Phone) {
    let fault = FaultSpec {
        target: Some(phone.number().to_owned()),
        tag: Some("iq".to_owned()),
        count: Some(1),
        ..FaultSpec::new(FaultKind::CloseSocket)
    };
    server.inject(fault).unwrap();
}

#[tokio::test]
async fn a_retry_that_could_not_be_answered_is_answered_later() {
    let (server, phones) = simulator(Journal::memory()).await;
    let (alice, bob) = pair(&phones).await;
    let first = alice.send_text(bob.number(), "before").await.unwrap();
    arrived(&bob, &first.id).await;
    let answer = bob.send_text(alice.number(), "hi").await.unwrap();
    arrived(&alice, &answer.id).await;
    bob.go_offline().await.unwrap();
    let second = alice.send_text(bob.number(), "after").await.unwrap();
    // Bob cannot read it, and Alice has to ask the server for his keys.
    for phone in [&alice, &bob] {
        phone.forget_sessions().await.unwrap();
    }
    cut_next_question(&server, &alice);
    bob.go_online().await.unwrap();
    assert_eq!(arrived(&bob, &second.id).await.body, "after");
    assert!(server.faults().list().is_empty());
}

/// A question that went into a lost connection would wait its full time for an answer.
#[tokio::test]
async fn what_follows_a_lost_connection_does_not_wait_for_it() {
    let (server, phones) = simulator(Journal::memory()).await;
    let (alice, bob) = pair(&phones).await;
    let carol = phones.create(None, None).await.unwrap();
    cut_next_question(&server, &alice);
    let both = async {
        tokio::join!(
            alice.typing(bob.number(), ChatState::Typing),
            alice.typing(carol.number(), ChatState::Typing),
        )
    };
    let answered = tokio::time::timeout(Duration::from_secs(15), both).await;
    let (lost, after) = answered.expect("a question was asked in vain");
    assert!(matches!(lost, Err(PhoneError::Unreachable(_))));
    after.unwrap();
}

#[tokio::test]
async fn the_devices_of_a_contact_are_asked_for_once() {
    let (server, phones) = simulator(Journal::memory()).await;
    let (alice, bob) = pair(&phones).await;
    alice.send_text(bob.number(), "one").await.unwrap();
    let no_questions = FaultSpec {
        target: Some(alice.number().to_owned()),
        tag: Some("iq".to_owned()),
        direction: Direction::In,
        ..FaultSpec::new(FaultKind::Drop)
    };
    server.inject(no_questions).unwrap();
    let sent = alice.send_text(bob.number(), "two").await.unwrap();
    assert_eq!(arrived(&bob, &sent.id).await.body, "two");
}
