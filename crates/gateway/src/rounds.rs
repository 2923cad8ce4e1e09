//! Work that a gateway does from time to time.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::time::MissedTickBehavior;
use wagate_store::StoreError;

use crate::context::Context;

/// Does something again and again until the gateway drains.
///
/// A round that fails, or panics, is told, and the next one comes in its time: what it was to
/// do is in the store.
pub(crate) async fn in_rounds<R>(
    cx: Arc<Context>,
    every: Duration,
    name: &'static str,
    round: impl Fn(Arc<Context>) -> R,
) where
    R: Future<Output = Result<(), StoreError>>,
{
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while cx
        .draining
        .run_until_cancelled(ticks.tick())
        .await
        .is_some()
    {
        match AssertUnwindSafe(round(cx.clone())).catch_unwind().await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(task = name, error = %error, "a round failed; it is tried again");
            }
            Err(_) => {
                tracing::error!(task = name, "a round panicked");
                metrics::counter!("wagate_gateway_panics_total", "task" => name).increment(1);
            }
        }
    }
}
