-- How far the history is that a session's phone sends.
ALTER TABLE session ADD COLUMN history_status TEXT;
ALTER TABLE session ADD COLUMN history_progress BIGINT NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN history_messages BIGINT NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN history_chats BIGINT NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN history_started_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN history_updated_at BIGINT NOT NULL DEFAULT 0;
