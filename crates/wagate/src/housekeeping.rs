//! Deletes what is no longer kept, a little at a time.

use std::time::Duration;

use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wagate_store::{Lane, Store, StoreError};

use crate::config::{Config, RetentionConfig};
use crate::parts::Parts;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How long the list of scheduled messages shows one that was given up.
const SCHEDULED_DAYS: i64 = 7;

/// How often there is a look.
const EVERY: Duration = Duration::from_mins(1);

/// How often there is a look at messages that disappear: people see them go in time.
const EVERY_END: Duration = Duration::from_secs(5);

/// Rows per transaction: small enough that nobody waits for it.
const BATCH: i64 = 500;

/// Sweeps from time to time until stopped.
pub(crate) fn start(tasks: &TaskTracker, stop: &CancellationToken, parts: &Parts, config: &Config) {
    tasks.spawn(end_messages(parts.store.clone(), stop.clone()));
    let (store, retention, stopped) = (parts.store.clone(), config.retention.clone(), stop.clone());
    tasks.spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stopped.run_until_cancelled(ticks.tick()).await.is_some() {
            let sweep = sweep(&store, &retention);
            match stopped.run_until_cancelled(sweep).await {
                None => return,
                Some(Ok(0)) => {}
                Some(Ok(rows)) => tracing::debug!(rows, "deleted what is no longer kept"),
                Some(Err(error)) => {
                    tracing::warn!(%error, "housekeeping failed and will be tried again");
                }
            }
        }
    });
}

/// Deletes messages whose time is over until stopped.
async fn end_messages(store: Store, stopped: CancellationToken) {
    let mut ticks = tokio::time::interval(EVERY_END);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stopped.run_until_cancelled(ticks.tick()).await.is_some() {
        let ended = async {
            while sweep_once(&store, Chore::EndedMessages, store.now_ms(), store.now_ms()).await?
                > 0
            {}
            Ok::<_, StoreError>(())
        };
        match stopped.run_until_cancelled(ended).await {
            None => return,
            Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::warn!(%error, "deleting ended messages failed and will be tried again");
            }
        }
    }
}

/// What is swept, each up to a time.
#[derive(Debug, Clone, Copy)]
enum Chore {
    /// What waits for webhooks that are switched off.
    AbandonedDeliveries,
    Deliveries,
    /// Messages that disappear; looked for more often than the rest.
    EndedMessages,
    Events,
    IdempotencyKeys,
    Outbox,
    /// Messages that were to be sent later and were given up.
    Scheduled,
    /// Files of messages that were never accepted.
    Attachments,
    Tickets,
    AuditLines,
    Logins,
    Links,
    Invitations,
    LoginFailures,
    DeletedSessions,
    /// Behind their sessions.
    EndedOrganizations,
}

impl Chore {
    const ALL: [Self; 15] = [
        Self::AbandonedDeliveries,
        Self::Deliveries,
        Self::Events,
        Self::IdempotencyKeys,
        Self::Outbox,
        Self::Scheduled,
        Self::Attachments,
        Self::Tickets,
        Self::AuditLines,
        Self::Logins,
        Self::Links,
        Self::Invitations,
        Self::LoginFailures,
        Self::DeletedSessions,
        Self::EndedOrganizations,
    ];

    fn before_ms(self, now_ms: i64, retention: &RetentionConfig) -> i64 {
        let kept_ms = match self {
            Self::AbandonedDeliveries | Self::Deliveries => {
                i64::from(retention.deliveries_days) * DAY_MS
            }
            Self::Events => i64::from(retention.events_days) * DAY_MS,
            Self::IdempotencyKeys | Self::Outbox => {
                i64::from(retention.idempotency_hours) * HOUR_MS
            }
            Self::Scheduled => SCHEDULED_DAYS * DAY_MS,
            Self::AuditLines => i64::from(retention.audit_days) * DAY_MS,
            // Who counts failures looks no further back.
            Self::LoginFailures => DAY_MS,
            Self::Attachments | Self::Tickets => HOUR_MS,
            Self::Logins
            | Self::Links
            | Self::Invitations
            | Self::EndedMessages
            | Self::DeletedSessions
            | Self::EndedOrganizations => 0,
        };
        now_ms - kept_ms
    }
}

async fn sweep(store: &Store, retention: &RetentionConfig) -> Result<u64, StoreError> {
    let now_ms = store.now_ms();
    let mut total = 0;
    for chore in Chore::ALL {
        loop {
            let before_ms = chore.before_ms(now_ms, retention);
            let rows = sweep_once(store, chore, before_ms, now_ms).await?;
            total += rows;
            if rows == 0 {
                break;
            }
        }
    }
    Ok(total)
}

async fn sweep_once(
    store: &Store,
    chore: Chore,
    before_ms: i64,
    now_ms: i64,
) -> Result<u64, StoreError> {
    store
        .write(Lane::SHARED, move |tx| {
            async move {
                let mut admin = tx.admin();
                match chore {
                    Chore::AbandonedDeliveries => {
                        admin.bury_deliveries(before_ms, now_ms, BATCH).await
                    }
                    Chore::Deliveries => admin.purge_deliveries(before_ms, BATCH).await,
                    Chore::EndedMessages => admin.purge_expired_messages(before_ms, BATCH).await,
                    Chore::Events => admin.purge_events(before_ms, BATCH).await,
                    Chore::IdempotencyKeys => admin.purge_idempotency_keys(before_ms, BATCH).await,
                    Chore::Scheduled => admin.purge_scheduled(before_ms, BATCH).await,
                    Chore::Outbox => admin.purge_outbox(before_ms, BATCH).await,
                    Chore::Attachments => admin.purge_attachments(before_ms, BATCH).await,
                    Chore::Tickets => admin.purge_tickets(before_ms, BATCH).await,
                    Chore::AuditLines => admin.purge_audit(before_ms, BATCH).await,
                    Chore::Logins => admin.purge_logins(before_ms, BATCH).await,
                    Chore::Links => admin.purge_links(before_ms, BATCH).await,
                    Chore::Invitations => admin.purge_invitations(before_ms, BATCH).await,
                    Chore::LoginFailures => admin.purge_login_failures(before_ms, BATCH).await,
                    Chore::DeletedSessions => admin.purge_deleted_sessions(now_ms, BATCH).await,
                    Chore::EndedOrganizations => admin.purge_ended_organizations(BATCH).await,
                }
            }
            .boxed()
        })
        .await
}
