//! Forgetting credentials as soon as any process revokes them.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};
use wagate_cluster::{Lagged, Signal, Topic};
use wagate_model::{ApiKeyId, UserId};

use crate::error::Result;
use crate::service::Core;

/// How often the store is asked for revocations that nobody told of: a command line on an
/// embedded database has no bus to this process.
const POLL_EVERY: Duration = Duration::from_millis(500);

/// How far a look goes back beyond the last one: a revocation has its time before it is
/// committed and can be seen.
const OVERLAP: Duration = Duration::from_secs(20);

/// How long to wait before a bus that fails is listened to again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A change of what somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Change {
    /// A key was revoked, which happens once.
    Key(ApiKeyId),
    /// A user's standing changed, at a time of the database.
    User(UserId, i64),
}

impl Core {
    /// Forgets credentials that other processes revoke, and ends their sockets, until dropped.
    ///
    /// Every process that authenticates has to run this.
    pub async fn watch_credentials(&self) {
        tokio::join!(self.hear_of_revocations(), self.look_for_revocations());
    }

    /// By the bus: at once, unless a signal is lost.
    async fn hear_of_revocations(&self) {
        loop {
            match self.listen_to_credentials().await {
                Ok(()) => tracing::warn!("the bus ended; it is listened to again"),
                Err(error) => tracing::warn!(%error, "revocations cannot be heard of for now"),
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    async fn listen_to_credentials(&self) -> Result<()> {
        let mut signals = self.bus.subscribe(Topic::Credentials).await?;
        // Nobody knows what was said while nobody listened.
        self.identity.forget_all();
        while let Some(signal) = signals.recv().await {
            match signal {
                Ok(Signal::KeyRevoked { key_id }) => self.identity.forget(key_id),
                Ok(Signal::UserChanged { user_id }) => self.identity.forget_user(user_id),
                Ok(_) => {}
                Err(Lagged) => self.identity.forget_all(),
            }
        }
        Ok(())
    }

    /// By the store: within a second, whoever revoked and whatever was lost.
    async fn look_for_revocations(&self) {
        let mut known = HashSet::new();
        let mut looked_at = Instant::now();
        let mut ticks = tokio::time::interval(POLL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let asked_at = Instant::now();
            let window = looked_at.elapsed() + OVERLAP;
            match self.changed_within(window).await {
                Ok(changed) => {
                    for change in changed.difference(&known) {
                        let signal = match *change {
                            Change::Key(key_id) => {
                                self.identity.forget(key_id);
                                Signal::KeyRevoked { key_id }
                            }
                            Change::User(user_id, _) => {
                                self.identity.forget_user(user_id);
                                Signal::UserChanged { user_id }
                            }
                        };
                        // For the sockets of this process, and for whoever missed it too.
                        self.bus.publish(signal);
                    }
                    known = changed;
                    looked_at = asked_at;
                }
                Err(error) => tracing::debug!(%error, "revocations could not be looked for"),
            }
        }
    }

    async fn changed_within(&self, window: Duration) -> Result<HashSet<Change>> {
        let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX / 2);
        let mut tx = self.store.read().await?;
        let keys = tx.admin().api_keys_revoked_within(window_ms).await?;
        let users = tx.admin().users_changed_within(window_ms).await?;
        let keys = keys.into_iter().map(Change::Key);
        Ok(keys
            .chain(users.into_iter().map(|(user, at)| Change::User(user, at)))
            .collect())
    }
}
