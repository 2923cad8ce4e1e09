-- Polls that close at a time, with the last vote of each voter, until they are closed.

CREATE TABLE timed_poll (
    chat_id BIGINT NOT NULL REFERENCES chat (id) ON DELETE CASCADE,
    wa_message_id TEXT COLLATE "C" NOT NULL,
    poll TEXT NOT NULL,
    ends_at BIGINT NOT NULL,
    PRIMARY KEY (chat_id, wa_message_id)
);
CREATE INDEX timed_poll_end ON timed_poll (ends_at);

CREATE TABLE timed_poll_vote (
    chat_id BIGINT NOT NULL,
    wa_message_id TEXT COLLATE "C" NOT NULL,
    voter TEXT COLLATE "C" NOT NULL,
    name TEXT,
    options TEXT NOT NULL,
    voted_at BIGINT NOT NULL,
    PRIMARY KEY (chat_id, wa_message_id, voter),
    FOREIGN KEY (chat_id, wa_message_id)
        REFERENCES timed_poll (chat_id, wa_message_id) ON DELETE CASCADE
);
