//! What a sandbox build may and may not do.

use std::process::Stdio;

use tokio::process::Command;

use crate::program;

#[tokio::test]
async fn a_sandbox_build_says_so_and_does_not_serve() {
    let output = Command::new(program())
        .arg("version")
        .output()
        .await
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("SANDBOX"));

    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(program())
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("does not verify WhatsApp's certificates"),
        "{said}"
    );
}
