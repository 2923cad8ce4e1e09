//! Figures of the process: what each means, and what the system says of it.

use std::time::Duration;

use anyhow::Context as _;
use metrics::{
    counter, describe_counter, describe_gauge, describe_histogram, gauge, set_global_recorder,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Upper bounds of the buckets of durations, in seconds.
const SECONDS: &[f64] = &[
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// How often figures are put in order: what is observed piles up until then.
const EVERY: Duration = Duration::from_secs(5);

const COUNTERS: &[(&str, &str)] = &[
    (
        "wagate_bus_signals_dropped_total",
        "Signals that the bus did not take; receivers catch up from the store.",
    ),
    (
        "wagate_commands_refused_total",
        "Commands that no gateway carried out, by command.",
    ),
    (
        "wagate_engine_history_failed_total",
        "Attempts to fetch a part of a phone's history that failed.",
    ),
    (
        "wagate_engine_history_lost_total",
        "Parts of phones' histories that WhatsApp did not have any more.",
    ),
    (
        "wagate_engine_presence_dropped_total",
        "Presence updates dropped because a session had too much to do.",
    ),
    (
        "wagate_gateway_events_dropped_total",
        "Events of connections that could not be stored.",
    ),
    (
        "wagate_gateway_group_syncs_total",
        "How often sessions asked WhatsApp for their groups, by outcome.",
    ),
    (
        "wagate_gateway_inbound_failed_total",
        "Incoming messages that could not be committed and are delivered again.",
    ),
    (
        "wagate_gateway_inbound_unstorable_total",
        "Incoming messages that were stored without their content, which the database refused.",
    ),
    (
        "wagate_gateway_inbound_repeated_total",
        "Incoming messages that were there already.",
    ),
    (
        "wagate_gateway_inbound_total",
        "Incoming messages committed.",
    ),
    (
        "wagate_gateway_lease_renew_failures_total",
        "Renewals of leases that the database did not take in time.",
    ),
    (
        "wagate_gateway_panics_total",
        "Tasks that panicked and were started again, by task.",
    ),
    (
        "wagate_gateway_poll_recaps_failed_total",
        "Ends of timed polls that could not be told, or not with all votes.",
    ),
    (
        "wagate_gateway_probes_total",
        "Probes of silent connections, by whether they were answered.",
    ),
    (
        "wagate_gateway_read_receipts_skipped_total",
        "Read receipts not sent because a session had too much to do.",
    ),
    (
        "wagate_gateway_reconnects_total",
        "Connections to WhatsApp that were opened again.",
    ),
    (
        "wagate_gateway_reopens_total",
        "Sessions whose state was opened anew after a failure.",
    ),
    (
        "wagate_gateway_sends_accepted_total",
        "Messages accepted for sending.",
    ),
    (
        "wagate_gateway_sends_total",
        "Attempts to send, by outcome.",
    ),
    (
        "wagate_gateway_sessions_lost_total",
        "Sessions stopped because their lease was lost.",
    ),
    (
        "wagate_gateway_start_timeouts_total",
        "Starts of sessions that took too long.",
    ),
    (
        "wagate_gateway_undecryptable_total",
        "Incoming messages that could not be decrypted.",
    ),
    (
        "wagate_http_requests_total",
        "Requests to the API, by operation and status.",
    ),
    (
        "wagate_connections_refused_total",
        "Connections closed at once because too many were open.",
    ),
    (
        "wagate_media_fetched_bytes_total",
        "Bytes of messages' files that were fetched from WhatsApp and stored.",
    ),
    (
        "wagate_media_fetched_total",
        "Files of messages that were to be fetched from WhatsApp, by outcome: stored, gone, corrupt, unreachable, full, paused, too_large, lost.",
    ),
    (
        "wagate_store_unreadable_subscriptions_total",
        "Webhooks left out of events because their list of events cannot be read.",
    ),
    (
        "wagate_store_groups_lost_total",
        "Groups of writes whose commit failed.",
    ),
    (
        "process_cpu_seconds_total",
        "Processor time that the process has used.",
    ),
    ("wagate_logins_total", "Attempts to sign in, by outcome."),
    (
        "wagate_mails_total",
        "Mails with one-time links, by outcome.",
    ),
];

const HISTOGRAMS: &[(&str, &str)] = &[
    (
        "wagate_gateway_command_seconds",
        "How long commands to sessions took, by command and outcome.",
    ),
    (
        "wagate_gateway_inbound_commit_seconds",
        "How long the commit of incoming messages took.",
    ),
    (
        "wagate_gateway_lease_renew_seconds",
        "How long the renewal of all leases took.",
    ),
    (
        "wagate_gateway_outbox_depth",
        "Messages that waited in a session's outbox when it was looked at.",
    ),
    (
        "wagate_gateway_probe_seconds",
        "How long WhatsApp took to answer a probe.",
    ),
    (
        "wagate_gateway_send_seconds",
        "From an attempt to send to WhatsApp's acknowledgement.",
    ),
    (
        "wagate_gateway_upload_seconds",
        "How long files took to WhatsApp's media hosts.",
    ),
    (
        "wagate_http_request_duration_seconds",
        "How long requests to the API took, by operation.",
    ),
    (
        "wagate_store_commit_seconds",
        "How long commits of grouped writes took.",
    ),
    ("wagate_store_group_jobs", "Writes that shared one commit."),
];

const GAUGES: &[(&str, &str)] = &[
    (
        "wagate_build_info",
        "1, with the version of the program and whether it is a sandbox build.",
    ),
    (
        "wagate_gateway_sessions",
        "Sessions that this process owns, by status.",
    ),
    ("wagate_realtime_sockets", "Open realtime sockets."),
    (
        "process_resident_memory_bytes",
        "Memory of the process that is in RAM.",
    ),
    ("process_open_fds", "File descriptors in use."),
    ("process_max_fds", "File descriptors that may be in use."),
    ("process_threads", "Threads of the process."),
    ("process_uptime_seconds", "How long the process has run."),
];

/// Collects metrics from now on. The recorder is the process's; later calls give
/// a handle of their own that sees nothing, which only tests notice.
pub(crate) fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)
        .context("the buckets of durations")?
        .build_recorder();
    let handle = recorder.handle();
    if set_global_recorder(recorder).is_ok() {
        describe();
    }
    Ok(handle)
}

/// Puts the figures in order from time to time until stopped.
pub(crate) fn keep_current(
    tasks: &TaskTracker,
    stop: &CancellationToken,
    handle: PrometheusHandle,
) {
    let stopped = stop.clone();
    let started = tokio::time::Instant::now();
    tasks.spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        while stopped.run_until_cancelled(ticks.tick()).await.is_some() {
            handle.run_upkeep();
            gauge!("process_uptime_seconds").set(started.elapsed().as_secs_f64());
            observe_process();
        }
    });
}

fn describe() {
    for (name, text) in COUNTERS {
        describe_counter!(*name, *text);
    }
    for (name, text) in HISTOGRAMS {
        describe_histogram!(*name, *text);
    }
    for (name, text) in GAUGES {
        describe_gauge!(*name, *text);
    }
    wagate_delivery::describe_metrics();
    let is_sandbox = !wagate_engine::verifies_certificate_chain();
    gauge!(
        "wagate_build_info",
        "version" => env!("CARGO_PKG_VERSION"),
        "sandbox" => is_sandbox.to_string(),
    )
    .set(1.0);
}

/// Reads what Linux tells of the process (man 5 proc); elsewhere there is nothing to read.
fn observe_process() {
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        if let Some(kib) = number_after(&status, "VmRSS:") {
            gauge!("process_resident_memory_bytes").set(kib * 1024.0);
        }
        if let Some(threads) = number_after(&status, "Threads:") {
            gauge!("process_threads").set(threads);
        }
    }
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        let open = u32::try_from(entries.count()).unwrap_or(u32::MAX);
        gauge!("process_open_fds").set(f64::from(open));
    }
    if let Some(limit) = max_open_files() {
        gauge!("process_max_fds").set(limit);
    }
    if let Some(seconds) = cpu_seconds() {
        counter!("process_cpu_seconds_total").absolute(seconds);
    }
}

/// How many files the process may have open, where the system tells.
pub(crate) fn max_open_files() -> Option<f64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    number_after(&limits, "Max open files")
}

/// User and system time; the kernel counts in hundredths of a second on every platform.
fn cpu_seconds() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name in brackets may hold blanks.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some((ticks()? + ticks()?) / 100)
}

fn number_after(text: &str, label: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(label))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn names_in(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                names_in(&path, names);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for macro_name in ["counter!(", "gauge!(", "histogram!("] {
                    for (at, _) in text.match_indices(macro_name) {
                        let argument = text[at + macro_name.len()..].trim_start();
                        let literal = argument.strip_prefix('"').and_then(|a| a.split_once('"'));
                        let name = literal.map(|(name, _)| name.to_owned());
                        // This file speaks of the macros, too.
                        names.extend(name.filter(|name| {
                            name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
                        }));
                    }
                }
            }
        }
    }

    #[test]
    fn every_figure_is_described() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut used = BTreeSet::new();
        for folder in std::fs::read_dir(crates).unwrap() {
            let folder = folder.unwrap().path();
            // The simulator is another program.
            if folder.join("src").exists() && !folder.ends_with("simulator") {
                names_in(&folder.join("src"), &mut used);
            }
        }
        assert!(used.contains("wagate_http_requests_total"), "{used:?}");
        let described: BTreeSet<_> = [COUNTERS, HISTOGRAMS, GAUGES]
            .concat()
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        assert_eq!(used, described);
    }

    #[tokio::test]
    async fn figures_are_kept_current_and_explained() {
        let handle = start_metrics().unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        keep_current(&tasks, &stop, handle.clone());
        let observed = async {
            while !handle.render().contains("process_open_fds ") {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(EVERY, observed).await.unwrap();
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        let page = handle.render();
        for wanted in [
            "# HELP wagate_build_info",
            "wagate_build_info{version=",
            "process_resident_memory_bytes ",
        ] {
            assert!(page.contains(wanted), "{wanted} in {page}");
        }
    }
}
