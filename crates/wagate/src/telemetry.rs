//! Logs and metrics of the process.

use anyhow::Context as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{LogConfig, LogFormat};

/// Upper bounds of the buckets of durations, in seconds.
const SECONDS: &[f64] = &[
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Libraries whose own lines at level `info` are about single connections or queries.
const QUIET: &str = "sqlx=warn,whatsapp_rust=warn,wacore=warn,wacore_noise=warn,wacore_libsignal=warn,hyper=warn,async_nats=warn,fjall=warn,lsm_tree=warn";

/// Writes logs to standard error from now on; a second call changes nothing.
pub(crate) fn start_logs(config: &LogConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", config.filter))
        .context("configuration: `log.filter`")?;
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Another subscriber is there in tests that start several services.
    let _ = match config.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    Ok(())
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
