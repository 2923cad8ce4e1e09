//! Realtime sockets, over real connections.

use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use wagate_cluster::{EventCopy, Signal};
use wagate_model::{Actor, EventId, EventKind, SessionId};

use crate::harness::{Service, Tenant, UNKNOWN};

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const TICKETS: &str = "/api/v1/realtime/ticket";

struct World {
    service: Service,
    tenant: Tenant,
    session: SessionId,
    address: SocketAddr,
}

async fn world_with(change: impl FnOnce(&mut wagate_api::ApiConfig)) -> World {
    let service = Service::with(change).await;
    let tenant = service.tenant().await;
    let session = service.store.session(tenant.organization).await;
    let address = service.listen().await;
    World {
        service,
        tenant,
        session,
        address,
    }
}

async fn world() -> World {
    world_with(|_| {}).await
}

impl World {
    async fn ticket(&self, body: Value) -> String {
        let ticket = self
            .service
            .post(TICKETS, &self.tenant.key, body)
            .await
            .ok(200);
        assert_eq!(ticket["expiresInSeconds"], 30);
        let secret = ticket["ticket"].as_str().unwrap().to_owned();
        let url = format!("ws://api.example/api/v1/realtime?ticket={secret}");
        assert_eq!(ticket["url"], url);
        secret
    }

    async fn connect(&self, ticket: &str) -> Result<Socket, u16> {
        connect(self.address, ticket).await
    }

    async fn open(&self, body: Value) -> Socket {
        let ticket = self.ticket(body).await;
        let mut socket = self.connect(&ticket).await.unwrap();
        let connected = frame(&mut socket).await;
        assert_eq!(connected["event"], "connected");
        assert_eq!(connected["heartbeatSeconds"], 20);
        assert!(connected["timestamp"].is_i64());
        socket
    }

    async fn emit(&self, numbers: std::ops::Range<usize>) -> Vec<EventId> {
        self.service
            .emit(self.tenant.organization, self.session, numbers)
            .await
    }
}

/// Opens a socket with a ticket; gives the status where it is refused.
pub(crate) async fn connect(address: SocketAddr, ticket: &str) -> Result<Socket, u16> {
    let url = format!("ws://{address}/api/v1/realtime?ticket={ticket}");
    match connect_async(url).await {
        Ok((socket, _)) => Ok(socket),
        Err(WsError::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

pub(crate) async fn frame(socket: &mut Socket) -> Value {
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn numbers(socket: &mut Socket, count: usize) -> Vec<u64> {
    let mut found = Vec::new();
    while found.len() < count {
        found.push(frame(socket).await["payload"]["n"].as_u64().unwrap());
    }
    found
}

fn up_to(end: u64) -> Vec<u64> {
    (0..end).collect()
}

#[tokio::test]
async fn live_events_come_as_stored() {
    let world = world().await;
    let mut socket = world.open(json!({})).await;
    let ids = world.emit(0..3).await;
    for (n, id) in ids.iter().enumerate() {
        let event = frame(&mut socket).await;
        assert_eq!(event["id"], id.to_string());
        assert_eq!(event["schema"], "v1");
        assert_eq!(event["session"], world.session.to_string());
        assert_eq!(event["organization"], world.tenant.organization.to_string());
        assert_eq!(event["payload"]["n"], n);
        assert_eq!(event.as_object().unwrap().len(), 7);
    }
}

#[tokio::test]
async fn a_ticket_works_once_and_not_for_long() {
    let world = world().await;
    let ticket = world.ticket(json!({})).await;
    world.connect(&ticket).await.unwrap();
    assert_eq!(world.connect(&ticket).await.unwrap_err(), 401);
    for ticket in ["", "rt_", "rt_nonsense", "nonsense"] {
        assert_eq!(world.connect(ticket).await.unwrap_err(), 401);
    }
    let late = world.ticket(json!({})).await;
    world.service.store.clock.advance_ms(30_000);
    assert_eq!(world.connect(&late).await.unwrap_err(), 401);
    let plain = world.ticket(json!({})).await;
    let reply = world
        .service
        .get(&format!("/api/v1/realtime?ticket={plain}"), "")
        .await;
    assert_eq!(reply.faults(), ["Upgrade"]);
    // Which does not use it up.
    world.connect(&plain).await.unwrap();
}

#[tokio::test]
async fn tickets_are_checked() {
    let world = world().await;
    let ask = async |body| world.service.post(TICKETS, &world.tenant.key, body).await;
    ask(json!({ "scope": "firehose" }))
        .await
        .error(403, "forbidden");
    assert_eq!(
        ask(json!({ "scope": "session" })).await.faults(),
        ["session"]
    );
    assert_eq!(
        ask(json!({ "scope": "galaxy", "x": 1 })).await.faults(),
        ["scope", "x"]
    );
    assert_eq!(
        ask(json!({ "since": "x", "events": ["a"] })).await.faults(),
        ["since", "events[0]"]
    );
    let body = json!({ "scope": "session", "session": UNKNOWN });
    ask(body).await.error(404, "not_found");
    // The body is optional.
    let path = http::Method::POST;
    world
        .service
        .call(path, TICKETS, &world.tenant.key, None)
        .await
        .ok(200);
}

#[tokio::test]
async fn a_replay_has_no_gap_and_no_repetition() {
    let world = world().await;
    let ids = world.emit(0..450).await;
    let mut socket = world.open(json!({ "since": ids[0].to_string() })).await;
    // While the replay goes on, more happens.
    for start in (450..700).step_by(50) {
        world.emit(start..start + 50).await;
    }
    let found = numbers(&mut socket, 699).await;
    assert_eq!(found, up_to(700)[1..]);
    world.emit(700..701).await;
    assert_eq!(numbers(&mut socket, 1).await, [700]);
}

#[tokio::test]
async fn copies_that_are_lost_or_late_do_not_harm() {
    let world = world().await;
    let mut socket = world.open(json!({})).await;
    let organization = world.tenant.organization;
    let payloads = (0..6).map(|n| json!({ "n": n })).collect();
    let kind = EventKind::Message;
    let copies = world
        .service
        .commit(organization, world.session, kind, payloads)
        .await;
    // The last first, some never, one twice.
    world
        .service
        .announce(organization, vec![copies[5].clone()]);
    world
        .service
        .announce(organization, vec![copies[2].clone(), copies[0].clone()]);
    world
        .service
        .announce(organization, vec![copies[5].clone()]);
    assert_eq!(numbers(&mut socket, 6).await, up_to(6));
    world.emit(6..7).await;
    assert_eq!(numbers(&mut socket, 1).await, [6]);
}

#[tokio::test]
async fn who_missed_signals_reads_on_from_the_log() {
    let world = world().await;
    let mut socket = world.open(json!({})).await;
    // More signals than the bus keeps for a subscriber.
    for n in 0..3_000 {
        let payload = vec![json!({ "n": n })];
        let kind = EventKind::Message;
        let organization = world.tenant.organization;
        if n % 100 == 0 {
            let copies = world
                .service
                .commit(organization, world.session, kind, payload)
                .await;
            world.service.announce(organization, copies);
        } else {
            world.service.announce(organization, Vec::new());
        }
    }
    let expected: Vec<_> = (0..3_000).step_by(100).collect();
    assert_eq!(numbers(&mut socket, 30).await, expected);
}

#[tokio::test]
async fn presence_that_is_not_in_the_log_is_passed_on() {
    let world = world().await;
    let mut socket = world.open(json!({})).await;
    let organization = world.tenant.organization;
    let kind = EventKind::PresenceUpdate;
    let logged = vec![json!({ "n": 0 })];
    let mut copies = world
        .service
        .commit(organization, world.session, kind, logged)
        .await;
    copies.push(EventCopy {
        id: EventId::from_parts(copies[0].id.ulid().timestamp_ms() + 5, 1),
        kind,
        session_id: world.session,
        json: r#"{"payload":{"n":1}}"#.into(),
    });
    world.service.announce(organization, copies);
    assert_eq!(numbers(&mut socket, 2).await, [0, 1]);
    world.emit(2..3).await;
    assert_eq!(numbers(&mut socket, 1).await, [2]);
}

#[tokio::test]
async fn scope_and_kinds_are_respected() {
    let world = world().await;
    let other = world.service.store.session(world.tenant.organization).await;
    let body = json!({ "scope": "session", "session": format!("sess_{}", world.session), "events": ["message"] });
    let mut socket = world.open(body).await;
    let organization = world.tenant.organization;
    world.service.emit(organization, other, 50..52).await;
    let call = vec![json!({ "n": 60 })];
    let copies = world
        .service
        .commit(organization, world.session, EventKind::CallIncoming, call)
        .await;
    world.service.announce(organization, copies);
    let stranger = world.service.tenant().await;
    let foreign = world.service.store.session(stranger.organization).await;
    world
        .service
        .emit(stranger.organization, foreign, 70..71)
        .await;
    world.emit(0..1).await;
    assert_eq!(numbers(&mut socket, 1).await, [0]);
}

#[tokio::test]
async fn pings_come() {
    let world = world_with(|config| config.heartbeat = Duration::from_millis(10)).await;
    let ticket = world.ticket(json!({})).await;
    let mut socket = world.connect(&ticket).await.unwrap();
    assert_eq!(frame(&mut socket).await["event"], "connected");
    for _ in 0..3 {
        let ping = frame(&mut socket).await;
        assert_eq!(ping["event"], "ping");
        assert!(ping["timestamp"].is_i64());
    }
}

/// Reads to the end; gives the last error frame.
async fn farewell(socket: &mut Socket) -> Option<String> {
    let mut last = None;
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(text) = message {
            let value: Value = serde_json::from_str(&text).unwrap();
            if value["event"] == "error" {
                last = Some(value["error"].as_str().unwrap().to_owned());
            }
        }
    }
    last
}

#[tokio::test]
async fn sockets_close_when_their_key_is_revoked() {
    let world = world().await;
    let mut socket = world.open(json!({})).await;
    let unused = world.ticket(json!({})).await;
    let key_id = world.tenant.key_id;
    world
        .service
        .identity
        .revoke_api_key(world.tenant.organization, key_id, &Actor::operator())
        .await
        .unwrap();
    world.service.bus.publish(Signal::KeyRevoked { key_id });
    assert_eq!(farewell(&mut socket).await.as_deref(), Some("unauthorized"));
    assert_eq!(world.connect(&unused).await.unwrap_err(), 401);
}

#[tokio::test]
async fn a_revocation_that_nobody_signals_is_noticed_with_the_next_ping() {
    let world = world_with(|config| config.heartbeat = Duration::from_millis(10)).await;
    let ticket = world.ticket(json!({})).await;
    let mut socket = world.connect(&ticket).await.unwrap();
    let key_id = world.tenant.key_id;
    world
        .service
        .identity
        .revoke_api_key(world.tenant.organization, key_id, &Actor::operator())
        .await
        .unwrap();
    assert_eq!(farewell(&mut socket).await.as_deref(), Some("unauthorized"));
}

#[tokio::test]
async fn sockets_close_when_the_service_stops() {
    let world = world().await;
    let mut socket = world.open(json!({})).await;
    world.service.stop.cancel();
    assert_eq!(farewell(&mut socket).await.as_deref(), Some("going_away"));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_and_resumes() {
    let world = world_with(|config| {
        config.slow_client_timeout = Duration::from_millis(100);
        config.max_sockets = 1;
    })
    .await;
    let mut slow = world.open(json!({})).await;
    let refused = world.ticket(json!({})).await;
    assert_eq!(world.connect(&refused).await.unwrap_err(), 429);
    // More than the buffers of both sides hold.
    let big = "x".repeat(1 << 20);
    let organization = world.tenant.organization;
    let kind = EventKind::Message;
    let mut copies = Vec::new();
    // One by one: a transaction that long is ended by the store's own time limit.
    for n in 0..48 {
        let payload = vec![json!({ "n": n, "big": big })];
        let commit = world
            .service
            .commit(organization, world.session, kind, payload);
        copies.extend(commit.await);
    }
    let first = copies[0].id.to_string();
    world.service.announce(organization, copies);
    // Its place is free once it is cut off.
    let body = json!({ "since": first });
    let mut next = loop {
        let ticket = world.ticket(body.clone()).await;
        match world.connect(&ticket).await {
            Ok(socket) => break socket,
            Err(status) => assert_eq!(status, 429),
        }
    };
    let mut received = 0;
    while let Some(Ok(message)) = slow.next().await {
        received += usize::from(message.is_text());
    }
    assert!(received < 48, "{received}");
    assert_eq!(frame(&mut next).await["event"], "connected");
    assert_eq!(numbers(&mut next, 47).await, up_to(48)[1..]);
}

#[tokio::test]
async fn what_waits_to_be_sent_does_not_outlive_the_key() {
    let world = world().await;
    let mut socket = world.open(json!({})).await;
    // More than the buffers of both sides hold, so that the service waits in the middle.
    let big = "x".repeat(1 << 20);
    for n in 0..48 {
        let payload = vec![json!({ "n": n, "big": big })];
        let organization = world.tenant.organization;
        let commit = world
            .service
            .commit(organization, world.session, EventKind::Message, payload);
        let copies = commit.await;
        world.service.announce(organization, copies);
    }
    assert_eq!(numbers(&mut socket, 1).await, [0]);
    let key_id = world.tenant.key_id;
    world
        .service
        .identity
        .revoke_api_key(world.tenant.organization, key_id, &Actor::operator())
        .await
        .unwrap();
    world.service.bus.publish(Signal::KeyRevoked { key_id });
    let (mut received, mut last) = (0, Value::Null);
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(text) = message {
            last = serde_json::from_str(&text).unwrap();
            received += 1;
        }
    }
    assert_eq!(last["error"], "unauthorized", "after {received}");
    assert!(received < 40, "{received}");
}

#[tokio::test]
async fn one_organization_does_not_take_every_socket() {
    let world = world_with(|config| config.max_sockets_per_organization = 1).await;
    let first = world.open(json!({})).await;
    let waiting = world.ticket(json!({})).await;
    assert_eq!(world.connect(&waiting).await.unwrap_err(), 429);
    let other = world.service.tenant().await;
    let ticket = world.service.post(TICKETS, &other.key, json!({})).await;
    let ticket = ticket.ok(200)["ticket"].as_str().unwrap().to_owned();
    world.connect(&ticket).await.unwrap();
    // Being refused does not use the ticket up: it works as soon as there is room.
    drop(first);
    loop {
        match world.connect(&waiting).await {
            Ok(_) => break,
            Err(status) => assert_eq!(status, 429),
        }
    }
}
