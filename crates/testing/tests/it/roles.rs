//! Roles in processes of their own, over PostgreSQL and NATS.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::json;
use wagate_testing::{Api, Person, Process, Receiver, SimulatorProcess, TestDatabase};

use crate::program;

/// What all processes of an installation share.
struct Installation {
    folder: tempfile::TempDir,
    simulator: SimulatorProcess,
    config: PathBuf,
}

impl Installation {
    /// Nothing where there is no PostgreSQL or no NATS to run on.
    async fn new() -> Option<Self> {
        let nats = std::env::var("TEST_NATS_URL").ok()?;
        let database = TestDatabase::fresh();
        let prefix = database.schema()?.to_owned();
        let folder = tempfile::tempdir().unwrap();
        let simulator = SimulatorProcess::start(program(), &folder.path().join("simulator")).await;
        let keys = folder.path().join("keys");
        let key = Process::run(program(), &["key".into(), "master".into()]).await;
        std::fs::write(&keys, key).unwrap();
        let config = folder.path().join("wagate.toml");
        let settings = database.settings(&keys);
        let rest = format!(
            "[bus]\nurl = '{nats}'\nprefix = '{prefix}'\n\
             [api]\nlisten = '127.0.0.1:0'\nmetrics_listen = '127.0.0.1:0'\n"
        );
        std::fs::write(&config, settings + &rest).unwrap();
        Some(Self {
            folder,
            simulator,
            config,
        })
    }

    fn arguments(&self, words: &[&str], data: &str) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = words.iter().map(Into::into).collect();
        arguments.extend(["--config".into(), self.config.clone().into_os_string()]);
        let data: &Path = &self.folder.path().join(data);
        arguments.extend(["--data".into(), data.into()]);
        arguments
    }

    async fn command(&self, words: &[&str]) -> String {
        Process::run(program(), &self.arguments(words, "cli")).await
    }

    async fn role(&self, role: &str, data: &str) -> Process {
        let simulator = self.simulator.simulated.base();
        let words = ["serve", "--json", "--roles", role, "--simulator", simulator];
        Process::start(program(), &self.arguments(&words, data)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heavy_roles_apart_carry_messages_and_survive_a_killed_gateway() {
    let Some(installation) = Installation::new().await else {
        return;
    };
    let simulated = &installation.simulator.simulated;
    let create = ["key", "create", "--organization", "acme"];
    let key = installation.command(&create).await;
    let first = installation.role("gateway", "first").await;
    let router = installation.role("router", "router").await;
    let worker = installation.role("worker", "worker").await;
    let http = wagate_testing::http_client();
    for process in [&first, &router, &worker] {
        let probes = process.ready()["probes"].as_str().unwrap();
        for path in ["healthz", "readyz", "metrics"] {
            let probe = http.get(format!("{probes}/{path}"));
            let answer = probe.send().await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
        }
    }

    let api = Api::new(router.ready()["api"].as_str().unwrap(), &key);
    let mut receiver = Receiver::start().await;
    let webhook = json!({"url": receiver.url(), "events": ["message"]});
    api.post("/api/v1/webhooks", &webhook).await.expect(201);
    let session = api.create_session().await;
    let (alice, bob) = (simulated.phone().await, simulated.phone().await);
    simulated.scan(&alice, &session.qr().await).await;
    session.wait_for_status("working").await;
    session.send_text(&bob, "from the first gateway").await;
    simulated
        .wait_for(&bob, |message| message.body() == "from the first gateway")
        .await;
    simulated.send_text(&bob, &alice, "in by the first").await;
    let delivered = receiver.next().await;
    assert_eq!(delivered.json()["payload"]["body"], "in by the first");

    let second = installation.role("gateway", "second").await;
    first.kill().await;
    // Nobody has the session now; WhatsApp keeps the message until somebody does.
    simulated.send_text(&bob, &alice, "in by the second").await;
    let delivered = receiver.next().await;
    assert_eq!(delivered.json()["payload"]["body"], "in by the second");
    session.send_text(&bob, "from the second gateway").await;
    simulated
        .wait_for(&bob, |message| message.body() == "from the second gateway")
        .await;
    let log = simulated.messages(&bob).await;
    let from_us: Vec<_> = log
        .iter()
        .filter(|message| message.0["fromMe"] == false)
        .map(|message| message.body().to_owned())
        .collect();
    let expected = ["from the first gateway", "from the second gateway"];
    assert_eq!(from_us, expected);

    let mut socket = api.realtime(&json!({"events": ["message"]})).await;
    let list = ["key", "list", "--json", "--organization", "acme"];
    let listed: serde_json::Value =
        serde_json::from_str(&installation.command(&list).await).unwrap();
    let id = listed["data"][0]["id"].as_str().unwrap();
    let revoke = ["key", "revoke", "--organization", "acme", id];
    installation.command(&revoke).await;
    let farewell = socket.wait_for(|frame| frame["event"] == "error").await;
    assert_eq!(farewell["error"], "unauthorized");
    drop((second, worker));
}

#[tokio::test(flavor = "multi_thread")]
async fn heavy_a_ban_at_one_router_counts_at_another() {
    let Some(installation) = Installation::new().await else {
        return;
    };
    let first = installation.role("router", "first").await;
    let second = installation.role("router", "second").await;
    let api = |router: &Process| Api::new(router.ready()["api"].as_str().unwrap(), "");
    let words = ["user", "create", "--link"];
    for (email, more) in [
        ("root@example.com", ["--super-admin"].as_slice()),
        ("ann@example.com", &["--organization", "acme"]),
    ] {
        let link = installation
            .command(&[&words, more, &[email]].concat())
            .await;
        let (_, token) = link.split_once("#token=").unwrap();
        let body = json!({ "token": token, "password": "correct horse battery" });
        let set = api(&first).with_key(None);
        let set = set.post("/api/auth/password-resets:confirm", &body).await;
        set.expect(204);
    }
    let root = Person::log_in(&api(&first), "root@example.com", "correct horse battery").await;
    let ann = Person::log_in(&api(&second), "ann@example.com", "correct horse battery").await;
    let (by_token, id) = (ann.api().await, ann.id().await);
    let mut socket = by_token.realtime(&json!({})).await;
    // The first router knows her too.
    let there = Person::log_in(&api(&first), "ann@example.com", "correct horse battery").await;
    there.api().await.get("/api/v1/sessions").await;

    let ban = format!("/api/v1/admin/users/{id}:ban");
    root.api().await.post(&ban, &json!({})).await.expect(200);
    let farewell = socket.wait_for(|frame| frame["event"] == "error").await;
    assert_eq!(farewell["error"], "unauthorized");
    let refused = by_token
        .call(reqwest::Method::GET, "/api/v1/sessions", None)
        .await;
    refused.expect(401);
}
