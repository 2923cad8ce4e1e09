//! The whole service with the simulator in the test's own process.

use tempfile::TempDir;
use wagate_app::{RunningSandbox, Sandbox};

use crate::{Api, Person, Session, Simulated, TestDatabase};

/// A sandbox on free ports; call [`TestSandbox::stop`] at the end.
#[derive(Debug)]
pub struct TestSandbox {
    running: RunningSandbox,
    folder: TempDir,
    database: TestDatabase,
    /// The public API, called by the demo organization's key.
    pub api: Api,
    /// The simulator's control API.
    pub simulated: Simulated,
    /// Two demo phones.
    pub phones: Vec<String>,
}

fn arguments(database: &TestDatabase, simulator: Option<String>) -> Sandbox {
    Sandbox {
        listen: ([127, 0, 0, 1], 0).into(),
        simulator_listen: ([127, 0, 0, 1], 0).into(),
        data: None,
        simulator_data: None,
        simulator,
        store: database.url().map(str::to_owned),
        store_schema: database.schema().map(str::to_owned),
        json: false,
        phones: 2,
        // Tests that are about limits set them.
        rate_per_min: 0,
        rate_per_hour: 0,
    }
}

impl TestSandbox {
    /// Starts a sandbox of its own.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start() -> Self {
        crate::prepare();
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::start_in(folder, TestDatabase::fresh()).await
    }

    async fn start_in(folder: TempDir, database: TestDatabase) -> Self {
        let running = Box::pin(RunningSandbox::start(
            &arguments(&database, None),
            folder.path(),
        ))
        .await
        .expect("the sandbox starts");
        let ready = running.ready().clone();
        Self {
            api: Api::new(&ready.api, &ready.api_key),
            simulated: Simulated::new(&ready.simulator),
            phones: ready.phones,
            running,
            folder,
            database,
        }
    }

    /// Ends in order and starts again on the same data, on other ports.
    pub async fn restart(self) -> Self {
        self.running.shutdown().await;
        Self::start_in(self.folder, self.database).await
    }

    /// The operator of the installation, who owns the demo organization.
    pub async fn operator(&self) -> Person {
        let ready = self.running.ready();
        Person::log_in(&self.api, &ready.email, &ready.password).await
    }

    /// Makes a session and pairs a phone with it by QR code.
    pub async fn pair(&self, number: &str) -> Session {
        let session = self.api.create_session().await;
        let qr = session.qr().await;
        self.simulated.scan(number, &qr).await;
        session.wait_for_status("working").await;
        session
    }

    /// Ends in order.
    pub async fn stop(self) {
        self.running.shutdown().await;
    }
}
