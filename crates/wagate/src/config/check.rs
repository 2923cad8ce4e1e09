//! What a configuration must fulfil before anything starts with it.

use tracing_subscriber::EnvFilter;
use url::Url;
use wagate_delivery::AllowList;

use super::check_identity::check_identity;
use super::load::ConfigError;
use super::{Config, Role};
use crate::versions;

pub(super) type Checked = Result<(), ConfigError>;

/// Finds the first setting that is wrong, and says what is expected of it.
pub(super) fn check(config: &Config) -> Checked {
    check_store(config)?;
    check_roles(config)?;
    check_api(config)?;
    check_bus(config)?;
    check_identity(config)?;
    check_numbers(config)?;
    check_texts(config)
}

pub(super) fn require(holds: bool, key: &'static str, expected: &str) -> Checked {
    if holds {
        return Ok(());
    }
    Err(ConfigError::Value {
        key,
        expected: expected.to_owned(),
    })
}

fn check_store(config: &Config) -> Checked {
    require(
        !config.data_dir.as_os_str().is_empty(),
        "data_dir",
        "expected a folder",
    )?;
    let url = config.store_url();
    let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
    require(
        config.is_embedded() || is_postgres,
        "store.url",
        "expected sqlite:PATH or postgres://…",
    )?;
    // Two processes that each make a key of their own could not read each other's rows.
    require(
        !is_postgres || !config.store.master_keys.is_empty(),
        "store.master_keys",
        "PostgreSQL needs a master key that all processes share: make one with `wagate key master`",
    )
}

fn check_roles(config: &Config) -> Checked {
    require(
        !config.roles.is_empty(),
        "roles",
        "name at least one of router, gateway and worker",
    )?;
    let runs_all = [Role::Router, Role::Gateway, Role::Worker]
        .iter()
        .all(|role| config.runs(*role));
    require(
        runs_all || config.bus.url.is_some(),
        "bus.url",
        "roles in several processes need a NATS server, such as nats://127.0.0.1:4222",
    )?;
    require(
        runs_all || !config.is_embedded(),
        "store.url",
        "roles in several processes need PostgreSQL, such as postgres://user@host/wagate",
    )
}

fn check_api(config: &Config) -> Checked {
    let api = &config.api;
    require(
        api.public_url.as_deref().is_none_or(is_base_url),
        "api.public_url",
        "expected http:// or https:// and a host, such as https://wagate.example.com",
    )?;
    require(
        api.cors_allowed_origins
            .iter()
            .all(|origin| is_origin(origin)),
        "api.cors_allowed_origins",
        "expected origins such as https://app.example.com, each named in full; `*` is not possible",
    )?;
    require(
        api.proxy_ranges().is_some(),
        "api.trusted_proxies",
        "expected addresses or ranges such as 127.0.0.1 or 10.0.0.0/8",
    )?;
    require(
        api.metrics_listen.is_none_or(|address| {
            address != api.listen || address.port() == 0 || !config.runs(Role::Router)
        }),
        "api.metrics_listen",
        "expected another address than `api.listen`",
    )?;
    require(
        api.body_limit_bytes > 0,
        "api.body_limit_bytes",
        "must be at least 1",
    )?;
    require(
        api.message_body_limit_bytes > 0,
        "api.message_body_limit_bytes",
        "must be at least 1",
    )?;
    require(
        api.body_memory_bytes / 2 >= api.message_body_limit_bytes.max(api.body_limit_bytes),
        "api.body_memory_bytes",
        "must be at least twice the largest body",
    )?;
    for (value, key) in [
        (api.max_connections, "api.max_connections"),
        (api.max_sockets, "api.max_sockets"),
        (
            api.max_sockets_per_organization,
            "api.max_sockets_per_organization",
        ),
    ] {
        require(value > 0, key, "must be at least 1")?;
    }
    Ok(())
}

fn is_base_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.query().is_none()
            && url.fragment().is_none()
    })
}

/// As browsers send it, with or without a slash at the end.
fn is_origin(text: &str) -> bool {
    is_base_url(text)
        && !text.contains('*')
        && Url::parse(text)
            .is_ok_and(|url| url.origin().ascii_serialization() == text.trim_end_matches('/'))
}

fn check_bus(config: &Config) -> Checked {
    let scheme = config.bus.url.as_deref().and_then(|url| {
        let (scheme, _) = url.split_once("://")?;
        Some(scheme)
    });
    require(
        scheme.is_none_or(|scheme| matches!(scheme, "nats" | "tls")),
        "bus.url",
        "expected a NATS server, such as nats://127.0.0.1:4222",
    )?;
    let is_subject = config.bus.prefix.split('.').all(|part| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"*>".contains(&b))
    });
    require(
        is_subject,
        "bus.prefix",
        "expected the beginning of a NATS subject, such as wagate",
    )
}

fn check_numbers(config: &Config) -> Checked {
    let at_least_one = [
        ("webhooks.concurrency", config.webhooks.concurrency),
        (
            "webhooks.concurrency_per_webhook",
            config.webhooks.concurrency_per_webhook,
        ),
        (
            "gateway.concurrent_starts",
            config.gateway.concurrent_starts,
        ),
    ];
    for (key, value) in at_least_one {
        require(value > 0, key, "must be at least 1")?;
    }
    let days = [
        (
            "webhooks.disable_after_days",
            config.webhooks.disable_after_days,
        ),
        ("retention.events_days", config.retention.events_days),
        (
            "retention.deliveries_days",
            config.retention.deliveries_days,
        ),
        ("retention.audit_days", config.retention.audit_days),
    ];
    for (key, value) in days {
        require(value > 0, key, "must be at least 1")?;
    }
    require(
        (1..=60).contains(&config.webhooks.timeout_seconds),
        "webhooks.timeout_seconds",
        "must be between 1 and 60",
    )?;
    require(
        (1..=3_600).contains(&config.gateway.start_deadline_seconds),
        "gateway.start_deadline_seconds",
        "must be between 1 and 3600",
    )?;
    require(
        (60..=604_800).contains(&config.media.link_seconds),
        "media.link_seconds",
        "must be between 60 and 604800",
    )?;
    require(
        (1..=2 << 30).contains(&config.media.file_limit_bytes),
        "media.file_limit_bytes",
        "must be between 1 and 2147483648",
    )?;
    require(
        config.media.message_limit_bytes >= config.media.file_limit_bytes,
        "media.message_limit_bytes",
        "must not be smaller than media.file_limit_bytes",
    )?;
    require(
        (1..=3_600).contains(&config.media.voice_limit_seconds),
        "media.voice_limit_seconds",
        "must be between 1 and 3600",
    )?;
    require(
        (1..=256).contains(&config.media.concurrency),
        "media.concurrency",
        "must be between 1 and 256",
    )?;
    require(
        (1..=2 << 30).contains(&config.media.capture_limit_bytes),
        "media.capture_limit_bytes",
        "must be between 1 and 2147483648",
    )?;
    require(
        config.retention.idempotency_hours >= 24,
        "retention.idempotency_hours",
        "must be at least 24",
    )
}

fn check_texts(config: &Config) -> Checked {
    require(
        AllowList::parse(&config.webhooks.allowed_ranges).is_ok(),
        "webhooks.allowed_ranges",
        "expected address ranges such as 10.1.0.0/16",
    )?;
    let version = config.whatsapp.client_version.as_deref();
    require(
        version.is_none_or(|version| versions::parse(version).is_some()),
        "whatsapp.client_version",
        "expected three numbers, such as 2.3000.1023456789",
    )?;
    require(
        EnvFilter::try_new(&config.log.filter).is_ok(),
        "log.filter",
        "expected levels, such as info,wagate_gateway=debug",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes a working configuration, and gives which setting is wrong then.
    fn fault(change: impl FnOnce(&mut Config)) -> Option<&'static str> {
        let mut config = Config::default();
        change(&mut config);
        match check(&config) {
            Err(ConfigError::Value { key, .. }) => Some(key),
            Err(other) => panic!("{other}"),
            Ok(()) => None,
        }
    }

    #[test]
    fn a_wrong_value_is_named_by_its_own_key() {
        type Change = fn(&mut Config);
        let wrong: [(&str, Change); 24] = [
            ("data_dir", |c| c.data_dir = "".into()),
            ("store.url", |c| c.store.url = Some("mysql://h/d".into())),
            ("store.master_keys", |c| {
                c.store.url = Some("postgres://h/d".into());
            }),
            ("roles", |c| c.roles.clear()),
            ("api.public_url", |c| {
                c.api.public_url = Some("ftp://example.com".into());
            }),
            ("api.metrics_listen", |c| {
                c.api.metrics_listen = Some(c.api.listen);
            }),
            ("api.body_limit_bytes", |c| c.api.body_limit_bytes = 0),
            ("api.body_memory_bytes", |c| {
                c.api.body_memory_bytes = 1 << 20;
            }),
            ("api.max_connections", |c| c.api.max_connections = 0),
            ("api.message_body_limit_bytes", |c| {
                c.api.message_body_limit_bytes = 0;
            }),
            ("bus.url", |c| c.bus.url = Some("http://h".into())),
            ("bus.prefix", |c| c.bus.prefix = "a.*".into()),
            ("webhooks.concurrency_per_webhook", |c| {
                c.webhooks.concurrency_per_webhook = 0;
            }),
            ("webhooks.disable_after_days", |c| {
                c.webhooks.disable_after_days = 0;
            }),
            ("retention.events_days", |c| c.retention.events_days = 0),
            ("media.file_limit_bytes", |c| c.media.file_limit_bytes = 0),
            ("media.capture_limit_bytes", |c| {
                c.media.capture_limit_bytes = 0;
            }),
            ("media.message_limit_bytes", |c| {
                c.media.message_limit_bytes = c.media.file_limit_bytes - 1;
            }),
            ("media.voice_limit_seconds", |c| {
                c.media.voice_limit_seconds = 3_601;
            }),
            ("retention.audit_days", |c| c.retention.audit_days = 0),
            ("webhooks.allowed_ranges", |c| {
                c.webhooks.allowed_ranges = vec!["10.1".into()];
            }),
            ("whatsapp.client_version", |c| {
                c.whatsapp.client_version = Some("2".into());
            }),
            ("log.filter", |c| c.log.filter = "loud=very".into()),
            ("api.trusted_proxies", |c| {
                c.api.trusted_proxies = vec!["127.0.0.1".into(), "10.0.0.0/8".into(), "x".into()];
            }),
        ];
        for (key, change) in wrong {
            assert_eq!(fault(change), Some(key));
        }
    }

    #[test]
    fn origins_are_what_browsers_send() {
        let fault_of = |origin: &str| {
            let origins = vec![origin.to_owned()];
            fault(|c| c.api.cors_allowed_origins = origins)
        };
        for origin in ["https://a.example", "http://localhost:3000/"] {
            assert_eq!(fault_of(origin), None, "{origin}");
        }
        for origin in [
            "*",
            "null",
            "a.example",
            "ftp://a.example",
            "https://a.example/app",
            "https://*.example",
            "https://a.example\nx",
        ] {
            let key = "api.cors_allowed_origins";
            assert_eq!(fault_of(origin), Some(key), "{origin}");
        }
    }
}
