-- What WhatsApp forbids a session's account for a while, as JSON.
ALTER TABLE session ADD COLUMN restrictions TEXT;
