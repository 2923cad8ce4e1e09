//! What operators see of the worker; no label names a receiver.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

const ATTEMPTS: &str = "wagate_webhook_attempts_total";
const ATTEMPT_SECONDS: &str = "wagate_webhook_attempt_seconds";
const FIRST_ATTEMPT_SECONDS: &str = "wagate_webhook_first_attempt_delay_seconds";
const UNDER_WAY: &str = "wagate_webhook_requests_under_way";
const PENDING: &str = "wagate_webhook_pending_deliveries";
const DEAD: &str = "wagate_webhook_dead_deliveries";
const DUE_SECONDS: &str = "wagate_webhook_oldest_due_seconds";
const DISABLED: &str = "wagate_webhooks_disabled_total";

/// Tells the recorder what the figures mean; to be called once it is installed.
pub fn describe_metrics() {
    describe_counter!(
        ATTEMPTS,
        "Webhook attempts by outcome: delivered, retry, dead, gone."
    );
    describe_histogram!(
        ATTEMPT_SECONDS,
        "How long webhook requests took, by outcome."
    );
    describe_histogram!(
        FIRST_ATTEMPT_SECONDS,
        "From the commit of an event to the beginning of its first webhook attempt."
    );
    describe_gauge!(UNDER_WAY, "Webhook requests under way in this process.");
    describe_gauge!(
        PENDING,
        "Webhook deliveries that wait for their first or next attempt."
    );
    describe_gauge!(DEAD, "Webhook deliveries that were given up and are kept.");
    describe_gauge!(
        DUE_SECONDS,
        "How long the oldest due webhook delivery has waited."
    );
    describe_counter!(
        DISABLED,
        "Webhooks disabled by the service, by reason: gone, failing, unreadable."
    );
}

pub(crate) fn attempt_ended(outcome: &'static str, took: Duration) {
    counter!(ATTEMPTS, "outcome" => outcome).increment(1);
    histogram!(ATTEMPT_SECONDS, "outcome" => outcome).record(took.as_secs_f64());
}

pub(crate) fn first_attempt_began(delay_ms: i64) {
    histogram!(FIRST_ATTEMPT_SECONDS).record(as_f64(delay_ms) / 1000.0);
}

pub(crate) fn under_way(count: usize) {
    gauge!(UNDER_WAY).set(as_f64(i64::try_from(count).unwrap_or(i64::MAX)));
}

pub(crate) fn queue(pending: i64, dead: i64, oldest_age_ms: i64) {
    gauge!(PENDING).set(as_f64(pending));
    gauge!(DEAD).set(as_f64(dead));
    gauge!(DUE_SECONDS).set(as_f64(oldest_age_ms) / 1000.0);
}

pub(crate) fn webhook_disabled(reason: &'static str) {
    counter!(DISABLED, "reason" => reason).increment(1);
}

/// For gauges, which need no more than the precision of 32 bits.
fn as_f64(count: i64) -> f64 {
    f64::from(i32::try_from(count.max(0)).unwrap_or(i32::MAX))
}
