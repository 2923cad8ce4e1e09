-- The WhatsApp engine's state. Values are sealed; keys are not, except that
-- digests stand for the identifiers of messages (see src/engine).

-- Room on each page lets a ratchet be updated in place; sealed bytes do not compress.
CREATE TABLE engine_record (
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    kind SMALLINT NOT NULL,
    key BYTEA NOT NULL,
    stamp BIGINT NOT NULL,
    value BYTEA NOT NULL,
    PRIMARY KEY (session_id, kind, key)
) WITH (fillfactor = 80);

ALTER TABLE engine_record ALTER COLUMN value SET STORAGE EXTERNAL;

-- Which devices of a group hold our sender key.
CREATE TABLE engine_sender_key_device (
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    group_jid TEXT NOT NULL,
    device_jid TEXT NOT NULL,
    has_key BOOLEAN NOT NULL,
    PRIMARY KEY (session_id, group_jid, device_jid)
);

CREATE INDEX engine_sender_key_device_by_device
    ON engine_sender_key_device (session_id, device_jid);

-- Which phone number a LID belongs to. Times are seconds.
CREATE TABLE engine_lid_mapping (
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    lid TEXT NOT NULL,
    phone_number TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    learning_source TEXT NOT NULL,
    PRIMARY KEY (session_id, lid)
);

CREATE INDEX engine_lid_mapping_by_phone_number
    ON engine_lid_mapping (session_id, phone_number);

-- Trusted contact tokens by JID; without a token, when only the sending side is known. Times
-- are seconds.
CREATE TABLE engine_contact_token (
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    key BYTEA NOT NULL,
    token_timestamp BIGINT NOT NULL,
    sender_timestamp BIGINT,
    token BYTEA,
    PRIMARY KEY (session_id, key)
);

-- Secrets of messages that reactions, edits and votes refer to. Times are seconds.
CREATE TABLE engine_message_secret (
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    key BYTEA NOT NULL,
    expires_at BIGINT,
    message_ts BIGINT NOT NULL,
    secret BYTEA NOT NULL,
    PRIMARY KEY (session_id, key)
);

CREATE INDEX engine_message_secret_expiry
    ON engine_message_secret (session_id, expires_at) WHERE expires_at IS NOT NULL;

-- Sent messages, kept for as long as a recipient may ask again. Times are seconds.
CREATE TABLE engine_sent_message (
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    key BYTEA NOT NULL,
    stored_at BIGINT NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (session_id, key)
);

ALTER TABLE engine_sent_message ALTER COLUMN payload SET STORAGE EXTERNAL;

CREATE INDEX engine_sent_message_expiry ON engine_sent_message (session_id, stored_at);
