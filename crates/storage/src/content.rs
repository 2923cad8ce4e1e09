//! Files as they are read.

use std::io;

use bytes::Bytes;
use futures::stream::BoxStream;

/// A part of a file, by the numbers of its first byte and of the one behind its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The first byte.
    pub start: u64,
    /// Behind the last byte.
    pub end: u64,
}

impl Part {
    /// How many bytes.
    #[must_use]
    pub const fn len(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A file, or a part of it, piece by piece.
pub struct Content {
    /// The size of the whole file.
    pub size: u64,
    /// Which part of it comes.
    pub part: Part,
    /// The bytes of the part.
    pub bytes: BoxStream<'static, io::Result<Bytes>>,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content")
            .field("size", &self.size)
            .field("part", &self.part)
            .finish_non_exhaustive()
    }
}
