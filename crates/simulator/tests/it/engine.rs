//! The real client library pairs, talks, restarts and is logged out.

use std::sync::Arc;

use wacore::store::in_memory::InMemoryBackend;
use wacore::types::events::Event;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, NodeContent};
use wagate_simulator::phone::{MessageStatus, Phone};
use wagate_simulator::{Simulator, SimulatorConfig};

use crate::client::{Client, linked};
use crate::support_engine::{Engine, WAIT, simulator, two_phones};

async fn arrived(phone: &Phone, id: &str) -> String {
    phone
        .wait_for_message(WAIT, |message| message.id == id)
        .await
        .expect("the message did not arrive")
        .body
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_pairs_by_qr_and_talks_both_ways() {
    let simulator = simulator().await;
    let (alice, bob) = two_phones(&simulator).await;
    let backend = Arc::new(InMemoryBackend::new());
    let mut engine = Engine::linked(&simulator, &backend, &alice).await;

    let sent = bob.send_text(alice.number(), "hello").await.unwrap();
    assert_eq!(engine.text().await, ("hello".to_owned(), sent.id.clone()));
    assert!(
        bob.wait_for_status(&sent.id, MessageStatus::Delivered, WAIT)
            .await
    );
    assert_eq!(arrived(&alice, &sent.id).await, "hello");

    let id = engine.send_text(bob.jid(), "how are you").await;
    assert_eq!(arrived(&bob, &id).await, "how are you");
    // The sender's own phone has it too.
    assert_eq!(arrived(&alice, &id).await, "how are you");

    let record = simulator
        .server()
        .accounting()
        .message(bob.number(), alice.number(), &sent.id)
        .unwrap();
    assert!(record.is_delivered() && record.is_acknowledged());
    assert_eq!(record.duplicates, 0);
    engine.stop().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_while_the_client_was_away_comes_when_it_is_back() {
    let simulator = simulator().await;
    let (alice, bob) = two_phones(&simulator).await;
    let backend = Arc::new(InMemoryBackend::new());
    let mut engine = Engine::linked(&simulator, &backend, &alice).await;
    let first = bob.send_text(alice.number(), "first").await.unwrap();
    assert_eq!(engine.text().await.1, first.id);
    engine.stop().await;

    let mut ids = Vec::new();
    for round in 0..5 {
        let text = format!("missed {round}");
        ids.push(bob.send_text(alice.number(), &text).await.unwrap().id);
    }
    let mut engine = Engine::start(&simulator, &backend).await;
    let mut met = Vec::new();
    while met.len() < ids.len() {
        let (_, id) = engine.text().await;
        // It comes again when the client left before it had acknowledged it.
        if id != first.id {
            met.push(id);
        }
    }
    assert_eq!(met, ids);
    engine.stop().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_pairs_by_code() {
    let simulator = simulator().await;
    let (alice, bob) = two_phones(&simulator).await;
    let backend = Arc::new(InMemoryBackend::new());
    let mut engine = Engine::start_with(&simulator, &backend, Some(alice.number())).await;
    let code = engine
        .wait_for("linking code", |event| match event {
            Event::PairingCode(code) => Some(code.code.clone()),
            _ => None,
        })
        .await;
    alice.enter_code(&code).await.unwrap();
    engine.connected().await;
    let sent = bob.send_text(alice.number(), "by code").await.unwrap();
    assert_eq!(engine.text().await.1, sent.id);
    engine.stop().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unlinked_client_is_logged_out() {
    let simulator = simulator().await;
    let (alice, _) = two_phones(&simulator).await;
    let backend = Arc::new(InMemoryBackend::new());
    let mut engine = Engine::linked(&simulator, &backend, &alice).await;
    let device_id = simulator.server().account(alice.number()).unwrap().devices[0].id;
    alice.unlink(device_id).unwrap();
    engine
        .wait_for("logout", |event| {
            matches!(event, Event::LoggedOut(_)).then_some(())
        })
        .await;
    assert!(
        simulator
            .server()
            .account(alice.number())
            .unwrap()
            .devices
            .is_empty()
    );
    engine.stop().await;
    simulator.shutdown().await;
}

/// The key indexes in the list that a user's phone has signed.
async fn listed_key_indexes(client: &mut Client, user: &Jid) -> Vec<u32> {
    let empty = |tag| NodeBuilder::new(tag).build();
    let user = NodeBuilder::new("user").attr("jid", user).build();
    let usync = NodeBuilder::new("usync")
        .children([
            NodeBuilder::new("query")
                .children([empty("devices")])
                .build(),
            NodeBuilder::new("list").children([user]).build(),
        ])
        .build();
    let request = NodeBuilder::new("iq")
        .attr("to", "s.whatsapp.net")
        .attr("type", "get")
        .attr("xmlns", "usync")
        .attr("id", "devices")
        .children([usync])
        .build();
    let answer = client.ask(request).await;
    let list = answer.get_optional_child_by_tag(&["usync", "list", "user", "devices"]);
    let list = list.unwrap().get_optional_child("key-index-list").unwrap();
    let Some(NodeContent::Bytes(list)) = &list.content else {
        panic!("the list is empty");
    };
    wacore::adv::decode_key_index_list(list)
        .unwrap()
        .valid_indexes
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_out_removes_the_device() {
    let simulator = simulator().await;
    let (alice, bob) = two_phones(&simulator).await;
    let backend = Arc::new(InMemoryBackend::new());
    let engine = Engine::linked(&simulator, &backend, &alice).await;
    engine.client.logout().await;
    let mut poll = tokio::time::interval(std::time::Duration::from_millis(20));
    tokio::time::timeout(WAIT, async {
        while !simulator
            .server()
            .account(alice.number())
            .unwrap()
            .devices
            .is_empty()
        {
            poll.tick().await;
        }
    })
    .await
    .expect("the device is still there");
    // The phone signs the list of companions without it.
    let (mut witness, _, _) = linked(&simulator, bob.number()).await;
    tokio::time::timeout(WAIT, async {
        while listed_key_indexes(&mut witness, alice.jid()).await != [0] {
            poll.tick().await;
        }
    })
    .await
    .expect("the device is still listed");
    engine.stop().await;
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_goes_on_where_it_was_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = SimulatorConfig::new("127.0.0.1:0".parse().unwrap());
    config.data_dir = Some(dir.path().to_owned());
    let simulator = Simulator::start(config.clone()).await.unwrap();
    let root = simulator.root_public_key_hex();
    let (alice, bob) = two_phones(&simulator).await;
    let backend = Arc::new(InMemoryBackend::new());
    let mut engine = Engine::linked(&simulator, &backend, &alice).await;
    let sent = bob.send_text(alice.number(), "before").await.unwrap();
    assert_eq!(engine.text().await.1, sent.id);
    engine.stop().await;
    let waiting = bob.send_text(alice.number(), "waiting").await.unwrap();
    let (alice, bob) = (alice.number().to_owned(), bob.number().to_owned());
    simulator.shutdown().await;

    let simulator = Simulator::start(config).await.unwrap();
    assert_eq!(simulator.root_public_key_hex(), root);
    let bob = simulator.phones().get(&bob).unwrap();
    let mut engine = Engine::start(&simulator, &backend).await;
    let mut met = engine.text().await.1;
    if met == sent.id {
        // It comes again when the client left before it had acknowledged it.
        met = engine.text().await.1;
    }
    assert_eq!(met, waiting.id);
    let sent = bob.send_text(&alice, "after").await.unwrap();
    assert_eq!(engine.text().await, ("after".to_owned(), sent.id));
    engine.stop().await;
    simulator.shutdown().await;
}
