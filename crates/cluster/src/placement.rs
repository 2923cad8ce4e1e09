//! Which gateway a session belongs to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use wagate_model::GatewayId;
use wagate_store::{Gateway, Store, StoreError};

/// How long the list of gateways is trusted before it is read again.
const CACHE_TTL: Duration = Duration::from_secs(1);

/// Silence after which a gateway counts as dead: three missed heartbeats of 5 s.
const DEFAULT_DEAD_AFTER_MS: i64 = 15_000;

/// Why no gateway could be named.
#[derive(Debug, thiserror::Error)]
pub enum PlacementError {
    /// No gateway is alive.
    #[error("no gateway is alive")]
    NobodyAlive,
    /// The list of gateways could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug)]
struct Snapshot {
    read_at: Instant,
    gateways: Arc<Vec<Gateway>>,
}

#[derive(Debug, Default)]
struct Cache {
    snapshot: Option<Snapshot>,
    /// Sessions placed since the snapshot, which its counts do not know.
    placed: HashMap<GatewayId, i64>,
}

/// Chooses gateways for sessions; cheap to clone.
///
/// Ownership itself is the lease's: a gateway that is asked about a session
/// claims the lease before it acts, and only one can. Placement says whom to ask.
#[derive(Debug, Clone)]
pub struct Placement {
    store: Store,
    dead_after_ms: i64,
    cache: Arc<Mutex<Cache>>,
}

impl Placement {
    /// Places by the gateways that the store knows.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            dead_after_ms: DEFAULT_DEAD_AFTER_MS,
            cache: Arc::default(),
        }
    }

    /// Changes after how much silence a gateway counts as dead, in milliseconds.
    #[must_use]
    pub fn with_dead_after_ms(mut self, dead_after_ms: i64) -> Self {
        self.dead_after_ms = dead_after_ms;
        self
    }

    /// The gateway for a new session: alive, not draining, with the fewest sessions.
    pub async fn for_new_session(&self) -> Result<GatewayId, PlacementError> {
        let gateways = self.gateways().await?;
        let mut cache = self.cache();
        let chosen = choose(&gateways, self.dead_after_ms, &cache.placed)
            .ok_or(PlacementError::NobodyAlive)?;
        *cache.placed.entry(chosen.clone()).or_default() += 1;
        Ok(chosen)
    }

    /// Whom to ask about a session: its gateway while that is alive, else a living one,
    /// which takes the session over when its lease is free.
    pub async fn for_session(&self, current: &GatewayId) -> Result<GatewayId, PlacementError> {
        let gateways = self.gateways().await?;
        let is_current_alive = gateways
            .iter()
            .any(|gateway| gateway.id == *current && self.is_alive(gateway));
        if is_current_alive {
            return Ok(current.clone());
        }
        self.for_new_session().await
    }

    /// Reads the list of gateways again at the next question, after an answer that surprised.
    pub fn forget(&self) {
        self.cache().snapshot = None;
    }

    fn is_alive(&self, gateway: &Gateway) -> bool {
        gateway.silent_for_ms < self.dead_after_ms
    }

    async fn gateways(&self) -> Result<Arc<Vec<Gateway>>, PlacementError> {
        if let Some(snapshot) = &self.cache().snapshot
            && snapshot.read_at.elapsed() < CACHE_TTL
        {
            return Ok(Arc::clone(&snapshot.gateways));
        }
        let gateways = Arc::new(self.store.read().await?.admin().gateways().await?);
        let mut cache = self.cache();
        cache.placed.clear();
        cache.snapshot = Some(Snapshot {
            read_at: Instant::now(),
            gateways: Arc::clone(&gateways),
        });
        Ok(gateways)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The living gateway with the fewest sessions that does not hand its own over.
fn choose(
    gateways: &[Gateway],
    dead_after_ms: i64,
    placed: &HashMap<GatewayId, i64>,
) -> Option<GatewayId> {
    gateways
        .iter()
        .filter(|gateway| gateway.silent_for_ms < dead_after_ms && !gateway.is_draining)
        .min_by_key(|gateway| {
            let placed = placed.get(&gateway.id).copied().unwrap_or_default();
            (gateway.session_count + placed, &gateway.id)
        })
        .map(|gateway| gateway.id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway(name: &str, silent_for_ms: i64, is_draining: bool, session_count: i64) -> Gateway {
        Gateway {
            id: name.parse().unwrap(),
            started_at_ms: 0,
            silent_for_ms,
            version: "1".into(),
            is_draining,
            session_count,
        }
    }

    fn chosen(gateways: &[Gateway], placed: &[(&str, i64)]) -> Option<String> {
        let placed = placed
            .iter()
            .map(|(name, count)| (name.parse().unwrap(), *count))
            .collect();
        choose(gateways, 15_000, &placed).map(|id| id.to_string())
    }

    #[test]
    fn the_emptiest_living_gateway_is_chosen() {
        let gateways = [
            gateway("dead", 20_000, false, 0),
            gateway("draining", 0, true, 0),
            gateway("full", 0, false, 9),
            gateway("emptier", 4_000, false, 3),
        ];
        assert_eq!(chosen(&gateways, &[]).as_deref(), Some("emptier"));
        assert_eq!(
            chosen(&gateways, &[("emptier", 7)]).as_deref(),
            Some("full")
        );
    }

    #[test]
    fn nobody_is_chosen_when_nobody_lives() {
        assert_eq!(chosen(&[gateway("dead", 15_000, false, 0)], &[]), None);
        assert_eq!(chosen(&[gateway("leaving", 0, true, 0)], &[]), None);
    }
}
