-- Polls that cannot be closed, because their rows cannot be read.

ALTER TABLE timed_poll ADD COLUMN is_unreadable BOOLEAN NOT NULL DEFAULT FALSE;
