//! Opens what roles and commands are made of: store, keys, bus, names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use wagate_cluster::{Bus, EventCopy, Signal};
use wagate_identity::{Identity, SystemRandomness};
use wagate_model::{Clock, GatewayId, SystemClock};
use wagate_store::{CommitListener, CommittedEvent, MasterKeys, Migrations, Store, StoreConfig};

use crate::config::Config;
use crate::identity::identity_config;

/// The file of the master key that a first start makes.
const KEY_FILE: &str = "master.key";

/// The file that keeps a gateway's name over restarts.
const GATEWAY_FILE: &str = "gateway.id";

/// What every role needs.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) identity: Identity,
}

impl Parts {
    /// Opens the store (making it, or bringing its schema up to date), the bus and the
    /// identity service.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Self> {
        Self::open_with(config, Migrations::Run).await
    }

    /// As [`Self::open`], but changes nothing: for commands that only look.
    pub(crate) async fn open_existing(config: &Config) -> anyhow::Result<Self> {
        ensure!(
            !config.is_embedded() || config.has_database_file(),
            "there is no database at {} yet: `wagate serve` or `wagate key create` makes it",
            config.store_url()
        );
        Self::open_with(config, Migrations::Require).await
    }

    async fn open_with(config: &Config, migrations: Migrations) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let keys = master_keys(config)?;
        let bus = open_bus(config).await?;
        let store = Store::open(
            StoreConfig {
                migrations,
                ..store_config(config)
            },
            Arc::clone(&clock),
            keys,
            Arc::new(Announcer(bus.clone())),
        )
        .await
        .context("opening the database")?;
        let identity = Identity::new(
            store.clone(),
            Arc::clone(&clock),
            Arc::new(SystemRandomness),
            identity_config(config)?,
        );
        Ok(Self {
            clock,
            store,
            bus,
            identity,
        })
    }
}

/// Which database, and where in it.
pub(crate) fn store_config(config: &Config) -> StoreConfig {
    StoreConfig {
        schema: config.store.schema.clone(),
        ..StoreConfig::new(config.store_url())
    }
}

async fn open_bus(config: &Config) -> anyhow::Result<Bus> {
    match &config.bus.url {
        None => Ok(Bus::local()),
        Some(url) => Bus::nats(url, &config.bus.prefix)
            .await
            .context("connecting to the bus"),
    }
}

/// Where the master key is kept that a first start makes.
pub(crate) fn key_file(config: &Config) -> PathBuf {
    config.data_dir.join(KEY_FILE)
}

/// The configured keys, or those of the data folder, made on the first start.
pub(crate) fn master_keys(config: &Config) -> anyhow::Result<MasterKeys> {
    let keys = &config.store.master_keys;
    if !keys.is_empty() {
        return MasterKeys::from_base64(keys.iter().map(String::as_str))
            .context("configuration: `store.master_keys`");
    }
    let file = key_file(config);
    // A new key would open nothing of what is there, and hide that the old one is missing.
    ensure!(
        file.exists() || !config.has_database_file(),
        "the master key {} is missing, and the database {} was sealed with it: put the key back \
         from its backup, or move the database away to begin anew",
        file.display(),
        config.store_url()
    );
    Ok(MasterKeys::load_or_create(&file)?)
}

/// The configured name of this gateway, or the one kept in the data folder.
pub(crate) fn gateway_id(config: &Config) -> anyhow::Result<GatewayId> {
    if let Some(id) = &config.gateway.id {
        return Ok(id.clone());
    }
    let path = config.data_dir.join(GATEWAY_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => text
            .trim()
            .parse()
            .with_context(|| path.display().to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            make_gateway_id(config, &path)
        }
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn make_gateway_id(config: &Config, path: &Path) -> anyhow::Result<GatewayId> {
    let key = wagate_model::RequestId::from_parts(0, fresh_random());
    let id: GatewayId =
        format!("gw-{}", &key.ulid().to_string()[14..].to_ascii_lowercase()).parse()?;
    std::fs::create_dir_all(&config.data_dir)
        .and_then(|()| std::fs::write(path, id.as_str()))
        .with_context(|| path.display().to_string())?;
    Ok(id)
}

fn fresh_random() -> u128 {
    use wagate_identity::Randomness as _;
    let mut bytes = [0; 16];
    SystemRandomness.fill(&mut bytes[6..]);
    u128::from_be_bytes(bytes)
}

/// Tells the bus what was committed: live copies for sockets, a wake-up for webhooks.
#[derive(Debug)]
struct Announcer(Bus);

impl CommitListener for Announcer {
    fn committed(&self, events: Vec<CommittedEvent>) {
        if events.iter().any(|event| event.delivery_count > 0) {
            self.0.publish(Signal::DeliveriesDue);
        }
        for run in events.chunk_by(|a, b| a.organization == b.organization) {
            let copies = run.iter().map(copy_of).collect();
            self.0.publish(Signal::Events {
                organization_id: run[0].organization,
                events: Arc::new(copies),
            });
        }
    }
}

fn copy_of(event: &CommittedEvent) -> EventCopy {
    EventCopy {
        id: event.id,
        kind: event.kind,
        session_id: event.session,
        json: Arc::clone(&event.envelope),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_with_a_database_and_never_beside_one() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            data_dir: folder.path().to_owned(),
            ..Config::default()
        };
        master_keys(&config).unwrap();
        let key = folder.path().join(KEY_FILE);
        std::fs::write(folder.path().join("wagate.db"), "rows").unwrap();
        master_keys(&config).unwrap();
        std::fs::remove_file(&key).unwrap();
        let refused = master_keys(&config).unwrap_err().to_string();
        assert!(
            refused.contains("master.key") && refused.contains("backup"),
            "{refused}"
        );
        assert!(!key.exists());
    }
}
