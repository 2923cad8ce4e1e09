//! Configuration: defaults < `wagate.toml` < environment `WAGATE_…` < flags.

mod check;
mod check_identity;
mod identity;
mod load;
mod reference;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use wagate_model::{GatewayId, SessionDefaults, hide_contents};

pub(crate) use self::identity::{
    ClaimsSection, IdentitySection, IssuerSection, ProviderSection, SignUpPolicy, SmtpSection,
};
pub(crate) use self::load::{Flags, load, unknown_variables};
pub(crate) use self::reference::markdown;

/// The sandbox's gateway: the same name each time, so that it finds its sessions again.
#[cfg(feature = "sandbox")]
pub(crate) const SANDBOX_GATEWAY_ID: &str = "gw-sandbox";

/// Everything that an operator can set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Where the embedded database and the keys live.
    pub(crate) data_dir: PathBuf,
    /// Which parts of the service this process runs.
    pub(crate) roles: Vec<Role>,
    pub(crate) api: ApiConfig,
    pub(crate) store: StoreConfig,
    pub(crate) bus: BusConfig,
    pub(crate) identity: IdentitySection,
    pub(crate) gateway: GatewaySection,
    pub(crate) sessions: SessionDefaults,
    pub(crate) whatsapp: WhatsAppConfig,
    pub(crate) webhooks: WebhooksConfig,
    pub(crate) media: MediaConfig,
    pub(crate) retention: RetentionConfig,
    pub(crate) log: LogConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: "data".into(),
            roles: vec![Role::Router, Role::Gateway, Role::Worker],
            api: ApiConfig::default(),
            store: StoreConfig::default(),
            bus: BusConfig::default(),
            identity: IdentitySection::default(),
            gateway: GatewaySection::default(),
            sessions: SessionDefaults::default(),
            whatsapp: WhatsAppConfig::default(),
            webhooks: WebhooksConfig::default(),
            media: MediaConfig::default(),
            retention: RetentionConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl Config {
    /// The database's URL; a file in the data folder unless one is set.
    pub(crate) fn store_url(&self) -> String {
        self.store
            .url
            .clone()
            .unwrap_or_else(|| format!("sqlite:{}", self.data_dir.join("wagate.db").display()))
    }

    /// Whether the database is a file of this machine.
    pub(crate) fn is_embedded(&self) -> bool {
        self.store_url().starts_with("sqlite:")
    }

    /// The file of an embedded database.
    pub(crate) fn database_file(&self) -> Option<PathBuf> {
        let url = self.store_url();
        let path = url
            .strip_prefix("sqlite://")
            .or_else(|| url.strip_prefix("sqlite:"))?;
        Some(path.into())
    }

    /// Whether an embedded database is there already.
    pub(crate) fn has_database_file(&self) -> bool {
        self.database_file()
            .and_then(|file| file.metadata().ok())
            .is_some_and(|metadata| metadata.len() > 0)
    }

    /// The folder of messages' files.
    pub(crate) fn media_directory(&self) -> PathBuf {
        let own = self.media.directory.clone();
        own.unwrap_or_else(|| self.data_dir.join("media"))
    }

    /// Whether this process runs a role.
    pub(crate) fn runs(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// A part of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// The public API.
    Router,
    /// Owns sessions.
    Gateway,
    /// Delivers webhooks and tidies up.
    Worker,
}

/// The public API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ApiConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) public_url: Option<String>,
    pub(crate) cors_allowed_origins: Vec<String>,
    pub(crate) trusted_proxies: Vec<String>,
    pub(crate) body_limit_bytes: usize,
    pub(crate) message_body_limit_bytes: usize,
    pub(crate) body_memory_bytes: usize,
    pub(crate) max_connections: usize,
    pub(crate) max_sockets: usize,
    pub(crate) max_sockets_per_organization: usize,
}

impl ApiConfig {
    /// The ranges of trusted proxies; nothing where one cannot be read.
    pub(crate) fn proxy_ranges(&self) -> Option<Vec<IpNet>> {
        let ranges = self.trusted_proxies.iter();
        ranges
            .map(|text| {
                let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
                text.parse().ok().or_else(address)
            })
            .collect()
    }
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 8080).into(),
            metrics_listen: None,
            public_url: None,
            cors_allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            body_limit_bytes: 1 << 20,
            message_body_limit_bytes: 88 << 20,
            body_memory_bytes: 256 << 20,
            max_connections: 20_000,
            max_sockets: 10_000,
            max_sockets_per_organization: 1_000,
        }
    }
}

/// The database.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StoreConfig {
    pub(crate) url: Option<String>,
    pub(crate) url_file: Option<PathBuf>,
    pub(crate) schema: Option<String>,
    pub(crate) master_keys: Vec<String>,
    pub(crate) master_keys_file: Option<PathBuf>,
}

// Holds a password and the master keys.
hide_contents!(StoreConfig);

/// What connects the roles.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BusConfig {
    pub(crate) url: Option<String>,
    pub(crate) url_file: Option<PathBuf>,
    pub(crate) prefix: String,
}

impl Default for BusConfig {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            prefix: "wagate".into(),
        }
    }
}

// May hold a password.
hide_contents!(BusConfig { prefix });

/// The role that owns sessions.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GatewaySection {
    pub(crate) id: Option<GatewayId>,
    pub(crate) concurrent_starts: usize,
    pub(crate) start_deadline_seconds: u64,
}

impl Default for GatewaySection {
    fn default() -> Self {
        Self {
            id: None,
            concurrent_starts: 64,
            start_deadline_seconds: 60,
        }
    }
}

/// How sessions appear to WhatsApp.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WhatsAppConfig {
    pub(crate) device_name: String,
    pub(crate) client_version: Option<String>,
}

impl Default for WhatsAppConfig {
    fn default() -> Self {
        Self {
            device_name: "wagate".into(),
            client_version: None,
        }
    }
}

/// Webhook delivery.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WebhooksConfig {
    pub(crate) allowed_ranges: Vec<String>,
    pub(crate) concurrency: usize,
    pub(crate) concurrency_per_webhook: usize,
    pub(crate) timeout_seconds: u64,
    pub(crate) disable_after_days: u32,
}

impl Default for WebhooksConfig {
    fn default() -> Self {
        Self {
            allowed_ranges: Vec::new(),
            concurrency: 256,
            concurrency_per_webhook: 16,
            timeout_seconds: 30,
            disable_after_days: 5,
        }
    }
}

/// Files of messages.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MediaConfig {
    pub(crate) directory: Option<PathBuf>,
    pub(crate) link_seconds: u64,
    pub(crate) file_limit_bytes: usize,
    pub(crate) message_limit_bytes: usize,
    pub(crate) voice_limit_seconds: u32,
    pub(crate) concurrency: usize,
    pub(crate) capture_limit_bytes: u64,
    pub(crate) link_previews: bool,
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            directory: None,
            link_seconds: 3_600,
            file_limit_bytes: 16 << 20,
            message_limit_bytes: 64 << 20,
            voice_limit_seconds: 1_800,
            concurrency: 4,
            capture_limit_bytes: 100 << 20,
            link_previews: true,
        }
    }
}

/// How long things are kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RetentionConfig {
    pub(crate) events_days: u32,
    pub(crate) deliveries_days: u32,
    pub(crate) idempotency_hours: u32,
    pub(crate) audit_days: u32,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            events_days: 30,
            deliveries_days: 30,
            idempotency_hours: 48,
            audit_days: 365,
        }
    }
}

/// Logs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogConfig {
    pub(crate) format: LogFormat,
    pub(crate) filter: String,
    pub(crate) libraries: LibraryLevel,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info".into(),
            libraries: LibraryLevel::Warn,
        }
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// From which level on the lines of libraries are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LibraryLevel {
    /// None at all.
    Off,
    /// Failures.
    Error,
    /// What should not happen, too.
    Warn,
    /// What happens, too.
    Info,
    /// For looking into a library.
    Debug,
}
