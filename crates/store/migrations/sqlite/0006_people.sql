-- People: who they are, how they sign in, and which organizations they belong to.

-- Deleted organizations are unknown to everybody at once; housekeeping removes their data.
ALTER TABLE organization ADD COLUMN deleted_at INTEGER;
CREATE INDEX organization_deleted ON organization (id) WHERE deleted_at IS NOT NULL;

-- `standing_changed_at` is the database's time: running services look for the latest changes
-- several times a second.
CREATE TABLE user_account (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    password_hash TEXT,
    platform_role TEXT NOT NULL,
    email_confirmed_at INTEGER,
    banned_at INTEGER,
    ban_reason TEXT,
    totp_secret BLOB,
    totp_confirmed_at INTEGER,
    totp_last_step INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_login_at INTEGER,
    standing_changed_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX user_account_email ON user_account (email);
CREATE INDEX user_account_standing ON user_account (standing_changed_at);

CREATE TABLE organization_member (
    organization_id TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES user_account (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    joined_at INTEGER NOT NULL,
    PRIMARY KEY (organization_id, user_id)
) STRICT;
CREATE INDEX organization_member_user ON organization_member (user_id);

CREATE TABLE invitation (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    token_hash BLOB NOT NULL,
    invited_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX invitation_token ON invitation (token_hash);
CREATE UNIQUE INDEX invitation_email ON invitation (organization_id, email);
CREATE INDEX invitation_age ON invitation (expires_at);

-- Signed-in browsers, by the SHA-256 of their cookie.
CREATE TABLE login (
    id TEXT NOT NULL PRIMARY KEY,
    hash BLOB NOT NULL,
    user_id TEXT NOT NULL REFERENCES user_account (id) ON DELETE CASCADE,
    active_organization_id TEXT REFERENCES organization (id) ON DELETE SET NULL,
    user_agent TEXT,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX login_hash ON login (hash);
CREATE INDEX login_user ON login (user_id, id);
CREATE INDEX login_organization ON login (active_organization_id);
CREATE INDEX login_age ON login (expires_at);

-- One-time links, by the SHA-256 of what is in them.
CREATE TABLE user_link (
    hash BLOB NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES user_account (id) ON DELETE CASCADE,
    purpose TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX user_link_user ON user_link (user_id);
CREATE INDEX user_link_age ON user_link (expires_at);

CREATE TABLE recovery_code (
    user_id TEXT NOT NULL REFERENCES user_account (id) ON DELETE CASCADE,
    hash BLOB NOT NULL,
    PRIMARY KEY (user_id, hash)
) STRICT;

-- Accounts of OpenID Connect providers that sign in as a user.
CREATE TABLE external_account (
    provider TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES user_account (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (provider, subject)
) STRICT;
CREATE INDEX external_account_user ON external_account (user_id);

-- Failed logins, by the SHA-256 of the account's or the address's name.
CREATE TABLE login_failure (
    key BLOB NOT NULL PRIMARY KEY,
    failures INTEGER NOT NULL,
    blocked_until INTEGER NOT NULL,
    last_failed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX login_failure_age ON login_failure (last_failed_at);

-- The keys that login tokens are signed with, newest last.
CREATE TABLE token_key (
    id TEXT NOT NULL PRIMARY KEY,
    private_key BLOB NOT NULL,
    public_key BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER
) STRICT;

-- Who did what; entries without an organization concern the whole installation.
CREATE TABLE audit_entry (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT REFERENCES organization (id) ON DELETE CASCADE,
    actor_kind TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    action TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    details TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_entry_organization ON audit_entry (organization_id, id);
CREATE INDEX audit_entry_age ON audit_entry (created_at);

-- Tickets without an organization open the events of all of them. They live for seconds.
DROP TABLE realtime_ticket;
CREATE TABLE realtime_ticket (
    hash BLOB NOT NULL PRIMARY KEY,
    organization_id TEXT REFERENCES organization (id) ON DELETE CASCADE,
    scope TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX realtime_ticket_age ON realtime_ticket (expires_at);
CREATE INDEX realtime_ticket_organization ON realtime_ticket (organization_id);
