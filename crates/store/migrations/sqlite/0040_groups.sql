-- What groups need to be kept in line with WhatsApp.
ALTER TABLE chat_group ADD COLUMN invite_code TEXT;
ALTER TABLE session ADD COLUMN groups_synced_at INTEGER;
