//! Reads the configuration from all its sources, and names what is wrong.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};

use super::check::check;
use super::{Config, Role, reference};

/// The file that is read when no other is named.
const DEFAULT_FILE: &str = "wagate.toml";

/// How variables of the environment begin: `WAGATE_STORE__URL` sets `store.url`, because
/// single underscores belong to names.
const PREFIX: &str = "WAGATE_";

/// What the command line can set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    pub(crate) file: Option<PathBuf>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) roles: Option<Vec<Role>>,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("configuration: {0}")]
    Invalid(#[from] Box<figment::Error>),
    #[error("configuration: `{key}` and `{key}_file` are both set; keep one")]
    Both { key: &'static str },
    #[error("configuration: `{key}_file`: cannot read {path}: {source}")]
    File {
        key: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("configuration: {0} does not exist")]
    NoFile(PathBuf),
    #[error("configuration: `{key}`: {expected}")]
    Value { key: &'static str, expected: String },
}

/// Loads the configuration.
pub(crate) fn load(flags: &Flags) -> Result<Config, ConfigError> {
    let mut figment = Figment::from(Serialized::defaults(Config::default()));
    figment = match &flags.file {
        Some(file) if !file.exists() => return Err(ConfigError::NoFile(file.clone())),
        Some(file) => figment.merge(Toml::file_exact(file)),
        None if Path::new(DEFAULT_FILE).exists() => figment.merge(Toml::file_exact(DEFAULT_FILE)),
        None => figment,
    };
    // Settings only: an orchestrator may put variables of its own beside them.
    let settings = Env::prefixed(PREFIX)
        .split("__")
        .filter(|key| reference::is_setting(key.as_str()));
    figment = figment.merge(settings);
    if let Some(data_dir) = &flags.data_dir {
        figment = figment.merge(("data_dir", data_dir));
    }
    if let Some(listen) = flags.listen {
        figment = figment.merge(("api.listen", listen));
    }
    if let Some(roles) = &flags.roles {
        figment = figment.merge(("roles", roles));
    }
    let mut config: Config = figment.extract().map_err(Box::new)?;
    read_secret_files(&mut config)?;
    check(&config)?;
    Ok(config)
}

/// Variables of the environment that look like settings and are none, such as misspelt ones.
///
/// Kubernetes gives every container `WAGATE_SERVICE_HOST`, `WAGATE_PORT_8080_TCP` and their
/// like beside a service named `wagate`; those have no `__`.
pub(crate) fn unknown_variables() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| is_unknown(name)).collect()
}

fn is_unknown(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| {
        let key = rest.replace("__", ".");
        rest.contains("__") && !reference::is_setting(&key)
    })
}

fn read_secret_files(config: &mut Config) -> Result<(), ConfigError> {
    if let Some(url) = from_file(
        "store.url",
        config.store.url.is_some(),
        config.store.url_file.as_deref(),
    )? {
        config.store.url = Some(url);
    }
    if let Some(url) = from_file(
        "bus.url",
        config.bus.url.is_some(),
        config.bus.url_file.as_deref(),
    )? {
        config.bus.url = Some(url);
    }
    let has_keys = !config.store.master_keys.is_empty();
    let keys = from_file(
        "store.master_keys",
        has_keys,
        config.store.master_keys_file.as_deref(),
    )?;
    if let Some(keys) = keys {
        config.store.master_keys = keys.split_whitespace().map(str::to_owned).collect();
    }
    let smtp = &mut config.identity.smtp;
    let url = from_file(
        "identity.smtp.url",
        smtp.url.is_some(),
        smtp.url_file.as_deref(),
    )?;
    smtp.url = url.or(smtp.url.take());
    for provider in &mut config.identity.providers {
        let secret = from_file(
            "identity.providers.client_secret",
            provider.client_secret.is_some(),
            provider.client_secret_file.as_deref(),
        )?;
        provider.client_secret = secret.or(provider.client_secret.take());
    }
    Ok(())
}

fn from_file(
    key: &'static str,
    is_set: bool,
    file: Option<&Path>,
) -> Result<Option<String>, ConfigError> {
    match file {
        None => Ok(None),
        Some(_) if is_set => Err(ConfigError::Both { key }),
        Some(path) => std::fs::read_to_string(path)
            .map(|text| Some(text.trim().to_owned()))
            .map_err(|source| ConfigError::File {
                key,
                path: path.to_owned(),
                source,
            }),
    }
}

#[cfg(test)]
#[expect(clippy::result_large_err, reason = "the test jail's own error type")]
mod tests {
    use figment::Jail;

    use super::*;

    #[test]
    fn nothing_configured_works() {
        Jail::expect_with(|_| {
            let config = load(&Flags::default()).unwrap();
            assert_eq!(config.api.listen.to_string(), "127.0.0.1:8080");
            assert_eq!(config.store_url(), "sqlite:data/wagate.db");
            Ok(())
        });
    }

    #[test]
    fn flags_beat_the_environment_which_beats_the_file() {
        Jail::expect_with(|jail| {
            jail.create_file(
                "wagate.toml",
                "data_dir = \"a\"\n[log]\nfilter = \"warn\"\nformat = \"json\"",
            )?;
            jail.set_env("WAGATE_LOG__FILTER", "debug");
            jail.set_env("WAGATE_DATA_DIR", "b");
            let flags = Flags {
                data_dir: Some("c".into()),
                ..Flags::default()
            };
            let config = load(&flags).unwrap();
            assert_eq!(config.log.filter, "debug");
            assert_eq!(config.log.format, super::super::LogFormat::Json);
            assert_eq!(config.data_dir, PathBuf::from("c"));
            Ok(())
        });
    }

    #[test]
    fn a_wrong_key_is_named() {
        Jail::expect_with(|jail| {
            jail.create_file("wagate.toml", "[api]\nlissten = \"127.0.0.1:1\"")?;
            let error = load(&Flags::default()).unwrap_err().to_string();
            assert!(
                error.contains("lissten") && error.contains("listen"),
                "{error}"
            );
            Ok(())
        });
    }

    #[test]
    fn secrets_come_from_files_but_not_from_both() {
        Jail::expect_with(|jail| {
            jail.create_file("url", "postgres://u:p@h/d\n")?;
            jail.create_file("keys", "AAAA\n")?;
            jail.set_env("WAGATE_STORE__URL_FILE", "url");
            jail.set_env("WAGATE_STORE__MASTER_KEYS_FILE", "keys");
            let config = load(&Flags::default()).unwrap();
            assert_eq!(config.store_url(), "postgres://u:p@h/d");
            jail.set_env("WAGATE_STORE__URL", "sqlite:x");
            let error = load(&Flags::default()).unwrap_err().to_string();
            assert!(error.contains("store.url_file"), "{error}");
            Ok(())
        });
    }

    #[test]
    fn people_are_configured_in_tables_and_by_the_environment() {
        Jail::expect_with(|jail| {
            jail.create_file("secret", "hunter2\n")?;
            jail.create_file("mail", "smtps://u:p@mail.example.com\n")?;
            jail.create_file(
                "wagate.toml",
                r#"
                [api]
                public_url = "https://wa.example.com"
                [identity]
                sign_up = "open"
                [identity.smtp]
                url_file = "mail"
                from = "wagate <no-reply@example.com>"
                [[identity.issuers]]
                issuer = "https://login.example.com"
                audience = "wagate"
                jwks_url = "https://login.example.com/keys"
                default_role = "member"
                claims = { organization_role = "/realm_access/roles" }
                [[identity.providers]]
                id = "corp"
                issuer = "https://login.example.com"
                client_id = "wagate"
                client_secret_file = "secret"
                "#,
            )?;
            jail.set_env("WAGATE_IDENTITY__LOGIN_DAYS", "7");
            let identity = load(&Flags::default()).unwrap().identity;
            assert_eq!(identity.login_days, 7);
            let issuer = &identity.issuers[0];
            assert_eq!(issuer.default_role, Some(wagate_model::Role::Member));
            let provider = &identity.providers[0];
            assert_eq!(provider.client_secret.as_deref(), Some("hunter2"));
            assert_eq!(provider.scopes, ["openid", "email", "profile"]);
            let url = identity.smtp.url.as_deref();
            assert_eq!(url, Some("smtps://u:p@mail.example.com"));

            let issuers =
                r#"[{issuer="https://a.example",audience="b",jwks_url="https://a.example/k"}]"#;
            jail.set_env("WAGATE_IDENTITY__ISSUERS", issuers);
            let identity = load(&Flags::default()).unwrap().identity;
            assert_eq!(identity.issuers[0].issuer, "https://a.example");
            Ok(())
        });
    }

    #[test]
    fn variables_of_others_do_not_matter() {
        Jail::expect_with(|jail| {
            jail.set_env("WAGATE_SERVICE_HOST", "10.0.0.1");
            jail.set_env("WAGATE_PORT", "tcp://10.0.0.1:8080");
            jail.set_env("WAGATE_PORT_8080_TCP_ADDR", "10.0.0.1");
            jail.set_env("WAGATE_STOER__URL", "sqlite:x");
            jail.set_env("WAGATE_DATA_DIR", "here");
            let config = load(&Flags::default()).unwrap();
            assert_eq!(config.data_dir, PathBuf::from("here"));
            assert_eq!(unknown_variables(), ["WAGATE_STOER__URL"]);
            Ok(())
        });
    }

    #[test]
    fn roles_apart_need_shared_servers() {
        Jail::expect_with(|_| {
            let flags = Flags {
                roles: Some(vec![Role::Router]),
                ..Flags::default()
            };
            let error = load(&flags).unwrap_err().to_string();
            assert!(error.contains("bus.url"), "{error}");
            Ok(())
        });
    }
}
