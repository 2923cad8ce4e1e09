-- Files of messages, where they are kept, and the buckets of organizations.

CREATE TABLE storage_bucket (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    region TEXT NOT NULL,
    bucket TEXT NOT NULL,
    path_style INTEGER NOT NULL,
    retention_days INTEGER,
    access_key BLOB NOT NULL,
    secret_key BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX storage_bucket_organization ON storage_bucket (organization_id, id);

ALTER TABLE session ADD COLUMN storage_bucket_id TEXT;
ALTER TABLE session ADD COLUMN captures_media INTEGER NOT NULL DEFAULT 1;
ALTER TABLE session ADD COLUMN media_retention_days INTEGER;

-- A row outlives its message and its session until its file is removed, so it refers to neither.
-- `next_attempt_at` of a claimed row is the end of its lease. `has_file` is set before a file is
-- written and cleared after it is removed.
CREATE TABLE media (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    message_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    wa_message_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    mimetype TEXT,
    filename TEXT,
    size INTEGER,
    sha256 TEXT,
    width INTEGER,
    height INTEGER,
    seconds INTEGER,
    is_voice INTEGER NOT NULL,
    source BLOB,
    status TEXT NOT NULL,
    problem TEXT,
    bucket_id TEXT,
    has_file INTEGER NOT NULL,
    stored_at INTEGER,
    expires_at INTEGER,
    attempts INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    lease_owner TEXT,
    is_removed INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX media_message ON media (message_id, position);
CREATE INDEX media_session ON media (session_id, id);
CREATE INDEX media_organization ON media (organization_id, id);
CREATE INDEX media_bucket ON media (bucket_id, id) WHERE bucket_id IS NOT NULL;
CREATE INDEX media_due ON media (next_attempt_at, id) WHERE status = 'pending' AND NOT is_removed;
CREATE INDEX media_kept ON media (expires_at) WHERE status = 'ready' AND expires_at IS NOT NULL;
CREATE INDEX media_unwanted ON media (id) WHERE is_removed OR (has_file AND status = 'expired');
