//! Slowing down those who guess: per account and per address, over restarts and routers.
//!
//! An attempt is counted before it is made, so that many at the same time count as well, and
//! taken back where it was no failure.

use std::net::IpAddr;

use futures::FutureExt as _;
use sha2::{Digest as _, Sha256};
use wagate_store::{Lane, StoreError, Tx};

use crate::error::IdentityError;
use crate::service::Identity;

/// Failures of an account that are forgiven.
const FREE_PER_ACCOUNT: i64 = 5;
/// Failures from an address that are forgiven: many people may share it.
const FREE_PER_ADDRESS: i64 = 30;
/// Longest wait, in milliseconds.
const MAX_WAIT_MS: i64 = 15 * 60_000;
/// After this time without a failure, all are forgotten, in milliseconds.
const FORGOTTEN_AFTER_MS: i64 = 24 * 3_600_000;

/// What failures are counted for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counter {
    key: [u8; 32],
    free: i64,
    /// Whether a success forgives all failures before it.
    is_forgiven: bool,
}

impl Counter {
    /// Of an account, by what a caller names it, whether it exists or not.
    pub(crate) fn of_account(purpose: &str, name: &str) -> Self {
        Self {
            key: Sha256::digest(format!("account\0{purpose}\0{name}")).into(),
            free: FREE_PER_ACCOUNT,
            is_forgiven: true,
        }
    }

    /// Of where a caller comes from.
    pub(crate) fn of_address(address: IpAddr) -> Self {
        Self {
            key: Sha256::digest(format!("address\0{}", network(address))).into(),
            free: FREE_PER_ADDRESS,
            is_forgiven: false,
        }
    }
}

/// An IPv6 customer has a network of 64 bits at least: its addresses count as one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & (u128::MAX << 64)).into()),
        address @ IpAddr::V4(_) => address,
    }
}

/// How long to wait after so many failures, in milliseconds.
fn wait_ms(failures: i64, free: i64) -> i64 {
    let beyond = failures - free;
    if beyond < 0 {
        return 0;
    }
    let doublings = u32::try_from(beyond.min(30)).unwrap_or(30);
    (1_000_i64 << doublings).min(MAX_WAIT_MS)
}

async fn charge(tx: &mut Tx, counters: &[Counter], now_ms: i64) -> Result<(), IdentityError> {
    let mut wait = 0;
    let mut counts = Vec::with_capacity(counters.len());
    for counter in counters {
        let stored = tx.admin().login_failures(&counter.key).await?;
        let (failures, last_failed_at, blocked_until) = stored.unwrap_or_default();
        let is_old = now_ms - last_failed_at >= FORGOTTEN_AFTER_MS;
        counts.push(if is_old { 1 } else { failures + 1 });
        wait = wait.max(blocked_until - now_ms);
    }
    if wait > 0 {
        return Err(IdentityError::TooManyFailures {
            retry_after_seconds: (wait + 999) / 1_000,
        });
    }
    for (counter, failures) in counters.iter().zip(counts) {
        let until = now_ms + wait_ms(failures, counter.free);
        let mut admin = tx.admin();
        admin
            .put_login_failures(&counter.key, failures, until, now_ms)
            .await?;
    }
    Ok(())
}

async fn refund(
    tx: &mut Tx,
    counters: &[Counter],
    is_success: bool,
    now_ms: i64,
) -> Result<(), StoreError> {
    for counter in counters {
        let mut admin = tx.admin();
        if counter.is_forgiven && is_success {
            admin.clear_login_failures(&counter.key).await?;
            continue;
        }
        // What failed before, or others of the address did, stays.
        if let Some((failures, last_failed_at, _)) = admin.login_failures(&counter.key).await? {
            let last = last_failed_at.min(now_ms);
            admin
                .put_login_failures(&counter.key, (failures - 1).max(0), 0, last)
                .await?;
        }
    }
    Ok(())
}

impl Identity {
    /// Counts an attempt as a failure, unless there were too many.
    pub(crate) async fn charge(&self, counters: Vec<Counter>) -> Result<(), IdentityError> {
        let now_ms = self.now_ms();
        self.0
            .store
            .write(Lane::SHARED, move |tx| {
                async move { charge(tx, &counters, now_ms).await }.boxed()
            })
            .await
            .inspect_err(|error| {
                if matches!(error, IdentityError::TooManyFailures { .. }) {
                    metrics::counter!("wagate_logins_total", "outcome" => "slowed").increment(1);
                }
            })
    }

    /// Takes back what was counted: the attempt succeeded, which forgives the account's failures.
    pub(crate) async fn refund(&self, counters: Vec<Counter>) -> Result<(), IdentityError> {
        self.take_back(counters, true).await
    }

    /// Takes back what was counted: the attempt was neither a failure nor a success.
    ///
    /// It forgives nothing: whoever has a password and guesses codes could wipe the failures
    /// out in between by leaving the code away.
    pub(crate) async fn discount(&self, counters: Vec<Counter>) -> Result<(), IdentityError> {
        self.take_back(counters, false).await
    }

    async fn take_back(
        &self,
        counters: Vec<Counter>,
        is_success: bool,
    ) -> Result<(), IdentityError> {
        let now_ms = self.now_ms();
        self.0
            .store
            .write(Lane::SHARED, move |tx| {
                async move { Ok(refund(tx, &counters, is_success, now_ms).await?) }.boxed()
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_quarter_of_an_hour() {
        let waits: Vec<_> = (1..=8).map(|failures| wait_ms(failures, 5)).collect();
        assert_eq!(waits, [0, 0, 0, 0, 1_000, 2_000, 4_000, 8_000]);
        assert_eq!(wait_ms(1_000, 5), MAX_WAIT_MS);
    }

    #[test]
    fn the_addresses_of_one_customer_count_as_one() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let same = network(address("2001:db8:1:2:ffff::1"));
        assert_eq!(network(address("2001:db8:1:2::9")), same);
        assert_ne!(network(address("2001:db8:1:3::9")), same);
        assert_eq!(
            network(address("::ffff:192.0.2.1")),
            network(address("192.0.2.1"))
        );
        assert_ne!(network(address("192.0.2.2")), network(address("192.0.2.1")));
    }
}
