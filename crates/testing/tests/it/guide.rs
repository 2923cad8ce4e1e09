//! What the sandbox prints for people works as it is printed.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use wagate_testing::PATIENCE;

use crate::program;

#[tokio::test]
async fn the_commands_that_the_sandbox_prints_pair_send_and_receive() {
    let folder = tempfile::tempdir().unwrap();
    let mut sandbox = Command::new(program())
        .args(["sandbox", "--listen", "127.0.0.1:0"])
        .args(["--simulator-listen", "127.0.0.1:0", "--data"])
        .arg(folder.path().join("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(sandbox.stdout.take().unwrap()).lines();
    let guide = async {
        let mut commands = Vec::new();
        loop {
            let line = lines.next_line().await.unwrap().unwrap();
            if line.starts_with("End with") {
                return commands.join("\n");
            }
            if line.starts_with("export ") || !commands.is_empty() {
                commands.push(line);
            }
        }
    };
    let commands = tokio::time::timeout(PATIENCE, guide).await.unwrap();
    let shell = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &commands])
        .current_dir(folder.path())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, shell)
        .await
        .expect("the commands end")
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    assert!(
        told.contains("\"Hello\"") && told.contains("\"Hi\""),
        "{told}"
    );
}
