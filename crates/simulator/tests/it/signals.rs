//! What is not kept: presence, typing, calls; and passive connections.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use wagate_simulator::faults::{FaultKind, FaultSpec};

use crate::client::{Client, attr, linked, logged_in, login};
use crate::support_engine::simulator;

fn presence(kind: &'static str) -> Node {
    NodeBuilder::new("presence")
        .attr("type", kind)
        .attr("name", "Alice")
        .build()
}

#[tokio::test]
async fn presence_reaches_those_who_asked() {
    let simulator = simulator().await;
    let server = simulator.server();
    let alice = server.create_account(None, None).unwrap();
    let bob = server.create_account(None, None).unwrap();
    let (mut subject, _, _) = linked(&simulator, &alice.number).await;
    let (mut watcher, _, _) = linked(&simulator, &bob.number).await;
    let subscribe = NodeBuilder::new("presence")
        .attr("type", "subscribe")
        .attr("to", alice.lid.clone())
        .build();
    watcher.send(&subscribe).await;
    let first = watcher.next_tagged("presence").await;
    assert_eq!(
        (attr(&first, "type"), attr(&first, "last")),
        ("unavailable".into(), "deny".into())
    );

    subject.send(&presence("available")).await;
    let there = watcher.next_tagged("presence").await;
    assert_eq!(attr(&there, "type"), "available");
    assert_eq!(attr(&there, "from"), alice.lid.to_string());
    assert_eq!(server.account(&alice.number).unwrap().push_name, "Alice");

    drop(subject);
    let gone = watcher.next_tagged("presence").await;
    assert_eq!(attr(&gone, "type"), "unavailable");
    assert!(attr(&gone, "last").parse::<i64>().unwrap() > 0);
    simulator.shutdown().await;
}

/// A subscription ends with its connection, and whoever is blocked gets none.
#[tokio::test]
async fn presence_goes_to_the_connection_that_asked() {
    let simulator = simulator().await;
    let server = simulator.server();
    let alice = server.create_account(None, None).unwrap();
    let bob = server.create_account(None, None).unwrap();
    let (mut subject, _, _) = linked(&simulator, &alice.number).await;
    let (mut first, noise, device) = linked(&simulator, &bob.number).await;
    let subscribe = NodeBuilder::new("presence")
        .attr("type", "subscribe")
        .attr("to", alice.lid.clone())
        .build();
    first.send(&subscribe).await;
    first.next_tagged("presence").await;
    drop(first);
    let mut second = logged_in(&simulator, &bob.number, device, &noise).await;
    subject.send(&presence("available")).await;
    // The server has handled it when it answers what was sent after it.
    assert!(!sees_presence(&mut subject, "0").await);
    assert!(!sees_presence(&mut second, "1").await);

    second.send(&subscribe).await;
    second.next_tagged("presence").await;
    let item = NodeBuilder::new("item")
        .attr("jid", bob.lid.clone())
        .attr("pn_jid", bob.jid.clone())
        .attr("action", "block")
        .build();
    let block = NodeBuilder::new("iq")
        .attr("to", "s.whatsapp.net")
        .attr("type", "set")
        .attr("xmlns", "blocklist")
        .attr("id", "b")
        .children([item])
        .build();
    assert_eq!(attr(&subject.ask(block).await, "type"), "result");
    subject.send(&presence("unavailable")).await;
    let typing = NodeBuilder::new("chatstate")
        .attr("to", alice.jid.clone())
        .children([NodeBuilder::new("composing").build()])
        .build();
    assert!(!sees_presence(&mut subject, "4").await);
    second.send(&typing).await;
    assert!(!sees_presence(&mut second, "2").await);
    assert!(!sees_presence(&mut subject, "3").await);
    simulator.shutdown().await;
}

/// Whether presence or typing comes before the answer to a request.
async fn sees_presence(client: &mut Client, id: &str) -> bool {
    let ping = NodeBuilder::new("iq")
        .attr("to", "s.whatsapp.net")
        .attr("type", "get")
        .attr("xmlns", "w:p")
        .attr("id", id)
        .build();
    client.send(&ping).await;
    loop {
        let node = client.next().await.unwrap();
        match &*node.tag {
            "presence" | "chatstate" => return true,
            "iq" => return false,
            _ => {}
        }
    }
}

#[tokio::test]
async fn typing_and_calls_are_relayed() {
    let simulator = simulator().await;
    let server = simulator.server();
    let alice = server.create_account(None, None).unwrap();
    let bob = server.create_account(None, None).unwrap();
    let (mut caller, _, caller_id) = linked(&simulator, &alice.number).await;
    let (mut answerer, _, _) = linked(&simulator, &bob.number).await;
    let typing = NodeBuilder::new("chatstate")
        .attr("to", bob.jid.clone())
        .children([NodeBuilder::new("composing").build()])
        .build();
    caller.send(&typing).await;
    let typing = answerer.next_tagged("chatstate").await;
    assert_eq!(attr(&typing, "from"), alice.jid.to_string());
    assert!(typing.get_optional_child("composing").is_some());

    let offer = NodeBuilder::new("offer")
        .attr("call-id", "C1")
        .attr("call-creator", alice.jid.with_device(caller_id))
        .build();
    let call = NodeBuilder::new("call")
        .attr("to", bob.jid.clone())
        .attr("id", "K1")
        .children([offer])
        .build();
    caller.send(&call).await;
    let ack = caller.next_tagged("ack").await;
    assert_eq!(
        (attr(&ack, "class"), attr(&ack, "type")),
        ("call".into(), "offer".into())
    );
    let call = answerer.next_tagged("call").await;
    assert_eq!(
        attr(&call, "from"),
        alice.jid.with_device(caller_id).to_string()
    );
    assert_eq!(
        attr(call.get_optional_child("offer").unwrap(), "call-id"),
        "C1"
    );
    simulator.shutdown().await;
}

fn wanted(node: &Node) -> bool {
    node.tag == "message" || node.get_optional_child("offline").is_some()
}

async fn next_wanted(client: &mut Client) -> Node {
    loop {
        let node = client.next().await.expect("the socket closed");
        if wanted(&node) {
            return node;
        }
    }
}

fn mode(active: &'static str, id: &'static str) -> Node {
    NodeBuilder::new("iq")
        .attr("to", Jid::new("", wacore_binary::Server::Pn))
        .attr("type", "set")
        .attr("xmlns", "passive")
        .attr("id", id)
        .children([NodeBuilder::new(active).build()])
        .build()
}

#[tokio::test]
async fn a_passive_connection_waits_until_it_is_active() {
    let simulator = simulator().await;
    let phones = simulator.phones();
    let alice = phones.create(None, None).await.unwrap();
    let bob = phones.create(None, None).await.unwrap();
    let (client, noise, device) = linked(&simulator, alice.number()).await;
    drop(client);
    let mut payload = login(alice.number(), device.into());
    payload.passive = Some(true);
    let (mut client, _) = Client::xx(&simulator.chat_url(), noise, &payload).await;
    assert_eq!(client.next().await.unwrap().tag, "success");
    let server = simulator.server().clone();
    for round in 0..2 {
        // A message that is not Signal's is enough here: nobody reads it.
        let id = format!("P{round}");
        let enc = NodeBuilder::new("enc")
            .attr("type", "msg")
            .bytes(vec![1])
            .build();
        let message = NodeBuilder::new("message")
            .attr("to", alice.jid().with_device(device))
            .attr("id", id.clone())
            .attr("type", "text")
            .children([enc])
            .build();
        let port = server.attach(bob.jid()).unwrap();
        port.send(message);
        // An answer that comes although the connection is passive, and nothing before it.
        client.send(&mode("passive", "p")).await;
        loop {
            let node = client.next().await.unwrap();
            assert!(!wanted(&node));
            if attr(&node, "id") == "p" {
                break;
            }
        }
        client.send(&mode("active", "a")).await;
        loop {
            let node = next_wanted(&mut client).await;
            if attr(&node, "id") == id {
                break;
            }
        }
        if round == 0 {
            while next_wanted(&mut client).await.tag == "message" {}
            let passive = client.ask(mode("passive", "q")).await;
            assert_eq!(attr(&passive, "type"), "result");
        }
    }
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_delayed_stanza_is_overtaken() {
    let simulator = simulator().await;
    let server = simulator.server();
    let alice = server.create_account(None, None).unwrap();
    let bob = server.create_account(None, None).unwrap();
    let (mut typist, _, _) = linked(&simulator, &alice.number).await;
    let (mut reader, _, _) = linked(&simulator, &bob.number).await;
    let delay = FaultSpec {
        target: Some(bob.number.clone()),
        count: Some(1),
        delay_ms: Some(300),
        tag: Some("chatstate".into()),
        ..FaultSpec::new(FaultKind::Delay)
    };
    server.inject(delay).unwrap();
    for state in ["composing", "paused"] {
        let typing = NodeBuilder::new("chatstate")
            .attr("to", bob.jid.clone())
            .children([NodeBuilder::new(state).build()])
            .build();
        typist.send(&typing).await;
    }
    for state in ["paused", "composing"] {
        let typing = reader.next_tagged("chatstate").await;
        assert!(typing.get_optional_child(state).is_some());
    }
    simulator.shutdown().await;
}
