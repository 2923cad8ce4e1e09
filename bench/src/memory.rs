//! Memory of the service per connected idle session.

use std::time::Duration;

use crate::process::resident_kib;
use crate::setup::Setup;

pub(crate) async fn measure(sessions: usize, idle_seconds: u64) -> anyhow::Result<String> {
    let mut setup = Setup::start().await?;
    let empty = resident_kib(setup.service_pid()?)?;
    let attached = setup.attach(sessions).await?;
    let paired = resident_kib(setup.service_pid()?)?;
    // Pairing is a busy time whose memory the allocator may keep: a service that
    // was started with its sessions paired shows what they need.
    setup = setup.kill_and_start().await?;
    for one in &attached {
        setup
            .sandbox
            .api
            .session(&one.session.id)
            .wait_for_status("working")
            .await;
    }
    tokio::time::sleep(Duration::from_secs(idle_seconds)).await;
    let idle = resident_kib(setup.service_pid()?)?;
    let count = u64::try_from(sessions)?.max(1);
    Ok(format!(
        "sessions {sessions}: empty {empty} KiB, after pairing {paired} KiB, restarted and idle {idle} KiB: \
         {} KiB a session above an empty service ({} KiB with everything)",
        idle.saturating_sub(empty) / count,
        idle / count,
    ))
}
