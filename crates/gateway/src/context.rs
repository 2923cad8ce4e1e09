//! What all sessions of a gateway share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wagate_cluster::Bus;
use wagate_engine::Engine;
use wagate_model::Clock;
use wagate_store::Store;

use crate::backfills::Backfills;
use crate::config::GatewayConfig;
use crate::inbound::Familiar;
use crate::ordered_ids::OrderedIds;
use crate::outbox::Waiters;
use crate::registry::Registry;

/// What all sessions of a gateway share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: GatewayConfig,
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) registry: Registry,
    pub(crate) waiters: Waiters,
    pub(crate) familiar: Familiar,
    pub(crate) outbox_ids: OrderedIds,
    /// Sessions that are starting at the same time hold a permit each.
    pub(crate) start_slots: Arc<Semaphore>,
    /// Sessions that ask for all their groups hold a permit each.
    pub(crate) group_slots: Semaphore,
    pub(crate) backfills: Backfills,
    /// Held by who claims sessions, so that no session is claimed twice.
    pub(crate) claiming: Mutex<()>,
    /// The gateway takes no more sessions and commands.
    pub(crate) draining: CancellationToken,
    /// The tasks of all sessions.
    pub(crate) tasks: TaskTracker,
}

impl Context {
    /// The time now, in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// How long a lease lasts, in milliseconds.
    pub(crate) fn lease_ttl_ms(&self) -> i64 {
        millis(self.config.ownership.lease_ttl)
    }
}

/// A duration in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
