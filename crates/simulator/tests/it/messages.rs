//! Messages at the level of stanzas: fan-out, addressing, queue, acknowledgements, books.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use wagate_simulator::faults::{FaultKind, FaultSpec};
use wagate_simulator::server::Account;
use wagate_simulator::{Simulator, SimulatorConfig};

use crate::client::{Client, attr, linked, logged_in};
use crate::support_engine::simulator;

/// An account whose primary is never attached, so that only scripted devices act.
fn account(simulator: &Simulator) -> Account {
    simulator.server().create_account(None, None).unwrap()
}

fn enc(kind: &'static str, body: &str) -> Node {
    NodeBuilder::new("enc")
        .attr("v", 2_u8)
        .attr("type", kind)
        .bytes(body.as_bytes().to_vec())
        .build()
}

fn message(to: &Jid, id: &str, copies: &[(Jid, &str)]) -> Node {
    let participants = copies.iter().map(|(jid, body)| {
        NodeBuilder::new("to")
            .attr("jid", jid.clone())
            .children([enc("pkmsg", body)])
            .build()
    });
    NodeBuilder::new("message")
        .attr("to", to.clone())
        .attr("id", id)
        .attr("type", "text")
        .children([
            NodeBuilder::new("participants")
                .children(participants)
                .build(),
            NodeBuilder::new("device-identity")
                .bytes(b"adv".to_vec())
                .build(),
        ])
        .build()
}

fn receipt(message: &Node, kind: Option<&'static str>) -> Node {
    let mut receipt = NodeBuilder::new("receipt")
        .attr("to", attr(message, "from"))
        .attr("id", attr(message, "id"));
    if let Some(kind) = kind {
        receipt = receipt.attr("type", kind);
    }
    receipt.build()
}

fn body(message: &Node) -> String {
    message
        .get_optional_child("enc")
        .and_then(Node::content_as_string)
        .unwrap()
        .to_string()
}

async fn send(client: &mut Client, message: &Node) -> Node {
    client.send(message).await;
    loop {
        let ack = client.next_tagged("ack").await;
        if attr(&ack, "id") == attr(message, "id") && attr(&ack, "class") == "message" {
            return ack;
        }
    }
}

#[tokio::test]
async fn each_device_gets_its_copy_with_the_right_addresses() {
    let simulator = simulator().await;
    let (alice, bob) = (account(&simulator), account(&simulator));
    let (mut sender, _, sender_id) = linked(&simulator, &alice.number).await;
    let (mut other, _, other_id) = linked(&simulator, &alice.number).await;
    let (mut receiver, _, receiver_id) = linked(&simulator, &bob.number).await;

    let copies = [
        (bob.jid.with_device(0), "for bob's phone"),
        (bob.jid.with_device(receiver_id), "for bob"),
        (alice.jid.with_device(0), "for alice's phone"),
        (alice.jid.with_device(other_id), "for alice's other"),
    ];
    let ack = send(&mut sender, &message(&bob.jid, "M1", &copies)).await;
    assert_eq!(attr(&ack, "error"), "");
    assert_eq!(attr(&ack, "phash"), "");
    assert_eq!(attr(&ack, "from"), bob.jid.to_string());

    let theirs = receiver.next_tagged("message").await;
    assert_eq!(body(&theirs), "for bob");
    assert_eq!(
        attr(&theirs, "from"),
        alice.jid.with_device(sender_id).to_string()
    );
    assert_eq!(attr(&theirs, "sender_lid"), alice.lid.to_string());
    assert!(theirs.get_optional_child("device-identity").is_some());
    assert!(theirs.get_optional_child("participants").is_none());

    let own = other.next_tagged("message").await;
    assert_eq!(body(&own), "for alice's other");
    assert_eq!(attr(&own, "recipient"), bob.jid.to_string());
    assert_eq!(attr(&own, "peer_recipient_lid"), bob.lid.to_string());
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_message_to_a_lid_stays_in_lids_and_its_receipts_too() {
    let simulator = simulator().await;
    let (alice, bob) = (account(&simulator), account(&simulator));
    let (mut sender, _, sender_id) = linked(&simulator, &alice.number).await;
    let (mut receiver, _, receiver_id) = linked(&simulator, &bob.number).await;
    let copies = [(bob.lid.with_device(receiver_id), "hidden")];
    let ack = send(&mut sender, &message(&bob.lid, "L1", &copies)).await;
    // Neither phone was written to: the sender is to look at the device lists again.
    assert!(attr(&ack, "phash").starts_with("2:"));

    let theirs = receiver.next_tagged("message").await;
    assert_eq!(
        attr(&theirs, "from"),
        alice.lid.with_device(sender_id).to_string()
    );
    assert_eq!(attr(&theirs, "sender_pn"), alice.jid.to_string());
    receiver.send(&receipt(&theirs, Some("read"))).await;
    assert_eq!(attr(&receiver.next_tagged("ack").await, "class"), "receipt");
    let read = sender.next_tagged("receipt").await;
    assert_eq!(attr(&read, "type"), "read");
    assert_eq!(
        attr(&read, "from"),
        bob.lid.with_device(receiver_id).to_string()
    );
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_message_waits_until_it_is_acknowledged() {
    let simulator = simulator().await;
    let (alice, bob) = (account(&simulator), account(&simulator));
    let (mut sender, _, _) = linked(&simulator, &alice.number).await;
    let (mut receiver, noise, device) = linked(&simulator, &bob.number).await;
    let copies = [(bob.jid.with_device(device), "keep")];
    send(&mut sender, &message(&bob.jid, "W1", &copies)).await;
    let books = || {
        simulator
            .server()
            .accounting()
            .message(&alice.number, &bob.number, "W1")
    };

    assert_eq!(attr(&receiver.next_tagged("message").await, "offline"), "");
    drop(receiver);
    assert!(books().unwrap().is_pending());

    let mut receiver = logged_in(&simulator, &bob.number, device, &noise).await;
    let preview = loop {
        let ib = receiver.next_tagged("ib").await;
        if let Some(preview) = ib.get_optional_child("offline_preview") {
            break preview.clone();
        }
    };
    assert_eq!(attr(&preview, "message"), "1");
    let again = receiver.next_tagged("message").await;
    assert_ne!(attr(&again, "offline"), "");
    let end = receiver.next_tagged("ib").await;
    assert_ne!(
        attr(end.get_optional_child("offline").unwrap(), "count"),
        "0"
    );

    // A request for a retry takes it from the queue, but waits for another copy.
    receiver.send(&receipt(&again, Some("retry"))).await;
    receiver.next_tagged("ack").await;
    let record = books().unwrap();
    assert!(!record.is_delivered() && record.is_pending());
    receiver.send(&receipt(&again, None)).await;
    receiver.next_tagged("ack").await;
    let record = books().unwrap();
    assert!(record.is_acknowledged() && !record.is_pending());

    drop(receiver);
    let mut receiver = logged_in(&simulator, &bob.number, device, &noise).await;
    loop {
        let node = receiver.next().await.unwrap();
        assert_ne!(node.tag, "message");
        if node.get_optional_child("offline").is_some() {
            break;
        }
    }
    simulator.shutdown().await;
}

#[tokio::test]
async fn what_was_accepted_survives_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = SimulatorConfig::new("127.0.0.1:0".parse().unwrap());
    config.data_dir = Some(dir.path().to_owned());
    let simulator = Simulator::start(config.clone()).await.unwrap();
    let (alice, bob) = (account(&simulator), account(&simulator));
    let (mut sender, _, _) = linked(&simulator, &alice.number).await;
    let (receiver, noise, device) = linked(&simulator, &bob.number).await;
    drop(receiver);
    let copies = [(bob.jid.with_device(device), "durable")];
    send(&mut sender, &message(&bob.jid, "D1", &copies)).await;
    send(&mut sender, &message(&bob.jid, "D1", &copies)).await;
    simulator.shutdown().await;

    let simulator = Simulator::start(config).await.unwrap();
    let mut receiver = logged_in(&simulator, &bob.number, device, &noise).await;
    for _ in 0..2 {
        let message = receiver.next_tagged("message").await;
        assert_eq!(body(&message), "durable");
        receiver.send(&receipt(&message, None)).await;
    }
    for _ in 0..2 {
        receiver.next_tagged("ack").await;
    }
    let books = simulator.server().accounting();
    let record = books.message(&alice.number, &bob.number, "D1").unwrap();
    assert_eq!(record.duplicates, 1);
    assert!(record.is_acknowledged() && !record.is_pending());
    simulator.shutdown().await;
}

#[tokio::test]
async fn messages_are_refused_with_codes() {
    let simulator = simulator().await;
    let (alice, bob) = (account(&simulator), account(&simulator));
    let (mut sender, _, _) = linked(&simulator, &alice.number).await;
    let nobody = Jid::pn("15559999999");
    let ack = send(
        &mut sender,
        &message(&nobody, "N1", &[(nobody.clone(), "x")]),
    )
    .await;
    assert_eq!(attr(&ack, "error"), "404");
    let ack = send(&mut sender, &message(&bob.jid, "N2", &[])).await;
    assert_eq!(attr(&ack, "error"), "479");
    let nack = FaultSpec {
        target: Some(alice.number.clone()),
        count: Some(1),
        code: Some(475),
        ..FaultSpec::new(FaultKind::Nack)
    };
    simulator.server().inject(nack).unwrap();
    let copies = [(bob.jid.clone(), "x")];
    let ack = send(&mut sender, &message(&bob.jid, "N3", &copies)).await;
    assert_eq!(attr(&ack, "error"), "475");
    let ack = send(&mut sender, &message(&bob.jid, "N3", &copies)).await;
    assert_eq!(attr(&ack, "error"), "");
    let pairs = simulator.server().accounting().pairs();
    assert_eq!(pairs.len(), 1);
    assert_eq!(pairs[0].messages.len(), 1);
    simulator.shutdown().await;
}

#[tokio::test]
async fn stanzas_are_lost_and_doubled_when_a_fault_says_so() {
    let simulator = simulator().await;
    let (alice, bob) = (account(&simulator), account(&simulator));
    let (mut sender, _, _) = linked(&simulator, &alice.number).await;
    let (mut receiver, noise, device) = linked(&simulator, &bob.number).await;
    for kind in [FaultKind::Drop, FaultKind::Duplicate] {
        let fault = FaultSpec {
            target: Some(bob.number.clone()),
            count: Some(1),
            tag: Some("message".into()),
            ..FaultSpec::new(kind)
        };
        simulator.server().inject(fault).unwrap();
    }
    for id in ["F1", "F2"] {
        let copies = [(bob.jid.with_device(device), id)];
        send(&mut sender, &message(&bob.jid, id, &copies)).await;
    }
    for _ in 0..2 {
        assert_eq!(attr(&receiver.next_tagged("message").await, "id"), "F2");
    }
    // What was lost on the way is still in the queue.
    drop(receiver);
    let mut receiver = logged_in(&simulator, &bob.number, device, &noise).await;
    assert_eq!(attr(&receiver.next_tagged("message").await, "id"), "F1");
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_nack_is_no_delivery() {
    let simulator = simulator().await;
    let (alice, bob) = (account(&simulator), account(&simulator));
    let (mut sender, _, _) = linked(&simulator, &alice.number).await;
    let (mut receiver, _, device) = linked(&simulator, &bob.number).await;
    let copies = [(bob.jid.with_device(device), "odd")];
    send(&mut sender, &message(&bob.jid, "R1", &copies)).await;
    let theirs = receiver.next_tagged("message").await;
    let nack = NodeBuilder::new("ack")
        .attr("class", "message")
        .attr("id", "R1")
        .attr("to", attr(&theirs, "from"))
        .attr("error", 487_u16)
        .build();
    receiver.send(&nack).await;
    receiver.ask(ping("1")).await;
    let books = simulator.server().accounting();
    let record = books.message(&alice.number, &bob.number, "R1").unwrap();
    assert!(record.is_refused() && !record.is_delivered() && !record.is_pending());
    simulator.shutdown().await;
}

fn ping(id: &str) -> Node {
    NodeBuilder::new("iq")
        .attr("to", "s.whatsapp.net")
        .attr("type", "get")
        .attr("xmlns", "w:p")
        .attr("id", id)
        .build()
}

/// A message is in the books whenever its sender is told that it was taken, and one's own devices
/// get their copies although the recipient gets none.
#[tokio::test]
async fn what_reaches_nobody_is_counted_and_still_copied_to_own_devices() {
    let simulator = simulator().await;
    let (alice, bob) = (account(&simulator), account(&simulator));
    let (mut sender, _, _) = linked(&simulator, &alice.number).await;
    let (mut other, _, other_id) = linked(&simulator, &alice.number).await;
    let (mut blocker, _, device) = linked(&simulator, &bob.number).await;
    let block = NodeBuilder::new("item")
        .attr("jid", alice.lid.clone())
        .attr("pn_jid", alice.jid.clone())
        .attr("action", "block")
        .build();
    let mut request = ping("1");
    request.attrs.insert("xmlns", "blocklist");
    request.attrs.insert("type", "set");
    request.content = Some(wacore_binary::NodeContent::Nodes(vec![block]));
    assert_eq!(attr(&blocker.ask(request).await, "type"), "result");

    let own = (alice.jid.with_device(other_id), "mine");
    for (id, theirs) in [("B1", device), ("B2", 77)] {
        let copies = [(bob.jid.with_device(theirs), "x"), own.clone()];
        assert_eq!(
            attr(
                &send(&mut sender, &message(&bob.jid, id, &copies)).await,
                "error"
            ),
            ""
        );
        assert_eq!(attr(&other.next_tagged("message").await, "id"), id);
        let books = simulator.server().accounting();
        let record = books.message(&alice.number, &bob.number, id).unwrap();
        assert!(!record.is_delivered() && !record.is_pending());
    }
    blocker.ask(ping("2")).await;
    simulator.shutdown().await;
}

/// What has no id could never be taken from a queue again.
#[tokio::test]
async fn a_stanza_without_an_id_ends_the_connection() {
    let simulator = simulator().await;
    let (alice, bob) = (account(&simulator), account(&simulator));
    let (mut receiver, _, _) = linked(&simulator, &bob.number).await;
    for tag in ["receipt", "call"] {
        let (mut sender, _, _) = linked(&simulator, &alice.number).await;
        let stanza = NodeBuilder::new(tag)
            .attr("to", bob.jid.clone())
            .children([NodeBuilder::new("offer").build()])
            .build();
        sender.send(&stanza).await;
        let error = sender.next_tagged("stream:error").await;
        assert!(error.get_optional_child("xml-not-well-formed").is_some());
        assert!(sender.next().await.is_none());
    }
    receiver.send(&ping("1")).await;
    loop {
        let node = receiver.next().await.unwrap();
        assert!(node.tag != "receipt" && node.tag != "call");
        if node.tag == "iq" {
            break;
        }
    }
    simulator.shutdown().await;
}

/// Sends messages to a device that is away, and logs it in.
async fn with_backlog(patience_ms: u64, count: usize) -> (Simulator, Client) {
    let mut config = SimulatorConfig::new("127.0.0.1:0".parse().unwrap());
    config.server.offline_patience_ms = patience_ms;
    let simulator = Simulator::start(config).await.unwrap();
    let (alice, bob) = (account(&simulator), account(&simulator));
    let (mut sender, _, _) = linked(&simulator, &alice.number).await;
    let (receiver, noise, device) = linked(&simulator, &bob.number).await;
    drop(receiver);
    for number in 0..count {
        let copies = [(bob.jid.with_device(device), "later")];
        let id = format!("O{number}");
        send(&mut sender, &message(&bob.jid, &id, &copies)).await;
    }
    let receiver = logged_in(&simulator, &bob.number, device, &noise).await;
    (simulator, receiver)
}

/// How many messages came before the answer to a request, and whether the backlog ended.
async fn before_answer(client: &mut Client, id: &str) -> (usize, bool) {
    client.send(&ping(id)).await;
    let (mut messages, mut has_ended) = (0, false);
    loop {
        let node = client.next().await.unwrap();
        messages += usize::from(node.tag == "message");
        has_ended |= node.get_optional_child("offline").is_some();
        if node.tag == "iq" && attr(&node, "id") == id {
            return (messages, has_ended);
        }
    }
}

#[tokio::test]
async fn a_backlog_comes_as_it_is_asked_for() {
    let (simulator, mut receiver) = with_backlog(u64::from(u32::MAX), 9).await;
    for _ in 0..5 {
        receiver.next_tagged("message").await;
    }
    assert_eq!(before_answer(&mut receiver, "1").await, (0, false));
    for (count, came) in [(3, 3), (200, 1)] {
        let batch = NodeBuilder::new("offline_batch").attr("count", count);
        let batch = NodeBuilder::new("ib").children([batch.build()]).build();
        receiver.send(&batch).await;
        for _ in 0..came {
            receiver.next_tagged("message").await;
        }
    }
    let end = receiver.next_tagged("ib").await;
    assert_eq!(
        attr(end.get_optional_child("offline").unwrap(), "count"),
        "9"
    );
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_client_that_never_asks_gets_its_backlog_all_the_same() {
    let (simulator, mut receiver) = with_backlog(1, 9).await;
    for number in 0..9 {
        let message = receiver.next_tagged("message").await;
        assert_eq!(attr(&message, "id"), format!("O{number}"));
    }
    let end = receiver.next_tagged("ib").await;
    assert_eq!(
        attr(end.get_optional_child("offline").unwrap(), "count"),
        "9"
    );
    simulator.shutdown().await;
}

/// More than the socket and its queue in the process hold waits in the device's queue.
#[tokio::test]
async fn a_slow_reader_misses_nothing_and_is_not_cut() {
    const COUNT: usize = 200;
    let mut config = SimulatorConfig::new("127.0.0.1:0".parse().unwrap());
    config.server.socket_queue_len = 16;
    let simulator = Simulator::start(config).await.unwrap();
    let (alice, bob) = (account(&simulator), account(&simulator));
    let (mut sender, _, _) = linked(&simulator, &alice.number).await;
    let (mut receiver, _, device) = linked(&simulator, &bob.number).await;
    before_answer(&mut receiver, "1").await;
    let large = "x".repeat(100_000);
    for number in 0..COUNT {
        let copies = [(bob.jid.with_device(device), &*large)];
        let id = format!("S{number}");
        send(&mut sender, &message(&bob.jid, &id, &copies)).await;
    }
    for number in 0..COUNT {
        let message = receiver.next_tagged("message").await;
        assert_eq!(attr(&message, "id"), format!("S{number}"));
    }
    assert_eq!(before_answer(&mut receiver, "2").await.0, 0);
    simulator.shutdown().await;
}
