//! The history that a phone sends after pairing: how long it takes, what memory it costs, and
//! what others notice of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::ensure;
use serde_json::{Value, json};
use wagate_testing::Session;

use crate::latency::{Latencies, watch};
use crate::process::{peak_kib, resident_kib};
use crate::setup::{Attached, Setup};

/// Rows of a page.
const PAGE: usize = 200;

/// How many rows a list has, and the values of one column.
async fn column(setup: &Setup, path: &str, name: &str) -> Vec<String> {
    let mut values = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = setup
            .sandbox
            .api
            .get(&format!("{path}?limit={PAGE}{cursor}"))
            .await;
        let rows = page["data"].as_array().into_iter().flatten();
        values.extend(rows.filter_map(|row| row[name].as_str().map(str::to_owned)));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return values,
        }
    }
}

/// How many different messages the chats of a session hold.
async fn stored(setup: &Setup, session: &Session) -> usize {
    let mut ids = std::collections::BTreeSet::new();
    for chat in column(setup, &session.path("/chats"), "jid").await {
        let path = session.path(&format!("/chats/{chat}/messages"));
        ids.extend(column(setup, &path, "waMessageId").await);
    }
    ids.len()
}

/// Waits for the end of the history, and gives how it is told of.
async fn ended(session: &Session, messages: usize, is_over: &AtomicBool) -> (Value, Latencies) {
    let mut latencies = Latencies::default();
    loop {
        let asked = Instant::now();
        let history = session.row().await["historySync"].clone();
        latencies.add(asked.elapsed());
        let has_all = history["messages"].as_u64() >= u64::try_from(messages).ok();
        if history["status"] == "done" && has_all {
            is_over.store(true, Ordering::Release);
            return (history, latencies);
        }
    }
}

/// A session whose phone has a past, from when its code was scanned.
async fn pair(setup: &Setup, past: &Value) -> (Session, Instant) {
    let simulated = &setup.simulator.simulated;
    let number = simulated.phone().await;
    simulated.past(&number, past).await;
    let session = setup.sandbox.api.create_session().await;
    let qr = session.qr().await;
    let scanned = Instant::now();
    simulated.scan(&number, &qr).await;
    (session, scanned)
}

/// Without a history under way: what the same requests take.
async fn at_rest(one: &Attached, recipient: &str) -> Latencies {
    let mut latencies = Latencies::default();
    for turn in 0..50 {
        let asked = Instant::now();
        one.session
            .send_text(recipient, &format!("rest {turn}"))
            .await;
        latencies.add(asked.elapsed());
    }
    latencies
}

pub(crate) async fn measure(messages: usize, chats: usize) -> anyhow::Result<String> {
    ensure!(
        chats > 0 && messages.is_multiple_of(chats),
        "the messages must be a multiple of the chats"
    );
    let setup = Setup::start().await?;
    let attached = setup.attach(1).await?;
    let one = &attached[0];
    let recipient = setup.simulator.simulated.phone().await;
    let rest = at_rest(one, &recipient).await;
    let service = setup.service_pid()?;
    let before = resident_kib(service)?;
    let past = json!({"chats": chats, "messagesPerChat": messages / chats, "seed": 1});
    let (session, scanned) = pair(&setup, &past).await;
    let is_over = AtomicBool::new(false);
    let api = &setup.sandbox.api;
    let chat_list = session.path("/chats?limit=50");
    let ((history, rows), lists, sends) = tokio::join!(
        ended(&session, messages, &is_over),
        watch(&is_over, || api.get(&chat_list)),
        watch(&is_over, || one.session.send_text(&recipient, "meanwhile")),
    );
    let elapsed = scanned.elapsed().as_secs_f64();
    let peak = peak_kib(service)?;
    ensure!(
        history["messages"].as_u64() == u64::try_from(messages).ok(),
        "not as many messages were counted as there are: {history}"
    );
    let count = stored(&setup, &session).await;
    ensure!(
        count == messages,
        "{count} of {messages} messages are stored"
    );
    Ok(format!(
        "{messages} messages of {chats} chats, all of them stored {elapsed:.1} s after the scan; \
         the service: {before} KiB before, {peak} KiB at most\n\
         meanwhile, the session's row: {} times, {rows}\n\
         a list of chats: {} times, {lists}\n\
         a send of another session: {} times, {sends} (before: {rest})",
        rows.len(),
        lists.len(),
        sends.len(),
    ))
}
