-- How far the history is that a session's phone sends.
ALTER TABLE session ADD COLUMN history_status TEXT;
ALTER TABLE session ADD COLUMN history_progress INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN history_messages INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN history_chats INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN history_started_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN history_updated_at INTEGER NOT NULL DEFAULT 0;
