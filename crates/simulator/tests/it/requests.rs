//! Requests, namespace by namespace.

use std::sync::LazyLock;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use wacore_libsignal::protocol::KeyPair;

use crate::client::{Client, attr, keys, linked, signature};
use crate::support_engine::simulator;

fn iq(kind: &'static str, namespace: &'static str, id: &str, child: Option<Node>) -> Node {
    let iq = NodeBuilder::new("iq")
        .attr("to", Jid::new("", wacore_binary::Server::Pn))
        .attr("type", kind)
        .attr("xmlns", namespace)
        .attr("id", id);
    match child {
        Some(child) => iq.children([child]).build(),
        None => iq.build(),
    }
}

fn empty(tag: &'static str) -> Node {
    NodeBuilder::new(tag).build()
}

fn bytes(tag: &'static str, bytes: Vec<u8>) -> Node {
    NodeBuilder::new(tag).bytes(bytes).build()
}

fn error_code(answer: &Node) -> String {
    assert_eq!(attr(answer, "type"), "error");
    attr(answer.get_optional_child("error").unwrap(), "code")
}

/// The identity of the scripted devices.
static IDENTITY: LazyLock<KeyPair> = LazyLock::new(keys);

fn signed_prekey(id: u8) -> Node {
    let prekey = keys();
    NodeBuilder::new("skey")
        .children([
            bytes("id", vec![0, 0, id]),
            bytes("value", prekey.public_key.public_key_bytes().to_vec()),
            bytes("signature", signature(&IDENTITY, &prekey)),
        ])
        .build()
}

async fn upload(client: &mut Client, ids: &[u8]) -> Node {
    let keys = ids.iter().map(|id| {
        NodeBuilder::new("key")
            .children([bytes("id", vec![0, 0, *id]), bytes("value", vec![*id; 32])])
            .build()
    });
    let mut upload = iq("set", "encrypt", "up", None);
    upload.content = Some(wacore_binary::NodeContent::Nodes(vec![
        bytes("registration", vec![0, 0, 0, 9]),
        bytes("type", vec![5]),
        bytes("identity", IDENTITY.public_key.public_key_bytes().to_vec()),
        NodeBuilder::new("list").children(keys).build(),
        signed_prekey(1),
    ]));
    client.ask(upload).await
}

#[tokio::test]
async fn prekeys_are_handed_out_once_and_run_out() {
    let simulator = simulator().await;
    let phone = simulator.phones().create(None, None).await.unwrap();
    let (mut client, _, device) = linked(&simulator, phone.number()).await;
    assert_eq!(attr(&upload(&mut client, &[1, 2]).await, "type"), "result");
    let count = client
        .ask(iq("get", "encrypt", "c", Some(empty("count"))))
        .await;
    assert_eq!(
        attr(count.get_optional_child("count").unwrap(), "value"),
        "2"
    );

    let user = |jid: Jid| NodeBuilder::new("user").attr("jid", jid).build();
    let ask = |id: &str| {
        let users = [
            user(phone.jid().with_device(device)),
            user(phone.jid().with_device(99)),
            user(Jid::pn("15559999999")),
        ];
        iq(
            "get",
            "encrypt",
            id,
            Some(NodeBuilder::new("key").children(users).build()),
        )
    };
    let mut seen = Vec::new();
    for id in ["b1", "b2", "b3"] {
        let answer = client.ask(ask(id)).await;
        let list = answer.get_optional_child("list").unwrap();
        let users: Vec<&Node> = list.get_children_by_tag("user").collect();
        assert_eq!(users.len(), 3);
        let code = |user: &Node| attr(user.get_optional_child("error").unwrap(), "code");
        assert_eq!(
            (code(users[1]), code(users[2])),
            ("406".into(), "404".into())
        );
        assert!(users[0].get_optional_child("skey").is_some());
        assert!(users[0].get_optional_child("device-identity").is_some());
        seen.push(
            users[0]
                .get_optional_child_by_tag(&["key", "value"])
                .is_some(),
        );
    }
    assert_eq!(seen, [true, true, false]);

    let digest = client
        .ask(iq("get", "encrypt", "d", Some(empty("digest"))))
        .await;
    assert!(
        digest
            .get_optional_child_by_tag(&["digest", "hash"])
            .is_some()
    );
    let rotate = NodeBuilder::new("rotate")
        .children([signed_prekey(2)])
        .build();
    let rotated = client.ask(iq("set", "encrypt", "r", Some(rotate))).await;
    assert_eq!(attr(&rotated, "type"), "result");
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_device_is_told_when_its_prekeys_run_low() {
    let simulator = simulator().await;
    let phone = simulator.phones().create(None, None).await.unwrap();
    let (mut client, _, device) = linked(&simulator, phone.number()).await;
    upload(&mut client, &[1, 2, 3]).await;
    let user = NodeBuilder::new("user")
        .attr("jid", phone.jid().with_device(device))
        .build();
    let key = NodeBuilder::new("key").children([user]).build();
    client.send(&iq("get", "encrypt", "k", Some(key))).await;
    let notification = next_notification(&mut client, "encrypt").await;
    assert_eq!(
        attr(notification.get_optional_child("count").unwrap(), "value"),
        "2"
    );
    simulator.shutdown().await;
}

#[tokio::test]
async fn users_are_looked_up_by_number_and_lid() {
    let simulator = simulator().await;
    let phone = simulator.phones().create(None, None).await.unwrap();
    let (mut client, _, device) = linked(&simulator, phone.number()).await;
    let contact = |number: &str| {
        NodeBuilder::new("user")
            .children([NodeBuilder::new("contact")
                .string_content(format!("+{number}"))
                .build()])
            .build()
    };
    let usync = NodeBuilder::new("usync")
        .attr("sid", "s")
        .attr("context", "interactive")
        .children([
            NodeBuilder::new("query")
                .children([
                    empty("contact"),
                    empty("lid"),
                    empty("devices"),
                    empty("status"),
                ])
                .build(),
            NodeBuilder::new("list")
                .children([
                    contact(phone.number()),
                    contact("15559999999"),
                    NodeBuilder::new("user")
                        .attr("jid", phone.lid().clone())
                        .build(),
                ])
                .build(),
        ])
        .build();
    let answer = client.ask(iq("get", "usync", "u", Some(usync))).await;
    let list = answer
        .get_optional_child_by_tag(&["usync", "list"])
        .unwrap();
    let users: Vec<&Node> = list.get_children_by_tag("user").collect();
    assert_eq!(users.len(), 3);
    let kind = |user: &Node| attr(user.get_optional_child("contact").unwrap(), "type");
    assert_eq!(
        (kind(users[0]), kind(users[1])),
        ("in".into(), "out".into())
    );
    let lid = users[0].get_optional_child("lid").unwrap();
    assert_eq!(attr(lid, "val"), phone.lid().to_string());
    assert_eq!(attr(users[2], "pn_jid"), phone.jid().to_string());
    let devices = users[2]
        .get_optional_child_by_tag(&["devices", "device-list"])
        .unwrap();
    let ids: Vec<String> = devices
        .get_children_by_tag("device")
        .map(|device| attr(device, "id"))
        .collect();
    assert_eq!(ids, ["0".to_owned(), device.to_string()]);
    simulator.shutdown().await;
}

#[tokio::test]
async fn app_state_patches_are_versioned_and_conflict() {
    let simulator = simulator().await;
    let phone = simulator.phones().create(None, None).await.unwrap();
    let (mut client, _, _) = linked(&simulator, phone.number()).await;
    let (mut other, _, _) = linked(&simulator, phone.number()).await;
    let collection = |version: u64, patch: Option<&[u8]>| {
        let mut node = NodeBuilder::new("collection")
            .attr("name", "regular_low")
            .attr("version", version);
        if let Some(patch) = patch {
            node = node.children([bytes("patch", patch.to_vec())]);
        }
        Some(NodeBuilder::new("sync").children([node.build()]).build())
    };
    let answered = |answer: &Node| {
        answer
            .get_optional_child_by_tag(&["sync", "collection"])
            .unwrap()
            .clone()
    };
    let first = client
        .ask(iq("get", "w:sync:app:state", "a0", collection(0, None)))
        .await;
    let start: u64 = attr(&answered(&first), "version").parse().unwrap();
    let set = |id: &str, version| {
        iq(
            "set",
            "w:sync:app:state",
            id,
            collection(version, Some(&[0x22, 1, 7])),
        )
    };
    let taken = client.ask(set("a1", start)).await;
    assert_eq!(attr(&answered(&taken), "version"), (start + 1).to_string());
    let conflict = answered(&client.ask(set("a2", start)).await);
    assert_eq!(
        attr(conflict.get_optional_child("error").unwrap(), "code"),
        "409"
    );

    let notification = next_notification(&mut other, "server_sync").await;
    let changed = notification.get_optional_child("collection").unwrap();
    assert_eq!(attr(changed, "version"), (start + 1).to_string());
    let newer = other
        .ask(iq("get", "w:sync:app:state", "a3", collection(start, None)))
        .await;
    let collection = answered(&newer);
    let patches = collection.get_optional_child("patches").unwrap();
    assert_eq!(patches.get_children_by_tag("patch").count(), 1);
    simulator.shutdown().await;
}

#[tokio::test]
async fn settings_are_kept() {
    let simulator = simulator().await;
    let phone = simulator.phones().create(None, None).await.unwrap();
    let (mut client, _, _) = linked(&simulator, phone.number()).await;
    let category = NodeBuilder::new("category")
        .attr("name", "last")
        .attr("value", "none")
        .build();
    let set = NodeBuilder::new("privacy").children([category]).build();
    client.ask(iq("set", "privacy", "p1", Some(set))).await;
    let settings = client
        .ask(iq("get", "privacy", "p2", Some(empty("privacy"))))
        .await;
    let last = settings
        .get_optional_child("privacy")
        .unwrap()
        .get_children_by_tag("category")
        .find(|category| attr(category, "name") == "last")
        .map(|category| attr(category, "value"));
    assert_eq!(last.as_deref(), Some("none"));

    let block = |jid: &Jid| {
        NodeBuilder::new("item")
            .attr("jid", jid)
            .attr("pn_jid", phone.jid())
            .attr("action", "block")
            .build()
    };
    client
        .ask(iq("set", "blocklist", "b1", Some(block(phone.lid()))))
        .await;
    let blocked = client.ask(iq("get", "blocklist", "b2", None)).await;
    let item = blocked
        .get_optional_child_by_tag(&["list", "item"])
        .unwrap();
    assert_eq!(attr(item, "jid"), phone.lid().to_string());

    client
        .ask(iq(
            "set",
            "status",
            "s1",
            Some(bytes("status", b"busy".to_vec())),
        ))
        .await;
    let about = client
        .ask(iq("get", "status", "s2", Some(empty("status"))))
        .await;
    let about = about
        .get_optional_child("status")
        .unwrap()
        .content_as_string();
    assert_eq!(about.as_deref(), Some("busy"));
    simulator.shutdown().await;
}

/// The next notification of this type; others are passed over.
async fn next_notification(client: &mut Client, kind: &str) -> Node {
    loop {
        let notification = client.next_tagged("notification").await;
        if attr(&notification, "type") == kind {
            return notification;
        }
    }
}

/// One's own devices learn the timer of new chats as a change of their account, others as a change
/// of a contact.
#[tokio::test]
async fn a_new_timer_is_told_to_own_devices_and_to_others() {
    let simulator = simulator().await;
    let alice = simulator.phones().create(None, None).await.unwrap();
    let bob = simulator.phones().create(None, None).await.unwrap();
    let (mut client, _, _) = linked(&simulator, alice.number()).await;
    let (mut own, _, _) = linked(&simulator, alice.number()).await;
    let (mut contact, _, _) = linked(&simulator, bob.number()).await;
    let enc = NodeBuilder::new("enc")
        .attr("type", "msg")
        .bytes(vec![1])
        .build();
    let message = NodeBuilder::new("message")
        .attr("to", bob.jid().clone())
        .attr("id", "M1")
        .attr("type", "text")
        .children([enc])
        .build();
    client.send(&message).await;
    client.next_tagged("ack").await;

    let timer = NodeBuilder::new("disappearing_mode")
        .attr("duration", 86_400_u32)
        .build();
    let answer = client
        .ask(iq("set", "disappearing_mode", "d1", Some(timer)))
        .await;
    assert_eq!(attr(&answer, "type"), "result");
    for (device, kind) in [
        (&mut own, "account_sync"),
        (&mut contact, "disappearing_mode"),
    ] {
        let notification = next_notification(device, kind).await;
        let mode = notification
            .get_optional_child("disappearing_mode")
            .unwrap();
        assert_eq!(attr(mode, "duration"), "86400");
        assert_eq!(attr(&notification, "from"), alice.jid().to_string());
    }
    simulator.shutdown().await;
}

#[tokio::test]
async fn pictures_are_set_found_and_removed() {
    let simulator = simulator().await;
    let phone = simulator.phones().create(None, None).await.unwrap();
    let (mut client, _, _) = linked(&simulator, phone.number()).await;
    let get = |id: &str| {
        let mut get = iq("get", "w:profile:picture", id, Some(empty("picture")));
        get.attrs.insert("target", phone.jid().clone());
        get
    };
    assert_eq!(error_code(&client.ask(get("g1")).await), "404");
    let set = iq(
        "set",
        "w:profile:picture",
        "s",
        Some(bytes("picture", vec![9; 10])),
    );
    let id: String = attr(
        client.ask(set).await.get_optional_child("picture").unwrap(),
        "id",
    );
    let found = client.ask(get("g2")).await;
    let picture = found.get_optional_child("picture").unwrap();
    assert_eq!(attr(picture, "id"), id);
    assert!(attr(picture, "url").starts_with(&format!("http://{}", simulator.addr())));
    let mut known = get("g4");
    if let Some(wacore_binary::NodeContent::Nodes(children)) = &mut known.content {
        children[0].attrs.insert("id", id);
    }
    let unchanged = client.ask(known).await;
    let picture = unchanged.get_optional_child("picture").unwrap();
    assert_eq!(attr(picture, "url"), "");
    client.ask(iq("set", "w:profile:picture", "d", None)).await;
    assert_eq!(error_code(&client.ask(get("g3")).await), "404");
    simulator.shutdown().await;
}

#[tokio::test]
async fn what_a_server_refuses_is_refused() {
    let simulator = simulator().await;
    let phone = simulator.phones().create(None, None).await.unwrap();
    let other = simulator.phones().create(None, None).await.unwrap();
    let (mut client, _, _) = linked(&simulator, phone.number()).await;
    let by_number = NodeBuilder::new("item")
        .attr("jid", other.jid())
        .attr("action", "block")
        .build();
    let answer = client.ask(iq("set", "blocklist", "1", Some(by_number)));
    assert_eq!(error_code(&answer.await), "400");
    for (name, value) in [("last", "everybody"), ("shoe-size", "all")] {
        let category = NodeBuilder::new("category")
            .attr("name", name)
            .attr("value", value)
            .build();
        let set = NodeBuilder::new("privacy").children([category]).build();
        let answer = client.ask(iq("set", "privacy", name, Some(set))).await;
        assert_eq!(error_code(&answer), "400", "{name}");
    }
    let mut picture = iq(
        "set",
        "w:profile:picture",
        "2",
        Some(bytes("picture", vec![9])),
    );
    picture.attrs.insert("target", other.jid());
    assert_eq!(error_code(&client.ask(picture).await), "403");
    let mut forged = signed_prekey(2);
    if let Some(wacore_binary::NodeContent::Nodes(children)) = &mut forged.content {
        children.retain(|child| child.tag != "signature");
        children.push(bytes("signature", vec![5; 64]));
    }
    upload(&mut client, &[1]).await;
    let rotate = NodeBuilder::new("rotate").children([forged]).build();
    let answer = client.ask(iq("set", "encrypt", "3", Some(rotate))).await;
    assert_eq!(error_code(&answer), "406");
    simulator.shutdown().await;
}

#[tokio::test]
async fn every_other_request_is_answered() {
    let simulator = simulator().await;
    let phone = simulator.phones().create(None, None).await.unwrap();
    let (mut client, _, _) = linked(&simulator, phone.number()).await;
    let ping = client.ask(iq("get", "w:p", "1", None)).await;
    assert_eq!(attr(&ping, "type"), "result");
    let props = client
        .ask(iq("get", "abt", "2", Some(empty("props"))))
        .await;
    assert!(props.get_optional_child("props").is_some());
    let media = client
        .ask(iq("set", "w:m", "3", Some(empty("media_conn"))))
        .await;
    let host = media
        .get_optional_child_by_tag(&["media_conn", "host"])
        .unwrap();
    assert_eq!(attr(host, "hostname"), simulator.addr().to_string());
    let query = NodeBuilder::new("query").attr("query_id", "1").build();
    let mex = client.ask(iq("get", "w:mex", "4", Some(query))).await;
    let result = mex
        .get_optional_child("result")
        .unwrap()
        .content_as_string()
        .unwrap();
    assert!(result.contains("errors"));
    let mut group = iq("get", "w:g2", "5", Some(empty("query")));
    group.attrs.insert("to", Jid::group("120363000000000000"));
    assert_eq!(error_code(&client.ask(group).await), "404");
    let unknown = client
        .ask(iq("get", "w:nowhere", "6", Some(empty("x"))))
        .await;
    assert_eq!(error_code(&unknown), "501");
    let nothing_kept = client.ask(iq("get", "tos", "7", Some(empty("x")))).await;
    assert_eq!(error_code(&nothing_kept), "501");
    let typeless = client.ask(iq("give", "w:p", "8", None)).await;
    assert_eq!(error_code(&typeless), "400");
    for (tag, code) in [("novelty", "501"), ("call", "400")] {
        client
            .send(&NodeBuilder::new(tag).attr("id", tag).build())
            .await;
        let nack = client.next_tagged("ack").await;
        assert_eq!(
            (attr(&nack, "class"), attr(&nack, "id")),
            (tag.into(), tag.into())
        );
        assert_eq!(attr(&nack, "error"), code);
    }
    simulator.shutdown().await;
}
