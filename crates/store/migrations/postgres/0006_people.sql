-- People: who they are, how they sign in, and which organizations they belong to.

-- Deleted organizations are unknown to everybody at once; housekeeping removes their data.
ALTER TABLE organization ADD COLUMN deleted_at BIGINT;
CREATE INDEX organization_deleted ON organization (id) WHERE deleted_at IS NOT NULL;

-- `standing_changed_at` is the database's time: running services look for the latest changes
-- several times a second.
CREATE TABLE user_account (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    password_hash TEXT,
    platform_role TEXT NOT NULL,
    email_confirmed_at BIGINT,
    banned_at BIGINT,
    ban_reason TEXT,
    totp_secret BYTEA,
    totp_confirmed_at BIGINT,
    totp_last_step BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_login_at BIGINT,
    standing_changed_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX user_account_email ON user_account (email);
CREATE INDEX user_account_standing ON user_account (standing_changed_at);

CREATE TABLE organization_member (
    organization_id TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES user_account (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    joined_at BIGINT NOT NULL,
    PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX organization_member_user ON organization_member (user_id);

CREATE TABLE invitation (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    token_hash BYTEA NOT NULL,
    invited_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX invitation_token ON invitation (token_hash);
CREATE UNIQUE INDEX invitation_email ON invitation (organization_id, email);
CREATE INDEX invitation_age ON invitation (expires_at);

-- Signed-in browsers, by the SHA-256 of their cookie.
CREATE TABLE login (
    id TEXT NOT NULL PRIMARY KEY,
    hash BYTEA NOT NULL,
    user_id TEXT NOT NULL REFERENCES user_account (id) ON DELETE CASCADE,
    active_organization_id TEXT REFERENCES organization (id) ON DELETE SET NULL,
    user_agent TEXT,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX login_hash ON login (hash);
CREATE INDEX login_user ON login (user_id, id);
CREATE INDEX login_organization ON login (active_organization_id);
CREATE INDEX login_age ON login (expires_at);

-- One-time links, by the SHA-256 of what is in them.
CREATE TABLE user_link (
    hash BYTEA NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES user_account (id) ON DELETE CASCADE,
    purpose TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX user_link_user ON user_link (user_id);
CREATE INDEX user_link_age ON user_link (expires_at);

CREATE TABLE recovery_code (
    user_id TEXT NOT NULL REFERENCES user_account (id) ON DELETE CASCADE,
    hash BYTEA NOT NULL,
    PRIMARY KEY (user_id, hash)
);

-- Accounts of OpenID Connect providers that sign in as a user.
CREATE TABLE external_account (
    provider TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES user_account (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (provider, subject)
);
CREATE INDEX external_account_user ON external_account (user_id);

-- Failed logins, by the SHA-256 of the account's or the address's name.
CREATE TABLE login_failure (
    key BYTEA NOT NULL PRIMARY KEY,
    failures BIGINT NOT NULL,
    blocked_until BIGINT NOT NULL,
    last_failed_at BIGINT NOT NULL
);
CREATE INDEX login_failure_age ON login_failure (last_failed_at);

-- The keys that login tokens are signed with, newest last.
CREATE TABLE token_key (
    id TEXT NOT NULL PRIMARY KEY,
    private_key BYTEA NOT NULL,
    public_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT
);

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
    created_at BIGINT NOT NULL
);
CREATE INDEX audit_entry_organization ON audit_entry (organization_id, id);
CREATE INDEX audit_entry_age ON audit_entry (created_at);

-- Tickets without an organization open the events of all of them. They live for seconds.
DROP TABLE realtime_ticket;
CREATE TABLE realtime_ticket (
    hash BYTEA NOT NULL PRIMARY KEY,
    organization_id TEXT REFERENCES organization (id) ON DELETE CASCADE,
    scope TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX realtime_ticket_age ON realtime_ticket (expires_at);
CREATE INDEX realtime_ticket_organization ON realtime_ticket (organization_id);
