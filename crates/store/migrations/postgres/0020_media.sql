-- Files of messages, where they are kept, and the buckets of organizations.

CREATE TABLE storage_bucket (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id TEXT COLLATE "C" NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    region TEXT NOT NULL,
    bucket TEXT NOT NULL,
    path_style BOOLEAN NOT NULL,
    retention_days BIGINT,
    access_key BYTEA NOT NULL,
    secret_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX storage_bucket_organization ON storage_bucket (organization_id, id);

ALTER TABLE session ADD COLUMN storage_bucket_id TEXT COLLATE "C";
ALTER TABLE session ADD COLUMN captures_media BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE session ADD COLUMN media_retention_days BIGINT;

-- A row outlives its message and its session until its file is removed, so it refers to neither.
-- `next_attempt_at` of a claimed row is the end of its lease. `has_file` is set before a file is
-- written and cleared after it is removed.
CREATE TABLE media (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id TEXT COLLATE "C" NOT NULL,
    session_id TEXT COLLATE "C" NOT NULL,
    message_id BIGINT NOT NULL,
    position BIGINT NOT NULL,
    wa_message_id TEXT COLLATE "C" NOT NULL,
    kind TEXT NOT NULL,
    mimetype TEXT,
    filename TEXT,
    size BIGINT,
    sha256 TEXT,
    width BIGINT,
    height BIGINT,
    seconds BIGINT,
    is_voice BOOLEAN NOT NULL,
    source BYTEA,
    status TEXT NOT NULL,
    problem TEXT,
    bucket_id TEXT COLLATE "C",
    has_file BOOLEAN NOT NULL,
    stored_at BIGINT,
    expires_at BIGINT,
    attempts BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    lease_owner TEXT COLLATE "C",
    is_removed BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX media_message ON media (message_id, position);
CREATE INDEX media_session ON media (session_id, id);
CREATE INDEX media_organization ON media (organization_id, id);
CREATE INDEX media_bucket ON media (bucket_id, id) WHERE bucket_id IS NOT NULL;
CREATE INDEX media_due ON media (next_attempt_at, id) WHERE status = 'pending' AND NOT is_removed;
CREATE INDEX media_kept ON media (expires_at) WHERE status = 'ready' AND expires_at IS NOT NULL;
CREATE INDEX media_unwanted ON media (id) WHERE is_removed OR (has_file AND status = 'expired');
