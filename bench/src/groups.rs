//! Sending to a large group: the first message brings everybody the sender's key.

use std::time::Instant;

use reqwest::Method;
use serde_json::json;

use crate::latency::Latencies;
use crate::setup::Setup;

pub(crate) async fn measure(members: usize, messages: usize) -> anyhow::Result<String> {
    let setup = Setup::start().await?;
    let one = setup.attach(1).await?.remove(0);
    let simulated = &setup.simulator.simulated;
    let mut numbers = Vec::with_capacity(members);
    for _ in 1..members {
        numbers.push(simulated.phone().await);
    }
    let made = Instant::now();
    let path = format!("/phones/{}/groups", one.number);
    let body = json!({"subject": "many", "participants": numbers});
    let group = simulated.call(Method::POST, &path, Some(&body)).await;
    let made = made.elapsed();
    let group = group["jid"]
        .as_str()
        .ok_or_else(|| anyhow::anyhow!("the group was not made"))?
        .to_owned();
    let path = one.session.path("/messages");
    let mut latencies = Latencies::default();
    let mut first = None;
    for number in 0..messages.max(2) {
        let body = json!({"type": "text", "to": group, "text": format!("message {number}")});
        let sent = Instant::now();
        setup.sandbox.api.post(&path, &body).await.expect(200);
        match first {
            None => first = Some(sent.elapsed()),
            Some(_) => latencies.add(sent.elapsed()),
        }
    }
    let last = format!("message {}", messages.max(2) - 1);
    let reader = numbers.last().unwrap_or(&one.number);
    simulated
        .wait_for(reader, |message| message.body() == last)
        .await;
    Ok(format!(
        "a group of {members}: made in {:.1} s; the first message took {:.0} ms, the following: {latencies}",
        made.as_secs_f64(),
        first.unwrap_or_default().as_secs_f64() * 1_000.0,
    ))
}
