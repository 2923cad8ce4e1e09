//! From the start of a killed service until all its sessions work again.

use std::time::Instant;

use futures::StreamExt as _;

use crate::setup::Setup;

/// Sessions that are waited for at the same time; waiting costs the service little.
const WAITING: usize = 64;

pub(crate) async fn measure(sessions: usize) -> anyhow::Result<String> {
    let setup = Setup::start().await?;
    let attached = setup.attach(sessions).await?;
    let started = Instant::now();
    let setup = setup.kill_and_start().await?;
    let answering = started.elapsed();
    futures::stream::iter(&attached)
        .for_each_concurrent(WAITING, |one| {
            let api = setup.sandbox.api.clone();
            async move {
                api.session(&one.session.id)
                    .wait_for_status("working")
                    .await;
            }
        })
        .await;
    Ok(format!(
        "{sessions} sessions: the API answered after {:.1} s, all were working after {:.1} s",
        answering.as_secs_f64(),
        started.elapsed().as_secs_f64(),
    ))
}
