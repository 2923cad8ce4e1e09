//! From a phone's send to the webhook's first attempt and to the WebSocket frame.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use wagate_testing::{Realtime, Receiver, Simulated};

use crate::latency::Latencies;
use crate::setup::Setup;

/// When each message was handed to its phone, by its text.
type Sent = Arc<Mutex<HashMap<String, Instant>>>;

pub(crate) async fn measure(sessions: usize, rate: u64, seconds: u64) -> anyhow::Result<String> {
    let setup = Setup::start().await?;
    let attached = setup.attach(sessions).await?;
    let senders = senders(&setup, sessions).await;
    let mut receiver = Receiver::start().await;
    let webhook = json!({"url": receiver.url(), "events": ["message"]});
    setup
        .sandbox
        .api
        .post("/api/v1/webhooks", &webhook)
        .await
        .expect(201);
    let socket = setup
        .sandbox
        .api
        .realtime(&json!({"events": ["message"]}))
        .await;

    let total = usize::try_from(rate * seconds)?;
    let sent = Sent::default();
    let frames = tokio::spawn(watch_socket(socket, total, Arc::clone(&sent)));
    let posts = {
        let sent = Arc::clone(&sent);
        tokio::spawn(async move {
            let mut latencies = Latencies::default();
            while latencies.len() < total {
                let delivered = receiver.next().await;
                note(&mut latencies, &sent, &delivered.json());
            }
            latencies
        })
    };
    let numbers: Vec<_> = attached.iter().map(|one| one.number.clone()).collect();
    let elapsed = send_all(
        &setup.simulator.simulated,
        &senders,
        &numbers,
        rate,
        total,
        &sent,
    )
    .await?;
    let (posts, frames) = (posts.await?, frames.await?);
    Ok(format!(
        "{total} messages in {:.1} s ({rate} a second wanted, {sessions} sessions), from the phone's send \
         (its encryption included):\n  webhook's first attempt: {posts}\n  WebSocket frame: {frames}",
        elapsed.as_secs_f64(),
    ))
}

/// As many other phones as there are sessions, so that no ratchet is the bottleneck.
async fn senders(setup: &Setup, count: usize) -> Vec<String> {
    let mut senders = Vec::with_capacity(count);
    for _ in 0..count {
        senders.push(setup.simulator.simulated.phone().await);
    }
    senders
}

/// Sends at a steady rate and gives the time that it took.
async fn send_all(
    simulated: &Simulated,
    senders: &[String],
    numbers: &[String],
    rate: u64,
    total: usize,
    sent: &Sent,
) -> anyhow::Result<Duration> {
    let mut ticks = tokio::time::interval(Duration::from_nanos(1_000_000_000 / rate.max(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let started = Instant::now();
    let mut requests = JoinSet::new();
    for turn in 0..total {
        ticks.tick().await;
        let text = format!("inbound {turn}");
        let path = format!("/phones/{}/messages", senders[turn % senders.len()]);
        let body = json!({"type": "text", "to": numbers[turn % numbers.len()], "text": text});
        let (simulated, sent) = (simulated.clone(), Arc::clone(sent));
        requests.spawn(async move {
            sent.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(text, Instant::now());
            simulated.call(Method::POST, &path, Some(&body)).await;
        });
    }
    while let Some(request) = requests.join_next().await {
        request.context("a phone's send")?;
    }
    Ok(started.elapsed())
}

async fn watch_socket(mut socket: Realtime, total: usize, sent: Sent) -> Latencies {
    let mut latencies = Latencies::default();
    while latencies.len() < total {
        let frame = socket.wait_for(|frame| frame["event"] == "message").await;
        note(&mut latencies, &sent, &frame);
    }
    latencies
}

fn note(latencies: &mut Latencies, sent: &Sent, event: &Value) {
    let arrived = Instant::now();
    let text = event["payload"]["body"].as_str().unwrap_or_default();
    let sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(at) = sent.get(text) {
        latencies.add(arrived - *at);
    }
}
