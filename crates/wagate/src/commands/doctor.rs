//! `wagate doctor`: what is wrong with the installation, and what to do.

use anyhow::bail;

use crate::cli::Common;
use crate::config::{self, Role};
use crate::parts::{self, Parts};
use crate::print;

/// Checks configuration, database, bus and build.
pub(crate) async fn doctor(common: &Common) -> anyhow::Result<()> {
    let config = config::load(&common.flags())?;
    print("configuration: fine")?;
    let parts = Parts::open(&config).await?;
    parts.store.ping().await?;
    print(format!(
        "database: fine, schema {}",
        wagate_store::known_schema_version()
    ))?;
    if !parts.bus.is_ready() {
        bail!("bus: the NATS server of `bus.url` does not answer");
    }
    print("bus: fine")?;
    if config.runs(Role::Gateway) {
        print(format!("gateway: {}", parts::gateway_id(&config)?))?;
    }
    let organizations = parts.identity.organizations().await?.len();
    print(format!("organizations: {organizations}"))?;
    if organizations == 0 {
        print("make the first one with its key: wagate key create --organization NAME")?;
    }
    parts.store.close().await;
    super::version()
}
