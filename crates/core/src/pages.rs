//! Pages of lists.

/// Rows of a page unless the caller says otherwise.
pub const DEFAULT_LIMIT: i64 = 50;

/// Most rows of a page.
pub const MAX_LIMIT: i64 = 200;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Most rows; 0 stands for the default, and more than the most for the most.
    pub limit: i64,
    /// Where to go on, from an earlier page.
    pub cursor: Option<String>,
}

impl Page {
    /// The rows to give.
    #[must_use]
    pub fn rows(&self) -> i64 {
        clamp_limit(self.limit)
    }
}

/// The rows to give for a limit that a caller asked for.
pub(crate) fn clamp_limit(limit: i64) -> i64 {
    if limit <= 0 {
        DEFAULT_LIMIT
    } else {
        limit.min(MAX_LIMIT)
    }
}
