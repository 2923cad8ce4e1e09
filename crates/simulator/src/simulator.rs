//! The simulator as a whole: server, phones, and the listeners that they are reached by.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use crate::control::ControlInfo;
use crate::journal::{Journal, JournalError};
use crate::noise::{IdentityError, ServerIdentity};
use crate::phone::Phones;
use crate::server::{Server, ServerConfig, media};
use crate::tls::{TlsError, TlsListener};
use crate::{control, socket};

/// How a simulator is started.
#[derive(Debug, Clone)]
pub struct SimulatorConfig {
    /// Where plain HTTP and `ws://` listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where `wss://` listens, with a self-signed certificate.
    pub tls_listen: Option<SocketAddr>,
    /// Where everything is kept; without it, in memory.
    pub data_dir: Option<PathBuf>,
    /// What the server itself is made with.
    pub server: ServerConfig,
}

impl SimulatorConfig {
    /// A simulator on this address that keeps everything in memory.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            tls_listen: None,
            data_dir: None,
            server: ServerConfig::default(),
        }
    }
}

/// Why a simulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// An address cannot be listened on.
    #[error("the simulator cannot listen: {0}")]
    Listen(#[from] std::io::Error),
    /// The data directory cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The server's keys cannot be made or read.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The self-signed certificate cannot be made.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The phones cannot be brought back.
    #[error("the simulated phones cannot be started: {0}")]
    Phones(String),
}

/// A running simulator; dropping it stops it without waiting.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    tls_certificate: Option<Vec<u8>>,
    identity: Arc<ServerIdentity>,
    server: Server,
    phones: Phones,
    tasks: Vec<JoinHandle<()>>,
}

/// Small stanzas follow each other: none may wait until the one before is confirmed.
#[derive(Debug)]
struct PlainListener(TcpListener);

impl Listener for PlainListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        accept_prompt(&mut self.0).await
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// The next connection, with what is written sent at once.
pub(crate) async fn accept_prompt(listener: &mut TcpListener) -> (TcpStream, SocketAddr) {
    let (stream, peer) = Listener::accept(listener).await;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection stays slow");
    }
    (stream, peer)
}

/// Ten thousand clients may come at once after a restart.
const BACKLOG: u32 = 4_096;

impl Simulator {
    /// Starts a simulator, with what its data directory holds.
    pub async fn start(config: SimulatorConfig) -> Result<Self, SimulatorError> {
        let journal = match &config.data_dir {
            Some(data_dir) => Journal::open(data_dir)?,
            None => Journal::memory(),
        };
        let identity = Arc::new(ServerIdentity::load(&journal, &config.server.clock)?);
        let server = Server::open(config.server, journal)?;
        let listener = listen(config.listen)?;
        let address = listener.local_addr()?;
        let tls = match config.tls_listen {
            Some(tls_listen) => Some(TlsListener::new(listen(tls_listen)?)?),
            None => None,
        };
        let tls_address = tls.as_ref().map(TlsListener::address);
        let tls_certificate = tls.as_ref().map(|tls| tls.certificate().to_vec());
        server.listens_on(reachable(address));
        let phones = Phones::start(server.clone())
            .await
            .map_err(|error| SimulatorError::Phones(error.to_string()))?;
        let info = ControlInfo {
            // Whoever listens everywhere is reached where the request went.
            chat_url: (!address.ip().is_unspecified()).then(|| format!("ws://{address}/ws/chat")),
            tls_chat_url: tls_address
                .map(|address| format!("wss://{}/ws/chat", reachable(address))),
            root_public_key: hex::encode(identity.root_public_key()),
        };
        let host =
            media::router(server.clone()).merge(socket::router(server.clone(), identity.clone()));
        let routes = host.merge(control::router(server.clone(), phones.clone(), info));
        let mut tasks = Vec::new();
        let shutdown = server.shutdown_token();
        let plain = axum::serve(PlainListener(listener), routes.clone())
            .with_graceful_shutdown(shutdown.clone().cancelled_owned());
        tasks.push(tokio::spawn(async move {
            if let Err(error) = plain.await {
                tracing::error!(%error, "the simulator's listener failed");
            }
        }));
        if let Some(tls) = tls {
            let secure =
                axum::serve(tls, routes).with_graceful_shutdown(shutdown.cancelled_owned());
            tasks.push(tokio::spawn(async move {
                if let Err(error) = secure.await {
                    tracing::error!(%error, "the simulator's secure listener failed");
                }
            }));
        }
        Ok(Self {
            address,
            tls_address,
            tls_certificate,
            identity,
            server,
            phones,
            tasks,
        })
    }

    /// Where plain HTTP and `ws://` listen.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the chat socket.
    pub fn chat_url(&self) -> String {
        format!("ws://{}/ws/chat", reachable(self.address))
    }

    /// The URL of the chat socket behind TLS, when there is one.
    pub fn tls_chat_url(&self) -> Option<String> {
        let address = reachable(self.tls_address?);
        Some(format!("wss://{address}/ws/chat"))
    }

    /// The self-signed certificate behind [`Simulator::tls_chat_url`], in DER.
    pub fn tls_certificate_der(&self) -> Option<&[u8]> {
        self.tls_certificate.as_deref()
    }

    /// The public key of the certificate chain's root, in hex.
    pub fn root_public_key_hex(&self) -> String {
        hex::encode(self.identity.root_public_key())
    }

    /// The server half.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The phones half.
    pub fn phones(&self) -> &Phones {
        &self.phones
    }

    /// Stops the phones, ends every connection, stops listening, and lets go of the data directory.
    pub async fn shutdown(mut self) {
        self.phones.stop().await;
        self.server.shutdown_token().cancel();
        for task in self.tasks.drain(..) {
            if task.await.is_err() {
                tracing::warn!("a listener of the simulator did not end by itself");
            }
        }
        self.server.store().close();
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.server.shutdown_token().cancel();
    }
}

/// Where this machine reaches a listener.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let loopback = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(loopback, address.port())
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_every_address_is_reached_on_this_machine() {
        for (address, reached) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            assert_eq!(reachable(address.parse().unwrap()).to_string(), reached);
        }
    }

    #[tokio::test]
    async fn what_is_written_to_a_client_is_sent_at_once() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut plain = PlainListener(listen(any).unwrap());
        let _client = TcpStream::connect(plain.local_addr().unwrap())
            .await
            .unwrap();
        let (stream, _) = plain.accept().await;
        assert!(stream.nodelay().unwrap());
    }
}
