//! What all sessions of a process share.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
#[cfg(feature = "sandbox")]
use url::Url;
use whatsapp_rust::http::HttpClient;
use whatsapp_rust::store::traits::Backend;

use crate::connection::{Connection, HistoryTurns, SessionOptions};
use crate::http::SharedHttpClient;
use crate::mailbox::Events;
use crate::transport::Dialer;
use crate::{ClientVersion, EngineError, InboundSink, VersionSource};

/// Whether this build verifies WhatsApp's certificate chain in the handshake.
///
/// False only with the cargo feature `sandbox`; such a build connects to the
/// configured simulator and to nothing else.
#[must_use]
pub const fn verifies_certificate_chain() -> bool {
    cfg!(not(feature = "sandbox"))
}

/// Which server the sessions connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// WhatsApp itself. Refused by builds with the feature `sandbox`.
    WhatsApp,
    /// A simulator's chat socket, such as `ws://127.0.0.1:4000/ws/chat`.
    #[cfg(feature = "sandbox")]
    Simulator(Url),
}

/// What an engine is made of.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Which server to connect to.
    pub endpoint: Endpoint,
    /// The name that phones show among their linked devices.
    pub device_name: String,
    /// Where the client version comes from.
    pub version: Arc<VersionSource>,
}

impl EngineConfig {
    /// The name shown unless another is configured.
    pub const DEFAULT_DEVICE_NAME: &'static str = "wagate";
}

/// One per process: the shared HTTP client, dialer, client version and device appearance.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) device_name: String,
    pub(crate) version: Arc<VersionSource>,
    pub(crate) http: Arc<dyn HttpClient>,
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) history: HistoryTurns,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// Makes an engine; must be called within a Tokio runtime.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        let dialer = Dialer::new(&config.endpoint)?;
        Self::with_dialer(config, dialer)
    }

    pub(crate) fn with_dialer(config: EngineConfig, dialer: Dialer) -> Result<Self, EngineError> {
        let http = SharedHttpClient::new(dialer.guard().clone())?;
        let shared = Shared {
            device_name: config.device_name,
            version: config.version,
            http: Arc::new(http),
            dialer: Arc::new(dialer),
            history: HistoryTurns::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Opens a session over its storage, without connecting yet: [`Connection::start`] does.
    ///
    /// The storage belongs to this session alone until [`Connection::close`] has returned.
    pub async fn open(
        &self,
        backend: Arc<dyn Backend>,
        sink: Arc<dyn InboundSink>,
        options: SessionOptions,
    ) -> Result<(Connection, Events), EngineError> {
        Connection::open(Arc::clone(&self.shared), backend, sink, options).await
    }

    /// Fetches the current client version now.
    pub async fn refresh_version(&self) -> Result<ClientVersion, EngineError> {
        self.shared.version.refresh(&self.shared.http).await
    }

    /// Keeps the client version current until cancelled; run it as one task per process.
    pub async fn keep_version_current(&self, cancel: CancellationToken) {
        while let Some(wait) = self.shared.version.due_in() {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            // Told where it is fetched; the next try comes by itself.
            let _ = self.refresh_version().await;
        }
    }
}
