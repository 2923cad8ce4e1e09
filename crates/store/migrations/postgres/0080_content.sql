-- What messages have beside texts and files: a place in their chat, an end, and answers.

ALTER TABLE message ADD COLUMN pinned_until BIGINT;
ALTER TABLE message ADD COLUMN expires_at BIGINT;
ALTER TABLE message ADD COLUMN kept_at BIGINT;
ALTER TABLE message ADD COLUMN details TEXT;
CREATE INDEX message_end ON message (expires_at)
    WHERE expires_at IS NOT NULL AND kept_at IS NULL;

-- After how many seconds new messages disappear; of groups it is with the group.
ALTER TABLE chat ADD COLUMN disappearing_seconds BIGINT;
ALTER TABLE chat_group ADD COLUMN disappearing_seconds BIGINT;

-- The last answer of everybody who answered to an event.
CREATE TABLE event_answer (
    message_id BIGINT NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    responder TEXT COLLATE "C" NOT NULL,
    name TEXT,
    answer TEXT NOT NULL,
    extra_guests BIGINT NOT NULL,
    answered_at BIGINT NOT NULL,
    PRIMARY KEY (message_id, responder)
);
