-- Stars of messages, labels of chats and messages, and whose stories are muted.

ALTER TABLE message ADD COLUMN is_starred BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX message_starred ON message (session_id, timestamp, id) WHERE is_starred;

-- A label that was deleted keeps its row, so that its id names no other.
CREATE TABLE label (
    session_id TEXT COLLATE "C" NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    wa_label_id TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    color BIGINT NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (session_id, wa_label_id)
);

-- By addresses: WhatsApp tells of labels before the chats and messages that have them come.
CREATE TABLE label_chat (
    session_id TEXT COLLATE "C" NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    chat_jid TEXT COLLATE "C" NOT NULL,
    wa_label_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (session_id, chat_jid, wa_label_id)
);

CREATE TABLE label_message (
    session_id TEXT COLLATE "C" NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    wa_message_id TEXT COLLATE "C" NOT NULL,
    chat_jid TEXT COLLATE "C" NOT NULL,
    wa_label_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (session_id, wa_message_id, chat_jid, wa_label_id)
);

ALTER TABLE identity ADD COLUMN is_status_muted BOOLEAN NOT NULL DEFAULT FALSE;
