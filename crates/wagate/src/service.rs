//! The roles of a process, started and stopped together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wagate_api::{ApiConfig, ApiState, ServerLimits};
use wagate_cluster::Placement;
use wagate_core::{Core, CoreConfig};
use wagate_delivery::{AddressGuard, AllowList};
use wagate_engine::{Endpoint, Engine, EngineConfig, VersionSource};
use wagate_gateway::{Gateway, GatewayConfig};
use wagate_identity::SystemRandomness;

use crate::config::{Config, Role};
use crate::parts::{self, Parts};
use crate::{housekeeping, versions, webhooks};

/// How long the API may take to finish open requests when the process ends.
const API_GRACE: Duration = Duration::from_secs(5);

/// What the sandbox does differently.
#[derive(Debug)]
pub(crate) struct Surroundings {
    /// Which server sessions connect to.
    pub(crate) endpoint: Endpoint,
    /// Whether WhatsApp's current version is to be followed.
    pub(crate) follows_version: bool,
    /// Addresses that webhooks may reach besides public ones.
    pub(crate) allowed: AllowList,
}

impl Surroundings {
    /// The real WhatsApp, and the operator's ranges.
    pub(crate) fn production(config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            endpoint: Endpoint::WhatsApp,
            follows_version: true,
            allowed: AllowList::parse(&config.webhooks.allowed_ranges)
                .context("configuration: `webhooks.allowed_ranges`")?,
        })
    }
}

/// A running process of the installation.
pub(crate) struct Service {
    pub(crate) parts: Parts,
    /// Where the API listens, if this process runs it.
    pub(crate) api_addr: Option<SocketAddr>,
    gateway: Option<Gateway>,
    stop: CancellationToken,
    stop_api: CancellationToken,
    tasks: TaskTracker,
    api_tasks: TaskTracker,
}

impl Service {
    /// Starts the roles that the configuration names.
    pub(crate) async fn start(
        config: &Config,
        surroundings: Surroundings,
        metrics: PrometheusHandle,
    ) -> anyhow::Result<Self> {
        let parts = Parts::open(config).await?;
        let mut service = Self {
            parts,
            api_addr: None,
            gateway: None,
            stop: CancellationToken::new(),
            stop_api: CancellationToken::new(),
            tasks: TaskTracker::new(),
            api_tasks: TaskTracker::new(),
        };
        let guard = AddressGuard::new(surroundings.allowed.clone());
        if config.runs(Role::Gateway) {
            service.start_gateway(config, &surroundings).await?;
        }
        if config.runs(Role::Worker) {
            service.start_worker(config, &guard).await?;
        }
        if config.runs(Role::Router) {
            service.start_router(config, guard, metrics.clone()).await?;
        }
        if let Some(address) = config.api.metrics_listen {
            service.serve_metrics(address, metrics).await?;
        }
        Ok(service)
    }

    async fn start_gateway(
        &mut self,
        config: &Config,
        surroundings: &Surroundings,
    ) -> anyhow::Result<()> {
        let Parts {
            clock, store, bus, ..
        } = &self.parts;
        let version = if surroundings.follows_version {
            versions::source(config, store, clock).await?
        } else {
            VersionSource::fixed(wagate_engine::ClientVersion::BUILT_IN, Arc::clone(clock))
        };
        let engine = Arc::new(Engine::new(EngineConfig {
            endpoint: surroundings.endpoint.clone(),
            device_name: config.whatsapp.device_name.clone(),
            version: Arc::clone(&version),
        })?);
        versions::keep_current(&self.tasks, &self.stop, &engine, &version, store);
        let mut gateway_config = GatewayConfig::new(parts::gateway_id(config)?);
        gateway_config.sessions.max_starting = config.gateway.concurrent_starts;
        gateway_config.sessions.start_timeout =
            Duration::from_secs(config.gateway.start_deadline_seconds);
        let gateway = Gateway::start(
            gateway_config,
            store.clone(),
            bus.clone(),
            engine,
            Arc::clone(clock),
        )
        .await
        .context("starting the gateway")?;
        self.gateway = Some(gateway);
        Ok(())
    }

    async fn start_worker(&mut self, config: &Config, guard: &AddressGuard) -> anyhow::Result<()> {
        webhooks::start(&self.tasks, &self.stop, &self.parts, config, guard.clone()).await?;
        housekeeping::start(&self.tasks, &self.stop, &self.parts, config);
        Ok(())
    }

    async fn start_router(
        &mut self,
        config: &Config,
        address_guard: AddressGuard,
        metrics: PrometheusHandle,
    ) -> anyhow::Result<()> {
        let Parts {
            clock,
            store,
            bus,
            identity,
        } = self.parts.clone();
        let core = Core::new(wagate_core::Parts {
            placement: Placement::new(store.clone()),
            store,
            bus,
            identity,
            address_guard,
            clock,
            randomness: Arc::new(SystemRandomness),
            config: CoreConfig {
                session_defaults: config.sessions,
                ..CoreConfig::default()
            },
        });
        let (identity, stop) = (self.parts.identity.clone(), self.stop.clone());
        self.tasks.spawn(async move { identity.run(stop).await });
        self.watch_credentials(core.clone());
        let public_url = config
            .api
            .public_url
            .as_deref()
            .map(url::Url::parse)
            .transpose();
        let api_config = ApiConfig {
            public_url: public_url.context("configuration: `api.public_url`")?,
            body_limit_bytes: config.api.body_limit_bytes,
            media_body_limit_bytes: config.api.message_body_limit_bytes,
            cors_origins: config.api.cors_allowed_origins.clone(),
            serves_metrics: config.api.metrics_listen.is_none(),
            ..ApiConfig::default()
        };
        let state = ApiState::new(core, api_config, Some(metrics), self.stop_api.clone());
        let listener = TcpListener::bind(config.api.listen)
            .await
            .with_context(|| format!("listening on {} (`api.listen`)", config.api.listen))?;
        self.api_addr = Some(listener.local_addr()?);
        let stop = self.stop_api.clone();
        self.api_tasks.spawn(async move {
            let router = wagate_api::router(state);
            if let Err(error) =
                wagate_api::serve(listener, router, ServerLimits::default(), stop).await
            {
                tracing::error!(%error, "the api ended");
            }
        });
        Ok(())
    }

    /// Forgets revoked keys as soon as any process tells of them.
    fn watch_credentials(&self, core: Core) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                result = core.watch_credentials() => {
                    if let Err(error) = result {
                        tracing::error!(%error, "credentials are no longer watched");
                    }
                }
            }
        });
    }

    async fn serve_metrics(
        &mut self,
        address: SocketAddr,
        metrics: PrometheusHandle,
    ) -> anyhow::Result<()> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("listening on {address} (`api.metrics_listen`)"))?;
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let router = wagate_api::metrics_router(metrics);
            if let Err(error) =
                wagate_api::serve(listener, router, ServerLimits::default(), stop).await
            {
                tracing::error!(%error, "the metrics endpoint ended");
            }
        });
        Ok(())
    }

    /// Ends in order: the API finishes its requests, sessions disconnect and give
    /// up their leases, deliveries end, the store closes.
    pub(crate) async fn shutdown(self) {
        self.stop_api.cancel();
        self.api_tasks.close();
        if tokio::time::timeout(API_GRACE, self.api_tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("open requests were cut off");
        }
        if let Some(gateway) = self.gateway {
            gateway.drain().await;
        }
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.parts.store.close().await;
    }
}
