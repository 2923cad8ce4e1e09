//! `wagate sandbox` and `wagate simulator`.

use anyhow::Context as _;
use serde_json::json;
use wagate_simulator::Simulator;

use crate::cli::{Sandbox, Simulator as SimulatorArguments};
use crate::config::LogConfig;
use crate::sandbox::{Ready, RunningSandbox, simulator_config};
use crate::{print, signals, telemetry};

/// Runs everything against the simulator until told to end.
pub(crate) async fn sandbox(arguments: Sandbox) -> anyhow::Result<()> {
    start_logs()?;
    tracing::warn!("this is a SANDBOX build: it talks to the simulator and to loopback only");
    // Kept to the end: dropping it deletes the folder.
    let mut temporary = None;
    let data = match &arguments.data {
        Some(folder) => folder.clone(),
        None => temporary.insert(TemporaryFolder::new()?).path(),
    };
    std::fs::create_dir_all(&data).with_context(|| data.display().to_string())?;
    let running = RunningSandbox::start(&arguments, &data).await?;
    if arguments.json {
        print(serde_json::to_string(running.ready())?)?;
    } else {
        print(guide(running.ready()))?;
    }
    let is_broken = tokio::select! {
        signal = signals::termination() => {
            signal.context("waiting for a signal")?;
            false
        }
        () = running.broken() => true,
    };
    running.shutdown().await;
    drop(temporary);
    anyhow::ensure!(!is_broken, "a listener ended by itself");
    Ok(())
}

/// Runs the simulator until told to end.
pub(crate) async fn simulator(arguments: SimulatorArguments) -> anyhow::Result<()> {
    start_logs()?;
    let config = simulator_config(arguments.listen, arguments.tls_listen, arguments.data);
    let simulator = Simulator::start(config)
        .await
        .context("starting the simulator")?;
    let url = format!("http://{}", simulator.addr());
    if arguments.json {
        let ready = json!({
            "simulator": url,
            "chatUrl": simulator.chat_url(),
            "rootPublicKey": simulator.root_public_key_hex(),
            "pid": std::process::id(),
        });
        print(ready.to_string())?;
    } else {
        print(format!(
            "simulator  {url}/sim/v1\nchat       {}",
            simulator.chat_url()
        ))?;
    }
    signals::termination()
        .await
        .context("waiting for a signal")?;
    simulator.shutdown().await;
    Ok(())
}

fn start_logs() -> anyhow::Result<()> {
    let filter =
        std::env::var("WAGATE_LOG__FILTER").unwrap_or_else(|_| LogConfig::default().filter);
    telemetry::start_logs(&LogConfig {
        filter,
        ..LogConfig::default()
    })
}

/// The main job by hand; the README shows the same commands.
const WALKTHROUGH: &str = include_str!("walkthrough.sh");

/// What a person sees: where everything is, and commands to copy.
fn guide(ready: &Ready) -> String {
    let Ready {
        api,
        simulator,
        api_key,
        email,
        password,
        phones,
        ..
    } = ready;
    let (ours, theirs) = match phones.as_slice() {
        [ours, theirs, ..] => (ours.as_str(), theirs.as_str()),
        _ => ("<number>", "<number>"),
    };
    format!(
        "The sandbox is up: a gateway, a simulated WhatsApp, two phones.

  API        {api}   (reference: {api}/docs)
  simulator  {simulator}/sim/v1
  API key    {api_key}
  user       {email}, password {password}
  phones     {ours} (Alice, ours), {theirs} (Bob)

Pair Alice's phone, send a text, get an answer; copy into a shell (needs curl and jq):

export API={api} SIM={simulator} KEY={api_key} ALICE={ours} BOB={theirs}
{WALKTHROUGH}
End with Ctrl-C."
    )
}

/// A folder that is deleted when dropped.
struct TemporaryFolder(std::path::PathBuf);

impl TemporaryFolder {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("wagate-sandbox-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.clone()
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::debug!(%error, "the temporary folder was not removed");
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_readme_shows_the_same_commands() {
        let readme = include_str!("../../../../README.md");
        assert!(readme.contains(super::WALKTHROUGH));
    }
}
