//! Logs and metrics of the process.

use anyhow::Context as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{LogConfig, LogFormat};

/// Upper bounds of the buckets of durations, in seconds.
const SECONDS: &[f64] = &[
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Libraries whose own lines at level `info` are about single connections or queries.
const QUIET: &str = "sqlx=warn,async_nats=warn,fjall=warn,lsm_tree=warn";

/// Whose lines are written, whatever the filter says: ours, and those of libraries
/// that are known to say nothing private. The protocol library writes addresses and
/// stanzas into its lines, HTTP libraries write URLs: what matters of them is told
/// by our own crates.
const TOLD: &[&str] = &["wagate", "sqlx", "async_nats", "fjall", "lsm_tree"];

/// Writes logs to standard error from now on; a second call changes nothing.
pub(crate) fn start_logs(config: &LogConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", config.filter))
        .context("configuration: `log.filter`")?;
    let lines = fmt::layer().with_writer(std::io::stderr);
    let subscriber = tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(|line| is_told(line.target())));
    // Another subscriber is there in tests that start several services.
    let _ = match config.format {
        LogFormat::Text => subscriber.with(lines).try_init(),
        LogFormat::Json => subscriber.with(lines.json().flatten_event(true)).try_init(),
    };
    Ok(())
}

fn is_told(target: &str) -> bool {
    TOLD.iter().any(|prefix| target.starts_with(prefix))
}

/// Collects metrics from now on. The recorder is the process's; later calls give
/// a handle of their own that sees nothing, which only tests notice.
pub(crate) fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)
        .context("the buckets of durations")?
        .build_recorder();
    let handle = recorder.handle();
    let _ = metrics::set_global_recorder(recorder);
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use super::is_told;

    #[test]
    fn lines_that_may_hold_addresses_are_dropped() {
        for target in [
            "Client/Send",
            "AppState",
            "usync",
            "whatsapp_rust::send",
            "wacore_noise",
            "reqwest",
        ] {
            assert!(!is_told(target), "{target}");
        }
        for target in [
            "wagate_gateway::session",
            "wagate_engine",
            "wagate_app",
            "sqlx::query",
        ] {
            assert!(is_told(target), "{target}");
        }
    }
}
