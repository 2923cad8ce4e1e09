-- The WhatsApp engine's state. Values are sealed; keys are not, except that
-- digests stand for the identifiers of messages (see src/engine).

CREATE TABLE engine_record (
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    kind INTEGER NOT NULL,
    key BLOB NOT NULL,
    stamp INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (session_id, kind, key)
) STRICT, WITHOUT ROWID;

-- Which devices of a group hold our sender key.
CREATE TABLE engine_sender_key_device (
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    group_jid TEXT NOT NULL,
    device_jid TEXT NOT NULL,
    has_key INTEGER NOT NULL,
    PRIMARY KEY (session_id, group_jid, device_jid)
) STRICT, WITHOUT ROWID;

CREATE INDEX engine_sender_key_device_by_device
    ON engine_sender_key_device (session_id, device_jid);

-- Which phone number a LID belongs to. Times are seconds.
CREATE TABLE engine_lid_mapping (
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    lid TEXT NOT NULL,
    phone_number TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    learning_source TEXT NOT NULL,
    PRIMARY KEY (session_id, lid)
) STRICT, WITHOUT ROWID;

CREATE INDEX engine_lid_mapping_by_phone_number
    ON engine_lid_mapping (session_id, phone_number);

-- Trusted contact tokens by JID; without a token, when only the sending side is known. Times
-- are seconds.
CREATE TABLE engine_contact_token (
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    key BLOB NOT NULL,
    token_timestamp INTEGER NOT NULL,
    sender_timestamp INTEGER,
    token BLOB,
    PRIMARY KEY (session_id, key)
) STRICT, WITHOUT ROWID;

-- Secrets of messages that reactions, edits and votes refer to. Times are seconds.
CREATE TABLE engine_message_secret (
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    key BLOB NOT NULL,
    expires_at INTEGER,
    message_ts INTEGER NOT NULL,
    secret BLOB NOT NULL,
    PRIMARY KEY (session_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX engine_message_secret_expiry
    ON engine_message_secret (session_id, expires_at) WHERE expires_at IS NOT NULL;

-- Sent messages, kept for as long as a recipient may ask again. Times are seconds.
CREATE TABLE engine_sent_message (
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    key BLOB NOT NULL,
    stored_at INTEGER NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (session_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX engine_sent_message_expiry ON engine_sent_message (session_id, stored_at);
