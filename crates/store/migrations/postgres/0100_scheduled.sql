-- Messages that are to be sent later: from when they are asked for until their owner accepts
-- them, or gives them up.

CREATE TABLE scheduled_message (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id TEXT COLLATE "C" NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    session_id TEXT COLLATE "C" NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    wa_message_id TEXT COLLATE "C" NOT NULL,
    chat_jid TEXT COLLATE "C" NOT NULL,
    request BYTEA NOT NULL,
    send_at BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    failed_at BIGINT,
    error TEXT
);
CREATE INDEX scheduled_message_due ON scheduled_message (next_attempt_at)
    WHERE failed_at IS NULL;
CREATE INDEX scheduled_message_list ON scheduled_message (session_id, send_at, id);
CREATE INDEX scheduled_message_organization ON scheduled_message (organization_id);
CREATE INDEX scheduled_message_failed ON scheduled_message (failed_at)
    WHERE failed_at IS NOT NULL;
