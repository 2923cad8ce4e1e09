//! What the handlers share.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use bytes::Bytes;
use ipnet::IpNet;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use url::Url;
use wagate_core::Core;

use crate::allowance::Allowance;
use crate::observe::Operations;

/// What an operator can set.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Where clients reach the service; the `Host` header tells where this is absent.
    pub public_url: Option<Url>,
    /// Longest request line and headers of a request together, in bytes.
    pub header_bytes: usize,
    /// Most headers of a request.
    pub header_count: usize,
    /// Longest JSON body, in bytes.
    pub body_limit_bytes: usize,
    /// Longest JSON body of operations that take media, in bytes.
    pub media_body_limit_bytes: usize,
    /// Most memory that bodies of more than 64 KiB may take together, in bytes. A request that
    /// would take more is told to come again.
    pub body_memory_bytes: usize,
    /// Most memory that such bodies of one organization may take, in bytes.
    pub body_memory_bytes_per_organization: usize,
    /// Longest silence within a body.
    pub body_idle_timeout: Duration,
    /// Longest time that a body may take.
    pub body_timeout: Duration,
    /// Longest time that a body with media may take.
    pub media_body_timeout: Duration,
    /// Proxies whose word on the client's address (`X-Forwarded-For`) is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// Web pages (origins such as `https://example.com`) that may use the API; none by default.
    pub cors_origins: Vec<String>,
    /// How often a realtime socket hears from us.
    pub heartbeat: Duration,
    /// How long a realtime client may take to read what was sent before it is cut off.
    pub slow_client_timeout: Duration,
    /// Realtime sockets that may be open at the same time.
    pub max_sockets: usize,
    /// Realtime sockets of one organization that may be open at the same time.
    pub max_sockets_per_organization: usize,
    /// Whether `/metrics` is served here too.
    pub serves_metrics: bool,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            public_url: None,
            header_bytes: 32 << 10,
            header_count: 100,
            body_limit_bytes: 1 << 20,
            media_body_limit_bytes: 88 << 20,
            body_memory_bytes: 256 << 20,
            body_memory_bytes_per_organization: 128 << 20,
            body_idle_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_mins(1),
            media_body_timeout: Duration::from_mins(10),
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            heartbeat: Duration::from_secs(20),
            slow_client_timeout: Duration::from_secs(15),
            max_sockets: 10_000,
            max_sockets_per_organization: 1_000,
            serves_metrics: true,
        }
    }
}

/// What the handlers share; cheap to clone.
#[derive(Debug, Clone)]
pub struct ApiState(Arc<Inner>);

struct Inner {
    core: Core,
    config: ApiConfig,
    metrics: Option<PrometheusHandle>,
    stop: CancellationToken,
    sockets: Allowance,
    body_memory: Allowance,
    operations: Operations,
    openapi_json: Bytes,
    openapi_yaml: Bytes,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl ApiState {
    /// The state over the use cases. Sockets close when `stop` is cancelled.
    #[must_use]
    pub fn new(
        core: Core,
        config: ApiConfig,
        metrics: Option<PrometheusHandle>,
        stop: CancellationToken,
    ) -> Self {
        let document = crate::openapi();
        let sockets = Allowance::new(config.max_sockets, config.max_sockets_per_organization);
        // One body of the largest size fits in any case.
        let largest = config.media_body_limit_bytes.max(config.body_limit_bytes);
        let largest = largest.saturating_add(1 << 20);
        let body_memory = Allowance::new(
            config.body_memory_bytes.max(largest),
            config.body_memory_bytes_per_organization.max(largest),
        );
        Self(Arc::new(Inner {
            core,
            config,
            metrics,
            stop,
            sockets,
            body_memory,
            operations: Operations::of(&document),
            openapi_json: crate::openapi::to_json(&document).into(),
            openapi_yaml: crate::openapi::to_yaml(&document).into(),
        }))
    }

    pub(crate) fn core(&self) -> &Core {
        &self.0.core
    }

    pub(crate) fn config(&self) -> &ApiConfig {
        &self.0.config
    }

    pub(crate) fn metrics(&self) -> Option<&PrometheusHandle> {
        self.0.metrics.as_ref()
    }

    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }

    pub(crate) fn sockets(&self) -> &Allowance {
        &self.0.sockets
    }

    pub(crate) fn body_memory(&self) -> &Allowance {
        &self.0.body_memory
    }

    pub(crate) fn operations(&self) -> &Operations {
        &self.0.operations
    }

    pub(crate) fn openapi_json(&self) -> Bytes {
        self.0.openapi_json.clone()
    }

    pub(crate) fn openapi_yaml(&self) -> Bytes {
        self.0.openapi_yaml.clone()
    }
}

impl FromRef<ApiState> for Core {
    fn from_ref(state: &ApiState) -> Self {
        state.core().clone()
    }
}
