//! Answers made comparable: what differs from run to run gives way to its order of appearance.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::harness::Reply;

/// Headers that say nothing of what was asked.
const VOLATILE_HEADERS: &[&str] = &["content-length", "set-cookie", "x-request-id"];

/// Fields whose texts are secrets, or hold times and numbers that are not to be read.
const OPAQUE_FIELDS: &[&str] = &[
    "cursor",
    "key",
    "link",
    "nextCursor",
    "prefix",
    "secret",
    "ticket",
];

/// What one reader has seen so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    names: HashMap<String, usize>,
    times: HashMap<i64, usize>,
    rows: HashMap<i64, usize>,
}

impl Seen {
    /// A reply as this reader sees it.
    pub(crate) fn view(&mut self, reply: &Reply) -> String {
        let mut headers: Vec<_> = reply
            .headers
            .iter()
            .filter(|(name, _)| !VOLATILE_HEADERS.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        headers.sort();
        let body = match serde_json::from_slice(&reply.bytes) {
            Ok(body) => self.json("", body).to_string(),
            Err(_) => String::from_utf8_lossy(&reply.bytes).into_owned(),
        };
        format!("{} {headers:?} {body}", reply.status.as_u16())
    }

    fn json(&mut self, field: &str, value: Value) -> Value {
        match value {
            Value::String(_) if OPAQUE_FIELDS.contains(&field) => "#".into(),
            Value::String(text) => self.text(&text).into(),
            Value::Array(values) => values.into_iter().map(|v| self.json(field, v)).collect(),
            Value::Object(fields) => fields
                .into_iter()
                .map(|(name, value)| (name.clone(), self.json(&name, value)))
                .collect(),
            Value::Number(number) => match number.as_i64() {
                Some(time) if time > 1_000_000_000_000 => {
                    format!("@{}", place(&mut self.times, time)).into()
                }
                // Rows are numbered across the installation.
                Some(row) if field == "id" => format!("row {}", place(&mut self.rows, row)).into(),
                _ => number.into(),
            },
            other => other,
        }
    }

    /// A text with its ids by number.
    fn text(&mut self, text: &str) -> String {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let mut shown = String::new();
        for piece in text.split_inclusive(|c| !is_word(c)) {
            let word = piece.trim_end_matches(|c| !is_word(c));
            let rest = &piece[word.len()..];
            let (kind, bare) = word.rsplit_once('_').unwrap_or(("", word));
            let is_id = bare.len() == 26
                && bare
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
            if is_id {
                let number = place(&mut self.names, bare.to_owned());
                write!(shown, "{kind}#{number}").unwrap();
            } else if word.starts_with("rt_") {
                shown.push_str("rt_#");
            } else {
                shown.push_str(word);
            }
            shown.push_str(rest);
        }
        shown
    }
}

/// The number of a value, in the order in which values were seen.
fn place<K: std::hash::Hash + Eq>(seen: &mut HashMap<K, usize>, value: K) -> usize {
    let next = seen.len();
    *seen.entry(value).or_insert(next)
}

#[test]
fn views_keep_what_is_the_same_and_what_is_not() {
    let reply = |body: Value| Reply {
        status: http::StatusCode::OK,
        headers: http::HeaderMap::new(),
        bytes: body.to_string().into_bytes(),
    };
    let (a, b) = ("01J9ZX8K2QHV0M3T6R7P4N5W8C", "01J9ZX8K2QHV0M3T6R7P4N5W8D");
    let body = |first: &str, second: &str, time: i64| {
        reply(serde_json::json!({
            "id": format!("org_{first}"), "text": format!("of org_{second}, {first}"),
            "at": [time, time + 1], "chat": { "id": time % 7 }, "count": 3, "nextCursor": second,
        }))
    };
    let view = |reply: &Reply| Seen::default().view(reply);
    let one = view(&body(a, b, 1_767_225_600_000));
    assert_eq!(one, view(&body(b, a, 1_800_000_000_003)));
    assert_ne!(one, view(&body(a, a, 1_767_225_600_000)));
    assert!(one.contains("of org#1, #0"), "{one}");
}
