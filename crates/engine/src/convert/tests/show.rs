//! Snapshots of converted messages.

use serde_json::Value;
use whatsapp_rust::waproto::whatsapp as wa;

use super::super::message;
pub(super) use super::super::show::*;

/// The content of a message in a direct chat.
pub(super) fn content(body: &wa::Message) -> Value {
    let converted = message(&info(PHONE, PHONE), body, &own());
    converted.map_or(Value::Null, |converted| {
        show_content(&converted.message.content)
    })
}

/// A snapshot on one line. Maps are sorted, whichever order `serde_json` keeps.
macro_rules! compact_snapshot {
    ($value:expr, @$expected:literal) => {
        insta::with_settings!({sort_maps => true}, {
            insta::assert_compact_json_snapshot!($value, @$expected);
        })
    };
}

/// A snapshot on many lines. Maps are sorted, whichever order `serde_json` keeps.
macro_rules! pretty_snapshot {
    ($value:expr, @$expected:literal) => {
        insta::with_settings!({sort_maps => true}, {
            insta::assert_json_snapshot!($value, @$expected);
        })
    };
}

pub(super) use {compact_snapshot, pretty_snapshot};
