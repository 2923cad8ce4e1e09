//! Sends per second through the API.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::latency::Latencies;
use crate::process::ticks;
use crate::setup::{Attached, Setup};

pub(crate) async fn measure(
    sessions: usize,
    concurrency: usize,
    seconds: u64,
    is_queued: bool,
) -> anyhow::Result<String> {
    let setup = Setup::start().await?;
    let attached: Arc<Vec<Attached>> = Arc::new(setup.attach(sessions).await?);
    let recipient = setup.simulator.simulated.phone().await;
    let (service, simulator) = (setup.service_pid()?, setup.simulator_pid()?);
    let before = (ticks(service)?, ticks(simulator)?);
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let end = started + Duration::from_secs(seconds);
    let query = if is_queued {
        "/messages?async=true"
    } else {
        "/messages"
    };
    let status = if is_queued { 202 } else { 200 };
    let mut workers = JoinSet::new();
    for _ in 0..concurrency {
        let (attached, next, recipient) =
            (Arc::clone(&attached), Arc::clone(&next), recipient.clone());
        let api = setup.sandbox.api.clone();
        workers.spawn(async move {
            let mut latencies = Latencies::default();
            while Instant::now() < end {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                let path = attached[turn % attached.len()].session.path(query);
                let body =
                    json!({"type": "text", "to": recipient, "text": format!("message {turn}")});
                let sent = Instant::now();
                api.post(&path, &body).await.expect(status);
                latencies.add(sent.elapsed());
            }
            latencies
        });
    }
    let mut all = Latencies::default();
    while let Some(latencies) = workers.join_next().await {
        all.absorb(latencies?);
    }
    let elapsed = started.elapsed().as_secs_f64();
    let used = (ticks(service)? - before.0, ticks(simulator)? - before.1);
    let count = all.len();
    Ok(format!(
        "{count} sends in {elapsed:.1} s: {:.0} a second; {all}; processor time: service {}.{:02} s, simulator {}.{:02} s",
        f64::from(u32::try_from(count)?) / elapsed,
        used.0 / 100,
        used.0 % 100,
        used.1 / 100,
        used.1 % 100,
    ))
}
