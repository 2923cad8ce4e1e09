-- Files that wait to be sent, in pieces: from when their message is asked for until it is sent.

CREATE TABLE attachment (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    outbox_id TEXT,
    size INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX attachment_organization ON attachment (organization_id);
CREATE INDEX attachment_session ON attachment (session_id);
CREATE INDEX attachment_outbox ON attachment (outbox_id) WHERE outbox_id IS NOT NULL;
CREATE INDEX attachment_age ON attachment (created_at);

CREATE TABLE attachment_piece (
    attachment_id TEXT NOT NULL REFERENCES attachment (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (attachment_id, position)
) STRICT;
