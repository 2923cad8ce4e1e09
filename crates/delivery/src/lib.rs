//! Webhooks: guarded requests, signatures, retries, and the worker that delivers; and fetching
//! what users name, with fair shares of what that takes.

mod addresses;
mod client;
mod courier;
mod fetch;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod retry;
mod shares;
mod shift;
mod signing;
mod signing_root;
mod telemetry;
mod worker;

pub use addresses::{AllowList, ParseRangeError};
pub use client::{Answer, ClientError, ClientTimeouts, GuardedClient, PostError, tls_config};
pub use courier::{Attempt, Chance, Courier};
pub use fetch::{FetchFileError, FetchLimits, Fetched, Fetching};
pub use guard::{AddressGuard, GuardError, HostResolver, SystemResolver};
pub use retry::{MAX_WAIT_MS, Reply, Verdict, judge, parse_retry_after, scheduled_wait_ms};
pub use shares::{Crowded, Share, Shares};
pub use signing::{SigningKeys, SigningRoot, delivery_headers, new_webhook_secret};
pub use telemetry::describe_metrics;
pub use worker::{DeliveryWorker, WorkerConfig, WorkerConfigError};
