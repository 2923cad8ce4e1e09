//! `wagate serve` and `wagate migrate`.

use anyhow::Context as _;
use wagate_store::{Store, StoreConfig};

use crate::cli::{Common, Serve};
use crate::service::{Service, Surroundings};
use crate::{config, print, signals, telemetry};

/// Runs the service until it is told to end.
pub(crate) async fn serve(arguments: &Serve) -> anyhow::Result<()> {
    let config = config::load(&arguments.flags())?;
    telemetry::start_logs(&config.log)?;
    let metrics = telemetry::start_metrics()?;
    if !wagate_engine::verifies_certificate_chain() {
        anyhow::bail!(
            "this binary was built with the sandbox and does not verify WhatsApp's certificates; \
             use `wagate sandbox`, or build without `--features sandbox`"
        );
    }
    let surroundings = Surroundings::production(&config)?;
    let service = Service::start(&config, surroundings, metrics).await?;
    if let Some(address) = service.api_addr {
        tracing::info!(api.listen = %address, "ready; the reference is at /docs");
        if service.parts.identity.organizations().await?.is_empty() {
            tracing::info!(
                "there is no organization yet: `wagate key create --organization NAME` makes one and its first key"
            );
        }
    }
    signals::termination()
        .await
        .context("waiting for a signal")?;
    tracing::info!("ending");
    service.shutdown().await;
    Ok(())
}

/// Brings the database up to date.
pub(crate) async fn migrate(common: &Common) -> anyhow::Result<()> {
    let config = config::load(&common.flags())?;
    let store = StoreConfig {
        schema: config.store.schema.clone(),
        ..StoreConfig::new(config.store_url())
    };
    Store::migrate(&store).await?;
    print(format!("schema {}", wagate_store::known_schema_version()))
}
