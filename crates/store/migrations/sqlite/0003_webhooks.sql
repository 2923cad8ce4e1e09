-- A first attempt that waits for an earlier event of its chat is set aside once a claim has
-- met it, and comes back when that one has had its attempt: the index below holds what can
-- be claimed, however long a chat's queue is.
ALTER TABLE webhook_delivery ADD COLUMN is_blocked INTEGER NOT NULL DEFAULT 0;
DROP INDEX webhook_delivery_due;
CREATE INDEX webhook_delivery_due ON webhook_delivery (webhook_id, next_attempt_at, event_id)
    WHERE status = 'pending' AND NOT is_blocked;

-- Until when the receiver asked to be left alone.
ALTER TABLE webhook ADD COLUMN paused_until INTEGER;
-- Failures in a row since `failing_since`, and the last of them.
ALTER TABLE webhook ADD COLUMN failure_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE webhook ADD COLUMN last_failed_at INTEGER;

-- Grows with every change of the organization's webhooks, so that writers know whether what
-- they remember of them still holds.
ALTER TABLE event_stream ADD COLUMN webhooks_version INTEGER NOT NULL DEFAULT 0;
