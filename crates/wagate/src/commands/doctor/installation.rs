//! What the database and the bus tell.

use std::time::Duration;

use futures::FutureExt as _;
use wagate_cluster::{Bus, Signal, Topic};
use wagate_model::{ApiKeyId, Clock as _, SystemClock};
use wagate_store::{DatabaseKind, Diagnosis, Lane, Store, StoreError};

use super::report::Report;
use crate::parts::Parts;

/// Silence after which a gateway counts as dead.
const DEAD_AFTER_MS: i64 = 15_000;

/// A start that takes longer is stuck.
const STUCK_AFTER_MS: i64 = 10 * 60_000;

/// How far the clocks of this machine and of the database may be apart.
const MAX_CLOCK_DIFFERENCE_MS: i64 = 2_000;

const BUS_TIMEOUT: Duration = Duration::from_secs(3);

pub(super) async fn check(report: &mut Report, parts: &Parts) {
    if let Err(error) = check_database(report, &parts.store).await {
        report.fail(
            "database",
            error.to_string(),
            "see to the database, then look again",
        );
    }
    match parts.store.read().await {
        Ok(mut tx) => match tx.admin().prove_master_keys().await {
            Ok(true) => report.ok("sealed values", "the master key opens them"),
            Ok(false) => report.ok("sealed values", "none yet"),
            Err(error) => report.fail(
                "sealed values",
                error.to_string(),
                "use the master key that the database was made with",
            ),
        },
        Err(error) => report.fail("sealed values", error.to_string(), "see the database"),
    }
    check_write(report, &parts.store).await;
    check_bus(report, &parts.bus).await;
    match diagnosis(&parts.store).await {
        Ok((diagnosis, living)) => check_data(report, &diagnosis, living),
        Err(error) => report.fail("data", error.to_string(), "see the database"),
    }
}

async fn check_database(report: &mut Report, store: &Store) -> Result<(), StoreError> {
    let mut tx = store.read().await?;
    let version = tx.admin().database_version().await?;
    let schema = wagate_store::known_schema_version();
    let kind = store.database();
    report.ok(
        "database",
        format!("{} {version}, schema {schema}", kind.as_str()),
    );
    let difference_ms = tx.database_now_ms().await? - SystemClock.now_ms();
    if difference_ms.abs() > MAX_CLOCK_DIFFERENCE_MS {
        report.warn(
            "clock",
            format!("{difference_ms} ms apart from the database's"),
            "keep both machines' clocks by NTP",
        );
    } else {
        report.ok("clock", "agrees with the database's");
    }
    if kind == DatabaseKind::Sqlite {
        let faults = tx.admin().integrity_faults().await?;
        match faults.first() {
            None => report.ok("integrity", "the file is sound"),
            Some(first) => report.fail(
                "integrity",
                format!("{} faults, the first: {first}", faults.len()),
                "stop the service and restore the last backup",
            ),
        }
    }
    Ok(())
}

async fn check_write(report: &mut Report, store: &Store) {
    let now_ms = store.now_ms();
    let write = store.write::<_, StoreError, _>(Lane::SHARED, move |tx| {
        async move { tx.admin().put_setting("last_doctor", &now_ms, now_ms).await }.boxed()
    });
    match tokio::time::timeout(Duration::from_secs(10), write).await {
        Ok(Ok(())) => report.ok("write", "goes through"),
        Ok(Err(error)) => report.fail(
            "write",
            error.to_string(),
            "look at the disk's space, the file's mode and the database's log",
        ),
        Err(_) => report.fail(
            "write",
            "takes too long",
            "something holds the database's lock",
        ),
    }
}

async fn check_bus(report: &mut Report, bus: &Bus) {
    const NAME: &str = "bus";
    if matches!(bus, Bus::Local(_)) {
        return report.ok(NAME, "in this process");
    }
    match tokio::time::timeout(BUS_TIMEOUT, round_trip(bus)).await {
        Ok(Some(())) => report.ok(NAME, "a signal went out and came back"),
        Ok(None) | Err(_) => report.fail(
            NAME,
            "the NATS server does not answer",
            "see to the server of `bus.url`, and whether it can be reached from here",
        ),
    }
}

/// Sends a signal that means nothing to anybody: no key has that id.
async fn round_trip(bus: &Bus) -> Option<()> {
    let mut signals = bus.subscribe(Topic::Credentials).await.ok()?;
    let key_id = ApiKeyId::from_parts(0, 0);
    bus.publish(Signal::KeyRevoked { key_id });
    while let Some(signal) = signals.recv().await {
        if matches!(signal, Ok(Signal::KeyRevoked { key_id: heard }) if heard == key_id) {
            return Some(());
        }
    }
    None
}

async fn diagnosis(store: &Store) -> Result<(Diagnosis, usize), StoreError> {
    let mut tx = store.read().await?;
    let mut admin = tx.admin();
    let diagnosis = admin
        .diagnosis(DEAD_AFTER_MS, STUCK_AFTER_MS, store.now_ms())
        .await?;
    let gateways = admin.gateways().await?;
    let living = gateways
        .iter()
        .filter(|gateway| gateway.silent_for_ms < DEAD_AFTER_MS);
    Ok((diagnosis, living.count()))
}

fn check_data(report: &mut Report, found: &Diagnosis, living_gateways: usize) {
    let is_running = living_gateways > 0;
    report.ok("gateways", format!("{living_gateways} alive"));
    if found.organizations == 0 {
        report.warn(
            "organizations",
            "none",
            "make the first one with its key: wagate key create --organization NAME",
        );
    } else {
        report.ok("organizations", found.organizations.to_string());
        report.count(
            "keys",
            found.organizations_without_key,
            "organizations without a key that works",
            "wagate key create --organization NAME",
        );
    }
    report.count(
        "leases",
        found.leases_without_gateway,
        "sessions held by a gateway that is silent",
        "they go to another gateway within seconds; look at its log if they do not",
    );
    if is_running {
        report.count(
            "sessions",
            found.sessions_without_owner,
            "sessions that should run and that no gateway has",
            "look again in a moment; if they stay, look at the gateways' logs",
        );
        report.count(
            "starts",
            found.sessions_stuck,
            "sessions that have been starting for ten minutes",
            "look at their status and the gateway's log; `:restart` begins anew",
        );
    }
    report.count(
        "webhooks",
        found.webhooks_disabled,
        "webhooks disabled because their receivers failed",
        "mend the receiver, then set `active` again",
    );
    report.count(
        "deliveries",
        found.deliveries_dead,
        "webhook deliveries given up",
        "replay them once the receiver works",
    );
}
