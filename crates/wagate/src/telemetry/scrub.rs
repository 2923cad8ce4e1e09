//! Takes out of a library's line what may be private.
//!
//! Libraries do not know our rules: their lines quote stanzas, addresses, texts and
//! keys. What remains says what happened, not to whom. When in doubt a piece goes.

/// Stands for what was taken out.
const GONE: char = '…';

/// Longest line that is worth reading, in characters.
const MAX_CHARS: usize = 400;

/// Digits in a row from which on they may be a number of somebody.
const NUMBER_DIGITS: usize = 5;

/// Length of a word from which on it may be a key, when it does not look like a word.
const KEY_CHARS: usize = 16;

/// Length of a word from which on it counts as a key however it looks.
const LONG_CHARS: usize = 28;

/// Beginnings of credentials.
const CREDENTIALS: [&str; 3] = ["wa_", "rt_", "whsec_"];

/// The text without quotations, addresses, numbers, credentials and keys.
pub(crate) fn scrub(text: &str) -> String {
    let short: String = text
        .chars()
        .take(MAX_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let mut rest = short.as_str();
    let mut told = String::with_capacity(short.len());
    let mut before = None;
    while let Some(c) = rest.chars().next() {
        if let Some(length) = quotation(rest, before).or_else(|| bytes(rest)) {
            told.push(GONE);
            rest = &rest[length..];
            before = Some(GONE);
        } else if is_of_a_word(c) {
            let length = rest.find(|c| !is_of_a_word(c)).unwrap_or(rest.len());
            tell_word(&rest[..length], &mut told);
            before = rest[..length].chars().last();
            rest = &rest[length..];
        } else {
            told.push(c);
            before = Some(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    told
}

/// Words are what blanks, brackets and quotation marks part.
fn is_of_a_word(c: char) -> bool {
    !c.is_whitespace() && !"\"'`<>()[]{},;|".contains(c)
}

/// How much of the text is a quotation or an element: up to the last mark that could end
/// it, because a quoted text may hold such marks itself.
fn quotation(text: &str, before: Option<char>) -> Option<usize> {
    let follows_a_word = before.is_some_and(char::is_alphanumeric);
    let mark = text.chars().next()?;
    let end = match mark {
        '"' | '`' => mark,
        // Not the apostrophe of "can't".
        '\'' if !follows_a_word => mark,
        // Not a type's parameters, nor "is less than".
        '<' if !follows_a_word
            && before != Some(':')
            && text[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') =>
        {
            '>'
        }
        _ => return None,
    };
    // Without an end the rest of the line is the quotation: it was cut off.
    Some(text[1..].rfind(end).map_or(text.len(), |at| at + 2))
}

/// How much of the text is a list of bytes, as keys are printed.
fn bytes(text: &str) -> Option<usize> {
    let list = text.strip_prefix('[')?;
    let end = list.find(']').unwrap_or(list.len());
    let is_numbers = list[..end]
        .chars()
        .all(|c| c.is_ascii_hexdigit() || matches!(c, ',' | ' ' | 'x'));
    let is_long = list[..end].matches(',').count() >= 3;
    (is_numbers && is_long).then_some((end + 2).min(text.len()))
}

fn tell_word(word: &str, told: &mut String) {
    let core = word.trim_end_matches([':', '.', '!', '?']);
    tell_core(core, told);
    told.push_str(&word[core.len()..]);
}

fn tell_core(word: &str, told: &mut String) {
    let is_address = word.contains('@') && !word.contains("://");
    let is_foreign = word.chars().any(|c| c.is_alphabetic() && !c.is_ascii());
    if is_address || is_foreign || holds_a_credential(word) {
        told.push(GONE);
    } else if let Some((scheme, rest)) = word.split_once("://") {
        tell_url(scheme, rest, told);
    } else if word.split(['=', ':', '.']).any(looks_like_a_key) {
        told.push(GONE);
    } else {
        tell_without_numbers(word, told);
    }
}

fn holds_a_credential(word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    word.split(|c| !is_part(c)).any(|piece| {
        CREDENTIALS.iter().any(|beginning| {
            let secret = piece.strip_prefix(beginning);
            secret.is_some_and(|secret| secret.len() >= 8)
        })
    })
}

/// Of a URL only where it leads: paths and queries hold tokens, the rest a password.
fn tell_url(scheme: &str, rest: &str, told: &mut String) {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    tell_without_numbers(scheme, told);
    told.push_str("://");
    if looks_like_a_key(host) {
        told.push(GONE);
    } else {
        told.push_str(host);
    }
    if authority.len() < rest.len() {
        told.push('/');
        told.push(GONE);
    }
}

/// Whether a piece of a word may be a key or a text in base64 or hex.
fn looks_like_a_key(piece: &str) -> bool {
    let is_encoded = piece
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"+/-_".contains(&b));
    // Names of things are words with `_` or `-` between, or begin each word with a capital.
    let is_path = piece
        .split(['_', '-', '/'])
        .all(|part| part.len() < KEY_CHARS && part.bytes().all(|b| b.is_ascii_alphabetic()));
    let has_digits = piece.bytes().any(|b| b.is_ascii_digit());
    let has_letters = piece.bytes().any(|b| b.is_ascii_alphabetic());
    let is_mixed = piece.len() >= KEY_CHARS && has_digits && has_letters;
    is_encoded && !is_path && (is_mixed || piece.len() >= LONG_CHARS)
}

fn tell_without_numbers(word: &str, told: &mut String) {
    let mut rest = word;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        if digits >= NUMBER_DIGITS {
            told.push(GONE);
        } else {
            told.push_str(&rest[..digits]);
        }
        rest = &rest[digits..];
        let others = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        told.push_str(&rest[..others]);
        rest = &rest[others..];
    }
}

#[cfg(test)]
mod tests {
    use super::scrub;

    /// Lines as the libraries write them, with what they would hold, and what remains.
    const LINES: &[(&str, &str)] = &[
        (
            "Failed to read tc_token for 100000012345678@lid: database is locked, skipping",
            "Failed to read tc_token for …: database is locked, skipping",
        ),
        (
            "Skipping chat mutation 'mute': malformed JID '4915112345678@s.whatsapp.net'",
            "Skipping chat mutation …",
        ),
        (
            "signed pre-key rotation upload rejected (code=503, text='the boys' house, Bob'); keeping the staged key",
            "signed pre-key rotation upload rejected (code=503, text=…); keeping the staged key",
        ),
        (
            "Received unhandled IQ: <iq from=\"4915112345678@s.whatsapp.net\" id=\"1\"><body>see you at 8</body></iq>",
            "Received unhandled IQ: …",
        ),
        (
            "Failed to stream-download from URL https://media-fra3-1.cdn.whatsapp.net/v/t62.7118-24/1?ccb=11-4&oh=01_Q5Aa: timeout. Trying next host.",
            "Failed to stream-download from URL https://media-fra3-1.cdn.whatsapp.net/…: timeout. Trying next host.",
        ),
        (
            "Failed to decrypt vote from 4915112345678:12@s.whatsapp.net: mac mismatch",
            "Failed to decrypt vote from …: mac mismatch",
        ),
        (
            "Received account_sync devices for non-self user: 4915112345678 (our PN: Some(4915187654321))",
            "Received account_sync devices for non-self user: … (our PN: Some(…))",
        ),
        (
            "TypedCache[lid_pn]: deserialise failed for lid-4915112345678: expected value at line 1 column 1",
            "TypedCache[lid_pn]: deserialise failed for …: expected value at line 1 column 1",
        ),
        (
            "connecting to nats://gateway:hunter2@nats.example:4222",
            "connecting to nats://nats.example:4222",
        ),
        (
            "message 3EB0C767D82B3C5A97F1 of 12036304567890@g.us failed: SenderKeyNotFound",
            "message … of … failed: SenderKeyNotFound",
        ),
        (
            "key [12, 255, 0, 7, 91] and 2f7a1c9be0d34455aa01 and q83vASNFZ4mrze8BI0VniavN7wEjRWeJ",
            "key … and … and …",
        ),
        (
            "token wa_Zm9yIGV4YW1wbGUgb25seQ rt_Zm9yIGV4YW1wbGU whsec_MfKQ9r8GKYqrTwjU",
            "token … … …",
        ),
        (
            "could not parse \"I can't come\" he said \"ok\" twice",
            "could not parse … twice",
        ),
        ("Нет связи with Zoë", "… … with …"),
        ("an unfinished \"quotation of a text", "an unfinished …"),
    ];

    #[test]
    fn what_may_be_private_is_taken_out() {
        for (line, told) in LINES {
            assert_eq!(scrub(line), *told);
        }
    }

    #[test]
    fn what_says_what_happened_stays() {
        for line in [
            "can't connect: ConnectionRefused (os error 111)",
            "slow statement: 1204 ms elapsed, 3 rows",
            "[socket] resumeNoiseHandshake failed crypto-fatally; forcing XX next connect",
            "Coalesced signal flush failed; retrying in 2.5s: Vec<u8> of 32",
            "wacore::handshake::state panicked, attempt 3/10",
            "start_jitter of report_gateway_state: 12 ms",
        ] {
            assert_eq!(scrub(line), line);
        }
    }

    #[test]
    fn a_line_is_one_line_and_not_a_flood() {
        assert_eq!(scrub("a\nb\u{1b}[31m"), "a b [31m");
        assert!(scrub(&"word ".repeat(10_000)).chars().count() <= 400);
    }
}
