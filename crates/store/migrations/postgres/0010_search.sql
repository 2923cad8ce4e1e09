-- Messages by their words: punctuation separates them, whatever the parser makes of it.
ALTER TABLE message ADD COLUMN words TSVECTOR GENERATED ALWAYS AS (
    strip(to_tsvector(
        CAST('simple' AS REGCONFIG),
        translate(left(body, 65536), E'!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~', repeat(' ', 32))
    ))
) STORED;
CREATE INDEX message_words ON message USING GIN (words)
    WHERE kind NOT IN ('reaction', 'edit', 'revoke', 'poll_vote');

CREATE INDEX message_session_order ON message (session_id, timestamp, id);
