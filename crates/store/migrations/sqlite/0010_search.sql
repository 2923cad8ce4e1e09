-- Messages by their words.
--
-- The index holds no texts: those are in `message`. The writer adds the messages of a group by
-- one statement at its end, under their own numbers; only what is deleted is taken out by a
-- trigger, because deletions cascade. The session is a word of each text, so that a search
-- reads what its own session has.
CREATE VIRTUAL TABLE message_text USING fts5 (
    words,
    content = '',
    contentless_delete = 1,
    tokenize = "unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc'"
);
INSERT INTO message_text (rowid, words)
    SELECT id, substr(body, 1, 65536) || ' ' || session_id FROM message
    WHERE body IS NOT NULL AND NOT is_deleted
    AND kind NOT IN ('reaction', 'edit', 'revoke', 'poll_vote');
CREATE TRIGGER message_text_deletion AFTER DELETE ON message WHEN old.body IS NOT NULL BEGIN
    DELETE FROM message_text WHERE rowid = old.id;
END;

CREATE INDEX message_session_order ON message (session_id, timestamp, id);
