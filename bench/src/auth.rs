//! What recognizing a caller costs, and what signing in does.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::{Client, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::latency::Latencies;
use crate::process::ticks;
use crate::setup::Setup;

/// Clock ticks of `/proc` a second, as on every Linux that this runs on.
const TICKS_A_SECOND: f64 = 100.0;

/// What a run of requests took.
struct Run {
    requests: usize,
    seconds: f64,
    /// The service's processor time a request, in microseconds.
    processor_us: f64,
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rate = as_f64(self.requests) / self.seconds;
        write!(f, "{rate:.0} a second, {:.0} µs", self.processor_us)
    }
}

fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

/// Asks the same again and again, and expects the same status each time.
async fn run(
    pid: u32,
    url: &str,
    credential: Option<&str>,
    status: StatusCode,
    concurrency: usize,
    seconds: u64,
) -> anyhow::Result<Run> {
    let before = ticks(pid)?;
    let started = Instant::now();
    let end = started + Duration::from_secs(seconds);
    let mut workers = JoinSet::new();
    for _ in 0..concurrency {
        let client = wagate_testing::http_client();
        let mut request = client.get(url);
        if let Some(credential) = credential {
            request = request.bearer_auth(credential);
        }
        let request = request.build()?;
        workers.spawn(async move {
            let mut count = 0_usize;
            while Instant::now() < end {
                let again = request.try_clone().context("a request without a body")?;
                let answer = client.execute(again).await?;
                anyhow::ensure!(answer.status() == status, "{}", answer.status());
                answer.bytes().await?;
                count += 1;
            }
            Ok(count)
        });
    }
    let mut requests = 0;
    while let Some(count) = workers.join_next().await {
        requests += count??;
    }
    let used = u32::try_from(ticks(pid)? - before)?;
    Ok(Run {
        requests,
        seconds: started.elapsed().as_secs_f64(),
        processor_us: f64::from(used) / TICKS_A_SECOND * 1_000_000.0 / as_f64(requests),
    })
}

/// Signs somebody in.
async fn log_in(
    client: &Client,
    base: &str,
    email: &str,
    password: &str,
) -> anyhow::Result<Response> {
    let body = json!({ "email": email, "password": password });
    let answer = client.post(format!("{base}/api/auth/login")).json(&body);
    Ok(answer.send().await?.error_for_status()?)
}

/// A login token of the person that was signed in.
async fn token(client: &Client, base: &str, login: &Response) -> anyhow::Result<String> {
    let cookie = login.headers().get(header::SET_COOKIE);
    let cookie = cookie.context("a cookie")?.to_str()?;
    let (pair, _) = cookie.split_once(';').context("attributes")?;
    let request = client.get(format!("{base}/api/auth/token"));
    let answer = request.header(header::COOKIE, pair).send().await?;
    let answer: Value = answer.error_for_status()?.json().await?;
    Ok(answer["token"].as_str().context("a token")?.to_owned())
}

pub(crate) async fn measure(concurrency: usize, seconds: u64) -> anyhow::Result<String> {
    let setup = Setup::start().await?;
    let pid = setup.service_pid()?;
    let base = setup.sandbox.api.base().to_owned();
    let client = wagate_testing::http_client();
    let ready = setup.sandbox.process.ready();
    let text = |name: &str| ready[name].as_str().unwrap_or_default().to_owned();
    let (email, password, key) = (text("email"), text("password"), text("apiKey"));

    let login = log_in(&client, &base, &email, &password).await?;
    let jwt = token(&client, &base, &login).await?;
    // Both know the caller and refuse before anything else is looked at: what is left
    // between them and a route that does not exist is the check itself.
    let unknown = format!("{base}/api/v1/nothing");
    let refused = format!("{base}/api/v1/admin/organizations");
    let listed = format!("{base}/api/v1/sessions");
    let (missing, forbidden, ok) = (StatusCode::NOT_FOUND, StatusCode::FORBIDDEN, StatusCode::OK);
    let floor = run(pid, &unknown, None, missing, concurrency, seconds).await?;
    let by_key = run(pid, &refused, Some(&key), forbidden, concurrency, seconds).await?;
    let ordinary = ordinary_token(&client, &base).await?;
    let by_jwt = run(
        pid,
        &refused,
        Some(&ordinary),
        forbidden,
        concurrency,
        seconds,
    )
    .await?;
    let list_by_key = run(pid, &listed, Some(&key), ok, concurrency, seconds).await?;
    let list_by_jwt = run(pid, &listed, Some(&jwt), ok, concurrency, seconds).await?;

    let mut logins = Latencies::default();
    for _ in 0..50 {
        let started = Instant::now();
        log_in(&client, &base, &email, &password).await?;
        logins.add(started.elapsed());
    }
    let together = Instant::now();
    // More at once of one account look like guesses, and are slowed down.
    let all = (0..50).map(|_| log_in(&client, &base, &email, &password));
    let all: Vec<_> = futures::stream::iter(all)
        .buffer_unordered(4)
        .try_collect()
        .await?;
    let together = as_f64(all.len()) / together.elapsed().as_secs_f64();
    Ok(format!(
        "requests and the service's processor time of each, {concurrency} at the same time:\n\
         unknown route {floor}\n\
         refused, by key {by_key} (check: {:.0} µs)\n\
         refused, by login token {by_jwt} (check: {:.0} µs)\n\
         list of sessions, by key {list_by_key}\n\
         list of sessions, by login token {list_by_jwt}\n\
         login, one after another: {logins}\n\
         logins, 4 at the same time: {together:.0} a second",
        by_key.processor_us - floor.processor_us,
        by_jwt.processor_us - floor.processor_us,
    ))
}

/// The login token of somebody who signed up just now, and may do nothing.
async fn ordinary_token(client: &Client, base: &str) -> anyhow::Result<String> {
    let (email, password) = ("bench@example.com", "correct horse battery");
    let body = json!({ "email": email, "name": "Bench", "password": password });
    let request = client.post(format!("{base}/api/auth/sign-up")).json(&body);
    request.send().await?.error_for_status()?;
    let login = log_in(client, base, email, password).await?;
    token(client, base, &login).await
}
