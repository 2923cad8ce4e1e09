//! One connection from the handshake to its end.

use std::pin::pin;
use std::time::Duration;

use axum::extract::ws::WebSocket;
use bytes::Bytes;
use tokio::time::Instant;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, OwnedNodeRef};

use super::login::{self, Intent};
use super::route::Endpoint;
use super::wire::{Over, Wire};
use super::{handshake, pairing};
use crate::noise::Transport;
use crate::server::connections::Refusal;
use crate::server::jids::Addressing;
use crate::server::link::Outgoing;
use crate::server::outbox::Outbox;
use crate::server::prekeys::is_signed;
use crate::server::session::Session;
use crate::server::stanza::{marshal, server_jid};
use crate::server::{Registration, Server};

/// After this much silence the client is asked whether it is there.
const PING_AFTER: Duration = Duration::from_mins(1);

/// After this much silence the client is taken to be gone.
const GONE_AFTER: Duration = Duration::from_mins(3);

/// An established connection: stanzas in and out.
pub(super) struct Stanzas {
    wire: Wire,
    transport: Transport,
}

impl Stanzas {
    /// The next stanza. May be dropped while it waits: nothing is lost.
    pub(super) async fn next(&mut self) -> Result<Node, Over> {
        loop {
            let frame = self.wire.frame().await?;
            if frame.is_empty() {
                // An empty frame only keeps the connection alive.
                continue;
            }
            let plain = self.transport.open(frame).map_err(|error| {
                tracing::debug!(%error, "cut a connection");
                Over
            })?;
            let stanza = wacore_binary::util::unpack_bytes(plain).map_err(|_| Over)?;
            let node = OwnedNodeRef::new(stanza).map_err(|_| Over)?;
            return Ok(node.to_owned_node());
        }
    }

    pub(super) async fn send(&mut self, stanza: &[u8]) -> Result<(), Over> {
        let frame = self.transport.seal(stanza).map_err(|_| Over)?;
        self.wire.write(frame).await
    }

    pub(super) async fn send_node(&mut self, node: &Node) -> Result<(), Over> {
        let stanza: Bytes = marshal(node);
        self.send(&stanza).await
    }

    /// Sends what the router wants sent; `Err` after the last stanza of a connection.
    pub(super) async fn send_outgoing(&mut self, outgoing: Outgoing) -> Result<(), Over> {
        match outgoing {
            Outgoing::Stanza(stanza) => self.send(&stanza).await,
            Outgoing::Last(stanza) => {
                self.send(&stanza).await?;
                Err(Over)
            }
            Outgoing::Slow(stanza, delay_ms) => {
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                self.send(&stanza).await
            }
            Outgoing::Wake => Ok(()),
        }
    }

    async fn close(self) {
        self.wire.close().await;
    }
}

/// Serves one client.
pub(super) async fn run(endpoint: Endpoint, socket: WebSocket) {
    let mut wire = Wire::new(socket);
    let Ok(established) = handshake::run(&mut wire, &endpoint.identity).await else {
        wire.close().await;
        return;
    };
    wire.allow_large_frames();
    let mut stanzas = Stanzas {
        wire,
        transport: established.transport,
    };
    let server = endpoint.server;
    let introduction = login::read(&established.payload, established.client_static);
    // Whatever ends the connection has been said on it.
    let _ = match introduction {
        None => stanzas.send_node(&failure(400)).await,
        Some(introduction) if server.is_outdated(introduction.version) => {
            stanzas.send_node(&failure(405)).await
        }
        Some(introduction) => match introduction.intent {
            Intent::Register(registration) if !is_signed_by_itself(&registration) => {
                stanzas.send_node(&failure(400)).await
            }
            Intent::Register(registration) => {
                pairing::run(&server, &mut stanzas, *registration).await
            }
            Intent::Login {
                number,
                device_id,
                is_passive,
            } => match server.admit(&number, device_id, &established.client_static) {
                Err(refusal) => stanzas.send_node(&refused(refusal)).await,
                Ok(account) => {
                    let (link, receiver) = server.socket_link();
                    match Server::open_session(account, device_id, link, is_passive) {
                        None => stanzas.send_node(&failure(401)).await,
                        Some(session) => {
                            let outbox = server.socket_outbox(&session, receiver);
                            let outcome = serve(&server, &mut stanzas, &session, outbox).await;
                            server.close_session(&session);
                            outcome
                        }
                    }
                }
            },
        },
    };
    stanzas.close().await;
}

async fn serve(
    server: &Server,
    stanzas: &mut Stanzas,
    session: &Session,
    mut outbox: Outbox,
) -> Result<(), Over> {
    let mut cut = pin!(session.link.cut_token().cancelled_owned());
    stanzas.send_node(&success(server, session)).await?;
    stanzas.send_node(&edge_routing()).await?;
    server.note_login(session).map_err(|error| {
        tracing::error!(%error, "a first login could not be written down");
        Over
    })?;
    let mut heard_at = Instant::now();
    let mut asked_at: Option<Instant> = None;
    let mut silence = pin!(tokio::time::sleep(PING_AFTER));
    loop {
        tokio::select! {
            () = &mut cut => return Err(Over),
            node = stanzas.next() => {
                heard_at = Instant::now();
                server.handle(session, node?);
            }
            outgoing = outbox.next() => {
                stanzas.send_outgoing(outgoing.ok_or(Over)?).await?;
            }
            () = &mut silence => {
                let now = Instant::now();
                if now >= heard_at + GONE_AFTER {
                    return Err(Over);
                }
                let was_asked = asked_at.is_some_and(|asked_at| asked_at >= heard_at);
                if now >= heard_at + PING_AFTER && !was_asked {
                    asked_at = Some(now);
                    stanzas.send_node(&ping(server)).await?;
                }
                let is_asked = asked_at.is_some_and(|asked_at| asked_at >= heard_at);
                let patience = if is_asked { GONE_AFTER } else { PING_AFTER };
                silence.as_mut().reset(heard_at + patience);
            }
        }
    }
}

fn is_signed_by_itself(registration: &Registration) -> bool {
    is_signed(
        &registration.identity,
        &registration.signed_prekey,
        &registration.signed_prekey_signature,
    )
}

fn success(server: &Server, session: &Session) -> Node {
    let account = session.account.describe();
    NodeBuilder::new("success")
        .attr("t", server.clock().now_s())
        .attr("props", 0_u8)
        .attr("location", "sim")
        .attr("lid", session.jid(Addressing::Lid))
        .attr("display_name", account.push_name)
        .attr("abprops", 0_u8)
        .attr("group_abprops", 0_u8)
        .build()
}

/// The routing information that the client repeats when it connects again.
fn edge_routing() -> Node {
    let info = NodeBuilder::new("routing_info")
        .bytes(b"sim-edge".to_vec())
        .build();
    NodeBuilder::new("ib")
        .attr("from", server_jid())
        .children([NodeBuilder::new("edge_routing").children([info]).build()])
        .build()
}

fn ping(server: &Server) -> Node {
    NodeBuilder::new("iq")
        .attr("from", server_jid())
        .attr("id", server.stanza_id())
        .attr("type", "get")
        .attr("xmlns", "urn:xmpp:ping")
        .attr("t", server.clock().now_s())
        .children([NodeBuilder::new("ping").build()])
        .build()
}

fn failure(reason: u16) -> Node {
    NodeBuilder::new("failure")
        .attr("reason", reason)
        .attr("location", "sim")
        .build()
}

fn refused(refusal: Refusal) -> Node {
    match refusal {
        Refusal::LoggedOut => failure(401),
        Refusal::Banned => failure(403),
        Refusal::Outdated => failure(405),
        Refusal::TemporarilyBanned { code, expire_s } => {
            let mut node = failure(402);
            node.attrs.insert("code", code);
            node.attrs.insert("expire", expire_s);
            node
        }
    }
}
