-- What messages have beside texts and files: a place in their chat, an end, and answers.

ALTER TABLE message ADD COLUMN pinned_until INTEGER;
ALTER TABLE message ADD COLUMN expires_at INTEGER;
ALTER TABLE message ADD COLUMN kept_at INTEGER;
ALTER TABLE message ADD COLUMN details TEXT;
CREATE INDEX message_end ON message (expires_at)
    WHERE expires_at IS NOT NULL AND kept_at IS NULL;

-- After how many seconds new messages disappear; of groups it is with the group.
ALTER TABLE chat ADD COLUMN disappearing_seconds INTEGER;
ALTER TABLE chat_group ADD COLUMN disappearing_seconds INTEGER;

-- The last answer of everybody who answered to an event.
CREATE TABLE event_answer (
    message_id INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    responder TEXT NOT NULL,
    name TEXT,
    answer TEXT NOT NULL,
    extra_guests INTEGER NOT NULL,
    answered_at INTEGER NOT NULL,
    PRIMARY KEY (message_id, responder)
) STRICT;
