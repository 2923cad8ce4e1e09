-- Files that wait to be sent, in pieces: from when their message is asked for until it is sent.

CREATE TABLE attachment (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id TEXT COLLATE "C" NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    session_id TEXT COLLATE "C" NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    outbox_id TEXT COLLATE "C",
    size BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX attachment_organization ON attachment (organization_id);
CREATE INDEX attachment_session ON attachment (session_id);
CREATE INDEX attachment_outbox ON attachment (outbox_id) WHERE outbox_id IS NOT NULL;
CREATE INDEX attachment_age ON attachment (created_at);

CREATE TABLE attachment_piece (
    attachment_id TEXT COLLATE "C" NOT NULL REFERENCES attachment (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (attachment_id, position)
);
-- Encrypted and compressed files do not become smaller.
ALTER TABLE attachment_piece ALTER COLUMN data SET STORAGE EXTERNAL;
