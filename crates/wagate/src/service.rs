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
use wagate_core::{Core, CoreConfig, Decoders, Health};
use wagate_delivery::{AddressGuard, AllowList};
use wagate_engine::{Endpoint, Engine, EngineConfig, VersionSource};
use wagate_gateway::{Gateway, GatewayConfig};
use wagate_identity::SystemRandomness;
use wagate_storage::Files;

use crate::config::{Config, Role};
use crate::data_lock::DataLock;
use crate::parts::{self, Parts};
use crate::{files, housekeeping, telemetry, versions, webhooks};

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
    #[cfg(not(feature = "sandbox"))]
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
    /// Where probes and figures have a listener of their own.
    pub(crate) probes_addr: Option<SocketAddr>,
    gateway: Option<Gateway>,
    stop: CancellationToken,
    stop_api: CancellationToken,
    /// Cancelled when a listener ends that nobody told to.
    broken: CancellationToken,
    tasks: TaskTracker,
    api_tasks: TaskTracker,
    /// Last: the folder is free when everything else has ended.
    _lock: Option<DataLock>,
}

/// What the process listens on, taken before it does anything that others notice.
struct Listeners {
    api: Option<TcpListener>,
    probes: Option<TcpListener>,
}

impl Listeners {
    async fn bind(config: &Config) -> anyhow::Result<Self> {
        let api = config.runs(Role::Router).then_some(config.api.listen);
        Ok(Self {
            api: bind(api, "api.listen").await?,
            probes: bind(config.api.metrics_listen, "api.metrics_listen").await?,
        })
    }
}

async fn bind(address: Option<SocketAddr>, setting: &str) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = address else {
        return Ok(None);
    };
    let listener = TcpListener::bind(address).await;
    Ok(Some(listener.with_context(|| {
        format!("listening on {address} (`{setting}`)")
    })?))
}

impl Service {
    /// Starts the roles that the configuration names.
    pub(crate) async fn start(
        config: &Config,
        surroundings: Surroundings,
        metrics: PrometheusHandle,
    ) -> anyhow::Result<Self> {
        let lock = DataLock::take(config)?;
        let listeners = Listeners::bind(config).await?;
        let parts = Parts::open(config).await?;
        let address =
            |listener: Option<&TcpListener>| listener.map(TcpListener::local_addr).transpose();
        let mut service = Self {
            parts,
            api_addr: address(listeners.api.as_ref())?,
            probes_addr: address(listeners.probes.as_ref())?,
            gateway: None,
            stop: CancellationToken::new(),
            stop_api: CancellationToken::new(),
            broken: CancellationToken::new(),
            tasks: TaskTracker::new(),
            api_tasks: TaskTracker::new(),
            _lock: lock,
        };
        telemetry::keep_current(&service.tasks, &service.stop, metrics.clone());
        let guard = AddressGuard::new(surroundings.allowed.clone());
        let files = files::open(&service.parts, config, &surroundings, guard.clone())?;
        let Parts { store, bus, .. } = &service.parts;
        let health = Health::with_files(store.clone(), bus.clone(), files.clone());
        if let Some(listener) = listeners.probes {
            let router = wagate_api::probes_router(
                health.clone(),
                metrics.clone(),
                service.stop_api.clone(),
            );
            // To the very end: an orchestrator watches how the process ends, too.
            let limits = ServerLimits::default();
            service.serve(&service.tasks, listener, router, limits, &service.stop);
        }
        // Made before the gateway takes sessions: it may find the configuration wrong.
        let router = match listeners.api.zip(files.clone()) {
            Some((listener, files)) => {
                let router = service
                    .router(config, (guard.clone(), files), health, metrics)
                    .await?;
                Some((listener, router))
            }
            None => None,
        };
        if config.runs(Role::Gateway) {
            service.start_gateway(config, &surroundings).await?;
        }
        if config.runs(Role::Worker) {
            service.start_worker(config, &guard, files).await?;
        }
        if let Some((listener, router)) = router {
            let limits = ServerLimits {
                max_connections: config.api.max_connections,
                ..ServerLimits::default()
            };
            service.serve(
                &service.api_tasks,
                listener,
                router,
                limits,
                &service.stop_api,
            );
        }
        Ok(service)
    }

    /// Serves a listener until stopped.
    fn serve(
        &self,
        tasks: &TaskTracker,
        listener: TcpListener,
        router: wagate_api::Router,
        limits: ServerLimits,
        stop: &CancellationToken,
    ) {
        let stop = stop.clone();
        // Also when the task panics; at an ordinary end nobody waits for it any more.
        let ended = self.broken.clone().drop_guard();
        tasks.spawn(async move {
            if let Err(error) = wagate_api::serve(listener, router, limits, stop).await {
                tracing::error!(%error, "a listener ended");
            }
            drop(ended);
        });
    }

    /// Waits until a listener has ended by itself: the process is of no use then.
    pub(crate) async fn broken(&self) {
        self.broken.cancelled().await;
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
        // Whoever shares an embedded database shares its folder, which is locked.
        gateway_config.is_name_held = config.is_embedded();
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

    async fn start_worker(
        &mut self,
        config: &Config,
        guard: &AddressGuard,
        files: Option<Files>,
    ) -> anyhow::Result<()> {
        webhooks::start(&self.tasks, &self.stop, &self.parts, config, guard.clone()).await?;
        housekeeping::start(&self.tasks, &self.stop, &self.parts, config);
        if let Some(files) = files {
            let (capturing, stop) = (files.clone(), self.stop.clone());
            self.tasks
                .spawn(async move { capturing.capture(stop).await });
            let stop = self.stop.clone();
            self.tasks
                .spawn(async move { files.keep_swept(stop).await });
        }
        Ok(())
    }

    /// The API over the use cases, and what has to run beside it.
    async fn router(
        &self,
        config: &Config,
        (address_guard, files): (AddressGuard, Files),
        health: Health,
        metrics: PrometheusHandle,
    ) -> anyhow::Result<wagate_api::Router> {
        let public_url = config.api.public_url.as_deref().map(url::Url::parse);
        let api_config = ApiConfig {
            public_url: public_url
                .transpose()
                .context("configuration: `api.public_url`")?,
            body_limit_bytes: config.api.body_limit_bytes,
            media_body_limit_bytes: config.api.message_body_limit_bytes,
            body_memory_bytes: config.api.body_memory_bytes,
            body_memory_bytes_per_organization: config.api.body_memory_bytes / 2,
            max_sockets: config.api.max_sockets,
            max_sockets_per_organization: config.api.max_sockets_per_organization,
            cors_origins: config.api.cors_allowed_origins.clone(),
            trusted_proxies: config.api.proxy_ranges().unwrap_or_default(),
            serves_metrics: config.api.metrics_listen.is_none(),
            ..ApiConfig::default()
        };
        let Parts {
            clock,
            store,
            bus,
            identity,
        } = self.parts.clone();
        let signing_root = webhooks::signing_root(&store).await?;
        let webhook_tester = webhooks::tester(
            config,
            address_guard.clone(),
            signing_root.clone(),
            Arc::clone(&clock),
        )?;
        let decoders = Decoders::default();
        let core = Core::new(wagate_core::Parts {
            placement: Placement::new(store.clone()),
            store,
            bus,
            health,
            identity,
            files,
            intake: files::intake(config, address_guard.clone(), decoders.clone())?,
            previews: files::previews(config, address_guard.clone(), decoders)?,
            address_guard,
            webhook_tester,
            signing_root,
            clock,
            randomness: Arc::new(SystemRandomness),
            config: CoreConfig {
                session_defaults: config.sessions,
                ..CoreConfig::default()
            },
        });
        let (identity, stop) = (self.parts.identity.clone(), self.stop.clone());
        self.tasks.spawn(async move { identity.run(stop).await });
        let (watching, stop) = (core.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            stop.run_until_cancelled(watching.watch_credentials()).await;
        });
        let state = ApiState::new(core, api_config, Some(metrics), self.stop_api.clone());
        Ok(wagate_api::router(state))
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
