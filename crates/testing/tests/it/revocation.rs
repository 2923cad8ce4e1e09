//! A key revoked by a command in another process is refused by a running service.

use std::ffi::OsString;

use serde_json::{Value, json};
use wagate_testing::{Process, SandboxProcess, SimulatorProcess, TestDatabase};

use crate::program;

#[tokio::test]
async fn a_key_revoked_on_the_command_line_closes_its_sockets_and_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = SimulatorProcess::start(program(), &folder.path().join("simulator")).await;
    let (data, database) = (folder.path().join("data"), TestDatabase::fresh());
    let base = simulator.simulated.base();
    let sandbox = SandboxProcess::start(program(), &data, base, &database).await;
    let config = folder.path().join("wagate.toml");
    std::fs::write(&config, database.settings(&data.join("master.key"))).unwrap();
    let command = async |words: &[&str]| {
        let mut arguments: Vec<OsString> = words.iter().map(Into::into).collect();
        arguments.extend(["--config".into(), config.clone().into_os_string()]);
        arguments.extend(["--data".into(), data.clone().into_os_string()]);
        Process::run(program(), &arguments).await
    };

    let organization = sandbox.process.ready()["organizationId"].as_str().unwrap();
    let listed = command(&["key", "list", "--json", "--organization", organization]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let key = listed["data"][0]["id"].as_str().unwrap();
    let mut socket = sandbox.api.realtime(&json!({"events": ["message"]})).await;
    sandbox.api.get("/api/v1/sessions").await;
    command(&["key", "revoke", "--organization", organization, key]).await;

    let farewell = socket.wait_for(|frame| frame["event"] == "error").await;
    assert_eq!(farewell["error"], "unauthorized");
    // The socket heard of it after the service forgot the key.
    let path = "/api/v1/sessions";
    let refused = sandbox.api.call(reqwest::Method::GET, path, None).await;
    assert_eq!(refused.expect(401)["error"]["code"], "unauthorized");
}
