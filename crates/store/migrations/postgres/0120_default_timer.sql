-- After how many seconds messages disappear in chats that the account begins.

ALTER TABLE session ADD COLUMN default_timer BIGINT;
