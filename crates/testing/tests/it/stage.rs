//! The service as a process that can be killed and started again on its data.

use std::path::Path;

use wagate_testing::{SandboxProcess, Session, SimulatorProcess, TestDatabase};

use crate::program;

/// A simulator that outlives the service, and what the service has on its disk.
pub(crate) struct Stage {
    pub(crate) simulator: SimulatorProcess,
    folder: tempfile::TempDir,
    database: TestDatabase,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let simulator = SimulatorProcess::start(program(), &folder.path().join("simulator")).await;
        Self {
            simulator,
            folder,
            database: TestDatabase::fresh(),
        }
    }

    fn data(&self) -> impl AsRef<Path> {
        self.folder.path().join("data")
    }

    /// Starts the service on what is there.
    pub(crate) async fn start(&self) -> SandboxProcess {
        let simulator = self.simulator.simulated.base();
        SandboxProcess::start(program(), self.data().as_ref(), simulator, &self.database).await
    }

    /// Pairs a phone with a new session.
    pub(crate) async fn pair(&self, sandbox: &SandboxProcess, number: &str) -> Session {
        let session = sandbox.api.create_session().await;
        let row = serde_json::json!({"ratePerMin": 0, "ratePerHour": 0});
        sandbox
            .api
            .call(reqwest::Method::PATCH, &session.path(""), Some(&row))
            .await
            .expect(200);
        let qr = session.qr().await;
        self.simulator.simulated.scan(number, &qr).await;
        session.wait_for_status("working").await;
        session
    }
}
