//! The commands of an operator, on an embedded database.

use std::ffi::OsString;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tokio::process::Command;
use wagate_testing::{Process, SimulatorProcess};

use crate::program;

/// Runs a command on a data folder, whatever comes of it.
async fn run(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.args(words).arg("--data").arg(folder);
    // Nothing is configured but what is said here.
    command.current_dir(folder.parent().unwrap());
    command.kill_on_drop(true).output().await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_second_service_on_a_data_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = SimulatorProcess::start(program(), &folder.path().join("simulator")).await;
    let data = folder.path().join("data");
    let base = simulator.simulated.base();
    let serve = [
        "serve",
        "--json",
        "--listen",
        "127.0.0.1:0",
        "--simulator",
        base,
    ];
    let mut arguments: Vec<OsString> = serve.map(Into::into).to_vec();
    arguments.extend(["--data".into(), data.clone().into_os_string()]);
    let first = Process::start(program(), &arguments).await;
    let second = run(&data, &serve).await;
    let told = text(&second.stderr);
    assert!(!second.status.success());
    assert!(told.contains("in use") && told.contains("--data"), "{told}");
    // Commands work beside the service, and its end frees the folder.
    assert!(run(&data, &["organization", "list"]).await.status.success());
    first.kill().await;
    Process::start(program(), &arguments).await.kill().await;
}

#[tokio::test]
async fn a_key_alone_is_on_standard_output_and_faults_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let create = ["key", "create", "--organization", "acme"];
    let made = run(&data, &create).await;
    assert!(text(&made.stdout).starts_with("wa_"));
    assert_eq!(text(&made.stdout).lines().count(), 1);
    let beside = text(&made.stderr);
    assert!(
        beside.contains("key_") && beside.contains("org_"),
        "{beside}"
    );
    assert!(!beside.contains("wa_"));

    let made = run(&data, &[&create[..], &["--json"]].concat()).await;
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert!(made["apiKey"].as_str().unwrap().starts_with("wa_"));
    assert_eq!(made["organization"], "acme");

    let nameless = ["key", "create", "--organization", "beta", "--name", ""];
    let refused = run(&data, &nameless).await;
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("name must not be empty"));
    let organizations = run(&data, &["organization", "list"]).await;
    assert!(!text(&organizations.stdout).contains("beta"));
}

#[tokio::test]
async fn a_signing_key_is_made_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let rotate = ["key", "rotate-signing"];
    assert!(!run(&data, &rotate).await.status.success());
    assert!(
        run(&data, &["organization", "create", "acme"])
            .await
            .status
            .success()
    );
    let mut made = Vec::new();
    for words in [&rotate[..], &["key", "rotate-signing", "--revoke-earlier"]] {
        let key = run(&data, words).await;
        assert!(key.status.success() && text(&key.stdout).starts_with("tk_"));
        made.push(text(&key.stdout));
    }
    assert_ne!(made[0], made[1]);
}

#[tokio::test]
async fn looking_changes_nothing_and_goes_on_after_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let doctor = async || {
        let output = run(&data, &["doctor", "--json"]).await;
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap().clone();
        (output.status.success(), checks)
    };
    let outcome = |checks: &[Value], name: &str| {
        let check = checks.iter().find(|check| check["name"] == name).unwrap();
        check["outcome"].as_str().unwrap().to_owned()
    };
    assert!(doctor().await.0);
    assert!(!run(&data, &["organization", "list"]).await.status.success());
    assert!(!data.exists());

    let create = ["key", "create", "--organization", "acme"];
    assert!(run(&data, &create).await.status.success());
    let (is_well, checks) = doctor().await;
    assert!(is_well, "{checks:?}");
    for name in [
        "master key",
        "database",
        "integrity",
        "write",
        "bus",
        "keys",
    ] {
        assert_eq!(outcome(&checks, name), "ok", "{name}");
    }

    std::fs::remove_file(data.join("master.key")).unwrap();
    let (is_well, checks) = doctor().await;
    assert!(!is_well);
    assert_eq!(outcome(&checks, "master key"), "fail");
    assert!(checks.iter().any(|check| check["name"] == "open files"));
    let refused = run(&data, &create).await;
    assert!(text(&refused.stderr).contains("master.key is missing"));
    assert!(!data.join("master.key").exists());
}

#[tokio::test]
async fn people_are_made_and_kept_out_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let user = async |words: &[&str]| run(&data, &[&["user"], words].concat()).await;
    let ann = ["ann@example.com", "--name", "Ann", "--organization", "acme"];
    let made = user(&[&["create", "--link"], ann.as_slice()].concat()).await;
    let link = text(&made.stdout);
    let page = "http://127.0.0.1:8080/account/reset-password#token=";
    assert!(link.starts_with(page), "{link}");
    let again = user(&["create", "--link", "ANN@example.com"]).await;
    assert!(!again.status.success());
    assert!(text(&again.stderr).contains("has an account already"));
    let wrong = user(&["create", "--link", "nobody"]).await;
    assert!(text(&wrong.stderr).contains("name@example.com"));

    assert!(user(&["ban", "ann@example.com"]).await.status.success());
    let raise = ["set-role", "ann@example.com", "super_admin"];
    assert!(user(&raise).await.status.success());
    let listed: Value = serde_json::from_slice(&user(&["list", "--json"]).await.stdout).unwrap();
    let row = &listed["data"][0];
    assert_eq!(row["email"], "ann@example.com");
    assert_eq!(row["platformRole"], "super_admin");
    assert!(row["bannedAt"].is_i64());
    let unknown = user(&["unban", "bob@example.com"]).await;
    assert!(text(&unknown.stderr).contains("no user of that address"));
}
