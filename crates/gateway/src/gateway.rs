//! A gateway: takes sessions, runs them, hands them over.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wagate_cluster::{Bus, BusError, Serving, Signal};
use wagate_engine::Engine;
use wagate_model::{Clock, GatewayId};
use wagate_store::{Heartbeat, Lane, Store, StoreError};

use crate::backfills::Backfills;
use crate::commands::Commands;
use crate::config::GatewayConfig;
use crate::context::Context;
use crate::groups::MAX_SYNCS;
use crate::inbound::Familiar;
use crate::ordered_ids::OrderedIds;
use crate::outbox::{Waiters, accept_scheduled};
use crate::ownership::{claim_sessions, keep_leases};
use crate::recaps::close_polls;
use crate::registry::Registry;
use crate::session::probe_sessions;

/// A gateway could not be started.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The bus does not take its commands.
    #[error("the gateway cannot be reached over the bus")]
    Bus(#[from] BusError),
    /// Another process runs under the gateway's name.
    #[error(
        "another process runs as the gateway `{0}`: give each its own `gateway.id` and its own data folder"
    )]
    NameTaken(GatewayId),
    /// The database does not take its membership.
    #[error("the gateway cannot be entered into the store")]
    Store(#[from] StoreError),
}

/// Live sessions of this process, until it is drained or dropped.
///
/// Dropping it without [`Gateway::drain`] cuts the sessions off, as a crash would.
#[derive(Debug)]
pub struct Gateway {
    cx: Arc<Context>,
    serving: Option<Serving>,
    keeping: JoinHandle<()>,
    claiming: JoinHandle<()>,
    probing: JoinHandle<()>,
    recapping: JoinHandle<()>,
    scheduling: JoinHandle<()>,
}

impl Gateway {
    /// Enters the cluster, answers commands under the gateway's name, and takes sessions.
    ///
    /// Sessions are taken in the background: those that an earlier process of the same name
    /// held at once, those of others as soon as their leases run out.
    pub async fn start(
        config: GatewayConfig,
        store: Store,
        bus: Bus,
        engine: Arc<Engine>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, GatewayError> {
        let max_starting = config.sessions.max_starting.max(1);
        let cx = Arc::new(Context {
            config,
            store,
            bus,
            engine,
            clock,
            registry: Registry::default(),
            waiters: Waiters::default(),
            familiar: Familiar::default(),
            outbox_ids: OrderedIds::default(),
            start_slots: Arc::new(Semaphore::new(max_starting)),
            backfills: Backfills::default(),
            group_slots: Semaphore::new(MAX_SYNCS),
            claiming: Mutex::new(()),
            draining: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        enter(&cx).await?;
        let commands = Arc::new(Commands::new(cx.clone()));
        let serving = cx.bus.serve(&cx.config.id, commands).await?;
        Ok(Self {
            serving: Some(serving),
            keeping: tokio::spawn(keep_leases(cx.clone())),
            claiming: tokio::spawn(claim_sessions(cx.clone())),
            probing: tokio::spawn(probe_sessions(cx.clone())),
            recapping: tokio::spawn(close_polls(cx.clone())),
            scheduling: tokio::spawn(accept_scheduled(cx.clone())),
            cx,
        })
    }

    /// The gateway's name.
    #[must_use]
    pub fn id(&self) -> &GatewayId {
        &self.cx.config.id
    }

    /// How many sessions it owns now.
    #[must_use]
    pub fn session_count(&self) -> usize {
        *self.session_counts().borrow()
    }

    /// How many sessions it owns, now and whenever that changes.
    #[must_use]
    pub fn session_counts(&self) -> watch::Receiver<usize> {
        self.cx.registry.count()
    }

    /// Hands all sessions over: disconnects them in order, gives their leases back, and takes
    /// no more. They stay wanted, so that another gateway, or this one's next start, goes on.
    pub async fn drain(mut self) {
        tracing::info!(
            sessions = self.session_count(),
            "the gateway hands its sessions over"
        );
        self.cx.draining.cancel();
        // No claim is cut in half: one that is under way enters its sessions first, and they
        // see at once that the gateway drains.
        if let Err(error) = (&mut self.claiming).await {
            tracing::error!(error = %error, "claiming failed");
        }
        self.cx.tasks.close();
        let timeout = self.cx.config.ownership.drain_timeout;
        if tokio::time::timeout(timeout, self.cx.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                sessions = self.session_count(),
                "sessions did not end in time and are cut off"
            );
            for session in self.cx.registry.all() {
                session.lose("the gateway ends");
            }
        }
        self.serving = None;
        self.keeping.abort();
        self.probing.abort();
        self.recapping.abort();
        self.scheduling.abort();
        leave(&self.cx).await;
        self.cx.bus.publish(Signal::SessionsWanted);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.cx.draining.cancel();
        self.keeping.abort();
        self.claiming.abort();
        self.probing.abort();
        self.recapping.abort();
        self.scheduling.abort();
        for session in self.cx.registry.all() {
            session.lost.cancel();
        }
    }
}

/// Reports the gateway, and ends what an earlier process of its name still holds: it
/// can then be claimed at once, by the same statement as everything else.
async fn enter(cx: &Context) -> Result<(), GatewayError> {
    let seen = await_silence(cx).await?;
    let (id, version) = (cx.config.id.clone(), cx.config.version.clone());
    let is_entered: Result<bool, StoreError> = cx
        .store
        .write(Lane::SHARED, move |tx| {
            Box::pin(async move {
                let mut admin = tx.admin();
                let is_entered = admin.enter_gateway(&id, &version, seen).await?;
                if is_entered {
                    admin.end_leases(&id).await?;
                }
                Ok(is_entered)
            })
        })
        .await;
    if is_entered? {
        Ok(())
    } else {
        Err(GatewayError::NameTaken(cx.config.id.clone()))
    }
}

/// Waits until an earlier process of the gateway's name is certainly gone, and gives its
/// last heartbeat; an error where it lives on.
///
/// A process that died a moment ago looks like one that lives, until it misses heartbeats.
async fn await_silence(cx: &Context) -> Result<Option<Heartbeat>, GatewayError> {
    let silence = cx.config.ownership.renew_every * 2;
    let (mut last_seen, mut signs_of_life) = (None, 0);
    loop {
        let heartbeat = {
            let mut tx = cx.store.read().await?;
            tx.admin().heartbeat(&cx.config.id).await?
        };
        let Some(last) = heartbeat else {
            return Ok(None);
        };
        let silent_for = Duration::from_millis(u64::try_from(last.silent_for_ms).unwrap_or(0));
        if cx.config.is_name_held || silent_for >= silence {
            return Ok(Some(last));
        }
        // One that hands its sessions over will be gone in a moment.
        let is_news = last_seen.replace(last.at_ms) != Some(last.at_ms);
        if is_news && !last.is_draining {
            signs_of_life += 1;
        }
        // The first is what it had said before, the second may have been under way when it died.
        if signs_of_life > 2 {
            return Err(GatewayError::NameTaken(cx.config.id.clone()));
        }
        tokio::time::sleep(silence / 20).await;
    }
}

async fn leave(cx: &Context) {
    let id = cx.config.id.clone();
    let left: Result<(), StoreError> = cx
        .store
        .write(Lane::SHARED, move |tx| {
            Box::pin(async move { tx.admin().remove_gateway(&id).await })
        })
        .await;
    if let Err(error) = left {
        tracing::warn!(error = %error, "the gateway could not be removed from the store");
    }
}
