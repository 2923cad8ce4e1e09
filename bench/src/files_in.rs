//! Large files in, kept as they come: how long until all are there, what memory they cost, what
//! other requests take meanwhile, and how fast clients read them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::Method;
use serde_json::{Value, json};
use wagate_testing::{Realtime, Session, http_client};

use crate::files::noise;
use crate::latency::{Latencies, watch};
use crate::process::{peak_kib, resident_kib};
use crate::setup::{Attached, Setup};

/// Requests without files under way, to compare with.
const AT_REST: usize = 50;

/// A session that keeps files as they come, on the service's own disk.
async fn keeping(setup: &Setup) -> anyhow::Result<Attached> {
    let one = setup.attach(1).await?.remove(0);
    let storage = one.session.path("/storage");
    let kept = json!({ "capture": true });
    let answer = setup.sandbox.api.call(Method::PUT, &storage, Some(&kept));
    answer.await.expect(200);
    Ok(one)
}

/// Has several phones send files to a number; gives when the last one was sent.
async fn send_all(setup: &Setup, phones: &[String], files: usize, body: &Value) -> Instant {
    let simulated = &setup.simulator.simulated;
    futures::stream::iter(0..files)
        .for_each_concurrent(phones.len(), |turn| async move {
            let path = format!("/phones/{}/messages", phones[turn % phones.len()]);
            simulated.call(Method::POST, &path, Some(body)).await;
        })
        .await;
    Instant::now()
}

/// Waits until so many files are ready; gives where they can be read.
async fn all_ready(
    socket: &mut Realtime,
    files: usize,
    is_over: &AtomicBool,
) -> anyhow::Result<(Vec<String>, Instant)> {
    let mut links = Vec::with_capacity(files);
    while links.len() < files {
        let ready = socket.wait_for(|frame| frame["event"] == "media.ready");
        let link = ready.await["payload"]["url"].as_str().map(str::to_owned);
        links.push(link.context("a file is ready without a link")?);
    }
    is_over.store(true, Ordering::Release);
    Ok((links, Instant::now()))
}

/// Reads a file as a client does that was told of it; checks each byte.
async fn read(client: &reqwest::Client, url: &str, expected: &[u8]) -> anyhow::Result<Duration> {
    let asked = Instant::now();
    let mut answer = client.get(url).send().await?.error_for_status()?;
    let mut rest = expected;
    while let Some(piece) = answer.chunk().await? {
        rest = rest
            .strip_prefix(&*piece)
            .context("a file came back changed")?;
    }
    ensure!(rest.is_empty(), "a file came back shorter");
    Ok(asked.elapsed())
}

async fn read_all(
    setup: &Setup,
    links: &[String],
    expected: &[u8],
    concurrency: usize,
) -> anyhow::Result<(Latencies, Duration)> {
    let (base, client) = (setup.sandbox.api.base(), http_client());
    let began = Instant::now();
    let took: Vec<_> = futures::stream::iter(links)
        .map(|link| {
            let client = &client;
            async move { read(client, &format!("{base}{link}"), expected).await }
        })
        .buffer_unordered(concurrency)
        .try_collect()
        .await?;
    let elapsed = began.elapsed();
    let mut latencies = Latencies::default();
    for one in took {
        latencies.add(one);
    }
    Ok((latencies, elapsed))
}

/// What a light request takes while no file is under way.
async fn at_rest(session: &Session) -> Latencies {
    let mut latencies = Latencies::default();
    for _ in 0..AT_REST {
        let asked = Instant::now();
        session.row().await;
        latencies.add(asked.elapsed());
    }
    latencies
}

pub(crate) async fn measure(
    mebibytes: usize,
    files: usize,
    concurrency: usize,
) -> anyhow::Result<String> {
    ensure!(
        files > 0 && mebibytes > 0,
        "there must be something to send"
    );
    let concurrency = concurrency.max(1);
    let setup = Setup::start().await?;
    let one = keeping(&setup).await?;
    let mut phones = Vec::new();
    for _ in 0..concurrency {
        phones.push(setup.simulator.simulated.phone().await);
    }
    let content = noise(mebibytes << 20);
    let body = json!({ "to": one.number, "type": "document", "media": {
        "data": STANDARD.encode(&content), "mimetype": "application/octet-stream",
        "filename": "noise.bin",
    }});
    let rest = at_rest(&one.session).await;
    let mut socket = setup.sandbox.api.realtime(&json!({})).await;
    let service = setup.service_pid()?;
    let before = resident_kib(service)?;
    let is_over = AtomicBool::new(false);
    let started = Instant::now();
    let (sent, ready, meanwhile) = tokio::join!(
        send_all(&setup, &phones, files, &body),
        all_ready(&mut socket, files, &is_over),
        watch(&is_over, || one.session.row()),
    );
    let (links, ready) = ready?;
    let peak_in = peak_kib(service)?;
    let (fetches, reading) = read_all(&setup, &links, &content, concurrency).await?;
    let seconds = |duration: Duration| duration.as_secs_f64();
    let total = u32::try_from(files * mebibytes).unwrap_or(u32::MAX);
    Ok(format!(
        "{files} files of {mebibytes} MiB from {concurrency} phones at a time: sent within \
         {:.1} s, all ready after {:.1} s\n\
         meanwhile, the session's row: {} times, {meanwhile} (before: {rest})\n\
         read by {concurrency} clients: {:.1} s, {:.0} MiB/s; one file {fetches}\n\
         the service: {before} KiB before, {peak_in} KiB at most, {} KiB at most with reading",
        seconds(sent - started),
        seconds(ready - started),
        meanwhile.len(),
        seconds(reading),
        f64::from(total) / seconds(reading),
        peak_kib(service)?,
    ))
}
