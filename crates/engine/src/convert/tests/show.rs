//! Snapshots of converted messages.

pub(super) use super::super::show::*;

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
