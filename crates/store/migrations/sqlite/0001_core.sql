-- Tenants and their keys.

CREATE TABLE organization (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE api_key (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    hash BLOB NOT NULL,
    prefix TEXT NOT NULL,
    capabilities INTEGER NOT NULL,
    session_ids TEXT,
    expires_at INTEGER,
    revoked_at INTEGER,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT;
CREATE UNIQUE INDEX api_key_hash ON api_key (hash);
CREATE INDEX api_key_organization ON api_key (organization_id, id);

-- Processes that own sessions, the sessions, and who owns which.

CREATE TABLE gateway (
    id TEXT NOT NULL PRIMARY KEY,
    started_at INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL,
    version TEXT NOT NULL,
    is_draining INTEGER NOT NULL
) STRICT;

CREATE TABLE session (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    label TEXT,
    status TEXT NOT NULL,
    status_reason TEXT,
    status_detail TEXT,
    is_wanted_running INTEGER NOT NULL,
    gateway_id TEXT NOT NULL,
    auto_read INTEGER NOT NULL,
    presence_typing INTEGER NOT NULL,
    is_admin_session INTEGER NOT NULL,
    rate_per_min INTEGER NOT NULL,
    rate_per_hour INTEGER NOT NULL,
    created_by_user_id TEXT,
    wa_jid TEXT,
    wa_lid TEXT,
    phone_number TEXT,
    push_name TEXT,
    last_connected_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
CREATE INDEX session_organization ON session (organization_id, id);
CREATE INDEX session_wanted ON session (id) WHERE is_wanted_running AND deleted_at IS NULL;
CREATE INDEX session_deleted ON session (id) WHERE deleted_at IS NOT NULL;

-- Times are the database's, unlike all others. The row outlives its lease: the epoch only grows.
CREATE TABLE session_lease (
    session_id TEXT NOT NULL PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
    gateway_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX session_lease_gateway ON session_lease (gateway_id);

-- What a session has seen: people, chats, messages, groups.

CREATE TABLE identity (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    lid TEXT,
    phone_jid TEXT,
    push_name TEXT,
    full_name TEXT,
    first_name TEXT,
    business_name TEXT,
    search_text TEXT NOT NULL,
    first_seen_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX identity_lid ON identity (session_id, lid);
CREATE UNIQUE INDEX identity_phone ON identity (session_id, phone_jid);
CREATE INDEX identity_order ON identity (session_id, id);

CREATE TABLE chat (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    jid TEXT NOT NULL,
    alias_jid TEXT,
    kind TEXT NOT NULL,
    name TEXT,
    last_message_at INTEGER NOT NULL,
    unread_count INTEGER NOT NULL,
    is_archived INTEGER NOT NULL,
    is_pinned INTEGER NOT NULL,
    muted_until INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX chat_jid ON chat (session_id, jid);
CREATE UNIQUE INDEX chat_alias ON chat (session_id, alias_jid);
CREATE INDEX chat_order ON chat (session_id, is_pinned, last_message_at, id);

CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    chat_id INTEGER NOT NULL REFERENCES chat (id) ON DELETE CASCADE,
    sender_key TEXT NOT NULL,
    wa_message_id TEXT NOT NULL,
    direction TEXT NOT NULL,
    is_from_me INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body TEXT,
    sender_jid TEXT,
    sender_lid TEXT,
    timestamp INTEGER NOT NULL,
    status TEXT,
    ack_level INTEGER NOT NULL,
    error TEXT,
    quoted_message_id TEXT,
    mentions TEXT,
    media TEXT,
    content TEXT,
    is_edited INTEGER NOT NULL,
    is_deleted INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX message_identity ON message (session_id, wa_message_id, chat_id, sender_key);
CREATE INDEX message_order ON message (chat_id, timestamp, id);

CREATE TABLE chat_group (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    jid TEXT NOT NULL,
    subject TEXT,
    description TEXT,
    owner_jid TEXT,
    is_announce INTEGER,
    is_locked INTEGER,
    participant_count INTEGER,
    created_at_wa INTEGER,
    is_left INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX chat_group_jid ON chat_group (session_id, jid);

CREATE TABLE group_member (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    group_id INTEGER NOT NULL REFERENCES chat_group (id) ON DELETE CASCADE,
    identity_id INTEGER NOT NULL REFERENCES identity (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    tag TEXT,
    first_seen_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX group_member_person ON group_member (group_id, identity_id);
CREATE INDEX group_member_identity ON group_member (identity_id);
CREATE INDEX group_member_session ON group_member (session_id);

-- Messages on their way out.

CREATE TABLE outbox (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    wa_message_id TEXT NOT NULL,
    chat_jid TEXT NOT NULL,
    mode TEXT NOT NULL,
    request BLOB NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    finished_at INTEGER,
    result TEXT
) STRICT;
CREATE INDEX outbox_due ON outbox (session_id, next_attempt_at, id) WHERE finished_at IS NULL;
CREATE INDEX outbox_finished ON outbox (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX outbox_organization ON outbox (organization_id);

CREATE TABLE idempotency_key (
    organization_id TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    body_hash BLOB NOT NULL,
    outbox_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (organization_id, key)
) STRICT;
CREATE INDEX idempotency_key_age ON idempotency_key (created_at);
CREATE INDEX idempotency_key_outbox ON idempotency_key (outbox_id);

CREATE TABLE rate_window (
    session_id TEXT NOT NULL PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
    minute_start INTEGER NOT NULL,
    minute_count INTEGER NOT NULL,
    hour_start INTEGER NOT NULL,
    hour_count INTEGER NOT NULL
) STRICT;

-- What happened, and where it is posted.

CREATE TABLE event_stream (
    organization_id TEXT NOT NULL PRIMARY KEY
        REFERENCES organization (id) ON DELETE CASCADE,
    last_id TEXT NOT NULL
) STRICT;

CREATE TABLE event (
    organization_id TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    envelope TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (organization_id, id)
) STRICT;
CREATE INDEX event_session ON event (organization_id, session_id, id);
CREATE INDEX event_age ON event (created_at);

CREATE TABLE webhook (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    session_id TEXT REFERENCES session (id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    secret BLOB,
    previous_secret BLOB,
    previous_secret_expires_at INTEGER,
    events TEXT NOT NULL,
    custom_headers TEXT,
    retry_policy TEXT NOT NULL,
    active INTEGER NOT NULL,
    disabled_reason TEXT,
    failing_since INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX webhook_organization ON webhook (organization_id, id);
CREATE INDEX webhook_session ON webhook (session_id);

-- `next_attempt_at` of a claimed delivery is the end of its lease, so that one index finds
-- what is due and what was abandoned.
CREATE TABLE webhook_delivery (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    webhook_id TEXT NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    event_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    chat_key TEXT,
    status TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    claims INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    lease_owner TEXT,
    lease_until INTEGER,
    is_replay INTEGER NOT NULL,
    last_status_code INTEGER,
    last_error TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX webhook_delivery_due ON webhook_delivery (webhook_id, next_attempt_at, event_id)
    WHERE status = 'pending';
CREATE INDEX webhook_delivery_lane ON webhook_delivery (webhook_id, chat_key, event_id)
    WHERE status = 'pending' AND attempt = 0;
CREATE INDEX webhook_delivery_list ON webhook_delivery (webhook_id, id);
CREATE INDEX webhook_delivery_event ON webhook_delivery (organization_id, event_id)
    WHERE status = 'pending';
CREATE INDEX webhook_delivery_age ON webhook_delivery (updated_at) WHERE status <> 'pending';

CREATE TABLE webhook_attempt (
    delivery_id TEXT NOT NULL REFERENCES webhook_delivery (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    status_code INTEGER,
    error TEXT,
    answer TEXT,
    PRIMARY KEY (delivery_id, number)
) STRICT;

-- The rest.

CREATE TABLE realtime_ticket (
    hash BLOB NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    scope TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX realtime_ticket_age ON realtime_ticket (expires_at);

CREATE TABLE setting (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
