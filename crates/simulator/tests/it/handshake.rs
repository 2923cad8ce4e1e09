//! Noise `XX`, `IK` and `XXfallback` against the client's own state machines, and what is not let in.

use wacore_binary::consts::WA_CONN_HEADER;
use wacore_libsignal::protocol::PublicKey;
use waproto::buffa::Message;

use crate::client::{Client, Frames, attr, keys, registration};
use crate::support_engine::simulator;

#[tokio::test]
async fn xx_ends_with_a_chain_under_the_published_root() {
    let simulator = simulator().await;
    let (mut client, chain) = Client::xx(&simulator.chat_url(), keys(), &registration()).await;
    assert_eq!(client.next().await.unwrap().tag, "iq");
    assert!(chain.leaf_not_after > chain.leaf_not_before);
    let root = hex::decode(simulator.root_public_key_hex()).unwrap();
    assert!(PublicKey::from_djb_public_key_bytes(&root).is_ok());
    assert_ne!(root, chain.intermediate_key);
    simulator.shutdown().await;
}

#[tokio::test]
async fn ik_saves_a_round_and_falls_back_from_a_stale_key() {
    let simulator = simulator().await;
    let url = simulator.chat_url();
    let (_, chain) = Client::xx(&url, keys(), &registration()).await;
    let (mut client, fell_back) = Client::ik(&url, keys(), chain.leaf_key, &registration()).await;
    assert!(!fell_back);
    assert_eq!(client.next().await.unwrap().tag, "iq");

    let stale: [u8; 32] = keys().public_key.public_key_bytes().try_into().unwrap();
    let (mut client, fell_back) = Client::ik(&url, keys(), stale, &registration()).await;
    assert!(fell_back);
    assert_eq!(client.next().await.unwrap().tag, "iq");
    simulator.shutdown().await;
}

#[tokio::test]
async fn what_is_no_handshake_is_cut() {
    let simulator = simulator().await;
    let url = simulator.chat_url();
    let hello_without_key = waproto::whatsapp::HandshakeMessage::default().encode_to_vec();
    for (header, payload) in [
        (&b"WA\x05\x03"[..], vec![1, 2, 3]),
        (&WA_CONN_HEADER[..], vec![0xff; 40]),
        (&WA_CONN_HEADER[..], hello_without_key),
        (&WA_CONN_HEADER[..], vec![0; 17 * 1_024]),
    ] {
        let mut frames = Frames::connect(&url).await;
        frames.send(&payload, Some(header)).await;
        assert!(frames.next().await.is_none());
    }
    // The announced length is enough to be cut.
    let mut frames = Frames::connect(&url).await;
    frames.send_bytes(b"WA\x06\x03\xff\xff\xff".to_vec()).await;
    assert!(frames.next().await.is_none());
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_frame_that_does_not_authenticate_ends_the_connection() {
    let simulator = simulator().await;
    let (mut client, _) = Client::xx(&simulator.chat_url(), keys(), &registration()).await;
    assert_eq!(attr(&client.next().await.unwrap(), "type"), "set");
    client.send_garbage(&[7; 64]).await;
    assert!(client.next().await.is_none());
    simulator.shutdown().await;
}

#[tokio::test]
async fn six_references_are_shown() {
    let simulator = simulator().await;
    let (mut client, _) = Client::xx(&simulator.chat_url(), keys(), &registration()).await;
    let iq = client.next_tagged("iq").await;
    let pair_device = iq.get_optional_child("pair-device").unwrap();
    assert_eq!(pair_device.get_children_by_tag("ref").count(), 6);
    assert_eq!(attr(&iq, "from"), "s.whatsapp.net");
    simulator.shutdown().await;
}
