-- The last event that was deleted for its age: whoever goes on after an older one would miss it.
-- Events that a webhook waits for are kept longer than their neighbours, so the oldest one that
-- is there does not tell.
ALTER TABLE event_stream ADD COLUMN purged_through TEXT NOT NULL DEFAULT '';
