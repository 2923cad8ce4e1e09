//! `wagate serve` and `wagate migrate`.

use anyhow::Context as _;
use serde_json::json;
use wagate_store::Store;

use crate::cli::{Common, Serve};
use crate::config::{self, Config};
use crate::parts::store_config;
use crate::service::{Service, Surroundings};
use crate::{print, signals, telemetry};

/// Runs the service until it is told to end.
pub(crate) async fn serve(arguments: &Serve) -> anyhow::Result<()> {
    let config = config::load(&arguments.flags())?;
    telemetry::start_logs(&config.log)?;
    let metrics = telemetry::start_metrics()?;
    for name in config::unknown_variables() {
        tracing::warn!(name, "this variable of the environment is no setting");
    }
    let surroundings = surroundings(arguments, &config).await?;
    let service = Service::start(&config, surroundings, metrics).await?;
    if arguments.json {
        let url = |address| format!("http://{address}");
        let ready = json!({
            "api": service.api_addr.map(url),
            "probes": service.probes_addr.map(url),
            "pid": std::process::id(),
        });
        print(ready.to_string())?;
    }
    if let Some(address) = service.api_addr {
        tracing::info!(api.listen = %address, "ready; the reference is at /docs");
        if service.parts.identity.organizations().await?.is_empty() {
            tracing::info!(
                "there is no organization yet: `wagate user create EMAIL --super-admin --organization \
                 NAME` makes one with its owner, `wagate key create --organization NAME` its \
                 first key"
            );
        }
    }
    let is_broken = tokio::select! {
        signal = signals::termination() => {
            signal.context("waiting for a signal")?;
            false
        }
        () = service.broken() => true,
    };
    tracing::info!("ending");
    service.shutdown().await;
    anyhow::ensure!(!is_broken, "a listener ended by itself");
    Ok(())
}

#[cfg(not(feature = "sandbox"))]
#[expect(
    clippy::unused_async,
    reason = "the simulator of a sandbox build has to be asked"
)]
async fn surroundings(_: &Serve, config: &Config) -> anyhow::Result<Surroundings> {
    Surroundings::production(config)
}

/// A sandbox build serves against a simulator only: it does not verify WhatsApp's certificates.
#[cfg(feature = "sandbox")]
async fn surroundings(arguments: &Serve, _: &Config) -> anyhow::Result<Surroundings> {
    let simulator = arguments.simulator.as_deref().context(
        "this binary was built with the sandbox and does not verify WhatsApp's certificates; \
         use `wagate sandbox` or `--simulator URL`, or build without `--features sandbox`",
    )?;
    tracing::warn!("this is a SANDBOX build: it talks to the simulator and to loopback only");
    crate::sandbox::surroundings(simulator).await
}

/// Brings the database up to date.
pub(crate) async fn migrate(common: &Common) -> anyhow::Result<()> {
    let config = config::load(&common.flags())?;
    Store::migrate(&store_config(&config)).await?;
    print(format!("schema {}", wagate_store::known_schema_version()))
}
