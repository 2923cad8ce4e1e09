//! Who may log in, and how connections end.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wagate_simulator::faults::{FaultKind, FaultSpec};
use wagate_simulator::server::{LinkContext, LinkError};
use wagate_simulator::{Simulator, SimulatorConfig};

use crate::client::{
    Client, attr, first_reference, keys, linked, logged_in, login, refused, registration,
    sign_anything,
};
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
    let close = FaultSpec::new(FaultKind::CloseSocket);
    assert_eq!(simulator.server().inject(close).unwrap().struck, 1);
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

/// An attempt to link counts while it lasts, and leaves nothing behind when it fails.
#[tokio::test]
async fn an_attempt_that_fails_uses_up_no_device() {
    let mut config = SimulatorConfig::new("127.0.0.1:0".parse().unwrap());
    config.server.max_companions = 1;
    let simulator = Simulator::start(config).await.unwrap();
    let server = simulator.server();
    let number = server.create_account(None, None).unwrap().number;
    let url = simulator.chat_url();
    let (mut first, _) = Client::xx(&url, keys(), &registration()).await;
    let (mut second, _) = Client::xx(&url, keys(), &registration()).await;
    let references = (
        first_reference(&mut first).await,
        first_reference(&mut second).await,
    );
    let unsigned = |_: LinkContext| Err(LinkError::Sign("no".to_owned()));
    let refused = server.link_by_ref(&number, &references.0, unsigned).await;
    assert!(matches!(refused, Err(LinkError::Sign(_))));

    let (waiting, owner) = (server.clone(), number.clone());
    let attempt = tokio::spawn(async move {
        waiting
            .link_by_ref(&owner, &references.0, sign_anything)
            .await
    });
    first.next_tagged("iq").await;
    let refused = server
        .link_by_ref(&number, &references.1, sign_anything)
        .await;
    assert!(matches!(refused, Err(LinkError::TooManyDevices)));
    drop(first);
    let ended = attempt.await.unwrap();
    assert!(matches!(ended, Err(LinkError::Disconnected)));
    let (_, _, device) = linked(&simulator, &number).await;
    assert_eq!(device, 1);
    simulator.shutdown().await;
}
