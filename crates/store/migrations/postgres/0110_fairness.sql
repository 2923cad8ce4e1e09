-- Indexes that find each one's share at once, however much waits for others.

-- What is due is looked for session by session, beginning at the leases of a gateway.
DROP INDEX scheduled_message_due;
CREATE INDEX scheduled_message_due ON scheduled_message
    (session_id, next_attempt_at, send_at, id) WHERE failed_at IS NULL;

-- Organizations have their files fetched in turn.
DROP INDEX media_due;
CREATE INDEX media_due ON media (organization_id, next_attempt_at, id)
    WHERE status = 'pending' AND NOT is_removed;

-- Those that were given up are counted.
CREATE INDEX webhook_delivery_dead ON webhook_delivery (webhook_id) WHERE status = 'dead';
