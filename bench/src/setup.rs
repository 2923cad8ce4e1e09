//! The service and the simulator as processes, with paired sessions.

use std::path::PathBuf;

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _};
use tempfile::TempDir;
use wagate_testing::{SandboxProcess, Session, SimulatorProcess, TestDatabase};

/// Sessions that pair at the same time.
const PAIRING: usize = 16;

/// A running service with its simulator.
pub(crate) struct Setup {
    pub(crate) simulator: SimulatorProcess,
    pub(crate) sandbox: SandboxProcess,
    database: TestDatabase,
    folder: TempDir,
}

/// A session and the phone behind it.
#[derive(Debug, Clone)]
pub(crate) struct Attached {
    pub(crate) session: Session,
    pub(crate) number: String,
}

/// The service's binary, which is built beside this one.
fn program() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("wagate");
    anyhow::ensure!(
        program.exists(),
        "build the service first: cargo build --release -p wagate -p wagate-bench --features wagate/sandbox"
    );
    Ok(program)
}

impl Setup {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let program = program()?;
        let simulator = SimulatorProcess::start(&program, &folder.path().join("simulator")).await;
        let database = TestDatabase::fresh();
        let data = folder.path().join("data");
        let sandbox =
            SandboxProcess::start(&program, &data, simulator.simulated.base(), &database).await;
        Ok(Self {
            simulator,
            sandbox,
            database,
            folder,
        })
    }

    /// Kills the service and starts it again on its data.
    pub(crate) async fn kill_and_start(self) -> anyhow::Result<Self> {
        let Self {
            simulator,
            sandbox,
            database,
            folder,
        } = self;
        sandbox.process.kill().await;
        let data = folder.path().join("data");
        let sandbox =
            SandboxProcess::start(&program()?, &data, simulator.simulated.base(), &database).await;
        Ok(Self {
            simulator,
            sandbox,
            database,
            folder,
        })
    }

    pub(crate) fn service_pid(&self) -> anyhow::Result<u32> {
        self.sandbox.process.id().context("the service runs")
    }

    pub(crate) fn simulator_pid(&self) -> anyhow::Result<u32> {
        self.simulator.process.id().context("the simulator runs")
    }

    /// Pairs a number of new sessions with new phones.
    pub(crate) async fn attach(&self, count: usize) -> anyhow::Result<Vec<Attached>> {
        futures::stream::iter(0..count)
            .map(|_| async {
                let number = self.simulator.simulated.phone().await;
                let session = self.sandbox.api.create_session().await;
                let qr = session.qr().await;
                self.simulator.simulated.scan(&number, &qr).await;
                session.wait_for_status("working").await;
                anyhow::Ok(Attached { session, number })
            })
            .buffer_unordered(PAIRING)
            .try_collect()
            .await
    }
}
