//! Phones and the real client library: what a linked companion is given, and how both recover.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use wacore::store::in_memory::InMemoryBackend;
use wacore::store::traits::AppSyncStore as _;
use wacore::types::events::{Event, EventHandler, EventInterest, EventKind};
use wagate_simulator::faults::{FaultKind, FaultSpec};
use wagate_simulator::phone::{MessageStatus, Phone, PhoneError, StoredMessage};

use crate::support_engine::{Engine, simulator, two_phones};

const WAIT: Duration = Duration::from_secs(30);

async fn arrived(phone: &Phone, id: &str) -> StoredMessage {
    phone
        .wait_for_message(WAIT, |message| message.id == id)
        .await
        .expect("the message did not arrive")
}

/// Hands the history that the client gets to the test.
struct HistoryListener(mpsc::UnboundedSender<Arc<Event>>);

impl EventHandler for HistoryListener {
    fn handle_event(&self, event: Arc<Event>) {
        let _ = self.0.send(event);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_companion_is_given_keys_and_history() {
    let simulator = simulator().await;
    let (alice, bob) = two_phones(&simulator).await;
    let sent = alice
        .send_text(bob.number(), "before linking")
        .await
        .unwrap();
    arrived(&bob, &sent.id).await;
    let backend = Arc::new(InMemoryBackend::new());
    let mut engine = Engine::start(&simulator, &backend).await;
    let (events, mut history) = mpsc::unbounded_channel();
    let interest = EventInterest::of(&[EventKind::HistorySync]);
    let listener = Arc::new(HistoryListener(events));
    let _subscription = engine.client.subscribe(interest, listener);
    let qr = engine
        .wait_for("QR code", |event| match event {
            Event::PairingQrCode(qr) => Some(qr.code.clone()),
            _ => None,
        })
        .await;
    alice.scan(&qr).await.unwrap();
    engine.connected().await;
    let key = backend.get_latest_sync_key_id().await.unwrap();
    assert!(key.is_some(), "no app state key was shared");

    let found = tokio::time::timeout(WAIT, async {
        while let Some(event) = history.recv().await {
            let Event::HistorySync(chunk) = &*event else {
                continue;
            };
            let chunk = chunk.get().expect("history cannot be read");
            if let [conversation] = chunk.conversations.as_slice() {
                return Some(conversation.clone());
            }
        }
        None
    });
    let conversation = found.await.expect("no history came").unwrap();
    assert_eq!(conversation.id, bob.jid().to_string());
    let message = conversation.messages[0].message.as_option().unwrap();
    let key = message.key.as_option().unwrap();
    assert_eq!(key.id.as_deref(), Some(&*sent.id));
    assert_eq!(key.from_me, Some(true));
    let text = message.message.as_option().unwrap().conversation.as_deref();
    assert_eq!(text, Some("before linking"));
    engine.stop().await;
    simulator.shutdown().await;
}

/// Whoever asked for the link may go before it is made, or be killed.
#[tokio::test(flavor = "multi_thread")]
async fn a_companion_is_served_when_nobody_waits_for_its_link() {
    let simulator = simulator().await;
    let (alice, _bob) = two_phones(&simulator).await;
    let backend = Arc::new(InMemoryBackend::new());
    let mut engine = Engine::start(&simulator, &backend).await;
    let (events, mut history) = mpsc::unbounded_channel();
    let interest = EventInterest::of(&[EventKind::HistorySync]);
    let listener = Arc::new(HistoryListener(events));
    let _subscription = engine.client.subscribe(interest, listener);
    let qr = engine
        .wait_for("QR code", |event| match event {
            Event::PairingQrCode(qr) => Some(qr.code.clone()),
            _ => None,
        })
        .await;
    let paired = engine.wait_for("pairing", |event| {
        matches!(event, Event::PairSuccess(_)).then_some(())
    });
    tokio::select! {
        biased;
        () = paired => {}
        _ = alice.scan(&qr) => panic!("the link was waited for"),
    }
    let served = tokio::time::timeout(WAIT, history.recv()).await;
    assert!(served.expect("no history came").is_some());
    assert!(backend.get_latest_sync_key_id().await.unwrap().is_some());
    engine.stop().await;
    simulator.shutdown().await;
}

/// A phone that was not told of a new device learns of it by the server's acknowledgement.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_a_message_missed_gets_it_too() {
    let simulator = simulator().await;
    let (alice, bob) = two_phones(&simulator).await;
    let first = bob.send_text(alice.number(), "before").await.unwrap();
    arrived(&alice, &first.id).await;
    let untold = FaultSpec {
        target: Some(bob.number().to_owned()),
        tag: Some("notification".to_owned()),
        ..FaultSpec::new(FaultKind::Drop)
    };
    simulator.server().inject(untold).unwrap();
    let backend = Arc::new(InMemoryBackend::new());
    let mut engine = Engine::linked(&simulator, &backend, &alice).await;
    let sent = bob.send_text(alice.number(), "after").await.unwrap();
    let (text, id) = engine.text().await;
    assert_eq!((&*text, id), ("after", sent.id));
    let books = simulator.server().accounting();
    let pairs = books.pairs();
    assert!(
        pairs
            .iter()
            .all(|pair| pair.messages.values().all(|m| m.duplicates == 0))
    );
    engine.stop().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_s_devices_see_what_each_of_them_sends() {
    let simulator = simulator().await;
    let (alice, bob) = two_phones(&simulator).await;
    let backend = Arc::new(InMemoryBackend::new());
    let mut engine = Engine::linked(&simulator, &backend, &alice).await;

    let sent = alice
        .send_text(bob.number(), "from the phone")
        .await
        .unwrap();
    let (text, id) = engine.text().await;
    assert_eq!((&*text, &id), ("from the phone", &sent.id));
    arrived(&bob, &sent.id).await;

    let id = engine.send_text(bob.jid(), "from the companion").await;
    let copy = arrived(&alice, &id).await;
    assert!(copy.from_me);
    assert_eq!(copy.chat_jid, bob.jid().to_string());
    assert_eq!(copy.sender_jid, alice.jid().to_string());
    assert_eq!(copy.body, "from the companion");
    let received = arrived(&bob, &id).await;
    assert_eq!(received.sender_jid, alice.jid().to_string());
    bob.read(&id).await.unwrap();
    assert!(alice.wait_for_status(&id, MessageStatus::Read, WAIT).await);
    engine.stop().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_lost_its_sessions_gets_the_client_s_message_again() {
    let simulator = simulator().await;
    let (alice, bob) = two_phones(&simulator).await;
    let backend = Arc::new(InMemoryBackend::new());
    let mut engine = Engine::linked(&simulator, &backend, &alice).await;
    let sent = bob.send_text(alice.number(), "hello").await.unwrap();
    assert_eq!(engine.text().await.1, sent.id);
    let id = engine.send_text(bob.jid(), "one").await;
    arrived(&bob, &id).await;

    bob.forget_sessions().await.unwrap();
    let id = engine.send_text(bob.jid(), "two").await;
    assert_eq!(arrived(&bob, &id).await.body, "two");
    let answer = bob.send_text(alice.number(), "three").await.unwrap();
    assert_eq!(engine.text().await.1, answer.id);
    engine.stop().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_lost_its_session_gets_the_phone_s_message_again() {
    let simulator = simulator().await;
    let (alice, bob) = two_phones(&simulator).await;
    let backend = Arc::new(InMemoryBackend::new());
    let mut engine = Engine::linked(&simulator, &backend, &alice).await;
    let sent = bob.send_text(alice.number(), "one").await.unwrap();
    assert_eq!(engine.text().await.1, sent.id);
    let id = engine.send_text(bob.jid(), "ratchet on").await;
    arrived(&bob, &id).await;

    let addresses = [bob.jid().clone(), bob.lid().clone()];
    engine
        .client
        .signal()
        .delete_sessions(&addresses)
        .await
        .unwrap();
    let sent = bob.send_text(alice.number(), "two").await.unwrap();
    let (text, id) = engine.text().await;
    assert_eq!((&*text, id), ("two", sent.id));
    engine.stop().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_code_is_refused_and_the_right_one_still_works() {
    let simulator = simulator().await;
    let (alice, _bob) = two_phones(&simulator).await;
    let backend = Arc::new(InMemoryBackend::new());
    let mut engine = Engine::start_with(&simulator, &backend, Some(alice.number())).await;
    let code = engine
        .wait_for("linking code", |event| match event {
            Event::PairingCode(code) => Some(code.code.clone()),
            _ => None,
        })
        .await;
    let wrong = if code == "11111111" {
        "22222222"
    } else {
        "11111111"
    };
    let refused = alice.enter_code(wrong).await;
    assert!(
        matches!(refused, Err(PhoneError::Invalid(_))),
        "{refused:?}"
    );
    let device = alice.enter_code(&code).await.unwrap();
    assert!(device.is_online);
    engine.connected().await;
    engine.stop().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_has_been_used_up_links_nothing() {
    let simulator = simulator().await;
    let (alice, bob) = two_phones(&simulator).await;
    let backend = Arc::new(InMemoryBackend::new());
    let mut engine = Engine::start(&simulator, &backend).await;
    let qr = engine
        .wait_for("QR code", |event| match event {
            Event::PairingQrCode(qr) => Some(qr.code.clone()),
            _ => None,
        })
        .await;
    alice.scan(&qr).await.unwrap();
    engine.connected().await;
    let again = bob.scan(&qr).await;
    assert!(matches!(again, Err(PhoneError::Conflict(_))), "{again:?}");
    assert!(
        simulator
            .server()
            .account(bob.number())
            .unwrap()
            .devices
            .is_empty()
    );
    engine.stop().await;
    simulator.shutdown().await;
}
