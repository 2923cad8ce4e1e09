//! The simulator by itself, for client libraries of any kind.
//!
//! ```sh
//! cargo run -p wagate-simulator --example simulator -- --listen 127.0.0.1:0 --json
//! ```
//!
//! Prints where it is reached, with `--json` as one line of JSON, and runs until Ctrl-C or a
//! request to terminate. Without `--data` everything is kept in memory.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use wagate_simulator::{Simulator, SimulatorConfig};

const USAGE: &str = "usage: simulator [--listen ADDR] [--tls-listen ADDR] [--data DIR] [--json]";

/// What the simulator is started with.
#[derive(Debug)]
struct Arguments {
    listen: SocketAddr,
    tls_listen: Option<SocketAddr>,
    data_dir: Option<PathBuf>,
    is_json: bool,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut arguments = Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls_listen: None,
            data_dir: None,
            is_json: false,
        };
        while let Some(word) = words.next() {
            let mut value = || {
                let value = words.next();
                value.with_context(|| format!("{word} needs a value; {USAGE}"))
            };
            match &*word {
                "--json" => arguments.is_json = true,
                "--listen" => arguments.listen = address(&value()?)?,
                "--tls-listen" => arguments.tls_listen = Some(address(&value()?)?),
                "--data" => arguments.data_dir = Some(value()?.into()),
                _ => anyhow::bail!("{word} is not known; {USAGE}"),
            }
        }
        Ok(arguments)
    }
}

fn address(text: &str) -> anyhow::Result<SocketAddr> {
    text.parse()
        .with_context(|| format!("{text} is not an address with a port; {USAGE}"))
}

fn announcement(simulator: &Simulator, is_json: bool) -> String {
    let url = format!("http://{}", simulator.addr());
    let chat_url = simulator.chat_url();
    if !is_json {
        return format!("simulator  {url}/sim/v1\nchat       {chat_url}");
    }
    let mut ready = json!({
        "simulator": url,
        "chatUrl": chat_url,
        "rootPublicKey": simulator.root_public_key_hex(),
        "pid": std::process::id(),
    });
    if let Some(tls_chat_url) = simulator.tls_chat_url() {
        ready["tlsChatUrl"] = json!(tls_chat_url);
    }
    ready.to_string()
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let config = SimulatorConfig {
        tls_listen: arguments.tls_listen,
        data_dir: arguments.data_dir,
        ..SimulatorConfig::new(arguments.listen)
    };
    let simulator = Simulator::start(config)
        .await
        .context("starting the simulator")?;
    let text = announcement(&simulator, arguments.is_json);
    writeln!(std::io::stdout(), "{text}").context("saying where the simulator is reached")?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    simulator.shutdown().await;
    Ok(())
}
