-- Polls that cannot be closed, because their rows cannot be read.

ALTER TABLE timed_poll ADD COLUMN is_unreadable INTEGER NOT NULL DEFAULT FALSE;
