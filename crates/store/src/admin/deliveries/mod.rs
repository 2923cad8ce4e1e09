//! The worker's side of deliveries: claim, then finish, defer or bury.

mod claim;
mod finish;

use wagate_model::DeliveryId;

use super::Admin;
use crate::error::Result;
use crate::tx::on;

pub use claim::{ClaimLimits, ClaimedDelivery, Claims, UnreadableWebhook, WebhookTarget, Workload};
pub use finish::{AttemptRecord, DeliveryOutcome, WebhookHealth};

/// The right to finish one claimed delivery; void when its lease ran out and another has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryClaim {
    /// The delivery.
    pub id: DeliveryId,
    /// The worker.
    pub owner: String,
    /// How often the delivery was claimed.
    pub number: i64,
}

impl Admin<'_> {
    /// When the next delivery may go out, in milliseconds since 1970, of webhooks that are on.
    pub async fn next_delivery_at(&mut self) -> Result<Option<i64>> {
        Ok(on!(self.tx, |conn| sqlx::query_scalar(
            "SELECT MIN(CASE WHEN due_at < paused_until THEN paused_until ELSE due_at END) \
             FROM (SELECT w.paused_until, (SELECT MIN(d.next_attempt_at) \
             FROM webhook_delivery d WHERE d.webhook_id = w.id AND d.status = 'pending' \
             AND NOT d.is_blocked) AS due_at FROM webhook w WHERE w.active) AS next"
        )
        .fetch_one(conn)
        .await)?)
    }

    /// How many deliveries wait, and how many were given up, for the operator.
    pub async fn delivery_counts(&mut self) -> Result<(i64, i64)> {
        Ok(on!(self.tx, |conn| sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM webhook_delivery WHERE status = 'pending'), \
             (SELECT COUNT(*) FROM webhook_delivery WHERE status = 'dead')"
        )
        .fetch_one(conn)
        .await)?)
    }
}

#[cfg(test)]
mod tests {
    use crate::tx::Conn;

    /// SQLite tells its plan whatever is in the tables; the indexes are the same in both.
    #[tokio::test]
    async fn those_that_were_given_up_are_counted_by_an_index_of_their_own() {
        let store = crate::testing::store().await;
        let mut tx = store.read().await.unwrap();
        let Conn::Sqlite(conn) = tx.conn() else {
            return;
        };
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(
            "EXPLAIN QUERY PLAN SELECT COUNT(*) FROM webhook_delivery WHERE status = 'dead'",
        )
        .fetch_all(conn)
        .await
        .unwrap();
        let steps: Vec<_> = plan.iter().map(|(_, _, _, step)| step.as_str()).collect();
        assert!(
            steps
                .iter()
                .any(|step| step.contains("webhook_delivery_dead")),
            "{steps:?}"
        );
    }
}
