//! Keeps the WhatsApp Web version current, and remembers it over restarts.

use std::sync::Arc;

use anyhow::Context as _;
use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wagate_engine::{CachedVersion, ClientVersion, Engine, VersionSource};
use wagate_model::Clock;
use wagate_store::{Lane, Store, StoreError};

use crate::config::Config;

const SETTING: &str = "whatsapp_client_version";

/// The configured version, or the current one beginning with what was kept.
pub(crate) async fn source(
    config: &Config,
    store: &Store,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Arc<VersionSource>> {
    if let Some(text) = &config.whatsapp.client_version {
        let version = parse(text).context("configuration: `whatsapp.client_version`")?;
        return Ok(VersionSource::fixed(version, Arc::clone(clock)));
    }
    let kept = store
        .read()
        .await?
        .admin()
        .setting::<CachedVersion>(SETTING)
        .await?;
    Ok(VersionSource::live(kept, Arc::clone(clock)))
}

/// Fetches the version when it is due, and keeps what was fetched.
pub(crate) fn keep_current(
    tasks: &TaskTracker,
    stop: &CancellationToken,
    engine: &Arc<Engine>,
    version: &VersionSource,
    store: &Store,
) {
    let (engine, stopped) = (Arc::clone(engine), stop.clone());
    tasks.spawn(async move { engine.keep_version_current(stopped).await });
    let (mut changes, store, stopped) = (version.changes(), store.clone(), stop.clone());
    tasks.spawn(async move {
        loop {
            tokio::select! {
                () = stopped.cancelled() => return,
                outcome = changes.changed() => if outcome.is_err() { return },
            }
            let fetched = *changes.borrow_and_update();
            if let Err(error) = keep(&store, fetched).await {
                tracing::warn!(%error, "the client version was not kept");
            }
        }
    });
}

async fn keep(store: &Store, fetched: CachedVersion) -> Result<(), StoreError> {
    let now_ms = store.now_ms();
    store
        .write(Lane::SHARED, move |tx| {
            async move { tx.admin().put_setting(SETTING, &fetched, now_ms).await }.boxed()
        })
        .await
}

/// Reads three numbers with dots between.
pub(crate) fn parse(text: &str) -> Option<ClientVersion> {
    let mut numbers = text.split('.').map(|part| part.parse().ok());
    let version = ClientVersion {
        primary: numbers.next()??,
        secondary: numbers.next()??,
        tertiary: numbers.next()??,
    };
    numbers.next().is_none().then_some(version)
}
