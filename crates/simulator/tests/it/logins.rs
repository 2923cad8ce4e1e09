//! Who may log in, and how connections end.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wagate_simulator::faults::{FaultKind, FaultSpec};
use wagate_simulator::{Simulator, SimulatorConfig};

use crate::client::{attr, keys, linked, logged_in, login, refused, registration};
use crate::support_engine::simulator;

#[tokio::test]
async fn only_the_linked_device_logs_in() {
    let simulator = simulator().await;
    let phone = simulator.phones().create(None, None).await.unwrap();
    let (_client, noise, device) = linked(&simulator, phone.number()).await;
    let with_other_key = refused(&simulator, &keys(), &login(phone.number(), device.into())).await;
    assert_eq!(attr(&with_other_key, "reason"), "401");
    let other_device = refused(&simulator, &noise, &login(phone.number(), 77)).await;
    assert_eq!(attr(&other_device, "reason"), "401");
    let other_number = refused(&simulator, &noise, &login("15550009999", device.into())).await;
    assert_eq!(attr(&other_number, "reason"), "401");
    // The in-process primary has no key to log in with.
    let primary = refused(&simulator, &noise, &login(phone.number(), 0)).await;
    assert_eq!(attr(&primary, "reason"), "401");
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_second_login_replaces_the_first() {
    let simulator = simulator().await;
    let phone = simulator.phones().create(None, None).await.unwrap();
    let (mut first, noise, device) = linked(&simulator, phone.number()).await;
    let mut second = logged_in(&simulator, phone.number(), device, &noise).await;
    let error = first.next_tagged("stream:error").await;
    assert_eq!(
        attr(error.get_optional_child("conflict").unwrap(), "type"),
        "replaced"
    );
    assert!(first.next().await.is_none());
    assert_eq!(second.next().await.unwrap().tag, "ib");
    simulator.shutdown().await;
}

#[tokio::test]
async fn an_unlinked_device_is_told_and_kept_out() {
    let simulator = simulator().await;
    let phone = simulator.phones().create(None, None).await.unwrap();
    let (mut client, noise, device) = linked(&simulator, phone.number()).await;
    simulator
        .server()
        .unlink(phone.number(), device, None)
        .unwrap();
    let error = client.next_tagged("stream:error").await;
    assert_eq!(attr(&error, "code"), "401");
    assert_eq!(
        attr(error.get_optional_child("conflict").unwrap(), "type"),
        "device_removed"
    );
    let failure = refused(&simulator, &noise, &login(phone.number(), device.into())).await;
    assert_eq!(attr(&failure, "reason"), "401");
    simulator.shutdown().await;
}

#[tokio::test]
async fn old_clients_are_refused() {
    let mut config = SimulatorConfig::new("127.0.0.1:0".parse().unwrap());
    config.server.min_client_version = Some([2, 3_000, 5]);
    let simulator = Simulator::start(config).await.unwrap();
    let failure = refused(&simulator, &keys(), &registration()).await;
    assert_eq!(attr(&failure, "reason"), "405");
    simulator.shutdown().await;
}

#[tokio::test]
async fn bans_end_connections_and_refuse_logins() {
    let simulator = simulator().await;
    let phone = simulator.phones().create(None, None).await.unwrap();
    let (mut client, noise, device) = linked(&simulator, phone.number()).await;
    let ban = FaultSpec {
        target: Some(phone.number().to_owned()),
        code: Some(101),
        delay_ms: Some(60_000),
        ..FaultSpec::new(FaultKind::Ban)
    };
    let fault = simulator.server().inject(ban).unwrap();
    assert_eq!(
        attr(&client.next_tagged("stream:error").await, "code"),
        "403"
    );
    let payload = login(phone.number(), device.into());
    let failure = refused(&simulator, &noise, &payload).await;
    assert_eq!(attr(&failure, "reason"), "402");
    assert_eq!(attr(&failure, "code"), "101");
    assert_eq!(attr(&failure, "expire"), "60");
    assert!(simulator.server().faults().remove(&fault.id));
    logged_in(&simulator, phone.number(), device, &noise).await;
    simulator.shutdown().await;
}

#[tokio::test]
async fn sockets_close_when_a_fault_says_so() {
    let simulator = simulator().await;
    let phone = simulator.phones().create(None, None).await.unwrap();
    let (mut client, noise, device) = linked(&simulator, phone.number()).await;
    let close = FaultSpec {
        count: Some(1),
        ..FaultSpec::new(FaultKind::CloseSocket)
    };
    simulator.server().inject(close).unwrap();
    while let Some(node) = client.next().await {
        assert_ne!(node.tag, "stream:error");
    }
    assert!(simulator.server().faults().list().is_empty());
    logged_in(&simulator, phone.number(), device, &noise).await;
    simulator.shutdown().await;
}

/// A client may be writing while the server ends the connection. When the socket is gone by then,
/// the client is reset and may lose what it has not read yet: the stanza that says why.
#[tokio::test]
async fn a_closed_connection_takes_what_the_client_still_writes() {
    let simulator = simulator().await;
    let phone = simulator.phones().create(None, None).await.unwrap();
    let (mut client, _, device) = linked(&simulator, phone.number()).await;
    let server = simulator.server();
    server.unlink(phone.number(), device, None).unwrap();
    client.next_tagged("stream:error").await;
    assert!(client.next().await.is_none());

    let mut stream = client.into_frames().into_stream();
    // RFC 6455: a final frame of bytes, masked with zeros, and a masked close.
    let bytes = [0x82, 0x81, 0, 0, 0, 0, 7];
    for _ in 0..16 {
        stream.write_all(&bytes).await.unwrap();
    }
    stream.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    simulator.shutdown().await;
}
