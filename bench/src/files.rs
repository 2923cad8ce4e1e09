//! Large files out and in again: how long they take, and what memory they cost.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::Method;
use serde_json::{Value, json};

use crate::latency::Latencies;
use crate::process::{peak_kib, resident_kib};
use crate::setup::{Attached, Setup};

/// Bytes that compress no better than a film does.
pub(crate) fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut noise = Vec::with_capacity(bytes + 8);
    while noise.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend(state.to_le_bytes());
    }
    noise.truncate(bytes);
    noise
}

async fn send(one: &Attached, setup: &Setup, body: &Value) -> anyhow::Result<()> {
    let path = one.session.path("/messages");
    setup.sandbox.api.post(&path, body).await.expect(200);
    Ok(())
}

/// Reads a file back as a client does that was told of it.
async fn read_back(setup: &Setup, one: &Attached, chat: &str) -> anyhow::Result<usize> {
    let messages = one.session.messages(chat).await;
    let media = messages
        .iter()
        .find_map(|message| message["media"]["id"].as_str());
    let id = media.ok_or_else(|| anyhow::anyhow!("no file was noted"))?;
    let path = format!("/api/v1/media/{id}/content");
    let answer = setup.sandbox.api.call(Method::GET, &path, None).await;
    Ok(answer.body.len())
}

pub(crate) async fn measure(
    mebibytes: usize,
    files: usize,
    concurrency: usize,
) -> anyhow::Result<String> {
    let setup = Setup::start().await?;
    let attached = setup.attach(concurrency.max(1)).await?;
    let recipient = setup.simulator.simulated.phone().await;
    let service = setup.service_pid()?;
    let before = resident_kib(service)?;
    let body = json!({"type": "document", "to": recipient, "media": {
        "data": STANDARD.encode(noise(mebibytes << 20)), "filename": "noise.bin"
    }});
    let started = Instant::now();
    let sent: Vec<_> = futures::stream::iter(0..files)
        .map(|turn| {
            let (one, setup, body) = (&attached[turn % attached.len()], &setup, &body);
            async move {
                let sent = Instant::now();
                send(one, setup, body).await?;
                anyhow::Ok(sent.elapsed())
            }
        })
        .buffer_unordered(concurrency.max(1))
        .try_collect()
        .await?;
    let elapsed = started.elapsed().as_secs_f64();
    let peak_out = peak_kib(service)?;
    let mut out = Latencies::default();
    for took in sent {
        out.add(took);
    }
    let read = Instant::now();
    let bytes = read_back(&setup, &attached[0], &recipient).await?;
    anyhow::ensure!(bytes == mebibytes << 20, "the file came back changed");
    Ok(format!(
        "{files} files of {mebibytes} MiB, {concurrency} at a time: {elapsed:.1} s, {out}; \
         fetched back in {:.0} ms; the service: {before} KiB before, {peak_out} KiB at most, \
         {} KiB at most with reading",
        read.elapsed().as_secs_f64() * 1_000.0,
        peak_kib(service)?,
    ))
}
