//! The chat socket, and the guard that decides whom this build may talk to.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use url::Url;
use whatsapp_rust::anyhow;
use whatsapp_rust::async_channel;
use whatsapp_rust::transport::{
    TokioWebSocketTransportFactory, Transport, TransportEvent, TransportFactory,
    default_tls_connector,
};

use crate::connection::Attempt;
use crate::engine::Endpoint;
use crate::mailbox::Mailbox;
use crate::{EngineError, verifies_certificate_chain};

/// Frames between the socket and the session; the library's own queue holds 64.
const PUMP_CAPACITY: usize = 4;

/// Which hosts this build may dial.
///
/// A build that verifies WhatsApp's certificate chain may dial any host: one
/// that is not WhatsApp fails the handshake. A build that does not (feature
/// `sandbox`) may dial loopback addresses and the configured simulator, never
/// one of WhatsApp's hosts. The rule depends on the build alone, so nothing at
/// run time can turn it off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DialGuard {
    simulator: Option<Url>,
}

impl DialGuard {
    pub(crate) fn new(simulator: Option<Url>) -> Self {
        Self { simulator }
    }

    /// Whether a URL's host may be dialled.
    pub(crate) fn permits(&self, url: &Url) -> bool {
        if verifies_certificate_chain() {
            return true;
        }
        let Some(host) = url.host() else {
            return false;
        };
        let is_configured = self
            .simulator
            .as_ref()
            .is_some_and(|simulator| simulator.host().as_ref() == Some(&host));
        is_loopback(&host) || (is_configured && !is_whatsapp(&host))
    }

    /// The simulator's origin, where every request goes instead of WhatsApp's hosts.
    #[cfg(feature = "sandbox")]
    pub(crate) fn simulator(&self) -> Option<&Url> {
        self.simulator.as_ref()
    }
}

fn is_loopback(host: &url::Host<&str>) -> bool {
    match host {
        url::Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    }
}

fn is_whatsapp(host: &url::Host<&str>) -> bool {
    const DOMAINS: [&str; 6] = [
        "whatsapp.com",
        "whatsapp.net",
        "wa.me",
        "facebook.com",
        "fbcdn.net",
        "fbsbx.com",
    ];
    let url::Host::Domain(name) = host else {
        return false;
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    DOMAINS.iter().any(|domain| {
        name.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// Opens chat sockets; one for all sessions, so that they share one TLS configuration.
pub(crate) struct Dialer {
    url: Url,
    guard: DialGuard,
    sockets: TokioWebSocketTransportFactory,
}

impl Dialer {
    pub(crate) fn new(endpoint: &Endpoint) -> Result<Self, EngineError> {
        let (url, simulator) = match endpoint {
            Endpoint::WhatsApp => (
                whatsapp_rust::wacore::net::WHATSAPP_WEB_WS_URL.to_owned(),
                None,
            ),
            #[cfg(feature = "sandbox")]
            Endpoint::Simulator(url) => (url.as_str().to_owned(), Some(url.clone())),
        };
        let url = Url::parse(&url).map_err(|_| EngineError::EndpointForbidden(url))?;
        Self::to(url, DialGuard::new(simulator))
    }

    /// Dials any socket, as if it were the endpoint; the guard applies all the same.
    pub(crate) fn to(url: Url, guard: DialGuard) -> Result<Self, EngineError> {
        let has_socket_scheme = matches!(url.scheme(), "ws" | "wss");
        if !has_socket_scheme || !guard.permits(&url) {
            let host = url.host_str().unwrap_or_default().to_owned();
            return Err(EngineError::EndpointForbidden(host));
        }
        let sockets = TokioWebSocketTransportFactory::new()
            .with_url(url.as_str())
            .with_connector(default_tls_connector());
        Ok(Self {
            url,
            guard,
            sockets,
        })
    }

    pub(crate) fn guard(&self) -> &DialGuard {
        &self.guard
    }
}

/// Opens one session's sockets and reads them only as fast as its events are taken.
pub(crate) struct SessionTransport {
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) mailbox: Mailbox,
    pub(crate) attempt: Arc<Attempt>,
    pub(crate) cancel: CancellationToken,
}

#[async_trait]
impl TransportFactory for SessionTransport {
    async fn create_transport(
        &self,
    ) -> Result<(Arc<dyn Transport>, async_channel::Receiver<TransportEvent>), anyhow::Error> {
        // Asked again at every dial, so that no later change of the address slips by.
        anyhow::ensure!(
            self.dialer.guard.permits(&self.dialer.url),
            "this build must not connect to that host"
        );
        let (transport, frames) = self.dialer.sockets.create_transport().await?;
        self.attempt.socket_opened();
        let (sender, receiver) = async_channel::bounded(PUMP_CAPACITY);
        let pump = pump(frames, sender, self.mailbox.clone());
        let cancel = self.cancel.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = pump => {}
            }
        });
        Ok((transport, receiver))
    }
}

async fn pump(
    frames: async_channel::Receiver<TransportEvent>,
    session: async_channel::Sender<TransportEvent>,
    mailbox: Mailbox,
) {
    while let Ok(event) = frames.recv().await {
        if matches!(event, TransportEvent::DataReceived(_)) {
            mailbox.wait_for_room().await;
        }
        if session.send(event).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn whatsapps_hosts_are_known() {
        for name in [
            "web.whatsapp.com",
            "mmg.whatsapp.net",
            "WA.me",
            "web.whatsapp.com.",
        ] {
            assert!(is_whatsapp(&url::Host::Domain(name)), "{name}");
        }
        for name in ["whatsapp.com.example.org", "notwhatsapp.com", "simulator"] {
            assert!(!is_whatsapp(&url::Host::Domain(name)), "{name}");
        }
    }

    #[test]
    fn only_sockets_are_dialled() {
        let guard = DialGuard::new(None);
        assert!(Dialer::to(url("http://127.0.0.1/ws/chat"), guard.clone()).is_err());
        assert!(Dialer::to(url("ws://127.0.0.1:9/ws/chat"), guard).is_ok());
    }

    #[cfg(feature = "sandbox")]
    #[test]
    fn a_sandbox_build_dials_loopback_and_its_simulator_only() {
        let guard = DialGuard::new(Some(url("ws://simulator.test:4000/ws/chat")));
        for permitted in [
            "ws://127.0.0.1:4000/ws/chat",
            "ws://127.8.9.1/",
            "ws://localhost:1/",
            "ws://[::1]:4000/",
            "http://simulator.test/media",
        ] {
            assert!(guard.permits(&url(permitted)), "{permitted}");
        }
        for refused in [
            "wss://web.whatsapp.com/ws/chat",
            "https://mmg.whatsapp.net/x",
            "ws://example.com/",
            "ws://192.168.0.5/",
            "ws://169.254.169.254/",
            "ws://localhost.example.com/",
            "ws://simulator.test.example.com/",
        ] {
            assert!(!guard.permits(&url(refused)), "{refused}");
        }
    }

    #[cfg(feature = "sandbox")]
    #[test]
    fn a_sandbox_build_refuses_whatsapp_even_when_configured() {
        assert!(Dialer::new(&Endpoint::WhatsApp).is_err());
        let disguised = Endpoint::Simulator(url("wss://web.whatsapp.com/ws/chat"));
        assert!(Dialer::new(&disguised).is_err());
        let simulator = Endpoint::Simulator(url("ws://127.0.0.1:4000/ws/chat"));
        assert!(Dialer::new(&simulator).is_ok());
    }

    #[cfg(not(feature = "sandbox"))]
    #[test]
    fn a_verifying_build_dials_whatsapp() {
        const { assert!(verifies_certificate_chain()) };
        let dialer = Dialer::new(&Endpoint::WhatsApp).unwrap();
        assert_eq!(dialer.url.as_str(), "wss://web.whatsapp.com/ws/chat");
    }
}
