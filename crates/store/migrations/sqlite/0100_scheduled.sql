-- Messages that are to be sent later: from when they are asked for until their owner accepts
-- them, or gives them up.

CREATE TABLE scheduled_message (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    wa_message_id TEXT NOT NULL,
    chat_jid TEXT NOT NULL,
    request BLOB NOT NULL,
    send_at INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    failed_at INTEGER,
    error TEXT
) STRICT;
CREATE INDEX scheduled_message_due ON scheduled_message (next_attempt_at)
    WHERE failed_at IS NULL;
CREATE INDEX scheduled_message_list ON scheduled_message (session_id, send_at, id);
CREATE INDEX scheduled_message_organization ON scheduled_message (organization_id);
CREATE INDEX scheduled_message_failed ON scheduled_message (failed_at)
    WHERE failed_at IS NOT NULL;
