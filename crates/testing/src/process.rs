//! The service and the simulator as processes of their own, for tests that kill them.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::{Api, PATIENCE, Simulated, TestDatabase};

/// A child process that told on its first line that it is ready; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    ready: Value,
}

impl Process {
    /// Starts the program with arguments and waits for its line of JSON.
    ///
    /// # Panics
    ///
    /// When it does not come up; its log is on standard error.
    pub async fn start(program: &Path, arguments: &[OsString]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let output = child.stdout.take().expect("standard output is piped");
        let mut lines = BufReader::new(output).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line())
            .await
            .expect("ready in time")
            .expect("standard output is text")
            .expect("a line before the end");
        let ready = serde_json::from_str(&line).expect("the line is JSON");
        Self { child, ready }
    }

    /// Runs a command to its end, and gives what it wrote to standard output.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub async fn run(program: &Path, arguments: &[OsString]) -> String {
        let command = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, command)
            .await
            .expect("the command ends in time")
            .expect("the program starts");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{arguments:?}: {told} {}",
            String::from_utf8_lossy(&output.stderr)
        );
        told.trim().to_owned()
    }

    /// What the process told when it was ready.
    #[must_use]
    pub fn ready(&self) -> &Value {
        &self.ready
    }

    /// The process's id.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    ///
    /// # Panics
    ///
    /// When the system refuses.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("the process can be killed");
    }
}

/// `wagate simulator` as a process.
#[derive(Debug)]
pub struct SimulatorProcess {
    /// The process.
    pub process: Process,
    /// Its control API.
    pub simulated: Simulated,
}

impl SimulatorProcess {
    /// Starts it on a free port with a data folder.
    ///
    /// # Panics
    ///
    /// When it does not come up.
    pub async fn start(program: &Path, data: &Path) -> Self {
        let mut arguments: Vec<OsString> =
            ["simulator", "--json", "--listen", "127.0.0.1:0", "--data"]
                .map(Into::into)
                .to_vec();
        arguments.push(data.into());
        let process = Process::start(program, &arguments).await;
        let url = process.ready()["simulator"]
            .as_str()
            .expect("the simulator's URL");
        let simulated = Simulated::new(url);
        Self { process, simulated }
    }
}

/// `wagate sandbox` as a process, against a simulator that outlives it.
#[derive(Debug)]
pub struct SandboxProcess {
    /// The process.
    pub process: Process,
    /// Its API.
    pub api: Api,
}

impl SandboxProcess {
    /// Starts it on a free port with a data folder and a database.
    ///
    /// # Panics
    ///
    /// When it does not come up.
    pub async fn start(
        program: &Path,
        data: &Path,
        simulator: &str,
        database: &TestDatabase,
    ) -> Self {
        let mut arguments: Vec<OsString> = [
            "sandbox",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--simulator",
            simulator,
            "--data",
        ]
        .map(Into::into)
        .to_vec();
        arguments.push(data.into());
        // Tests and benches that are about sending limits set them.
        arguments.extend(["--rate-per-min", "0", "--rate-per-hour", "0"].map(Into::into));
        arguments.extend(database.arguments());
        let process = Process::start(program, &arguments).await;
        let text = |name: &str| {
            process.ready()[name]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let api = Api::new(&text("api"), &text("apiKey"));
        Self { process, api }
    }

    /// The demo phones' numbers.
    #[must_use]
    pub fn phones(&self) -> Vec<String> {
        let phones = self.process.ready()["phones"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        phones
            .iter()
            .filter_map(|phone| phone.as_str().map(str::to_owned))
            .collect()
    }
}
